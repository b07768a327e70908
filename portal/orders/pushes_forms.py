"""Shape of what staff write to a channel's people, and why something need not be told."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from portal.orders.pushes import LONGEST_NOTE


class NoteForm(FlaskForm):
    text = TextAreaField(
        _l("Note"),
        [InputRequired(_l("Write something first.")), Length(max=LONGEST_NOTE, message=_l("That is too long."))],
    )


class DropForm(FlaskForm):
    note = StringField(
        _l("Why it is not needed any more"),
        [InputRequired(_l("Write why it is not needed any more.")), Length(max=300, message=_l("That is too long."))],
    )
