"""Orders that need attention: the queue, and all that one of them asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.fulfilment.lists import at_risk
from portal.fulfilment.models import Parcel
from portal.orders.flags import KEPT_ONLY, open_flags
from portal.orders.models import ASKS_FIRST, Customer, Order, OrderChange, OrderFlag, called

VIEWS = ("all", "changed", "kept", "odd")
PAGE = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order in the queue, and the codes of what it asks, the oldest first."""

    order_id: int
    number: str
    channel: str
    customer: str
    since: datetime
    codes: list[str]

    @property
    def channel_name(self) -> str:
        return called(self.channel)


@dataclass(frozen=True, slots=True)
class Asked:
    """One order with what is open about it, what the channel wants, and what it wanted before."""

    order: Order
    flags: Sequence[OrderFlag]
    change: OrderChange | None
    history: Sequence[OrderChange]


def _in_view(name: str) -> Any:
    changed = OrderFlag.code.in_([code for code in (*ASKS_FIRST, "deleted") if code not in KEPT_ONLY])
    kept = OrderFlag.code.in_(KEPT_ONLY)
    return {"changed": changed, "kept": kept, "odd": ~changed & ~kept}.get(name, OrderFlag.id.is_not(None))


def page_of(name: str, number: int) -> tuple[list[Waiting], bool]:
    """One page of a view, what is at risk and then what waits longest first, and whether there is another."""
    codes = func.array_agg(OrderFlag.code).label("codes")
    found = select(Order.id, Order.number, Order.channel, Customer.name, func.min(OrderFlag.found_at), codes)
    found = found.join(Order.customer).join(OrderFlag, OrderFlag.order_id == Order.id)
    found = found.where(OrderFlag.settled_at.is_(None), _in_view(name)).group_by(Order.id, Customer.name)
    safe = ~select(Parcel.id).where(Parcel.order_id == Order.id, at_risk()).correlate(Order).exists()
    first = found.order_by(safe, func.min(OrderFlag.found_at), Order.id).limit(PAGE + 1).offset((number - 1) * PAGE)
    rows = session.execute(first).all()
    return [Waiting(*row[:5], sorted(row[5])) for row in rows[:PAGE]], len(rows) > PAGE


def counts() -> dict[str, int]:
    """How many orders stand in each view, in one statement."""
    orders = func.count(func.distinct(OrderFlag.order_id))
    columns = [orders.filter(_in_view(name)).label(name) for name in VIEWS]
    return dict(session.execute(select(*columns).where(OrderFlag.settled_at.is_(None))).mappings().one())


def find(order_id: int) -> Asked | None:
    """All that one order asks."""
    order = session.scalar(select(Order).where(Order.id == order_id).options(joinedload(Order.payment)))
    if order is None:
        return None
    newest = select(OrderChange).where(OrderChange.order_id == order_id).order_by(OrderChange.id.desc()).limit(20)
    history = session.scalars(newest).all()
    held = next((change for change in history if change.state == "held"), None)
    first = sorted(open_flags(order_id), key=lambda flag: flag.code not in ASKS_FIRST)
    return Asked(order, first, held, [change for change in history if change is not held])
