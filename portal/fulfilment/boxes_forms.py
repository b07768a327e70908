"""Shape of what is said of a box, and of an article that was measured."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from portal.fulfilment.actions import HEAVIEST

LONGEST = 3_000


def _millimetres(label: Any) -> IntegerField:
    most = NumberRange(1, LONGEST, _l("Between %(min)s and %(max)s millimetres."))
    return IntegerField(label, [InputRequired(_l("Millimetres, please.")), most])


def _grams(label: Any, least: int) -> IntegerField:
    most = NumberRange(least, HEAVIEST, _l("Between %(min)s and %(max)s grams."))
    return IntegerField(label, [InputRequired(_l("Grams, please.")), most])


class BoxForm(FlaskForm):
    name = StringField(_l("Name"), [InputRequired(_l("Give it a name.")), Length(max=40)])
    inner_length = _millimetres(_l("Inner length, mm"))
    inner_width = _millimetres(_l("Inner width, mm"))
    inner_height = _millimetres(_l("Inner height, mm"))
    own_grams = _grams(_l("Weighs itself, g"), 0)
    holds_grams = _grams(_l("May weigh when full, g"), 1)


class MeasureForm(FlaskForm):
    sku = StringField(_l("Article number"), [InputRequired(_l("Scan an article first.")), Length(max=200)])
    length = _millimetres(_l("Length, mm"))
    width = _millimetres(_l("Width, mm"))
    height = _millimetres(_l("Height, mm"))
    grams = _grams(_l("Weight, g"), 1)
