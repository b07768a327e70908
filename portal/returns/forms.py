"""Shape of what customers choose."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Form as PlainForm
from wtforms import FormField, HiddenField, IntegerField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from portal.lib.tokens import mint
from portal.returns.goods import Facts, Goods
from portal.returns.rules import MOST_WORDS, REASONS, Answer, Verdict, Wish, of_line


def choices(named: Mapping[str, Any]) -> list[SelectChoice]:
    chosen = [SelectChoice("", _l("Please choose"))]
    return chosen + [SelectChoice(code, name) for code, name in named.items()]


class WishForm(PlainForm):
    """One line of the order."""

    quantity = IntegerField(
        _l("How many?"), [Optional(), NumberRange(0, 10**6, _l("Choose how many pieces."))], default=0
    )
    reason = SelectField(_l("Why?"), choices=choices(REASONS), validate_choice=False)
    words = TextAreaField(
        _l("Anything we should know? (if you like)"), [Length(max=MOST_WORDS, message=_l("That is too long."))]
    )


class ReturnForm(FlaskForm):
    """What comes back and why; one part for each line that can be chosen. Made by `return_form`."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    offered: tuple[Goods, ...] = ()

    def part(self, goods: Goods) -> WishForm:
        form: WishForm = self[f"line_{goods.line.id}"].form
        return form

    def wishes(self) -> list[Wish]:
        """The lines of which something was chosen."""
        parts = ((goods.line.id, self.part(goods)) for goods in self.offered)
        return [
            Wish(line_id, part.quantity.data, part.reason.data or "", (part.words.data or "").strip())
            for line_id, part in parts
            if part.quantity.data
        ]

    def validate(self, extra_validators: Any = None) -> bool:
        """The shape of each field, then the rules of each line, each message at its field."""
        good = super().validate(extra_validators)
        wishes = self.wishes()
        if good and not wishes:
            self.form_errors.append(_l("Choose what you want to send back."))
        by_id = {goods.line.id: goods for goods in self.offered}
        said = [put(self.part(by_id[wish.line_id]), of_line(by_id[wish.line_id], wish)) for wish in wishes]
        return good and bool(wishes) and not any(said)


def put(part: PlainForm, verdicts: Iterable[Verdict]) -> bool:
    """Put each "no" at its field; whether there was one."""
    refused = [verdict for verdict in verdicts if verdict.answer is Answer.no]
    for verdict in refused:
        field = part[verdict.field or next(iter(part)).short_name]
        field.errors = [*field.errors, verdict.message]
    return bool(refused)


def return_form(facts: Facts, **how: Any) -> ReturnForm:
    """The form for an order's items, also those that can't come back: what was chosen anyway gets its reason."""
    items = tuple(goods for goods in facts.goods if goods.line.kind == "item")
    parts: dict[str, Any] = {f"line_{goods.line.id}": FormField(WishForm, goods.line.title) for goods in items}
    form: ReturnForm = type("ReturnForm", (ReturnForm,), {**parts, "offered": items})(**how)
    return form


class NoteForm(FlaskForm):
    """Words that the customer reads."""

    note = TextAreaField(
        _l("Your words to the customer"),
        [DataRequired(_l("Say why; the customer reads it.")), Length(max=MOST_WORDS)],
    )
