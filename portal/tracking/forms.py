"""Shape of what customers type on the front page."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, StringField
from wtforms.validators import InputRequired, Length, Regexp


class FindForm(FlaskForm):
    """Ask for a new link. What does not look like an address is said here; whether it is known, nobody says."""

    number = StringField(_l("Order number"), [InputRequired(_l("Enter your order number.")), Length(max=64)])
    email = EmailField(
        _l("E-mail"),
        [
            InputRequired(_l("Enter the e-mail address of your order.")),
            Length(max=320),
            Regexp(r"^\s*[^@\s]+@[^@\s]+\s*$", message=_l("Enter an address like name@example.com.")),
        ],
    )
