"""Shape of what the bench scans and finds."""

from collections.abc import Mapping, Sequence
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
from portal.pictures.forms import PicturesField
from portal.returns.bench import MOST_STATES, Finding, of_line
from portal.returns.forms import choices, put
from portal.returns.goods import Facts
from portal.returns.models import Inspection, Return, ReturnLine, named
from portal.returns.rules import Answer, Verdict
from portal.returns.words import DISPOSITION, GRADE


class ScanForm(PlainForm):
    code = StringField(
        _l("Scan the return number, or the parcel's label"),
        [InputRequired(_l("Scan a return number first.")), Length(max=200)],
    )


class FoundForm(FlaskForm):
    """A line of the order that nobody announced; the choices are set by `found_form`."""

    line = SelectField(_l("What else was in the parcel?"), coerce=int)


def found_form(ret: Return, **how: Any) -> FoundForm:
    form = FoundForm(**how)
    announced = {row.order_line_id for row in ret.lines}
    items = [line for line in ret.order.lines if line.kind == "item" and line.id not in announced]
    form.line.choices = [SelectChoice(line.id, named(line)) for line in items]
    if not announced:
        form.line.label.text = _l("Article")
    return form


COUNT = _l("Count the pieces; none is 0.")


class StateForm(PlainForm):
    """Pieces of one line in one state. Its pictures wait beside the form under `shown_under`."""

    counted = IntegerField(_l("Counted"), [Optional(), NumberRange(0, 9999, COUNT)])
    grade = SelectField(_l("State"), [Optional()], choices=choices(GRADE))
    disposition = SelectField(_l("What becomes of it"), [Optional()], choices=choices(DISPOSITION))
    deduction = StringField(_l("Deduct"), [Length(max=20)])
    note = StringField(_l("Note"), [Length(max=300)])
    photos = PicturesField(_l("Pictures"))
    shown_under = ""


class FindingForm(StateForm):
    """The first state of a line: that must be counted."""

    counted = IntegerField(_l("Counted"), [InputRequired(COUNT), NumberRange(0, 9999, COUNT)])


class InspectionForm(FlaskForm):
    """For each line of the return a part for each state that its pieces may be in. Made by `inspection_form`."""

    key = HiddenField(validators=[Length(20, 40)], default=mint)
    rows: tuple[ReturnLine, ...] = ()
    facts: Facts

    def states(self, row: ReturnLine) -> list[StateForm]:
        """The first is always filled in; the others when the pieces are not all in the same state."""
        parts = [self[name].form for name in _names(row)]
        for name, part in zip(_names(row), parts, strict=True):
            part.shown_under = f"{self.key.data}.{name}"
        return parts

    def findings(self) -> list[Finding]:
        return [finding for row in self.rows for finding in self._of(row)]

    def _of(self, row: ReturnLine) -> list[Finding]:
        return [_finding(row, part, self.facts.order.currency) for part in self._filled(row)]

    def _filled(self, row: ReturnLine) -> list[StateForm]:
        first, *others = self.states(row)
        return [first, *(part for part in others if part.counted.data)]

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        refused = [row for row in self.rows if self._refused(row)] if good else []
        return good and not refused

    def _refused(self, row: ReturnLine) -> bool:
        parts = self._filled(row)
        if [part for part in parts if _no_money(part, self.facts.order.currency)]:
            return True
        said = (verdict for _finding, verdict in of_line(row, self._of(row), self.facts))
        return bool([part for part, verdict in zip(parts, said, strict=True) if put(part, [verdict])])


def _names(row: ReturnLine) -> Sequence[str]:
    """`row_7` is the first state of line 7, `row_7_2` the second."""
    return [f"row_{row.id}", *(f"row_{row.id}_{n}" for n in range(2, MOST_STATES + 1))]


def _no_money(part: StateForm, currency: str) -> bool:
    try:
        _minor(part, currency)
    except NotMoney:
        return put(part, [Verdict(Answer.no, _l("Write an amount like 4.50."), "deduction")])
    return False


def _minor(part: StateForm, currency: str) -> int:
    typed = (part.deduction.data or "").strip().replace(",", ".")
    return to_minor(typed, currency) if typed else 0


def _finding(row: ReturnLine, part: StateForm, currency: str) -> Finding:
    grade, disposition = part.grade.data or None, part.disposition.data or None
    note = (part.note.data or "").strip()
    shown = part.shown_under if part.photos.drafts else ""
    return Finding(row.id, part.counted.data, grade, disposition, _minor(part, currency), note, shown)


def inspection_form(ret: Return, facts: Facts, **how: Any) -> InspectionForm:
    """The bench's form: what was found before, else as many as were announced."""
    rows = tuple(ret.lines)
    parts: dict[str, Any] = {}
    for row in rows:
        for place, name in enumerate(_names(row)):
            kind = StateForm if place else FindingForm
            parts[name] = FormField(kind, row.told, default=_so_far(row, place, ret.order.currency))
    form: InspectionForm = type("InspectionForm", (InspectionForm,), {**parts, "rows": rows, "facts": facts})(**how)
    return form


def _so_far(row: ReturnLine, place: int, currency: str) -> Mapping[str, Any]:
    if place < len(row.inspections):
        return _found(row.inspections[place], currency)
    return {} if place or row.inspections else {"counted": row.quantity or 1}


def _found(found: Inspection, currency: str) -> Mapping[str, Any]:
    deduction: Decimal | str = Money(found.deduction, currency).decimal if found.deduction else ""
    return {
        "counted": found.counted, "grade": found.grade or "", "disposition": found.disposition or "",
        "deduction": str(deduction), "note": found.note,
    }  # fmt: skip


class StrangerForm(FlaskForm):
    """A parcel without a return's number, or with another `code`."""

    code = HiddenField(validators=[Length(max=200)])

    detail = TextAreaField(
        _l("Who sent it, as the parcel says, and what is in it"),
        [DataRequired(_l("Write down what the parcel says.")), Length(max=500, message=_l("That is too long."))],
    )


class DecideForm(FlaskForm):
    """What is to happen with something odd."""

    choice = StringField(validators=[DataRequired(_l("Choose what is to happen."))])
    number = StringField(_l("Number of the return, or of the order"), [Length(max=60)])
    note = TextAreaField(_l("Your words"), [Length(max=1000, message=_l("That is too long."))])
