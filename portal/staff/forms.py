"""Shape of what people type at the door."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import EqualTo, InputRequired, Length

from portal.staff.rules import LONGEST_PASSWORD, SHORTEST_PASSWORD


class SignInForm(FlaskForm):
    email = EmailField(_l("E-mail"), [InputRequired(_l("Enter your e-mail address.")), Length(max=320)])
    password = PasswordField(_l("Password"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST_PASSWORD)])
    next = HiddenField()


class PasswordForm(FlaskForm):
    password = PasswordField(
        _l("New password"),
        [
            InputRequired(_l("Choose a password.")),
            Length(
                min=SHORTEST_PASSWORD,
                max=LONGEST_PASSWORD,
                message=_l("A password has at least %(min)d characters. Three or four words make a good one."),
            ),
        ],
    )
    again = PasswordField(_l("Repeat the password"), [EqualTo("password", _l("The two do not match."))])
