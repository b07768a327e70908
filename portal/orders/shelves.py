"""What lies where: places, counted articles, who has a claim on them, and every move, append-only."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, contains_eager, mapped_column, relationship

from portal.db import Base, paging, session
from portal.db.counting import bounded
from portal.orders.models import Order, OrderLine

MAIN = "main"
"""The place of a shop that names none."""
VIEWS = ("all", "low", "short")


class StockPlace(Base):
    """Where goods lie: a warehouse, a shelf, a shop. Places made first are emptied first; some are not sold from."""

    __tablename__ = "stock_places"
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    sold: Mapped[bool] = mapped_column(default=True)


class StockItem(Base):
    """An article that is counted, at one place. An article without such a row is not counted: there is always enough.

    `reserved` pieces are promised to orders and still lie here; it is always the sum of the claims on this row.
    """

    __tablename__ = "stock_items"
    __table_args__ = (
        UniqueConstraint("sku", "place_id"),
        CheckConstraint("reserved BETWEEN 0 AND on_hand", name="reserved"),
        CheckConstraint("low_at >= 0", name="low_at"),
    )
    sku: Mapped[str]
    place_id: Mapped[int] = mapped_column(ForeignKey("stock_places.id"), index=True)
    title: Mapped[str] = mapped_column(default="")
    on_hand: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    low_at: Mapped[int] = mapped_column(default=0)
    place: Mapped[StockPlace] = relationship()

    @property
    def available(self) -> int:
        """Pieces that nobody has a claim on."""
        return self.on_hand - self.reserved


class StockClaim(Base):
    """Pieces that an order's line (or another cause) needs: kept back at an item, or, without one, waited for."""

    __tablename__ = "stock_claims"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_stock_claims_waiting", "sku", "since", "id", postgresql_where="item_id IS NULL"),
    )
    sku: Mapped[str]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("stock_items.id"), index=True)
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_lines.id"), index=True)
    cause: Mapped[str] = mapped_column(index=True)
    quantity: Mapped[int]
    since: Mapped[datetime]


class StockMove(Base):
    """One change of what lies or is kept back at an item, why, and what caused it. A trigger refuses changes."""

    __tablename__ = "stock_moves"
    __table_args__ = (Index("ix_stock_moves_item", "item_id", "id"),)
    item_id: Mapped[int] = mapped_column(ForeignKey("stock_items.id"))
    at: Mapped[datetime]
    by: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    reason: Mapped[str]
    on_hand: Mapped[int] = mapped_column(default=0)
    reserved: Mapped[int] = mapped_column(default=0)
    cause: Mapped[str] = mapped_column(default="", index=True)
    note: Mapped[str] = mapped_column(default="")


def counted(skus: Collection[str], *, lock: bool = False) -> dict[str, list[StockItem]]:
    """The rows of those articles that are counted and sold, places made first leading; locked in the same order."""
    items: dict[str, list[StockItem]] = {}
    for item in session.scalars(LOCKED if lock else COUNTED, {"skus": [sku for sku in skus if sku]}):
        items.setdefault(item.sku, []).append(item)
    return items


def sold() -> ColumnElement[bool]:
    """Whether what lies at a place can be bought."""
    return StockPlace.sold.is_(True)


COUNTED = (
    select(StockItem)
    .join(StockItem.place)
    .where(StockItem.sku == any_(bindparam("skus", type_=ARRAY(String))), sold())
    .order_by(StockItem.sku, StockItem.place_id)
    .options(contains_eager(StockItem.place))
)
LOCKED = COUNTED.with_for_update(of=StockItem).execution_options(populate_existing=True)


def missing(order_ids: Collection[int]) -> dict[int, int]:
    """By order, how many pieces it waits for because nothing of them was left; orders that lack nothing are not in."""
    found = select(OrderLine.order_id, func.sum(StockClaim.quantity)).join(
        OrderLine, OrderLine.id == StockClaim.order_line_id
    )
    waits = (OrderLine.order_id.in_(order_ids), StockClaim.item_id.is_(None))
    return {order: int(pieces) for order, pieces in session.execute(found.where(*waits).group_by(OrderLine.order_id))}


def lacks_stock() -> ColumnElement[bool]:
    """Whether an order (in a statement about orders) has a line that waits for stock."""
    waits = select(StockClaim.id).join(OrderLine, OrderLine.id == StockClaim.order_line_id)
    return waits.where(OrderLine.order_id == Order.id, StockClaim.item_id.is_(None)).exists()


def claims_on(line_ids: Collection[int]) -> Mapping[int, list[tuple[str | None, int]]]:
    """By order line: at which place how many pieces are kept back; a place of None is what still waits for stock."""
    found = select(StockClaim.order_line_id, StockPlace.name, StockClaim.quantity)
    found = found.outerjoin(StockItem, StockItem.id == StockClaim.item_id)
    found = found.outerjoin(StockPlace, StockPlace.id == StockItem.place_id)
    rows: Any = session.execute(found.where(StockClaim.order_line_id.in_(line_ids)).order_by(StockClaim.id))
    claims: dict[int, list[tuple[str | None, int]]] = {}
    for line_id, place, quantity in rows:
        claims.setdefault(line_id, []).append((place, quantity))
    return claims


def page_of(view: str, text: str, at: str) -> paging.Page[tuple[StockItem, int]]:
    """One page of the shop's stock, with how many pieces orders wait for."""
    found = select(StockItem, _waiting()).join(StockItem.place).where(_in_view(view), sold())
    found = found.options(contains_eager(StockItem.place))
    if text:
        like = f"%{_plain(text)}%"
        found = found.where(or_(StockItem.sku.ilike(like, escape="\\"), StockItem.title.ilike(like, escape="\\")))
    return paging.page_of(
        found, StockItem.sku, StockItem.place_id, at=at, into=lambda item, waiting: (item, int(waiting))
    )


def _waiting() -> Any:
    waits = (StockClaim.sku == StockItem.sku, StockClaim.item_id.is_(None))
    return select(func.coalesce(func.sum(StockClaim.quantity), 0)).where(*waits).correlate(StockItem).scalar_subquery()


def _plain(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return text


def _in_view(view: str) -> ColumnElement[bool]:
    return {
        "all": StockItem.id.is_not(None),
        "low": and_(StockItem.low_at > 0, StockItem.on_hand - StockItem.reserved <= StockItem.low_at),
        "short": _waiting() > 0,
    }[view]


def counts() -> Mapping[str, int]:
    """How many rows each view of the stock holds, as far as anybody counts, in one statement."""
    views = {view: select(StockItem.id).join(StockItem.place).where(sold(), _in_view(view)) for view in VIEWS}
    columns = [bounded(found).label(view) for view, found in views.items()]
    return dict(session.execute(select(*columns)).mappings().one())


def waiting_orders(sku: str | None = None) -> list[Any]:
    """Orders with lines that can't be promised, the one that is served first on top: order, line, pieces, since."""
    found = select(Order.id, Order.number, Order.promised_on, OrderLine.title, StockClaim.sku, StockClaim.quantity)
    found = found.add_columns(StockClaim.since).join(OrderLine, OrderLine.id == StockClaim.order_line_id)
    found = found.join(Order, Order.id == OrderLine.order_id).where(StockClaim.item_id.is_(None))
    if sku is not None:
        found = found.where(StockClaim.sku == sku)
    return list(session.execute(found.order_by(StockClaim.since, StockClaim.id).limit(200)))


def moves_of(item: StockItem) -> list[StockMove]:
    """The last hundred moves, newest first."""
    found = select(StockMove).where(StockMove.item_id == item.id).order_by(StockMove.id.desc()).limit(100)
    return list(session.scalars(found))
