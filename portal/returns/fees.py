"""What the shop's policy takes from the money of a return: shown before anything is sent, kept by the line, taken so.

Never behind the law's door and never for a claim: only a return has fees, and none where the mistake was ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib.money import Money
from portal.returns.goods import Facts
from portal.returns.models import ReturnFee, ReturnLine
from portal.returns.policy import Policy
from portal.returns.reasons import is_fault
from portal.returns.rules import Wish, spoken

KINDS: dict[str, Any] = {
    "return": _l("Return fee"),
    "restocking": _l("Restocking fee"),
    "label": _l("Our return label"),
    "kept": _l("Given back before, when you kept it"),
}


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee for a line of the order."""

    line_id: int
    kind: str
    money: Money

    @property
    def told(self) -> str:
        return _("%(what)s: %(amount)s", what=KINDS[self.kind], amount=spoken(self.money))


def fees_for(facts: Facts, wishes: Sequence[Wish]) -> list[Fee]:
    """What the policy takes for these wishes: never more from a line than it brings.

    Goods that are exchanged or kept cost nothing: no money that could bear it goes back for them, or nothing is sent.
    """
    policy, found = facts.policy, []
    once = dict(_once(policy, facts.order.currency))
    for wish in (one for one in wishes if one.choice in ("money", "credit") and not is_fault(one.reason)):
        goods = facts.of(wish.line_id)
        left = goods.worth(wish.quantity, goods.claimed).amount if goods else 0
        for kind, wanted in (("restocking", _restocking(policy, wish, left)), *once.items()):
            taken = min(wanted, left)
            left -= taken
            if kind in once:
                once[kind] -= taken
            if taken:
                found.append(Fee(wish.line_id, kind, Money(taken, facts.order.currency)))
    return found


def _once(policy: Policy, currency: str) -> Iterator[tuple[str, int]]:
    """What is taken once per return, from its first lines that can bear it."""
    yield "return", policy.fee.get(currency, 0)
    yield "label", policy.label.get(currency, 0)


def _restocking(policy: Policy, wish: Wish, worth: int) -> int:
    """The higher of what the reason and the state cost; a part of a minor unit stays with the customer."""
    percent = max(policy.restocking.get(wish.reason, 0), policy.restocking.get(wish.condition, 0))
    return worth * percent // 100


def rows_of(line_id: int, fees: Iterable[Fee]) -> list[ReturnFee]:
    """A line's fees as the return keeps them."""
    return [ReturnFee(kind=fee.kind, amount=fee.money.amount) for fee in fees if fee.line_id == line_id]


def taken(row: ReturnLine, pieces: int, most: int) -> list[ReturnFee]:
    """The fees of a line of which so many pieces came: for fewer pieces in proportion, never more than `most`. Our
    label costs nothing when it came another way.
    """
    found = []
    for fee in row.fees if row.quantity else ():
        if fee.kind == "label" and not row.ret.used_our_label:
            continue
        amount = min(most, fee.amount * min(pieces, row.quantity) // row.quantity)
        most -= amount
        if amount:
            found.append(ReturnFee(kind=fee.kind, amount=amount))
    return found
