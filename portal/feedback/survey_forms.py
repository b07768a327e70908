"""Shape of when, and on which ground, customers are asked."""

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length, NumberRange

from portal.feedback.forms import tidy
from portal.feedback.grounds import GROUNDS
from portal.feedback.timing import LONGEST_QUIET, LONGEST_WAIT


def _between(low: int, high: int) -> list[object]:
    said = _l("Write a number from %(min)s to %(max)s.")
    return [InputRequired(said), NumberRange(low, high, message=said)]


class TermsForm(FlaskForm):
    after_days = IntegerField(_l("Days to wait"), _between(1, LONGEST_WAIT))
    hour = IntegerField(_l("Hour of the day"), _between(6, 20))
    working_days = BooleanField(_l("Only on working days of the customer's country"))
    remind_days = IntegerField(_l("Days until the one reminder"), _between(0, 25))
    quiet_days = IntegerField(_l("Quiet days"), _between(1, LONGEST_QUIET))
    silence_days = IntegerField(_l("Days of silence that end a case"), _between(3, 90))
    anonymous = BooleanField(_l("Keep answers without name and order"))


class GroundForm(FlaskForm):
    country = SelectField(_l("Country"))
    ground = SelectField(_l("Who is asked"), choices=[SelectChoice(code, name) for code, name in GROUNDS.items()])
    proof = TextAreaField(_l("Where customers are told, in which words"), [Length(max=2000)], filters=[tidy])

    def offer(self) -> "GroundForm":
        """All countries, by their names in the reader's language."""
        locale = get_locale()
        named = {code: name for code, name in locale.territories.items() if len(code) == 2 and code.isalpha()}
        by_name = sorted(named.items(), key=lambda item: item[1])
        self.country.choices = [SelectChoice(code, name) for code, name in by_name if code not in ("ZZ", "EU", "UN")]
        return self


class ConsentForm(FlaskForm):
    """Nothing but the button."""

    yes = StringField(validators=[AnyOf(("yes",))])
