"""Shape of the shop's policy as it is typed at the desk."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms import Form as PlainForm
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from portal.lib.languages import by_language, one_per_line, understood
from portal.lib.money import Money, NotMoney, to_minor
from portal.returns.policy import CONDITIONS, Policy, Rule
from portal.returns.policy_rules import CHOICE, CONDITION, KINDS
from portal.returns.reasons import all_reasons

MOST_RULES, LONGEST = 40, 300
AMOUNT = re.compile(r"^([0-9]+(?:[.,][0-9]+)?)\s*([A-Za-z]{3})$")
OFFERED = ("money", "exchange", "credit", "keep")
ANSWERS = {"no": _l("No"), "ask": _l("A person must look")}


class RuleForm(PlainForm):
    """One rule; a row without a kind is none."""

    what = SelectField(_l("Rule"), default="")
    answer = SelectField(_l("It says"), default="no")
    products = StringField(_l("Products"), [Length(max=2000)])
    values = StringField(_l("Countries, channels or states"), [Length(max=500)])
    but = BooleanField(_l("All but these"))
    number = StringField(_l("Number or amount"), [Length(max=20)])
    messages = TextAreaField(_l("Your own words"), [Length(max=3000)])


class PolicyForm(FlaskForm):
    """The whole policy. `seen` is the version that the page showed; `order` is one to try it on."""

    rules = FieldList(FormField(RuleForm), max_entries=MOST_RULES)
    choices = SelectMultipleField(
        _l("What customers may choose"), choices=[SelectChoice(code, CHOICE[code]) for code in OFFERED],
        widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(),
    )  # fmt: skip
    sends_at_once = BooleanField(_l("An exchange leaves when the request is accepted, not when the goods are back"))
    accepts_itself = BooleanField(_l("Accept by itself what all rules say yes to"))
    keep = StringField(_l("May be kept up to this value"), [Length(max=200)])
    keep_share = StringField(_l("Of its money goes back then, percent"), [Length(max=3)])
    bonus = StringField(_l("Bonus on store credit, percent"), [Length(max=3)])
    fee = StringField(_l("Return fee"), [Length(max=200)])
    label = StringField(_l("Fee for our label"), [Length(max=200)])
    restocking = StringField(_l("Restocking fee, percent"), [Length(max=1000)])
    note = StringField(_l("Why it changes"), [DataRequired(_l("Say why, so that everybody can understand it later."))])
    seen = HiddenField(validators=[InputRequired(), Regexp("^[0-9]{1,18}$")])
    order = StringField(_l("Order number"), [Length(max=100)])
    rows = 0

    def policy(self) -> Policy:
        """What was typed, once it was checked."""
        return Policy(
            rules=tuple(_rule(row.form) for row in self.rules if row.form.what.data),
            choices=tuple(code for code in OFFERED if code in (self.choices.data or ())),
            sends_at_once=bool(self.sends_at_once.data), accepts_itself=bool(self.accepts_itself.data),
            bonus=int(self.bonus.data or 0), keep=_amounts(self.keep.data) or {},
            keep_share=int(self.keep_share.data or 100),
            fee=_amounts(self.fee.data) or {}, label=_amounts(self.label.data) or {},
            restocking=_percents(self.restocking.data) or {},
        )  # fmt: skip

    def check(self, *, saving: bool) -> bool:
        """Whether all of it can be understood; each mistake stands at its field. A preview needs no reason."""
        good = self.validate()
        if not saving and self.note.errors:
            self.note.errors, good = [], not any(field.errors for field in self if field is not self.note)
        good = self._money_is_right() and good
        return not [row for row in self.rules if not _checked(row.form)] and good

    def _money_is_right(self) -> bool:
        """Put each mistake of what is chosen and taken at its field; whether there was none."""
        wrong = {
            "choices": None if self.choices.data else _l("Customers have to have a choice: their money, at the least."),
            "bonus": None if _is_percent(self.bonus.data, 0) else _l("Write percent from 0 to 100."),
            "keep": self._wrong_keep(),
            "keep_share": None if _is_percent(self.keep_share.data or "100", 1) else _l("Write percent from 1 to 100."),
            "fee": _wrong_amounts(self.fee.data),
            "label": _wrong_amounts(self.label.data),
            "restocking": None if _percents(self.restocking.data) is not None else _wrong_percents(),
        }
        for name, why in wrong.items():
            if why:
                self[name].errors = [*self[name].errors, why]
        return not any(wrong.values())

    def _wrong_keep(self) -> Any:
        if "keep" in (self.choices.data or ()) and not (self.keep.data or "").strip():
            return _l("Say up to which value goods may be kept, like 15.00 EUR.")
        return _wrong_amounts(self.keep.data)


def _is_percent(typed: str | None, least: int) -> bool:
    percent = (typed or "0").strip()
    return percent.isdecimal() and least <= int(percent) <= 100


def _wrong_amounts(typed: str | None) -> Any:
    return None if _amounts(typed) is not None else _l("Write amounts like 4.90 EUR, 4.50 GBP.")


def _amounts(typed: str | None) -> dict[str, int] | None:
    """Minor units by currency of "4.90 EUR, 4.50 GBP"; None when it can't be read."""
    found = [_amount(part) for part in re.split("[;\n]|,(?=\\s)", typed or "") if part.strip()]
    return None if None in found else dict(pair for pair in found if pair and pair[1])


def _percents(typed: str | None) -> dict[str, int] | None:
    """Percent by state or reason of "opened: 10, changed_mind: 5"; None when it can't be read."""
    parts = [part.partition(":") for part in (typed or "").split(",") if part.strip()]
    known = {*CONDITIONS, *(code for code, reason in all_reasons().items() if reason.group)}
    if any(code.strip() not in known or not share.strip().isdecimal() for code, _colon, share in parts):
        return None
    found = {code.strip(): int(share) for code, _colon, share in parts}
    return None if any(share > 100 for share in found.values()) else {code: n for code, n in found.items() if n}


def _wrong_percents() -> Any:
    return _l("Write states or reasons with percent, like “opened: 10, changed_mind: 5”.")


def _checked(row: RuleForm) -> bool:
    """Put each mistake at its field; whether there was none."""
    kind = KINDS.get(row.what.data)
    if kind is None:
        return True
    wrong = {
        "values": _wrong_values(kind.values, _words(row.values.data)),
        "products": _l("Name the products.") if _needs_products(row) else None,
        "number": _wrong_number(kind.number, row.number.data or "", needed=row.what.data != "final_sale"),
        "answer": _l("This rule can only ask for a person.") if kind.only_asks and row.answer.data == "no" else None,
        "messages": _wrong_messages(row.messages.data or ""),
    }
    for name, why in wrong.items():
        if why:
            row[name].errors = [*row[name].errors, why]
    return not any(wrong.values())


def _needs_products(row: RuleForm) -> bool:
    named, by_price = _words(row.products.data), row.what.data == "final_sale" and row.number.data
    return row.what.data in ("product", "final_sale") and not named and not by_price


def _wrong_values(asked: str, values: Sequence[str]) -> Any:
    if asked == "countries" and not (values and all(re.fullmatch("[A-Za-z]{2}", one) for one in values)):
        return _l("Write countries like DE, AT.")
    if asked == "channels" and not values:
        return _l("Write channels like shopify, api:shop.")
    if asked == "conditions" and not (values and set(values) <= set(CONDITIONS)):
        return _l("Write states: sealed, opened, used.")
    return None


def _wrong_number(asked: str, typed: str, *, needed: bool) -> Any:
    if asked == "amount":
        return _l("Write an amount with its currency, like 200.00 EUR.") if _amount(typed) is None else None
    if asked and (needed or typed) and not (typed.strip().isdecimal() and 0 < int(typed) <= 3650):
        return _l("Write a whole number.")
    return None


def _wrong_messages(typed: str) -> Any:
    wrong = _l("Write one language per line, like “en: We take this back in the shop only.”")
    return None if understood(typed) else wrong


def _words(typed: str | None) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,;\s]+", typed or "") if word)


def _amount(typed: str) -> tuple[str, int] | None:
    """Currency and minor units of "200.00 EUR"."""
    found = AMOUNT.match(typed.strip())
    if not found:
        return None
    try:
        return found[2].upper(), to_minor(found[1].replace(",", "."), found[2].upper())
    except NotMoney:
        return None


def _rule(row: RuleForm) -> Rule:
    kind, typed = KINDS[row.what.data], (row.number.data or "").strip()
    values = _words(row.values.data)
    if kind.values == "countries":
        values = tuple(value.upper() for value in values)
    if kind.number == "amount":
        currency, number = _amount(typed) or ("", 0)
        values = (currency,)
    else:
        number = int(typed or 0) if kind.number else 0
    return Rule(
        what=row.what.data, answer=row.answer.data, products=_words(row.products.data),
        values=values if kind.values else (), but=bool(row.but.data), number=number,
        messages=by_language(row.messages.data or "", LONGEST),
    )  # fmt: skip


def policy_form(policy: Policy, *, more: bool = False, **how: Any) -> PolicyForm:
    """The form with a row per rule and an empty one below; with `more` another is added to what was typed."""
    shown = {"rules": [_typed(rule) for rule in policy.rules], "seen": str(policy.version), **_money(policy)}
    form = PolicyForm(data=shown, **how)
    full = not form.rules.entries or form.rules.entries[-1].form.what.data
    if (more or full) and len(form.rules) < MOST_RULES:
        form.rules.append_entry()
    for row in form.rules:
        row.form.what.choices = [SelectChoice("", "–"), *(SelectChoice(code, k.label) for code, k in KINDS.items())]
        row.form.answer.choices = [SelectChoice(code, told) for code, told in ANSWERS.items()]
    return form


def _money(policy: Policy) -> Mapping[str, Any]:
    return {
        "choices": list(policy.choices), "sends_at_once": policy.sends_at_once, "bonus": str(policy.bonus or ""),
        "accepts_itself": policy.accepts_itself,
        "keep": told_amounts(policy.keep), "keep_share": str(policy.keep_share),
        "fee": told_amounts(policy.fee), "label": told_amounts(policy.label),
        "restocking": told_percents(policy.restocking),
    }  # fmt: skip


def told_amounts(amounts: Mapping[str, int]) -> str:
    return _joined(f"{Money(amount, currency).decimal} {currency}" for currency, amount in amounts.items())


def told_percents(shares: Mapping[str, int]) -> str:
    return _joined(f"{code}: {share}" for code, share in shares.items())


def _typed(rule: Rule) -> Mapping[str, Any]:
    return {
        "what": rule.what, "answer": rule.answer, "products": ", ".join(rule.products),
        "values": "" if rule.what == "value" else ", ".join(rule.values), "but": rule.but, "number": number_of(rule),
        "messages": one_per_line(rule.messages),
    }  # fmt: skip


def number_of(rule: Rule) -> str:
    """The rule's number as people write it."""
    if rule.what == "value":
        decimal: Decimal = Money(rule.number, rule.values[0]).decimal
        return f"{decimal} {rule.values[0]}"
    return str(rule.number) if rule.number else ""


def told_values(rule: Rule) -> str:
    """Countries, channels or states, as people read them."""
    if rule.what == "condition":
        return _joined(str(CONDITION[value]) for value in rule.values)
    return "" if rule.what == "value" else _joined(rule.values)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)
