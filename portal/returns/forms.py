"""Shape of what customers choose."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Form as PlainForm
from wtforms import IntegerField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange

from portal.returns.rules import MOST_WORDS, Answer, Verdict


def choices(named: Mapping[str, Any]) -> list[SelectChoice]:
    chosen = [SelectChoice("", _l("Please choose"))]
    return chosen + [SelectChoice(code, name) for code, name in named.items()]


def put(part: PlainForm, verdicts: Iterable[Verdict]) -> bool:
    """Put each "no" at its field; whether there was one."""
    refused = [verdict for verdict in verdicts if verdict.answer is Answer.no]
    for verdict in refused:
        field = part[verdict.field or next(iter(part)).short_name]
        field.errors = [*field.errors, verdict.message]
    return bool(refused)


class NoteForm(FlaskForm):
    """Words that the customer reads."""

    note = TextAreaField(
        _l("Your words to the customer"),
        [DataRequired(_l("Say why; the customer reads it.")), Length(max=MOST_WORDS)],
    )


class OfferForm(FlaskForm):
    """How much of the money goes back when the goods stay with the customer."""

    share = IntegerField(
        _l("Of its money goes back, percent"),
        [InputRequired(_l("Write percent from 1 to 100.")), NumberRange(1, 100, _l("Write percent from 1 to 100."))],
        default=50,
    )
