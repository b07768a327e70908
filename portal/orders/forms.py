"""Shape of what customers type to be shown more."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from portal.orders.codes import MOST_TRIES
from portal.orders.models import Code


class CodeForm(FlaskForm):
    """Six digits, as the letter has them; blanks between them do not matter."""

    code = StringField(
        _l("Code"),
        [
            InputRequired(_l("Enter the code from our mail.")),
            Length(max=32),
            Regexp(r"^\s*(\d\s*){6}$", message=_l("The code has six digits.")),
        ],
    )
    then = HiddenField(validators=[Length(max=300)])

    def refuse(self, code: Code | None) -> None:
        """Say that these are not the digits, and what can be done."""
        left = MOST_TRIES - code.tries if code else 0
        wrong = ngettext(
            "That is not the code. You have %(num)s more try.",
            "That is not the code. You have %(num)s more tries.",
            left,
        )
        self.code.errors = [wrong if left else _("This code does not work any more. Let us send you another one.")]
