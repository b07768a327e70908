"""Shape of what people type at the door."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, HiddenField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Email, EqualTo, InputRequired, Length

from portal.staff import codes, words
from portal.staff.models import Staff
from portal.staff.rules import LONGEST_PASSWORD, SHORTEST_PASSWORD, Role


class SignInForm(FlaskForm):
    email = EmailField(_l("E-mail"), [InputRequired(_l("Enter your e-mail address.")), Length(max=320)])
    password = PasswordField(_l("Password"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST_PASSWORD)])
    next = HiddenField()


class ResetForm(FlaskForm):
    email = EmailField(_l("E-mail"), [InputRequired(_l("Enter your e-mail address.")), Length(max=320)])


class RoleForm(FlaskForm):
    role = SelectField(_l("Role"), choices=[SelectChoice(role, words.ROLE[role]) for role in Role])


class InvitationForm(RoleForm):
    name = StringField(_l("Name"), [InputRequired(_l("Enter the name.")), Length(max=100)])
    email = EmailField(
        _l("E-mail"),
        [InputRequired(_l("Enter the address.")), Email(_l("This is no e-mail address.")), Length(max=320)],
        filters=[lambda typed: typed and typed.strip()],
    )


class CodeForm(FlaskForm):
    """The second factor, typed."""

    code = StringField(_l("Code"), [InputRequired(_l("Enter the code.")), Length(max=50)])
    next = HiddenField()


class AppForm(FlaskForm):
    """The first code of a new authenticator app, with the sealed secret that the page showed."""

    sealed = HiddenField(validators=[Length(max=500)])
    code = StringField(_l("Code"), [InputRequired(_l("Enter the code.")), Length(max=50)])
    next = HiddenField()

    def secret(self, person: Staff) -> str:
        """The secret that the page shows: the same after a wrong code; a new one when none of ours came along."""
        found = codes.opened(self.sealed.data or "", person)
        if found is None:
            self.sealed.data = codes.new_secret(person)
            found = codes.opened(self.sealed.data, person)
        return str(found)


class ConfirmForm(FlaskForm):
    """Who it is, once more. Beside it the page keeps another form's fields; the token is that form's."""

    class Meta:
        csrf = False

    password = PasswordField(_l("Password"), [InputRequired(_l("Enter your password.")), Length(max=LONGEST_PASSWORD)])
    code = StringField(_l("Code"), [Length(max=50)])


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


class AbsenceForm(FlaskForm):
    person = SelectField(_l("Who"), coerce=int)
    first = DateField(_l("From"), [InputRequired(_l("Choose a day."))])
    last = DateField(_l("To and with"), [InputRequired(_l("Choose a day."))])
