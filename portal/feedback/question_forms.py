"""Shape of what is asked: the shop's own form in one language, occasions, the page for public reviews."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import HiddenInput

from portal.feedback.built_in import BUILT_IN
from portal.feedback.forms import tidy
from portal.feedback.own_forms import TEXTS
from portal.feedback.reviews import CHECKS
from portal.feedback.reviews import LONGEST as LONGEST_ADDRESS
from portal.feedback.rules import REASON_WORDS

NAMES: Mapping[str, Any] = {
    "csat": _l("Satisfaction: five faces"),
    "nps": _l("Recommendation: 0 to 10"),
    "ces": _l("Effort: 1 to 7"),
    "stars": _l("Stars for each article"),
}
TOO_LONG = _l("That is too long: at most %(max)d characters.")
SCALE_NAMES = {"five": _l("1 to 5"), "seven": _l("1 to 7"), "eleven": _l("0 to 10")}


def _line(label: Any, longest: int = 200) -> StringField:
    return StringField(label, [Length(max=longest, message=TOO_LONG)], filters=[tidy])


class TextsForm(FlaskForm):
    """What a form says in one language; an empty line is shown in another one."""

    ask = _line(TEXTS["ask"])
    lead = _line(TEXTS["lead"])
    low = _line(TEXTS["low"], 60)
    high = _line(TEXTS["high"], 60)
    bad = _line(TEXTS["bad"])
    middle = _line(TEXTS["middle"])
    good = _line(TEXTS["good"])
    words = _line(TEXTS["words"])
    choice = _line(TEXTS["choice"])
    choices = TextAreaField(_l("Its answers, one on each line"), [Length(max=1000)], filters=[tidy])
    seen = IntegerField(validators=[Optional()], widget=HiddenInput())

    def texts(self) -> dict[str, Any]:
        said: dict[str, Any] = {name: self._fields[name].data or "" for name in TEXTS}
        lines = (line.strip() for line in (self.choices.data or "").split("\n"))
        return {**said, "choices": [line[:100] for line in lines if line]}


class NewForm(TextsForm):
    name = StringField(_l("Name, for you"), [InputRequired(_l("Give it a name.")), Length(max=80)], filters=[tidy])
    scale = SelectField(_l("Scale"), choices=[SelectChoice(code, name) for code, name in SCALE_NAMES.items()])


class OccasionsForm(FlaskForm):
    delivered = SelectField(REASON_WORDS["delivered"])
    return_settled = SelectField(REASON_WORDS["return_settled"])
    case_closed = SelectField(REASON_WORDS["case_closed"])

    def offer(self, own: Mapping[str, str]) -> "OccasionsForm":
        """The portal's own questions and the shop's, by their names."""
        named = {**{code: NAMES[code] for code in BUILT_IN}, **own}
        for field in self.chosen().values():
            field.choices = [SelectChoice(code, name) for code, name in named.items()]
        return self

    def chosen(self) -> dict[str, SelectField]:
        return {reason: self._fields[reason] for reason in REASON_WORDS}


class ReviewForm(FlaskForm):
    address = StringField(
        _l("Your page at a review site"),
        [Length(max=LONGEST_ADDRESS, message=TOO_LONG)],
        filters=[tidy],
    )
    checked = SelectField(
        _l("How reviews are checked there"), choices=[SelectChoice(code, name) for code, name in CHECKS.items()]
    )


class RetirementForm(FlaskForm):
    """Nothing but the button."""
