"""Shape of what a picker says of pieces that are not there."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange

from portal.fulfilment.shorts import REASONS


class ShortForm(FlaskForm):
    pieces = IntegerField(
        _l("How many are missing?"), [InputRequired(_l("Say how many.")), NumberRange(1, message=_l("At least one."))]
    )
    reason = SelectField(_l("Why?"), choices=[SelectChoice(code, name) for code, name in REASONS.items()])
    note = StringField(_l("Note"), [Length(max=300)])


class ChoiceForm(FlaskForm):
    choice = SelectField(choices=[SelectChoice("wait", ""), SelectChoice("split", "")])
