"""Shape of a claim, filled in step by step, and of what the desk decides about it."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, IntegerField, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp
from wtforms.widgets import CheckboxInput

from portal.lib.money import Money, NotMoney, to_minor
from portal.lib.tokens import mint
from portal.pictures.forms import PicturesField
from portal.returns.claims_models import FAULTS, NOT_THERE, Claim
from portal.returns.claims_rules import OFFERED, Wrong, of_pieces, of_wish, remedies
from portal.returns.claims_terms import LEGAL_MONTHS, LONGEST_MONTHS, ClaimTerms, Terms
from portal.returns.claims_words import REMEDY, wishes
from portal.returns.goods import Facts, Goods
from portal.returns.rules import MOST_WORDS

STEPS = ("lines", "fault", "photos", "wish", "check")
OF_LINES = [SelectChoice(code, name) for code, name in FAULTS.items() if code != "never_arrived"]
TOO_LONG = _l("That is too long.")


class ClaimForm(FlaskForm):
    """All steps; each page shows one and carries the others along. Made by `claim_form`."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    fault = RadioField(_l("What is wrong?"), choices=OF_LINES, validate_choice=False)
    words = TextAreaField(_l("Tell us more (if you like)"), [Length(max=MOST_WORDS, message=TOO_LONG)])
    photos = PicturesField(_l("Pictures (if you like)"))
    wish = RadioField(_l("What would you like?"), validate_choice=False)
    offered: tuple[Goods, ...] = ()
    pending: Mapping[int, int] = {}
    facts: Facts

    def part(self, goods: Goods) -> Any:
        """The field of one line's pieces."""
        return self[f"line_{goods.line.id}"]

    def pieces(self) -> dict[int, int]:
        """The lines of which something was chosen."""
        parts = ((goods.line.id, self.part(goods).data) for goods in self.offered)
        return {line_id: number for line_id, number in parts if number}

    def chosen(self) -> list[tuple[Goods, int]]:
        """The same, with the goods."""
        return [(goods, number) for goods in self.offered if (number := self.part(goods).data)]

    def offer_wishes(self) -> None:
        """What may be wished for depends on what is wrong."""
        said = wishes(self.fault.data or "")
        self.wish.choices = [SelectChoice(code, said[code]) for code in OFFERED.get(self.fault.data or "", ())]

    def fills(self, step: str) -> bool:
        """Whether this step and those before it are filled in, with messages at the fields of the first that is not."""
        self.validate()
        return all(self._filled(each) for each in STEPS[: STEPS.index(step) + 1])

    def first_open(self) -> str:
        """The first step that is not filled in; the last when all are."""
        return next((step for step in STEPS[:-1] if not self.fills(step)), STEPS[-1])

    def _filled(self, step: str) -> bool:
        if step == "lines":
            return self._lines_filled()
        if step == "fault":
            known = self.fault.data in {each.value for each in OF_LINES}
            return self._said(self.fault, "" if known else _l("Choose what is wrong.")) and not self.words.errors
        if step == "wish":
            return self._said(self.wish, of_wish(self.fault.data or "", self.wish.data or ""))
        return True

    def _lines_filled(self) -> bool:
        good = all(
            self._said(self.part(goods), of_pieces(goods, number, self.pending, self.facts))
            for goods, number in self.chosen()
        )
        if good and not self.pieces():
            self.form_errors.append(_l("Choose what is wrong."))
        return good and bool(self.pieces()) and not any(self.part(goods).errors for goods in self.offered)

    def _said(self, field: Any, message: Any) -> bool:
        if message:
            field.errors = [message]
        return not message

    def wrong(self) -> Wrong:
        return Wrong(self.pieces(), self.fault.data or "", self.wish.data or "", (self.words.data or "").strip())


def claim_form(facts: Facts, pending: Mapping[int, int], **how: Any) -> ClaimForm:
    """The form for an order's items, also those of which nothing can be claimed."""
    items = tuple(goods for goods in facts.goods if goods.line.kind == "item")
    fields: dict[str, Any] = {
        f"line_{goods.line.id}": IntegerField(goods.line.title, [Optional(), NumberRange(0, 10**6)], default=0)
        for goods in items
    }
    made = type("ClaimForm", (ClaimForm,), {**fields, "offered": items, "pending": pending, "facts": facts})
    form: ClaimForm = made(**how)
    form.offer_wishes()
    return form


class SearchForm(FlaskForm):
    """A parcel that never arrived."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    wish = RadioField(
        _l("What would you like?"),
        [InputRequired(_l("Choose what you would like."))],
        choices=[SelectChoice(code, wishes("never_arrived")[code]) for code in OFFERED["never_arrived"]],
        validate_choice=False,
    )
    words = TextAreaField(
        _l("Anything that helps to find it? (if you like)"), [Length(max=MOST_WORDS, message=TOO_LONG)]
    )


class AnswerForm(FlaskForm):
    """What the customer writes back, with pictures."""

    key = HiddenField(validators=[InputRequired(), Length(20, 40)], default=mint)
    words = TextAreaField(_l("Your answer"), [Length(max=MOST_WORDS, message=TOO_LONG)])
    photos = PicturesField(_l("Pictures (if you like)"))


class PostageForm(FlaskForm):
    """What the way back cost the customer."""

    amount = StringField(_l("What did you pay?"), [DataRequired(_l("Write an amount like 4.50.")), Length(max=20)])
    currency = ""

    def minor(self) -> int:
        """Minor units; raises NotMoney for what is no amount."""
        return to_minor((self.amount.data or "").strip().replace(",", "."), self.currency)

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        try:
            good = good and self.minor() > 0
        except NotMoney:
            good = False
        if not good:
            self.amount.errors = [_l("Write an amount like 4.50.")]
        return good


def postage_form(claim: Claim, **how: Any) -> PostageForm:
    form = PostageForm(**how)
    form.currency = claim.ret.order.currency
    return form


class QuestionForm(FlaskForm):
    """What staff want to know."""

    question = TextAreaField(
        _l("Your question to the customer"),
        [DataRequired(_l("Say what you would like to know.")), Length(max=MOST_WORDS)],
    )


class DecisionForm(FlaskForm):
    """How a claim is met. Made by `decision_form`."""

    remedy = RadioField(_l("How is it met?"), validate_choice=False)
    goods_back = BooleanField(_l("The goods are to be sent back"))
    note = TextAreaField(_l("Your words to the customer"), [Length(max=MOST_WORDS)])
    claim: Claim

    def amount(self, row_id: int) -> Any:
        return self[f"amount_{row_id}"]

    def amounts(self) -> dict[int, int]:
        """Minor units by line; raises NotMoney for what is no amount."""
        currency = self.claim.ret.order.currency
        typed = {row.id: (self.amount(row.id).data or "").strip().replace(",", ".") for row in self.claim.ret.lines}
        return {row_id: to_minor(text, currency) for row_id, text in typed.items() if text}

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        try:
            self.amounts()
        except NotMoney:
            self.remedy.errors = [*self.remedy.errors, _l("Write an amount like 4.50.")]
            return False
        return good


def decision_form(claim: Claim, worth: Mapping[int, Money], goods_stay: bool, **how: Any) -> DecisionForm:
    """What fits the claim, with what the customer would like chosen."""
    fields: dict[str, Any] = {
        f"amount_{row.id}": StringField(row.told, [Length(max=20)], description=worth[row.id])
        for row in claim.ret.lines
    }
    made = type("DecisionForm", (DecisionForm,), {**fields, "claim": claim})
    fitting = remedies(claim)
    chosen = "keep_money" if goods_stay and claim.wish == "money" and "keep_money" in fitting else fitting[0]
    form: DecisionForm = made(**{"remedy": chosen, "goods_back": not goods_stay, **how})
    form.remedy.choices = [SelectChoice(code, REMEDY[code]) for code in fitting]
    return form


class TermsForm(FlaskForm):
    """The shop's terms for one country, or for all that have none of their own."""

    country = StringField(
        _l("Country (two letters; empty for all others)"), [Regexp("^([A-Za-z]{2})?$", message=_l("Two letters."))]
    )
    guarantee_months = IntegerField(
        _l("Guarantee, in months"),
        [
            InputRequired(_l("The law gives two years. You may give more, up to twenty.")),
            NumberRange(LEGAL_MONTHS, LONGEST_MONTHS, _l("The law gives two years. You may give more, up to twenty.")),
        ],
        default=LEGAL_MONTHS,
    )
    patience_days = IntegerField(
        _l("A parcel counts as on its way so many days after the expected one"),
        [InputRequired(_l("A number from 0 to 30.")), NumberRange(0, 30, _l("A number from 0 to 30."))],
        default=Terms().patience_days,
    )
    stays = SelectMultipleField(
        _l("Nothing need come back when this is wrong"),
        choices=[each for each in OF_LINES if each.value not in NOT_THERE],
        option_widget=CheckboxInput(),
    )
    stays_up_to = StringField(_l("Or when it is worth no more than (like EUR:15.00,GBP:13.00)"), [Length(max=200)])

    def terms(self) -> Terms:
        """Raises NotMoney for what is no list of amounts."""
        months, days = int(self.guarantee_months.data or 0), int(self.patience_days.data or 0)
        return Terms(months, days, tuple(self.stays.data or ()), self._up_to())

    def _up_to(self) -> dict[str, int]:
        parts = [part.strip().partition(":") for part in (self.stays_up_to.data or "").split(",") if part.strip()]
        return {currency.upper(): to_minor(amount, currency.upper()) for currency, _colon, amount in parts}

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        try:
            self._up_to()
        except NotMoney:
            self.stays_up_to.errors = [_l("Write amounts like EUR:15.00,GBP:13.00.")]
            return False
        return good


def terms_form(terms: ClaimTerms | None, **how: Any) -> TermsForm:
    """The terms as they are."""
    if terms is None:
        return TermsForm(**how)
    up_to = ",".join(f"{currency}:{Money(amount, currency).decimal}" for currency, amount in terms.stays_up_to.items())
    kept = {"country": terms.country, "guarantee_months": terms.guarantee_months, "stays": terms.stays}
    return TermsForm(**{**kept, "patience_days": terms.patience_days, "stays_up_to": up_to, **how})
