"""Shape of what customers say, and of what we answer."""

import re

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, DataRequired, Length, Optional
from wtforms.widgets import HiddenInput

from portal.config import LANGUAGES

LONGEST = 4000
OF_THEMSELVES = {
    "en": "English", "de": "Deutsch", "fr": "Français", "nl": "Nederlands", "es": "Español", "hu": "Magyar",
}  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def tidy(said: str | None) -> str:
    """Words with one kind of line end and without characters that nobody can see."""
    return CONTROL.sub("", (said or "").replace("\r\n", "\n").replace("\r", "\n")).strip()


def _not_too_long() -> Length:
    return Length(max=LONGEST, message=_l("That is too long: at most %(max)d characters."))


class MessageForm(FlaskForm):
    words = TextAreaField(_l("Your message"), [DataRequired(_l("Write a few words.")), _not_too_long()], filters=[tidy])


class VerdictForm(FlaskForm):
    solved = StringField(validators=[AnyOf(("yes", "no"))])


class ReplyForm(FlaskForm):
    words = TextAreaField(_l("Your answer"), [DataRequired(_l("Write a few words.")), _not_too_long()], filters=[tidy])
    asks = BooleanField(_l("Ask whether it is solved"))
    seen = IntegerField(validators=[Optional()], widget=HiddenInput())
    snippet = SelectField(_l("Building block"), coerce=int, default=0)
    kind = SelectField(_l("With it goes"), default="")
    line = SelectField(_l("For"), coerce=int, default=0)
    amount = StringField(_l("Amount"), [Length(max=20)])
    article = SelectField(_l("Goods"), coerce=int, default=0)
    pieces = IntegerField(_l("Pieces"), [Optional()], default=1)
    sure = StringField(widget=HiddenInput())


class SnippetForm(FlaskForm):
    language = SelectField(_l("Language"), choices=[SelectChoice(code, OF_THEMSELVES[code]) for code in LANGUAGES])
    name = StringField(_l("Name"), [DataRequired(_l("Give it a name.")), Length(max=80)], filters=[tidy])
    words = TextAreaField(_l("Words"), [DataRequired(_l("Write a few words.")), _not_too_long()], filters=[tidy])


class OwnerForm(FlaskForm):
    owner = SelectField(_l("Who looks after it"), coerce=int)
    instead_of = IntegerField(validators=[Optional()], widget=HiddenInput())
