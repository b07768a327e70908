"""What each kind of the policy's rules looks at, and what it says when it bites."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib import days
from portal.returns.goods import Facts, Goods, last_day
from portal.returns.policy import Rule


class Wanted(Protocol):
    """What the rules look at of a wish."""

    @property
    def line_id(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def condition(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is called at the desk, and which of a rule's parts it uses: days, percent, amount, times, values."""

    label: Any
    number: str = ""
    values: str = ""
    of_goods: bool = False
    only_asks: bool = False


KINDS: dict[str, Kind] = {
    "window": Kind(_l("Window"), number="days"),
    "country": Kind(_l("Country"), values="countries"),
    "channel": Kind(_l("Channel"), values="channels"),
    "product": Kind(_l("Product"), of_goods=True),
    "final_sale": Kind(_l("Final sale"), number="percent", of_goods=True),
    "condition": Kind(_l("Condition"), values="conditions", of_goods=True),
    "value": Kind(_l("Value"), number="amount", values="currency"),
    "often": Kind(_l("How often"), number="times", only_asks=True),
}
NUMBERS = {
    "days": _l("days after the last parcel came"),
    "percent": _l("percent off, or more"),
    "times": _l("returns within a year, or more"),
}
CHOICE = {
    "money": _l("My money back"),
    "exchange": _l("Another variant instead"),
    "credit": _l("Store credit"),
    "keep": _l("Keep it, and get part of the money back"),
}
"""What customers may choose, in their words."""


CONDITION = {
    "sealed": _l("Unopened"),
    "opened": _l("Opened, but not used"),
    "used": _l("Used"),
}


def told_share(share: int) -> str:
    """What of the money goes back for goods that stay with the customer."""
    if share == 100:
        return _("You keep it, and get all its money back")
    return _("You keep it, and get %(n)s%% of its money back", n=share)


def of_goods(rule: Rule) -> bool:
    """Whether it is asked line by line: by its kind, or because it is for some products only."""
    return bool(rule.products) or KINDS[rule.what].of_goods


def bites(rule: Rule, facts: Facts, goods: Goods | None = None, wish: Wanted | None = None) -> bool:
    """Whether the rule says something else than yes about the order, or about this line of it."""
    if rule.what not in ("product", "final_sale") and rule.products and not (goods and is_for(rule, facts, goods)):
        return False
    return LOOKS[rule.what](rule, facts, goods, wish)


def is_for(rule: Rule, facts: Facts, goods: Goods) -> bool:
    """Whether the line's article is one of the rule's products."""
    sku, kind = goods.line.sku.casefold(), facts.types.get(goods.line.sku, "").casefold()
    return any(_matches(product.casefold(), sku, kind) for product in rule.products)


def _matches(product: str, sku: str, kind: str) -> bool:
    if product.startswith("type:"):
        return bool(kind) and product.removeprefix("type:").strip() == kind
    return bool(sku) and (sku.startswith(product[:-1]) if product.endswith("*") else sku == product)


def _too_late(rule: Rule, facts: Facts, _goods: Goods | None, _wish: Wanted | None) -> bool:
    until = end_of(rule, facts)
    return until is not None and facts.today > until


def end_of(rule: Rule, facts: Facts) -> date | None:
    return last_day(facts.delivered_at, current_app.config["SETTINGS"], rule.number)


def _from_there(rule: Rule, facts: Facts, _goods: Goods | None, _wish: Wanted | None) -> bool:
    return ((facts.order.country or "") in rule.values) != rule.but


def _bought_there(rule: Rule, facts: Facts, _goods: Goods | None, _wish: Wanted | None) -> bool:
    return (facts.order.channel.casefold() in {value.casefold() for value in rule.values}) != rule.but


def _such_goods(rule: Rule, facts: Facts, goods: Goods | None, _wish: Wanted | None) -> bool:
    return goods is not None and is_for(rule, facts, goods) != rule.but


def _sold_for_good(rule: Rule, facts: Facts, goods: Goods | None, wish: Wanted | None) -> bool:
    """Named, or sold for so many percent less than its price."""
    if goods is None or (rule.products and not _such_goods(rule, facts, goods, wish)):
        return False
    full = goods.line.unit_price * goods.line.quantity
    return not rule.number or (full > 0 and (full - goods.line.paid) * 100 >= rule.number * full)


def _in_that_state(rule: Rule, _facts: Facts, goods: Goods | None, wish: Wanted | None) -> bool:
    return goods is not None and wish is not None and (wish.condition in rule.values) != rule.but


def _never_by_itself(_rule: Rule, _facts: Facts, _goods: Goods | None, _wish: Wanted | None) -> bool:
    """Of the value of all that is wanted together: see `worth_too_much`."""
    return False


def _often(rule: Rule, facts: Facts, _goods: Goods | None, _wish: Wanted | None) -> bool:
    return facts.often >= rule.number


LOOKS: dict[str, Callable[[Rule, Facts, Goods | None, Wanted | None], bool]] = {
    "window": _too_late,
    "country": _from_there,
    "channel": _bought_there,
    "product": _such_goods,
    "final_sale": _sold_for_good,
    "condition": _in_that_state,
    "value": _never_by_itself,
    "often": _often,
}


def worth_too_much(rule: Rule, facts: Facts, wishes: Sequence[Wanted]) -> bool:
    """Whether all that is wanted is worth more than the rule's amount, in its currency."""
    if rule.what != "value" or facts.order.currency not in rule.values:
        return False
    return sum(_worths(rule, facts, wishes)) > rule.number


def _worths(rule: Rule, facts: Facts, wishes: Iterable[Wanted]) -> Iterator[int]:
    for wish in wishes:
        goods = facts.of(wish.line_id)
        if goods and 0 < wish.quantity <= goods.line.quantity and (not rule.products or is_for(rule, facts, goods)):
            yield goods.worth(wish.quantity, goods.claimed).amount


def message(rule: Rule, facts: Facts, goods: Goods | None = None) -> str:
    """The shop's own words in the reader's language, or in English; else the house's sentence."""
    own = rule.messages.get(_language()) or rule.messages.get("en")
    return own or _house_sentence(rule, facts, goods.line.title if goods else "")


def _language() -> str:
    return str(get_locale() or "en").partition("_")[0]


def _house_sentence(rule: Rule, facts: Facts, title: str) -> str:
    if rule.answer == "ask":
        if title:
            return _("We look at %(title)s before we answer.", title=title)
        return _("We look at your request before we answer.")
    if rule.what == "window":
        return _late(rule, facts)
    if rule.what == "channel":
        return _("What was bought at %(channel)s is sent back there.", channel=facts.order.channel_name)
    return str(NOS.get(rule.what, NOS["product"])) % {"title": title}


NOS = {
    "country": _l("We can't take anything back from this country."),
    "product": _l("%(title)s can't be sent back."),
    "final_sale": _l("%(title)s was sold for good and can't be sent back."),
    "condition": _l("%(title)s can't be sent back in this state."),
    "value": _l("That is worth too much to be sent back like this. Please write to us."),
}


def _late(rule: Rule, facts: Facts) -> str:
    until = end_of(rule, facts) or facts.today
    return _(
        "The time to send something back ended on %(day)s.",
        day=days.spelled(until, facts.today, str(get_locale() or "en")),
    )
