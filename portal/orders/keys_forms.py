"""Shape of a new key: whose it is, and what people call it."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import InputRequired, Length, Regexp

NAME = r"^[a-z0-9][a-z0-9-]*$"


def _named(label: Any, wrong: Any) -> StringField:
    said = [
        InputRequired(_l("Write a name.")),
        Length(max=40, message=_l("That is too long.")),
        Regexp(NAME, message=wrong),
    ]
    return StringField(label, said, filters=[lambda typed: typed.strip().lower() if typed else typed])


class KeyForm(FlaskForm):
    """The shop becomes the channel of its orders for good, so its name is kept short and plain."""

    shop = _named(_l("Shop or system"), _l("Use letters from a to z, digits and hyphens."))
    name = _named(_l("Name of the key"), _l("Use letters from a to z, digits and hyphens."))
