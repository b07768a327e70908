"""Shape of what is said about causes."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from portal.feedback.cause_models import About
from portal.feedback.forms import tidy

LONGEST_NOTE = 500


class CauseForm(FlaskForm):
    product = StringField(_l("Product (SKU)"), [Length(max=200)], filters=[tidy])
    courier = SelectField(_l("Courier"), default="", validate_choice=False)
    department = SelectField(_l("Department"), default="", validate_choice=False)
    reason = SelectField(_l("Return reason"), default="", validate_choice=False)

    def about(self) -> About:
        """What was chosen; what the shop does not know, the action refuses."""
        return About(**{name: self.data[name] or "" for name in ("product", "courier", "department", "reason")})


class ChangeForm(FlaskForm):
    changed_on = DateField(_l("Since when"), [InputRequired(_l("Choose a day."))])
    note = TextAreaField(
        _l("What was changed"),
        [
            DataRequired(_l("Write a few words.")),
            Length(max=LONGEST_NOTE, message=_l("That is too long: at most %(max)d characters.")),
        ],
        filters=[tidy],
    )


class MemberForm(FlaskForm):
    number = StringField(_l("Order number"), [DataRequired(_l("Write an order number.")), Length(max=100)], [tidy])


class OfCaseForm(FlaskForm):
    cause = SelectField(_l("Cause"), coerce=int, default=0)
