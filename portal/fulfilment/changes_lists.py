"""Orders that need attention: the queue, and all that one of them asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import joinedload

from portal.db import paging, session
from portal.fulfilment.lists import at_risk
from portal.fulfilment.models import Parcel
from portal.orders.flags import KEPT_ONLY, open_flags
from portal.orders.models import ASKS_FIRST, Customer, Order, OrderChange, OrderFlag, called

VIEWS = ("all", "changed", "kept", "odd")


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


def page_of(name: str, at: str) -> paging.Page[Waiting]:
    """One page of a view, what is at risk and then what waits longest first."""
    codes = aggregate_order_by(OrderFlag.code, OrderFlag.code)
    asked = (func.min(OrderFlag.found_at).label("since"), func.array_agg(codes).label("codes"))
    flags = select(OrderFlag.order_id, *asked)
    open_ones = flags.where(OrderFlag.settled_at.is_(None), _in_view(name)).group_by(OrderFlag.order_id).subquery()
    found = select(Order.id, Order.number, Order.channel, Customer.name, open_ones.c.since, open_ones.c.codes)
    found = found.join(Order.customer).join(open_ones, open_ones.c.order_id == Order.id)
    safe = ~select(Parcel.id).where(Parcel.order_id == Order.id, at_risk()).correlate(Order).exists()
    return paging.page_of(found, safe, open_ones.c.since, Order.id, at=at, into=Waiting)


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
