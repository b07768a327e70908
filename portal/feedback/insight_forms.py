"""Shape of what a reader of insight asks for: all of it is in the address."""

from datetime import date, timedelta
from typing import Any, Self

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, Length, Optional

from portal.config import LANGUAGES
from portal.feedback.insight import DIMENSIONS, Wish, monday, weeks_until
from portal.feedback.scores import KIND_NAMES

PERIODS: dict[str, Any] = {
    "4": _l("4 weeks"), "13": _l("13 weeks"), "26": _l("26 weeks"), "52": _l("52 weeks"),
}  # fmt: skip
TONES = {"bad": _l("Bad"), "middling": _l("In between"), "good": _l("Good")}
LONGEST = timedelta(weeks=160)
USUAL = 13


class PeriodForm(FlaskForm):
    """From when to when, in whole weeks; two days win over a number of weeks."""

    class Meta:
        csrf = False

    weeks = SelectField(_l("Period"), [Optional()], default=str(USUAL), validate_choice=False)
    since = DateField(_l("First day"), [Optional()])
    until = DateField(_l("Last day"), [Optional()])

    def offer(self) -> Self:
        self.weeks.choices = [SelectChoice(code, name) for code, name in PERIODS.items()]
        return self

    def validate(self, extra_validators: Any = None) -> bool:
        if not super().validate(extra_validators):
            return False
        if (self.weeks.data or str(USUAL)) not in PERIODS:
            self.weeks.errors = [_("Choose one of these.")]
        if self.since.data and self.until.data and self.since.data > self.until.data:
            self.until.errors = [_("This day is before the first.")]
        if self.since.data and (self.until.data or date.max) - self.since.data > LONGEST and self.until.data:
            self.until.errors = [_("At most three years can be shown at once.")]
        return not (self.weeks.errors or self.until.errors)

    def period(self, today: date) -> tuple[date, date]:
        """A Monday and a Sunday."""
        if not self.since.data and not self.until.data:
            return weeks_until(today, int(self.weeks.data or USUAL))
        last = self.until.data or max(today, self.since.data)
        first = self.since.data or last - timedelta(weeks=USUAL)
        return max(monday(first), monday(last) - LONGEST), monday(last) + timedelta(days=6)


class InsightForm(PeriodForm):
    kind = SelectField(_l("Question"), [Optional()], validate_choice=False)
    only = StringField(validators=[Optional(), Length(max=200)])
    by = StringField(validators=[Optional(), AnyOf(tuple(DIMENSIONS))])

    def wish(self, today: date, kinds: Any) -> Wish:
        """What is to be shown; the kind that was answered most when none was chosen."""
        first, last = self.period(today)
        kind = self.kind.data if self.kind.data in KIND_NAMES else next(iter(kinds), "csat")
        within, _colon, value = (self.only.data or "").partition(":")
        return Wish(kind, first, last, within, value) if within in DIMENSIONS else Wish(kind, first, last)


class WordsForm(PeriodForm):
    language = SelectField(_l("Language"), [Optional()], validate_choice=False)
    q = StringField(_l("Words"), [Optional(), Length(max=200)])
    tone = SelectField(
        _l("Answers"), [Optional(), AnyOf(("bad", "middling", "good"))],
        choices=[SelectChoice("", _l("All")), *(SelectChoice(code, name) for code, name in TONES.items())],
    )  # fmt: skip
    def spoken(self, default: str) -> str:
        return self.language.data if self.language.data in LANGUAGES else default
