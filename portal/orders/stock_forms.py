"""Shape of what is typed about stock."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import HiddenField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Regexp

from portal.orders.stock import REASONS

MOST = 10_000_000


class CorrectionForm(FlaskForm):
    """How many lie there now, and why that differs. `seen` is what the page showed."""

    count = IntegerField(
        _l("Pieces that lie there"),
        [InputRequired(_l("Count the pieces.")), NumberRange(0, MOST, _l("Count the pieces."))],
    )
    reason = SelectField(_l("Reason"), choices=[SelectChoice(*each) for each in REASONS.items()])
    note = StringField(_l("Note"), [Length(max=500)])
    seen = HiddenField(validators=[InputRequired(), Regexp("^[0-9]{1,9}$")])


class StockFileForm(FlaskForm):
    file = FileField(_l("CSV file"), [FileRequired(_l("Choose a file."))])
