"""What of the first delivery's price goes back with goods whose contract was withdrawn from.

Of the whole contract: all of it, but no more than the cheapest usual delivery cost (Directive 2011/83/EU, Art. 13(2)).
Of a part the directive is silent; the shop chooses, and by default gives back what the kept goods would have cost less.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app

from portal.config import Settings
from portal.lib.money import Money, share
from portal.orders.models import OrderLine
from portal.returns.goods import Facts, Goods
from portal.returns.models import Return


@dataclass(frozen=True, slots=True)
class Outbound:
    """What was paid for the first delivery and goes back with the goods; `whole`: nothing stays with the customer."""

    line: OrderLine
    money: Money
    whole: bool = True


def outbound(ret: Return, facts: Facts, most: int | None) -> Iterator[Outbound]:
    """Line by line; `most` is what is left of the payment after the goods, None when we know of no payment."""
    if ret.kind != "withdrawal":
        return
    whole, entitled = _kept(ret, facts) == 0, _entitled(ret, facts)
    for goods in facts.goods:
        if goods.line.kind != "shipping":
            continue
        entitled -= goods.given
        amount = max(0, min(n for n in (goods.line.paid - goods.given, entitled, most) if n is not None))
        if amount:
            yield Outbound(goods.line, Money(amount, facts.order.currency), whole)
            entitled, most = entitled - amount, None if most is None else most - amount


def _gone(ret: Return, goods: Goods) -> int:
    """Pieces of a line that don't stay: of this return and of others."""
    back = sum(row.quantity for row in ret.lines if row.order_line_id == goods.line.id)
    return min(goods.line.quantity, back + goods.claimed)


def _kept(ret: Return, facts: Facts) -> int:
    """Pieces that stay with the customer."""
    return sum(one.line.quantity - _gone(ret, one) for one in _items(facts))


def _items(facts: Facts) -> list[Goods]:
    return [goods for goods in facts.goods if goods.line.kind == "item"]


def _entitled(ret: Return, facts: Facts) -> int:
    """Minor units of all delivery that the customer shall have back by now, whatever was given before."""
    settings: Settings = current_app.config["SETTINGS"]
    currency = facts.order.currency
    paid = sum(goods.line.paid for goods in facts.goods if goods.line.kind == "shipping")
    usual = settings.usual_delivery(currency)
    due = paid if usual is None else min(paid, usual)
    if _kept(ret, facts) == 0:
        return due
    gone, all_of_it = _value_gone(ret, facts), sum(one.line.paid for one in _items(facts))
    if settings.partial_withdrawal_delivery == "share":
        return due * gone // all_of_it if all_of_it else 0
    if settings.partial_withdrawal_delivery == "nothing":
        return 0
    cost = settings.delivery_price(all_of_it - gone, currency)
    return 0 if cost is None else max(0, due - cost)


def _value_gone(ret: Return, facts: Facts) -> int:
    """What was paid for the pieces that don't stay."""
    shares = (
        share(one.line.paid, _gone(ret, one), one.line.quantity, 0, currency=facts.order.currency)
        for one in _items(facts)
    )
    return sum(shares)
