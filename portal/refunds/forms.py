"""Shape of what is decided about money."""

from typing import Any, Self

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from portal.lib.money import Money, NotMoney, to_minor
from portal.refunds.models import Refund, RefundLine
from portal.refunds.rules import ways_of
from portal.refunds.words import WAY

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


class RepetitionForm(FlaskForm):
    """The way on which failed money is proposed again."""

    way = SelectField(_l("How"), validate_choice=False)

    def offer(self, refund: Refund) -> Self:
        """Credit only when it was credit: for another way than before the customer is asked on the proposal's page."""
        offered = [way for way in ways_of(refund.payment) if way != "credit" or refund.way == "credit"]
        self.way.choices = [SelectChoice(way, WAY[way]) for way in offered]
        return self


class ProofForm(FlaskForm):
    """Where the money can be found that a person moved."""

    reference = StringField(
        _l("Reference"), [DataRequired(_l("Write the reference under which it can be found there.")), Length(max=100)]
    )
    on = DateField(_l("Given back on"), [InputRequired(_l("Choose a day."))])


class NotDoneForm(FlaskForm):
    """Why it could not be done."""

    note = _note("not-done-note", _l("Why not?"), _l("Say why; colleagues read it later."))


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


class WayForm(ReductionForm):
    """How much of each line goes another way. Made by `way_form`."""

    way = SelectField(_l("How"))
    agreed = BooleanField(_l("The customer has agreed to store credit"))
    note = _note("way-note", _l("Why?"), _l("Say why; colleagues read it later."))

    def validate(self, extra_validators: Any = None) -> bool:
        good = FlaskForm.validate(self, extra_validators)
        refused = [line for line in self.rows if self._refused(line)]
        if self.way.data == "credit" and not self.agreed.data:
            self.agreed.errors = [*self.agreed.errors, _l("Ask the customer first: the law lets them choose.")]
            return False
        return good and not refused


def way_form(refund: Refund, **how: Any) -> WayForm:
    """The form with all that is proposed, to go another way."""
    rows, currency = tuple(line for line in refund.lines if line.amount), refund.currency
    fields = {f"line_{line.id}": _amount_of(line, currency) for line in rows}
    bound: type[WayForm] = type("WayForm", (WayForm,), {**fields, "rows": rows, "currency": currency})
    form = bound(**how)
    form.way.choices = [SelectChoice(way, WAY[way]) for way in ways_of(refund.payment) if way != refund.way]
    return form


def reduction_form(refund: Refund, **how: Any) -> ReductionForm:
    """The form with the amounts as they are now."""
    rows, currency = tuple(line for line in refund.lines if line.amount), refund.currency
    fields = {f"line_{line.id}": _amount_of(line, currency) for line in rows}
    bound: type[ReductionForm] = type("ReductionForm", (ReductionForm,), {**fields, "rows": rows, "currency": currency})
    return bound(**how)


def _amount_of(line: RefundLine, currency: str) -> StringField:
    return StringField(line.line.title, [Length(max=20)], default=str(Money(line.amount, currency).decimal))
