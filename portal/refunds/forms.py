"""Shape of what is decided about money."""

from typing import Any

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from portal.lib.money import Money, NotMoney, to_minor
from portal.refunds.models import Refund, RefundLine

LONGEST_NOTE = 1000


class ApprovalForm(FlaskForm):
    """The amount that the person saw, and a mark of the facts beside it, so that nobody approves others."""

    shown = IntegerField(validators=[InputRequired()])
    facts = StringField(validators=[InputRequired(), Length(max=64)])


def _note(id: str, label: Any, missing: Any) -> TextAreaField:
    return TextAreaField(label, [DataRequired(missing), Length(max=LONGEST_NOTE)], id=id)


def _reason(id: str) -> TextAreaField:
    return _note(id, _l("Why?"), _l("Say why; colleagues read it later."))


class RefusalForm(FlaskForm):
    """No, and why."""

    note = _reason("refusal-note")


class CareForm(FlaskForm):
    """What was done about money that failed."""

    note = _note("care-note", _l("What was done?"), _l("Say what was done; colleagues read it later."))


class ExplanationForm(FlaskForm):
    """Why it is right as it is."""

    note = _note("explanation-note", _l("Why is it right?"), _l("Say why; colleagues read it later."))


class DropForm(FlaskForm):
    """What was seen at Stripe."""

    note = _note("drop-note", _l("What did you see at Stripe?"), _l("Say what you saw; colleagues read it later."))


class ReductionForm(FlaskForm):
    """A new amount for each line. Made by `reduction_form`."""

    shown = IntegerField(validators=[InputRequired()])
    note = _reason("reduction-note")
    rows: tuple[RefundLine, ...] = ()
    currency = ""

    def part(self, line: RefundLine) -> StringField:
        field: StringField = self[f"line_{line.id}"]
        return field

    def amounts(self) -> dict[int, int]:
        """Minor units by line. Raises NotMoney."""
        return {line.id: self._minor(line) for line in self.rows}

    def _minor(self, line: RefundLine) -> int:
        return to_minor((self.part(line).data or "").strip().replace(",", ".") or "0", self.currency)

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        refused = [line for line in self.rows if self._refused(line)]
        if good and not refused and sum(self.amounts().values()) == sum(line.amount for line in self.rows):
            self.form_errors.append(_l("Nothing was reduced. Lower at least one amount."))
            return False
        return good and not refused

    def _refused(self, line: RefundLine) -> bool:
        """Say at the field what is wrong with its amount."""
        most = Money(line.amount, self.currency)
        try:
            if 0 <= self._minor(line) <= most.amount:
                return False
            said = _l("From nothing up to %(amount)s.", amount=most.format(str(get_locale())))
        except NotMoney:
            said = _l("Write an amount like 4.50.")
        self.part(line).errors = [*self.part(line).errors, said]
        return True


def reduction_form(refund: Refund, **how: Any) -> ReductionForm:
    """The form with the amounts as they are now."""
    rows, currency = tuple(refund.lines), refund.currency
    fields = {
        f"line_{line.id}": StringField(
            line.line.title, [Length(max=20)], default=str(Money(line.amount, currency).decimal)
        )
        for line in rows
    }
    bound: type[ReductionForm] = type("ReductionForm", (ReductionForm,), {**fields, "rows": rows, "currency": currency})
    return bound(**how)
