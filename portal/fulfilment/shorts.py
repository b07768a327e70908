"""Pieces that a picker could not take: why, and what becomes of them. The order waits, goes in two, or does without."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, and_, func, or_, select
from sqlalchemy.orm import Mapped, contains_eager, joinedload, mapped_column, relationship

from portal.db import Base, move, session
from portal.fulfilment import handoffs
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.tracking import close_or_reopen
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders import stock
from portal.orders.actions import give_up_order
from portal.orders.models import Order, OrderLine
from portal.orders.shelves import StockClaim, claims_on, counted
from portal.orders.timeline import record, words
from portal.staff.models import Staff

REASONS: dict[str, Any] = {
    "out_of_stock": _l("Out of stock"),
    "damaged": _l("Damaged"),
    "not_found": _l("Not found"),
    "misplaced": _l("Misplaced"),
    "expired": _l("Expired"),
}
"""Why a picker could not take a piece."""
COUNTED_AS = {"out_of_stock": "counted", "not_found": "lost"}
"""What the stock calls it, where its word is another one."""
SHELF_IS_EMPTY = ("out_of_stock", "not_found")
STATES = ("open", "waiting", "split", "found", "cancelled")
LATER = ("waiting", "split")
"""The customer gets these pieces, but later."""

words("line.short", staff=_l("%(pieces)s × %(title)s could not be picked: %(reason)s"))
words("line.elsewhere", staff=_l("%(pieces)s × %(title)s are taken from another place: %(reason)s"))
words("line.waits", staff=_l("The order waits for %(pieces)s × %(title)s"))
words(
    "line.later",
    staff=_l("%(pieces)s × %(title)s go later, in parcel %(second)s"),
    customer=_l("%(pieces)s × %(title)s come later, in a parcel of their own"),
)
words("line.found", staff=_l("%(pieces)s × %(title)s were found"))
words(
    "line.cancelled",
    staff=_l("%(pieces)s × %(title)s cancelled: we do not have them"),
    customer=_l("%(pieces)s × %(title)s cancelled: we do not have them any more"),
)


class ShortPick(Base):
    """Pieces of an order's line that were not there when somebody went to take them, and what was decided."""

    __tablename__ = "short_picks"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"reason IN {tuple(REASONS)}", name="reason"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        Index("ix_short_picks_open", "parcel_id", postgresql_where=f"state IN {('open', *LATER)}"),
    )
    MOVES = {
        "state": {
            "wait": (("open",), "waiting"),
            "split": (("open", "waiting"), "split"),
            "find": (("open", *LATER), "found"),
            "cancel": (("open", *LATER), "cancelled"),
        }
    }

    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    state: Mapped[str] = mapped_column(default="open")
    quantity: Mapped[int]
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    reported_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    reported_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]

    parcel: Mapped[Parcel] = relationship()
    line: Mapped[OrderLine] = relationship()
    reported_by: Mapped[Staff] = relationship(foreign_keys=[reported_by_id])


# --- who asks ---------------------------------------------------------------------------------------------------------


def rests() -> ColumnElement[bool]:
    """Whether a parcel (in a statement about parcels) can't be picked to the end yet: pieces of it are not there."""
    return select(ShortPick.id).where(ShortPick.parcel_id == Parcel.id, _missing()).exists()


def _missing() -> ColumnElement[bool]:
    """Undecided, or waited for and not kept back for the order yet."""
    claim = select(StockClaim.id).where(StockClaim.order_line_id == ShortPick.order_line_id)
    kept_back, waits = StockClaim.item_id.is_not(None), StockClaim.item_id.is_(None)
    served = and_(claim.where(kept_back).exists(), ~claim.where(waits).exists())
    return or_(ShortPick.state == "open", and_(ShortPick.state.in_(LATER), ~served))


def missing(order_ids: Collection[int]) -> dict[int, int]:
    """By order, how many pieces of it are not there; orders that lack nothing are not in."""
    found = select(Parcel.order_id, func.sum(ShortPick.quantity)).join(ShortPick.parcel)
    found = found.where(Parcel.order_id.in_(order_ids), Parcel.state.in_(("to_pick", "picking")), _missing())
    return {order: int(pieces) for order, pieces in session.execute(found.group_by(Parcel.order_id))}


def listed() -> Sequence[ShortPick]:
    """What waits for a decision, then what waits for goods; what is at risk leads, then the promise that ends first."""
    here = (Parcel.state.in_(("to_pick", "picking")), _missing())
    found = select(ShortPick).join(ShortPick.parcel).join(Parcel.order)
    whole = (
        contains_eager(ShortPick.parcel).contains_eager(Parcel.order),
        joinedload(ShortPick.line),
        joinedload(ShortPick.reported_by),
    )
    urgency = (ShortPick.state != "open", Parcel.risk.is_(None), Order.promised_on, ShortPick.id)
    return session.scalars(found.where(*here).options(*whole).order_by(*urgency).limit(200)).all()


def of_parcel(parcel_id: int) -> Sequence[ShortPick]:
    """What of this parcel was not there, and is not settled."""
    found = select(ShortPick).where(ShortPick.parcel_id == parcel_id, _missing())
    with_names = (joinedload(ShortPick.line), joinedload(ShortPick.reported_by))
    return session.scalars(found.options(*with_names).order_by(ShortPick.id)).all()


# --- the picker -------------------------------------------------------------------------------------------------------


def report(packed: ParcelLine, pieces: int, reason: str, note: str, *, by: Staff, now: datetime) -> ShortPick | None:
    """The picker can't take so many pieces of this line: the count is put right, and somebody has to decide.

    None when all of them lie at another place: then they are still to be picked, there. Raises Refused for more than
    are missing, for an unknown reason, and when this person is not picking the parcel.
    """
    parcel = _locked(packed.parcel_id)
    session.refresh(packed, with_for_update={"of": ParcelLine})
    if parcel.state != "picking" or parcel.picker_id != by.id:
        raise Refused(_("You are not picking this parcel."))
    if reason not in REASONS or not 0 < pieces <= packed.left:
        raise Refused(_("Say how many pieces are missing, %(most)s at the most, and why.", most=packed.left))
    missing = _correct(packed, pieces, reason, by, now)
    told = {"title": packed.title, "reason": str(REASONS[reason])}
    if missing < pieces:
        record(parcel.order_id, "line.elsewhere", by=by, now=now, pieces=pieces - missing, **told)
    if not missing:
        return None
    short = ShortPick(
        parcel_id=parcel.id, order_line_id=packed.order_line_id, quantity=missing, reason=reason, note=note,
        reported_by_id=by.id, reported_at=now,
    )  # fmt: skip
    packed.short += missing
    session.add(short)
    session.flush()
    record(parcel.order_id, "line.short", by=by, now=now, pieces=missing, **told)
    return short


def _locked(parcel_id: int) -> Parcel:
    parcel = session.get_one(Parcel, parcel_id)
    session.get_one(Order, parcel.order_id, with_for_update={"of": Order}, populate_existing=True)
    session.refresh(parcel, with_for_update={"of": Parcel})
    return parcel


def _correct(packed: ParcelLine, pieces: int, reason: str, by: Staff, now: datetime) -> int:
    """Put the count right where it said that the pieces are there; how many of them the line has to wait for."""
    if not counted({packed.line.sku}):
        return pieces
    claims = claims_on([packed.order_line_id]).get(packed.order_line_id, [])
    kept_back, waited = sum(n for place, n in claims if place), sum(n for place, n in claims if not place)
    believed = min(pieces, max(0, kept_back - _in_baskets(packed.order_line_id)))
    kind, empty = COUNTED_AS.get(reason, reason), reason in SHELF_IS_EMPTY
    waits = stock.not_there(packed.line, believed, kind, nothing_left=empty, by=by, now=now)
    return pieces - believed + min(believed, max(0, waits - waited))


def _in_baskets(order_line_id: int) -> int:
    """Pieces of the line that were picked and are still here: they are kept back, and they are there."""
    picked = select(func.coalesce(func.sum(ParcelLine.picked), 0)).join(ParcelLine.parcel)
    here = Parcel.state.not_in(("handed_over", "cancelled"))
    return int(session.scalar(picked.where(ParcelLine.order_line_id == order_line_id, here)) or 0)


# --- the decision -----------------------------------------------------------------------------------------------------


def wait(short: ShortPick, *, by: Staff, now: datetime) -> None:
    """The whole parcel is set aside until the pieces are here; what was picked stays in it."""
    parcel, _packed = _decide(short, "wait", by, now)
    _set_aside(parcel)
    record(parcel.order_id, "line.waits", by=by, now=now, pieces=short.quantity, title=short.line.title)


def split(short: ShortPick, *, by: Staff, now: datetime) -> Parcel:
    """What is missing goes later in a parcel of its own, the rest goes on. Raises Refused when there is no rest."""
    parcel, packed = _decide(short, "split", by, now)
    if short.quantity == sum(each.quantity for each in parcel.lines):
        raise Refused(_("Nothing would be left in this parcel. Wait, or cancel what is missing."))
    second = Parcel(order_id=parcel.order_id, ref=reference(), created_at=now)
    _take_out(packed, short.quantity, second)
    record(
        parcel.order_id, "line.later", by=by, now=now, pieces=short.quantity, title=short.line.title, second=second.ref
    )
    short.parcel_id = second.id
    handoffs.offer([second], by=None, now=now)
    return second


def find(short: ShortPick, *, by: Staff, now: datetime) -> None:
    """The pieces are here after all, or have arrived: they are to be picked."""
    parcel, _packed = _decide(short, "find", by, now)
    for item in counted({short.line.sku}, lock=True).get(short.line.sku, [])[:1]:
        stock.set_count(item, item.on_hand + short.quantity, "found", f"order:{parcel.order_id}", by=by, now=now)
    record(parcel.order_id, "line.found", by=by, now=now, pieces=short.quantity, title=short.line.title)


def cancel(short: ShortPick, *, by: Staff, now: datetime) -> Parcel:
    """The order does without these pieces; whoever calls this sees to the money in the same transaction.

    The pieces are kept in a cancelled parcel, so that nobody waits for them. It is the parcel itself when nothing else
    was in it; with the order's last goods the order is cancelled.
    """
    parcel, packed = _decide(short, "cancel", by, now)
    gone = parcel
    if short.quantity < sum(each.quantity for each in parcel.lines):
        gone = Parcel(order_id=parcel.order_id, ref=reference(), state="cancelled", fate="money_back", created_at=now)
        _take_out(packed, short.quantity, gone)
    else:
        move(parcel, "state", "cancel", fate="money_back", risk=None, expected_on=None)
    stock.release(short.line, short.quantity, str(REASONS[short.reason]), by=by, now=now)
    record(parcel.order_id, "line.cancelled", by=by, now=now, pieces=short.quantity, title=short.line.title)
    _close_what_is_left(parcel.order, by, now)
    return gone


def _decide(short: ShortPick, verb: str, by: Staff, now: datetime) -> tuple[Parcel, ParcelLine]:
    """The parcel and its line, locked; pieces that were undecided are none any more.

    Raises Refused when it was decided already or has gone on meanwhile.
    """
    parcel = _locked(short.parcel_id)
    session.refresh(short, ["state"])
    undecided = short.state == "open"
    move(short, "state", verb, decided_by_id=by.id, decided_at=now)
    lines = select(ParcelLine).where(ParcelLine.parcel_id == parcel.id).with_for_update(of=ParcelLine)
    fresh = session.scalars(lines.execution_options(populate_existing=True)).all()
    packed = next((each for each in fresh if each.order_line_id == short.order_line_id), None)
    missing = 0 if packed is None else packed.short if undecided else packed.left
    if packed is None or parcel.state not in ("to_pick", "picking") or short.quantity > missing:
        raise Refused(_("This parcel has gone on meanwhile. Nothing was changed."))
    packed.short -= short.quantity if undecided else 0
    return parcel, packed


def _set_aside(parcel: Parcel) -> None:
    if parcel.state == "picking":
        move(parcel, "state", "put_back", picker_id=None, wave_id=None, basket=None)


def _take_out(packed: ParcelLine, pieces: int, second: Parcel) -> None:
    """Move pieces that were not picked into another parcel."""
    second.lines.append(ParcelLine(order_line_id=packed.order_line_id, quantity=pieces))
    if pieces == packed.quantity:
        session.delete(packed)
    else:
        packed.quantity -= pieces
    session.add(second)
    session.flush()


def _close_what_is_left(order: Order, by: Staff, now: datetime) -> None:
    alive = select(Parcel.id).where(Parcel.order_id == order.id, Parcel.state != "cancelled").limit(1)
    if session.scalar(alive) is None:
        give_up_order(order, by=by, now=now)
    else:
        close_or_reopen(order, now=now)
