"""Shape of what customers type on the front page."""

from collections.abc import Sequence
from datetime import date
from typing import Self

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Regexp

from portal.lib import days

CHOICES = {
    "wait": _l("I wait for it"),
    "another_day": _l("Bring it on another day"),
    "cancel": _l("Cancel my order and give me my money back"),
}


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


class ChoiceForm(FlaskForm):
    """What to do about a promise that breaks. Another day and a cancellation only while the goods are here."""

    choice = RadioField(
        _l("What would you like?"),
        [InputRequired(_l("Choose one."))],
        choices=[SelectChoice(*each) for each in CHOICES.items()],
    )
    day = SelectField(_l("Which day?"), choices=[])

    @classmethod
    def offering(cls, offered: Sequence[date], *, here: bool, chosen: str | None) -> Self:
        form = cls(formdata=None, choice=chosen)
        possible = {"wait": True, "another_day": bool(offered), "cancel": here}
        form.choice.choices = [SelectChoice(name, label) for name, label in CHOICES.items() if possible[name]]
        locale = str(get_locale() or "en")
        form.day.choices = [SelectChoice(day.isoformat(), days.short(day, locale)) for day in offered]
        return form

    def accept_any_day(self) -> None:
        """Whether the day was offered is the action's to say."""
        self.day.validate_choice = False

    def chosen_day(self) -> date | None:
        """The day, when another one is wanted; None for what is no date."""
        try:
            return date.fromisoformat(self.day.data or "") if self.choice.data == "another_day" else None
        except ValueError:
            return None
