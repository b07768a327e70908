"""Shape of what customers choose and what the bench finds."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Form as PlainForm
from wtforms import FormField, HiddenField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from portal.lib.money import Money, NotMoney, to_minor
from portal.lib.tokens import mint
from portal.returns.goods import Facts, Goods
from portal.returns.models import Return, ReturnLine, named
from portal.returns.rules import MOST_WORDS, REASONS, Answer, Finding, Verdict, Wish, of_finding, of_line
from portal.returns.settlement import worth_of
from portal.returns.words import DISPOSITION, GRADE


def _choices(named: Mapping[str, Any]) -> list[SelectChoice]:
    chosen = [SelectChoice("", _l("Please choose"))]
    return chosen + [SelectChoice(code, name) for code, name in named.items()]


class WishForm(PlainForm):
    """One line of the order."""

    quantity = IntegerField(
        _l("How many?"), [Optional(), NumberRange(0, 10**6, _l("Choose how many pieces."))], default=0
    )
    reason = SelectField(_l("Why?"), choices=_choices(REASONS), validate_choice=False)
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
        said = [_put(self.part(by_id[wish.line_id]), of_line(by_id[wish.line_id], wish)) for wish in wishes]
        return good and bool(wishes) and not any(said)


def _put(part: PlainForm, verdicts: Iterable[Verdict]) -> bool:
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


class ScanForm(PlainForm):
    code = StringField(
        _l("Scan or type a return number"), [InputRequired(_l("Scan a return number first.")), Length(max=200)]
    )


class NoteForm(FlaskForm):
    """Words that the customer reads."""

    note = TextAreaField(
        _l("Your words to the customer"),
        [DataRequired(_l("Say why; the customer reads it.")), Length(max=MOST_WORDS)],
    )


class FoundForm(FlaskForm):
    """A line of the order that nobody announced; the choices are set by `found_form`."""

    line = SelectField(_l("What else was in the parcel?"), coerce=int)


def found_form(ret: Return, **how: Any) -> FoundForm:
    form = FoundForm(**how)
    announced = {row.order_line_id for row in ret.lines}
    items = [line for line in ret.order.lines if line.kind == "item" and line.id not in announced]
    form.line.choices = [SelectChoice(line.id, named(line)) for line in items]
    return form


class FindingForm(PlainForm):
    """One line at the bench."""

    counted = IntegerField(
        _l("Counted"),
        [InputRequired(_l("Count the pieces; none is 0.")), NumberRange(0, 9999, _l("Count the pieces; none is 0."))],
    )
    grade = SelectField(_l("State"), choices=_choices(GRADE))
    disposition = SelectField(_l("What becomes of it"), choices=_choices(DISPOSITION))
    deduction = StringField(_l("Deduct"), [Length(max=20)])
    note = StringField(_l("Note"), [Length(max=300)])


class InspectionForm(FlaskForm):
    """One part for each line of the return. Made by `inspection_form`."""

    rows: tuple[ReturnLine, ...] = ()
    facts: Facts

    def part(self, row: ReturnLine) -> FindingForm:
        form: FindingForm = self[f"row_{row.id}"].form
        return form

    def findings(self) -> list[Finding]:
        return [_finding(row, self.part(row), self.facts.order.currency) for row in self.rows]

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        refused = [row for row in self.rows if self._refused(row)] if good else []
        return good and not refused

    def _refused(self, row: ReturnLine) -> bool:
        part = self.part(row)
        try:
            finding = _finding(row, part, self.facts.order.currency)
        except NotMoney:
            return _put(part, [Verdict(Answer.no, _l("Write an amount like 4.50."), "deduction")])
        return _put(part, [of_finding(finding, worth_of(row, _kept(finding), self.facts)[1])])


def _finding(row: ReturnLine, part: FindingForm, currency: str) -> Finding:
    typed = (part.deduction.data or "").strip().replace(",", ".")
    minor = to_minor(typed, currency) if typed else 0
    grade, disposition = part.grade.data or None, part.disposition.data or None
    return Finding(row.id, part.counted.data, grade, disposition, minor, (part.note.data or "").strip())


def _kept(finding: Finding) -> int:
    gone = finding.grade == "wrong_item" or finding.disposition == "back_to_customer"
    return 0 if gone else finding.counted


def inspection_form(ret: Return, facts: Facts, **how: Any) -> InspectionForm:
    """The bench's form: what was found before, else as many as were announced."""
    rows = tuple(ret.lines)
    parts: dict[str, Any] = {
        f"row_{row.id}": FormField(FindingForm, row.told, default=_so_far(row, ret.order.currency)) for row in rows
    }
    form: InspectionForm = type("InspectionForm", (InspectionForm,), {**parts, "rows": rows, "facts": facts})(**how)
    return form


def _so_far(row: ReturnLine, currency: str) -> Mapping[str, Any]:
    found = row.inspection
    if found is None:
        return {"counted": row.quantity or 1}
    deduction: Decimal | str = Money(found.deduction, currency).decimal if found.deduction else ""
    return {
        "counted": found.counted, "grade": found.grade or "", "disposition": found.disposition or "",
        "deduction": str(deduction), "note": found.note,
    }  # fmt: skip
