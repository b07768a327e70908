"""Goods sent out anew for goods of a return: for an exchange, or for what arrived broken. Nothing is to pay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib import days
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.orders import stock
from portal.orders.instead import Article, order_instead
from portal.orders.letters import write
from portal.orders.models import INSTEAD, Order, OrderLine
from portal.orders.shelves import StockClaim
from portal.orders.timeline import record, words
from portal.returns.goods import Facts, read
from portal.returns.locks import lock
from portal.returns.models import Return, ReturnLine, SentInstead, named, whole
from portal.staff.models import Actor

words(
    "return.sent_instead",
    staff=_l("Goods for return %(rma)s go out as order %(number)s"),
    customer=_l("For return %(rma)s we send you order %(number)s"),
)


@dataclass(frozen=True, slots=True)
class Substitute:
    """So many pieces for a line of a return: the same article again, or, with an SKU or a variant, another.

    `kept_under` names what keeps it back already, as `stock.reserve_variant` was told.
    """

    row: ReturnLine
    quantity: int
    sku: str = ""
    title: str = ""
    variant: str = ""
    kept_under: str = ""


def send_instead(ret: Return, goods: Sequence[Substitute], *, key: str, by: Actor, now: datetime) -> Order:
    """Send goods for those of the return, as an order with nothing to pay that is picked, packed and followed like any.

    Stock is kept back, a promise computed, both orders' timelines tell of it, and the customer gets a letter. The same
    `key` of the same return again is the same order. What is sent instead brings no money: settlement counts it.
    Raises Refused for nothing, for more pieces than the line's return has left, and when the address was forgotten.
    """
    lock(ret.order_id)
    session.scalars(whole(Return.id == ret.id)).one()
    name = f"{ret.rma}:{key}"
    if earlier := session.scalar(select(Order).where(Order.channel == INSTEAD, Order.external_id == name)):
        return earlier
    _check(ret, goods)
    facts = read(ret.order, now=now, besides=ret.id)
    articles = [_article(one, facts) for one in goods]
    order = order_instead(ret.order, articles, key=name, rma=ret.rma, by=by, now=now)
    session.add_all(
        SentInstead(order_line_id=line.id, return_line_id=one.row.id)
        for one, line in zip(goods, order.lines, strict=True)
    )
    session.flush()
    for one in goods:
        session.refresh(one.row, ["sent_instead"])
    record(ret.order_id, "return.sent_instead", by=by, now=now, rma=ret.rma, number=order.number)
    _write(ret, order, now)
    return order


def _check(ret: Return, goods: Sequence[Substitute]) -> None:
    wanted: dict[int, int] = {}
    for one in goods:
        wanted[one.row.id] = wanted.get(one.row.id, 0) + one.quantity
    if not goods or any(one.quantity < 1 for one in goods):
        raise Refused(_("Choose how many pieces."))
    if any(one.row.return_id != ret.id for one in goods):
        raise Refused(_("This line is not part of the return."))
    for row in ret.lines:
        if wanted.get(row.id, 0) + row.sent_instead > row.quantity:
            raise Refused(_("%(title)s: that is more than comes back.", title=row.line.title))
    if ret.money:
        raise Refused(_("This return is settled. Nothing was changed."))


def _article(one: Substitute, facts: Facts) -> Article:
    """What it stands for: the share of what was really paid, so that it can be given back if this comes back too."""
    line, goods = one.row.line, facts.of(one.row.order_line_id)
    worth = goods.worth(one.quantity, goods.given_pieces + one.row.sent_instead).amount if goods else 0
    same = not (one.sku or one.variant)
    return Article(
        title=one.title or line.title, quantity=one.quantity, worth=worth, sku=line.sku if same else one.sku,
        variant=line.variant if same else one.variant, kept_under=one.kept_under,
    )  # fmt: skip


def _write(ret: Return, order: Order, now: datetime) -> None:
    told: dict[str, Any] = {"rma": ret.rma, "rows": [(named(line), f"× {line.quantity}") for line in order.lines]}
    promised = days.spelled(order.promised_on, shop_day(now), order.locale)
    write("sent-instead", order, about=f"order:{order.id}", now=now, promised=promised, first=ret.order.number, **told)


# --- what customers exchange ------------------------------------------------------------------------------------------

words(
    "return.exchange_gone",
    staff=_l("Return %(rma)s: %(variant)s is not there any more, so the money goes back"),
    customer=_l("Return %(rma)s: %(variant)s is not there any more, so you get your money back"),
)


def hold(ret: Return, *, now: datetime) -> None:
    """Keep back what was chosen in exchange, so that it is still there. Raises Refused when it is gone."""
    for row in ret.lines:
        if row.choice == "exchange":
            stock.reserve_variant(row.variant_sku, row.quantity, _cause(row), now=now)


def _cause(row: ReturnLine) -> str:
    return f"exchange:{row.id}"


def let_go(ret: Return, *, now: datetime) -> None:
    """Nothing comes of the exchange: others may have it."""
    for row in ret.lines:
        if row.choice == "exchange":
            stock.release_variant(_cause(row), now=now)


def send_exchanges(ret: Return, pieces: Mapping[int, int], *, by: Actor, now: datetime) -> Order | None:
    """Send what was chosen for so many `pieces` of each line (by its id); once. What was kept back beyond is let go.

    Where it is not there any more, and was not kept back, the money goes back instead.
    """
    rows = [row for row in ret.lines if row.choice == "exchange" and pieces.get(row.id) and not row.sent_instead]
    goods = [_substitute(row, pieces[row.id]) for row in rows if _still_there(row, pieces[row.id], by, now)]
    if not goods or ret.money:
        return None
    order = send_instead(ret, goods, key="exchange", by=by, now=now)
    let_go(ret, now=now)
    return order


def _substitute(row: ReturnLine, pieces: int) -> Substitute:
    quantity, title = min(pieces, row.quantity), row.line.title
    return Substitute(row, quantity, row.variant_sku, title, row.variant, kept_under=_cause(row))


def _still_there(row: ReturnLine, pieces: int, by: Actor, now: datetime) -> bool:
    """Whether it is kept back, or can be once more after it was let go."""
    if session.scalar(select(StockClaim.id).where(StockClaim.cause == _cause(row)).limit(1)):
        return True
    try:
        stock.reserve_variant(row.variant_sku, min(pieces, row.quantity), _cause(row), now=now)
    except Refused:
        record(row.ret.order_id, "return.exchange_gone", by=by, now=now, rma=row.ret.rma, variant=row.variant)
        row.choice, row.variant_sku = "money", ""
        session.flush()
        return False
    return True


def orders_for(return_ids: Sequence[int]) -> Sequence[tuple[int, Order]]:
    """The orders that go out for these returns, oldest first, each with its return's id."""
    found = select(ReturnLine.return_id, Order).join(SentInstead, SentInstead.return_line_id == ReturnLine.id)
    found = found.join(OrderLine, OrderLine.id == SentInstead.order_line_id).join(OrderLine.order)
    rows = session.execute(found.where(ReturnLine.return_id.in_(return_ids)).order_by(Order.id)).unique().all()
    return list(dict.fromkeys((return_id, order) for return_id, order in rows))


def return_behind(order: Order) -> Return | None:
    """The return for whose goods this order goes out; None of an order that somebody placed."""
    found = select(Return).options(joinedload(Return.order)).join(ReturnLine, ReturnLine.return_id == Return.id)
    found = found.join(SentInstead, SentInstead.return_line_id == ReturnLine.id)
    found = found.join(OrderLine, OrderLine.id == SentInstead.order_line_id)
    return session.scalars(found.where(OrderLine.order_id == order.id).limit(1)).first()
