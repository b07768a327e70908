"""Orders that nobody placed: goods that go out anew for others that come back, with nothing to pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal.db import session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders import stock
from portal.orders.models import INSTEAD, Order, OrderLine
from portal.orders.promise import promise
from portal.orders.timeline import record, words
from portal.staff.models import Actor

words(
    "order.instead",
    staff=_l("To be sent for return %(rma)s of order %(first)s, promised by %(promised_on)s"),
    customer=_l("We send you this for your return %(rma)s"),
)


@dataclass(frozen=True, slots=True)
class Article:
    """What goes out. `worth` is, in minor units, what the customer once paid for the goods in whose place it stands.

    `kept_under` names what keeps it back already, as `stock.reserve_variant` was told.
    """

    title: str
    quantity: int
    worth: int
    sku: str = ""
    variant: str = ""
    kept_under: str = ""


def order_instead(first: Order, articles: Sequence[Article], *, key: str, rma: str, by: Actor, now: datetime) -> Order:
    """An order of its own, accepted at once: to the same person at the same address, with a promise computed now.

    The same `key` again is the same order. Call it with the first order locked. Raises Refused without an address.
    """
    if earlier := session.scalar(select(Order).where(Order.channel == INSTEAD, Order.external_id == key)):
        return earlier
    if first.erased_at or not first.ship_to:
        raise Refused(_("We no longer know the address of this order, so nothing can be sent."))
    order = Order(**_as_the_first(first), **_as_of(now, first.country), external_id=key, number=_number(first))
    order.lines = [_line(place, article) for place, article in enumerate(articles, 1)]
    session.add(order)
    session.flush()
    for article, line in zip(articles, order.lines, strict=True):
        _keep_back(article, line, now)
    facts = {"rma": rma, "first": first.number, "promised_on": order.promised_on}
    record(order.id, "order.instead", by=by, now=now, **facts)
    announce("order.accepted", order_id=order.id)
    return order


def _as_the_first(first: Order) -> dict[str, object]:
    same = ("customer_id", "locale", "currency", "ship_to", "country")
    return {"ref": reference(), "channel": INSTEAD, "total": 0, **{name: getattr(first, name) for name in same}}


def _as_of(now: datetime, country: str | None) -> dict[str, object]:
    since = dict.fromkeys(("placed_at", "paid_at", "external_updated_at", "accepted_at", "created_at"), now)
    return {**since, "promised_on": promise(now, country)}


def _number(first: Order) -> str:
    """The first order's number and a letter with a count of its own: 1001-R2 is the second that went out for it."""
    own = Order.number.startswith(f"{first.number}-R", autoescape=True)
    before = select(func.count()).select_from(Order).where(Order.channel == INSTEAD, own)
    return f"{first.number}-R{(session.scalar(before) or 0) + 1}"


def _line(place: int, article: Article) -> OrderLine:
    each = article.worth // article.quantity
    goods = {"sku": article.sku, "title": article.title, "variant": article.variant}
    return OrderLine(
        external_id=str(place), kind="item", quantity=article.quantity, unit_price=each, paid=article.worth, **goods
    )


def _keep_back(article: Article, line: OrderLine, now: datetime) -> None:
    if article.kept_under:
        stock.keep_for_line(article.kept_under, line, now=now)
    else:
        stock.reserve_lines([line], now=now)
