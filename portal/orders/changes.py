"""What a newer copy from the channel changes: told apart here, applied before anybody has begun, else held."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select

from portal.adapters.channels import IncomingLine, IncomingOrder
from portal.db import move, session
from portal.jobs import announce
from portal.orders import stock
from portal.orders.flags import drop_flags, tell
from portal.orders.models import Order, OrderChange, OrderLine
from portal.orders.timeline import names, record, words
from portal.staff.models import Actor

HOLDS = ("changed", "cancelled")
"""Flags under which nothing of an order may leave."""
WHERE = ("name", "company", "street", "street2", "postcode", "city", "region", "country")

words("order.changed", staff=_l("The channel changed it: %(changed)s"))
words("order.change_applied", staff=_l("The change was taken over"), customer=_l("Your order was changed in the shop"))
words(
    "order.change_held",
    staff=_l("The change came after the warehouse had begun: nothing leaves until somebody decides"),
)
words("order.change_left", staff=_l("The change was left aside"))
FIELDS = {
    "address": _l("Address"),
    "cancelled": _l("Cancelled in the channel"),
    "email": _l("E-mail address"),
    "payment": _l("Amount paid"),
    "total": _l("Total"),
}
"""What can differ besides lines, and how people call it."""
names({f"field:{code}": told for code, told in FIELDS.items()})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. `what` is which of its kind (an article's title), in the channel's words."""

    field: str
    old: str
    new: str
    what: str = ""


def diff(order: Order, lines: Iterable[Any], incoming: IncomingOrder) -> tuple[Change, ...]:
    """What the copy says differently of what travels, where to, and whether at all."""
    if incoming.cancelled:
        return () if order.state == "cancelled" else (Change("cancelled", "", ""),)
    ours, theirs = _goods(lines), _goods(incoming.lines)
    where = _spelled(order.ship_to), _spelled(asdict(incoming.address))
    moved = [Change("address", *where)] if order.ship_to != asdict(incoming.address) else []
    return (*_pieces(ours, theirs), *moved)


def _goods(lines: Iterable[Any]) -> dict[str, Any]:
    return {line.external_id: line for line in lines if line.kind == "item"}


def _pieces(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Change]:
    for external_id, line in sorted({**ours, **theirs}.items(), key=lambda item: item[0]):
        old, new = ours.get(external_id), theirs.get(external_id)
        if _travels(old) != _travels(new):
            yield Change("line", _count(old), _count(new), line.title)


def _travels(line: Any) -> tuple[int, str]:
    return (line.quantity, line.sku) if line is not None else (0, "")


def _count(line: Any) -> str:
    return f"{line.quantity} × {line.sku}".rstrip("× ") if line is not None else "0"


def _spelled(address: Mapping[str, Any]) -> str:
    return ", ".join(part for name in WHERE if (part := str(address.get(name) or "")))


def outline(changes: Iterable[Change]) -> list[str]:
    """The changes for the timeline, which forgets nothing: so without anything about the customer."""
    return [f"{one.what}: {one.old} → {one.new}" if one.field == "line" else f"field:{one.field}" for one in changes]


def hear(order: Order, incoming: IncomingOrder, changes: tuple[Change, ...], *, now: datetime) -> None:
    """Keep what a newer copy wants, instead of what an older one wanted; the warehouse says what becomes of it."""
    last = session.scalar(select(OrderChange).where(OrderChange.order_id == order.id).order_by(OrderChange.id.desc()))
    copy = wanted(incoming)
    if last is not None and last.state in ("waiting", "held", "left") and last.copy == copy and changes:
        return
    if last is not None and last.state in ("waiting", "held"):
        move(last, "state", "overtake")
    if changes:
        session.add(OrderChange(order_id=order.id, heard_at=now, diff=[asdict(one) for one in changes], copy=copy))
        session.flush()
        announce("order.changed", order_id=order.id)
    elif last is not None and last.state == "overtaken":
        let_go(order, now=now)


def wanted(incoming: IncomingOrder) -> dict[str, Any]:
    """What the channel wants to be sent, as it is kept."""
    lines = [asdict(line) for line in sorted(incoming.lines, key=lambda line: line.external_id)]
    return {"cancelled": incoming.cancelled, "address": asdict(incoming.address), "lines": lines}


def open_change(order_id: int) -> OrderChange | None:
    """What waits for the warehouse or for a person."""
    still = OrderChange.state.in_(("waiting", "held"))
    return session.scalar(select(OrderChange).where(OrderChange.order_id == order_id, still))


def hold(order: Order, change: OrderChange, *, travels: bool, now: datetime) -> None:
    """Somebody has begun: nothing more leaves (`travels` says whether something could) until a person decides."""
    move(change, "state", "hold")
    tell(order.id, "cancelled" if change.copy["cancelled"] else "changed", by="channel", now=now)
    record(order.id, "order.change_held", by="channel", now=now)
    if travels and order.state == "accepted":
        move(order, "state", "hold")


def let_go(order: Order, *, now: datetime) -> None:
    """There is nothing to decide any more: the order goes on."""
    drop_flags(order.id, HOLDS, now=now)
    if order.state == "on_hold" and order.accepted_at is not None:
        move(order, "state", "resume")


def leave(order: Order, change: OrderChange, *, by: Actor, now: datetime) -> None:
    """The order stays as it is; the same wish of the channel is not asked about again."""
    move(change, "state", "leave")
    record(order.id, "order.change_left", by=by, now=now)
    let_go(order, now=now)


def applied(order: Order, change: OrderChange, *, by: Actor, now: datetime) -> None:
    """Say that it was taken over; cancelled orders do not go on."""
    move(change, "state", "apply")
    record(order.id, "order.change_applied", by=by, now=now)
    if order.state == "cancelled":
        drop_flags(order.id, HOLDS, now=now)
    else:
        let_go(order, now=now)


def rewrite(order: Order, copy: Mapping[str, Any], *, by: Actor, now: datetime) -> list[OrderLine]:
    """Make lines and address what the channel wants, stock included. The lines as they are now.

    What holds pieces of a line that goes (a parcel's line) must be gone before; the caller has the order locked.
    """
    order.ship_to, order.country = dict(copy["address"]), copy["address"]["country"] or None
    theirs = {line["external_id"]: IncomingLine(**line) for line in copy["lines"]}
    for line in list(order.lines):
        _rewrite_line(line, theirs.pop(line.external_id, None), by, now)
    fresh = [OrderLine(order_id=order.id, **asdict(line)) for line in theirs.values()]
    session.add_all(fresh)
    session.flush()
    session.expire(order, ["lines"])
    if order.accepted_at is not None:
        stock.reserve_lines(fresh, now=now)
    return order.lines


def _rewrite_line(line: OrderLine, wanted: IncomingLine | None, by: Actor, now: datetime) -> None:
    more = (wanted.quantity if wanted else 0) - line.quantity
    other = wanted is not None and wanted.sku != line.sku
    if more < 0 or other:
        stock.release(line, line.quantity if other else -more, "", by=by, now=now)
    if wanted is None:
        session.execute(delete(OrderLine).where(OrderLine.id == line.id))
        return
    for name, value in asdict(wanted).items():
        setattr(line, name, value)
    session.flush()
    if line.order.accepted_at is not None and (more > 0 or other):
        stock.reserve_pieces(line, line.quantity if other else more, now=now)


def follow_prices(order: Order, incoming: IncomingOrder) -> None:
    """What was paid for lines that travel as before, and for what does not travel, follows the newest copy."""
    ours = {line.external_id: line for line in order.lines}
    for theirs in incoming.lines:
        line = ours.get(theirs.external_id)
        if line is None and theirs.kind == "shipping":
            session.add(OrderLine(order_id=order.id, **asdict(theirs)))
        elif line is not None and line.quantity == theirs.quantity:
            line.paid, line.unit_price, line.title = theirs.paid, theirs.unit_price, theirs.title
    for external_id in ours.keys() - {line.external_id for line in incoming.lines}:
        if ours[external_id].kind == "shipping":
            ours[external_id].paid = ours[external_id].unit_price = 0
    session.flush()
