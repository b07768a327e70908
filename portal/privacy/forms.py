"""Shape of what managers type about what is known of customers."""

from datetime import date, timedelta

from flask import request
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from portal.adapters.reading import COUNTRIES
from portal.lib import clock
from portal.lib.days import shop_day
from portal.privacy.retention import KINDS


class WhoForm(FlaskForm):
    """Whose request it is."""

    email = EmailField(
        _l("The customer's e-mail address"),
        [InputRequired(_l("Enter the address they ordered with.")), Length(max=320)],
    )


class TimeForm(FlaskForm):
    """When it was: two days, asked for by an address."""

    class Meta:
        csrf = False

    since = DateField(_l("From"), [Optional()])
    until = DateField(_l("Until"), [Optional()])

    def __init__(self) -> None:
        super().__init__(formdata=request.args)

    def days(self) -> tuple[date, date]:
        """The last week without them; in the right order."""
        today = shop_day(clock.now())
        last = self.until.data or today
        first = self.since.data or last - timedelta(days=7)
        return min(first, last), max(first, last)


class TermForm(FlaskForm):
    """How long one kind is kept, everywhere or in one country."""

    kind = SelectField(_l("What"), choices=[SelectChoice(name, kind.name) for name, kind in KINDS.items()])
    country = SelectField(_l("Country"), choices=[])
    days = IntegerField(
        _l("Days"), [InputRequired(_l("Enter days.")), NumberRange(1, 7300, _l("From 1 to 7300 days."))]
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        locale = get_locale()
        named = {code: locale.territories.get(code, code) if locale else code for code in COUNTRIES}
        countries = sorted(named.items(), key=lambda one: one[1])
        self.country.choices = [SelectChoice("", _l("All others")), *(SelectChoice(*one) for one in countries)]
