"""Shape of a return parcel's number, as customers and staff type it."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from portal.adapters.couriers import own
from portal.fulfilment.rules import COURIERS


class BackParcelForm(FlaskForm):
    courier = SelectField(
        _l("Who carries it?"),
        choices=[
            *(SelectChoice(one.code, one.name) for one in COURIERS.values() if one.code != own.CODE),
            SelectChoice("", _l("Somebody else")),
        ],
    )
    number = StringField(
        _l("Number on the receipt"),
        [DataRequired(_l("Type the number on the receipt.")), Length(max=60, message=_l("That is too long."))],
    )

    def told(self) -> tuple[str | None, str]:
        """Courier and number."""
        return self.courier.data or None, self.number.data or ""
