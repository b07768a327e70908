"""Shape of what is typed about the working calendar and couriers' days on the road."""

from collections.abc import Iterable
from typing import Self

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, IntegerField, SelectField, SelectMultipleField, StringField, TimeField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange
from wtforms.widgets import CheckboxInput

from portal.adapters.reading import COUNTRIES
from portal.fulfilment.rules import COURIERS
from portal.lib import days
from portal.orders.calendar import LONGEST_HANDLING, LONGEST_TRANSIT


class HoursForm(FlaskForm):
    """When the warehouse works."""

    country = SelectField(_l("Country whose holidays count"))
    region = SelectField(_l("Region"), validate_choice=False)
    weekdays = SelectMultipleField(_l("People work on"), coerce=int, option_widget=CheckboxInput())
    cutoff = TimeField(_l("Cut-off"), [InputRequired(_l("Write a time like 14:00."))])
    handling_days = IntegerField(
        _l("Working days to pick and pack"),
        [InputRequired(_l("Write a number of days.")), NumberRange(0, LONGEST_HANDLING)],
    )

    def offer(self) -> Self:
        """Fill the choices in the reader's language."""
        locale = get_locale()
        names = locale.days["format"]["wide"] if locale else {}
        self.weekdays.choices = [SelectChoice(day, names.get(day, str(day)).title()) for day in range(7)]
        self.country.choices = list(countries())
        regions = days.regions_of(self.country.data or "")
        self.region.choices = [SelectChoice("", "–"), *(SelectChoice(region, region) for region in regions)]
        return self


class ClosedDayForm(FlaskForm):
    day = DateField(_l("Closed on"), [InputRequired(_l("Choose a day."))])
    why = StringField(_l("Why"), [Length(max=100)])


class TransitForm(FlaskForm):
    """Working days on the road."""

    courier = SelectField(_l("Courier"))
    country = SelectField(_l("Country"))
    days = IntegerField(
        _l("Working days"), [InputRequired(_l("Write a number of days.")), NumberRange(0, LONGEST_TRANSIT)]
    )
    usual = BooleanField(_l("Parcels to this country usually go with this courier"))

    def offer(self) -> Self:
        anything = _l("Any")
        self.courier.choices = [SelectChoice("", anything), *(SelectChoice(c.code, c.name) for c in COURIERS.values())]
        self.country.choices = [SelectChoice("", anything), *countries()]
        return self


def countries() -> Iterable[SelectChoice]:
    """Codes and names in the reader's language, by name."""
    locale = get_locale()
    names = {code: locale.territories.get(code, code) if locale else code for code in COUNTRIES}
    return [SelectChoice(code, name) for code, name in sorted(names.items(), key=lambda pair: pair[1])]
