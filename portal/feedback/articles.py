"""What of an order can be given stars: each article that arrived and was kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from portal.db import session
from portal.fulfilment.models import Parcel, ParcelLine
from portal.orders.models import OrderLine
from portal.returns.models import Return, ReturnLine

GIVEN_BACK = ("requested", "approved")


@dataclass(frozen=True, slots=True)
class Article:
    """One line of the order as its customer knows it."""

    id: int
    sku: str
    title: str
    variant: str


def kept(order_id: int) -> Sequence[Article]:
    """Of which more pieces arrived than go back; one statement."""
    came = select(func.sum(ParcelLine.quantity)).join(Parcel, Parcel.id == ParcelLine.parcel_id)
    came = came.where(ParcelLine.order_line_id == OrderLine.id, Parcel.delivered_at.is_not(None))
    back = select(func.sum(ReturnLine.quantity)).join(ReturnLine.ret)
    goes = (Return.decision.in_(GIVEN_BACK), Return.goods != "not_expected")
    back = back.where(ReturnLine.order_line_id == OrderLine.id, *goes)
    left = func.coalesce(came.correlate(OrderLine).scalar_subquery(), 0) - func.coalesce(
        back.correlate(OrderLine).scalar_subquery(), 0
    )
    columns = (OrderLine.id, OrderLine.sku, OrderLine.title, OrderLine.variant)
    goods = (OrderLine.order_id == order_id, OrderLine.kind == "item", left > 0)
    return [Article(*row) for row in session.execute(select(*columns).where(*goods).order_by(OrderLine.id))]
