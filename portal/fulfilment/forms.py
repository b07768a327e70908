"""Shape of what is scanned and typed at the packing table."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, IntegerField, SelectField, StringField, TimeField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from portal.adapters.couriers import Tracking
from portal.fulfilment.actions import HEAVIEST
from portal.fulfilment.boxes import Box
from portal.fulfilment.models import ParcelLine
from portal.fulfilment.rules import COURIERS, NAMES


class ScanForm(FlaskForm):
    code = StringField(
        _l("Scan or type an article number"), [InputRequired(_l("Scan an article first.")), Length(max=200)]
    )


class PackForm(FlaskForm):
    grams = IntegerField(
        _l("Weight in grams"),
        [
            InputRequired(_l("Weigh the parcel.")),
            NumberRange(1, HEAVIEST, _l("A parcel weighs between %(min)s and %(max)s grams.")),
        ],
    )
    box = SelectField(_l("Box"), coerce=lambda value: int(value) if value else None, validate_choice=True)

    def offer(self, kept: Iterable[Box]) -> "PackForm":
        """The boxes that can be chosen."""
        named = [SelectChoice(box.id, box.name) for box in kept]
        self.box.choices = [SelectChoice("", _l("None of ours")), *named]
        return self


class HandOverForm(FlaskForm):
    courier = SelectField(_l("Courier"), choices=[SelectChoice(c.code, c.name) for c in COURIERS.values() if c.page])
    number = StringField(
        _l("Tracking number"),
        [InputRequired(_l("Scan the number on the label.")), Length(4, 60, _l("That is too short or too long."))],
    )


class SplitForm(FlaskForm):
    """One field of pieces for each line of the parcel; made by `split_form`."""

    def pieces(self) -> dict[int, int]:
        """By the parcel's line, how many go into the second parcel."""
        return {
            int(name.removeprefix("line_")): field.data or 0
            for name, field in self._fields.items()
            if name.startswith("line_")
        }


def split_form(lines: Iterable[ParcelLine]) -> Any:
    """The form for a parcel with these lines."""
    count = [Optional(), NumberRange(0, message=_l("A number of pieces, please."))]
    fields = {f"line_{packed.id}": IntegerField(packed.title, count, default=0) for packed in lines}
    return type("SplitForm", (SplitForm,), fields)()


SAID_BY_US = (
    Tracking.in_transit,
    Tracking.out_for_delivery,
    Tracking.attempt_failed,
    Tracking.delivered,
    Tracking.returned,
)


class SayForm(FlaskForm):
    status = SelectField(
        _l("What happened"), choices=[SelectChoice(str(status), NAMES[status]) for status in SAID_BY_US]
    )
    place = StringField(_l("Where (if it helps)"), [Optional(), Length(max=80)])


class SettlementForm(FlaskForm):
    """What a person decides about something that needs attention."""

    answer = SelectField(
        _l("Decision"), choices=[SelectChoice(value, value) for value in ("take_over", "leave", "done")]
    )
    note = StringField(_l("Note"), [Optional(), Length(max=500, message=_l("That is too long."))])


class VanForm(FlaskForm):
    day = DateField(_l("Day"), [InputRequired()])
    opens = TimeField(_l("From"), [InputRequired()], default=time(15, 0))
    closes = TimeField(_l("To"), [InputRequired()], default=time(18, 0))
