"""What may be done with stock: keep back, give free, take away, bring back, correct.

Articles are known by SKU; one without a row in `stock_items` is not counted, and every function here then does nothing
and says that all is well. Rows of an article are locked before they are looked at, always in the order of SKU and
place, so that two orders never keep back the same last piece and never wait for each other in a circle.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import attributes

from portal.db import session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.orders.models import Order, OrderLine
from portal.orders.shelves import MAIN, StockClaim, StockItem, StockMove, StockPlace, counted, sold
from portal.staff.models import Actor, Staff

REASONS: dict[str, Any] = {
    "delivery": _l("New delivery"),
    "counted": _l("Counted again"),
    "found": _l("Found"),
    "damaged": _l("Damaged"),
    "lost": _l("Not found"),
    "misplaced": _l("Misplaced"),
    "expired": _l("Expired"),
}
"""Why people correct what lies on a shelf."""
MOVES: dict[str, Any] = {
    **REASONS,
    "reserved": _l("Kept back"),
    "released": _l("Given free"),
    "handed_over": _l("Handed over"),
    "returned": _l("Came back"),
    "imported": _l("From a file"),
    "refurbish": _l("To be repaired"),
    "refurbished": _l("Repaired"),
    "recycled": _l("Recycled"),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """Pieces of an article that something needs; who has waited longest is served first."""

    sku: str
    quantity: int
    cause: str
    since: datetime
    line_id: int | None = None


# --- orders -----------------------------------------------------------------------------------------------------------


def reserve(order: Order, *, now: datetime) -> int:
    """Keep back what a new order needs. How many pieces it has to wait for: 0 when all is there or not counted."""
    return reserve_lines(order.lines, now=now)


def reserve_lines(lines: Iterable[OrderLine], *, now: datetime) -> int:
    """Keep back what these lines need, in full. What is not there is marked as waited for; how many pieces that is."""
    goods = [line for line in lines if line.kind == "item" and line.sku]
    return _claim([_wish(line, line.quantity) for line in goods], now)


def reserve_pieces(line: OrderLine, quantity: int, *, now: datetime) -> int:
    """Keep back some pieces more for this line (the channel added them); how many of them have to wait."""
    return _claim([_wish(line, quantity)], now)


def _wish(line: OrderLine, quantity: int) -> Wish:
    return Wish(line.sku, quantity, f"order:{line.order_id}", line.order.paid_at, line.id)


def release(line: OrderLine, quantity: int, reason: str, *, by: Actor = "system", now: datetime) -> None:
    """Give free what a line no longer needs (`reason` in words); who waits for the article gets it at once."""
    _give_free([line], {line.id: quantity}, reason, by, now)


def release_order(order: Order, reason: str, *, by: Actor = "system", now: datetime) -> None:
    """Give free all that is still kept back for an order: it was cancelled."""
    _give_free(order.lines, {line.id: line.quantity for line in order.lines}, reason, by, now)


def take(pieces: Mapping[OrderLine, int], cause: str, *, by: Actor, now: datetime) -> None:
    """Goods leave the house in a parcel (`cause` is "parcel:<ref>"): what was kept back for these lines is gone.

    Pieces for which nothing was kept back are taken from what is free, as far as the count goes: they have left,
    whatever was counted.
    """
    items = counted({line.sku for line in pieces}, lock=True)
    claims = _claims_of([line.id for line in pieces])
    for line, quantity in pieces.items():
        if line.sku in items:
            left = _take_claimed(claims.get(line.id, []), quantity, items[line.sku], cause, by, now)
            _take_free(items[line.sku], left, cause, by, now)
    session.flush()


def not_there(
    line: OrderLine, quantity: int, reason: str, *, nothing_left: bool = False, by: Staff, now: datetime
) -> int:
    """A picker found fewer than the count says: it is put right, and the line waits or is served from elsewhere.

    `reason` is a key of `REASONS`; with `nothing_left` the pieces that nobody has a claim on are not there either.
    How many pieces of this line wait afterwards.
    """
    items = counted({line.sku}, lock=True).get(line.sku, [])
    cause = f"order:{line.order_id}"
    for claim in _claims_of([line.id]).get(line.id, []):
        item = next((item for item in items if item.id == claim.item_id), None)
        if item is not None and quantity:
            pieces = min(quantity, claim.quantity)
            quantity -= pieces
            free = item.available if nothing_left else 0
            shift(item, reason, cause, by, now, on_hand=-pieces - free, reserved=-pieces)
            _wait_again(claim, pieces)
    _serve(items, now)
    waits = select(func.coalesce(func.sum(StockClaim.quantity), 0))
    return int(session.scalar(waits.where(StockClaim.order_line_id == line.id, StockClaim.item_id.is_(None))) or 0)


def _claims_of(line_ids: Collection[int]) -> dict[int, list[StockClaim]]:
    """The claims of these lines, by line; call it only with the articles locked."""
    session.flush()
    found = select(StockClaim).where(StockClaim.order_line_id.in_(line_ids)).order_by(StockClaim.id)
    claims: dict[int, list[StockClaim]] = {}
    for claim in session.scalars(found.execution_options(populate_existing=True)):
        claims.setdefault(claim.order_line_id or 0, []).append(claim)
    return claims


def _give_free(lines: Sequence[OrderLine], pieces: Mapping[int, int], reason: str, by: Actor, now: datetime) -> None:
    items = counted({line.sku for line in lines}, lock=True)
    if not items:
        return
    by_id = {item.id: item for rows in items.values() for item in rows}
    for line_id, claims in _claims_of(list(pieces)).items():
        left = pieces[line_id]
        for claim in sorted(claims, key=lambda claim: claim.item_id is not None):
            left -= _drop(claim, left, by_id, reason, by, now)
    _serve([item for rows in items.values() for item in rows], now)


def _drop(claim: StockClaim, most: int, items: Mapping[int, StockItem], reason: str, by: Actor, now: datetime) -> int:
    """Drop up to `most` pieces of a claim; how many it were."""
    pieces = min(most, claim.quantity)
    if pieces and claim.item_id is not None:
        shift(items[claim.item_id], "released", claim.cause, by, now, reserved=-pieces, note=reason)
    _shrink(claim, pieces)
    return pieces


def _take_claimed(
    claims: Sequence[StockClaim], quantity: int, items: Sequence[StockItem], cause: str, by: Actor, now: datetime
) -> int:
    """Take what was kept back first; what was only waited for needs no longer to be. How many pieces are left."""
    by_id, left = {item.id: item for item in items}, quantity
    for claim in sorted(claims, key=lambda claim: claim.item_id is None):
        pieces = min(quantity, claim.quantity)
        quantity -= pieces
        if claim.item_id is not None:
            shift(by_id[claim.item_id], "handed_over", cause, by, now, on_hand=-pieces, reserved=-pieces)
            left -= pieces
        _shrink(claim, pieces)
    return left


def _take_free(items: Sequence[StockItem], quantity: int, cause: str, by: Actor, now: datetime) -> None:
    for item in items:
        if pieces := min(quantity, item.available):
            shift(item, "handed_over", cause, by, now, on_hand=-pieces)
            quantity -= pieces


# --- returns and exchanges --------------------------------------------------------------------------------------------


def bring_back(sku: str, quantity: int, disposition: str, cause: str, *, by: Actor, now: datetime) -> int:
    """Goods that came back lie on the shelf again when they are to be sold again ("restock"). How many were added.

    `cause` names the line of the return ("return-line:7"): saying it again with another number puts the count right,
    so that an inspection that is corrected counts once. Who waits for the article gets it at once.
    """
    items = counted({sku}, lock=True).get(sku, [])
    if not items:
        return 0
    before = session.scalar(select(func.coalesce(func.sum(StockMove.on_hand), 0)).where(StockMove.cause == cause))
    change = (quantity if disposition == "restock" else 0) - int(before or 0)
    if change < 0:
        change = -min(-change, items[0].on_hand)
        _unreserve(items[0], -change - items[0].available, now)
    if change:
        shift(items[0], "returned", cause, by, now, on_hand=change)
        _serve(items, now)
    return change


def reserve_variant(sku: str, quantity: int, cause: str, *, now: datetime) -> None:
    """Keep back pieces for something that is no order yet, an exchange (`cause` is "exchange:5").

    Raises Refused when there are fewer. `release_variant` gives them free.
    """
    items = counted({sku}, lock=True).get(sku, [])
    if items and sum(item.available for item in items) < quantity:
        raise Refused(_("There are not so many of %(sku)s left.", sku=sku))
    _claim([Wish(sku, quantity, cause, now)], now)


def release_variant(cause: str, *, now: datetime) -> None:
    """Give free what was kept back for this cause: it came to nothing, or it is an order now."""
    skus = set(session.scalars(select(StockClaim.sku).where(StockClaim.cause == cause)))
    items = {item.id: item for rows in counted(skus, lock=True).values() for item in rows}
    for claim in session.scalars(select(StockClaim).where(StockClaim.cause == cause)).all():
        _drop(claim, claim.quantity, items, "", "system", now)
    _serve(list(items.values()), now)


def keep_for_line(cause: str, line: OrderLine, *, now: datetime) -> int:
    """What was kept back for this cause is this line's from now on, as far as it goes; nobody who waits comes between.

    The rest is kept back like for any order. How many pieces have to wait.
    """
    counted({line.sku}, lock=True)
    mine = update(StockClaim).where(StockClaim.cause == cause, StockClaim.sku == line.sku)
    moved = mine.values(order_line_id=line.id, cause=f"order:{line.order_id}").returning(StockClaim.quantity)
    return reserve_pieces(line, max(0, line.quantity - sum(session.scalars(moved))), now=now)


# --- the shop's own counting ------------------------------------------------------------------------------------------


def add_place(code: str, name: str) -> StockPlace:
    """The place of that code, made when there is none; its name is brought up to date."""
    new = upsert(StockPlace).values(code=code, name=name)
    known = new.on_conflict_do_update(index_elements=["code"], set_={"name": name}).returning(StockPlace)
    return session.scalars(known, execution_options={"populate_existing": True}).one()


def correct(item: StockItem, count: int, reason: str, *, seen: int, by: Staff, now: datetime, note: str = "") -> None:
    """A person says how many lie there, and why that differs. `seen` is what the page showed.

    Raises Refused when it is no longer true. When fewer are left than are kept back, the orders that came last wait.
    """
    (item,) = [row for row in counted({item.sku}, lock=True)[item.sku] if row.id == item.id]
    if item.on_hand != seen:
        raise Refused(_("The count has changed to %(n)s while you looked at it. Look again.", n=item.on_hand))
    if count < 0 or reason not in REASONS:
        raise Refused(_("Say how many pieces lie there, and why."))
    set_count(item, count, reason, "", by=by, now=now, note=note)


def set_count(
    item: StockItem, count: int, reason: str, cause: str, *, by: Actor, now: datetime, note: str = ""
) -> None:
    """So many lie there now; call it with the article locked. Who waits gets what is new, who came last waits."""
    _unreserve(item, item.reserved - count, now)
    if count != item.on_hand:
        shift(item, reason, cause, by, now, on_hand=count - item.on_hand, note=note)
    _serve([item], now)


def begin_counting(sku: str, place: StockPlace, *, title: str = "", low_at: int = 0) -> StockItem:
    """The row of this article at this place, locked with its other rows; made with nothing on it when there is none.

    The first row of an article is told to the warehouse, so that orders that are still here get their claim.
    """
    first = not counted({sku})
    new = upsert(StockItem).values(sku=sku, place_id=place.id, title=title, low_at=low_at, on_hand=0, reserved=0)
    made = session.scalar(new.on_conflict_do_nothing(index_elements=["sku", "place_id"]).returning(StockItem.id))
    (item,) = [item for item in counted({sku}, lock=True)[sku] if item.place_id == place.id]
    if first and made:
        announce("stock.counted", item_id=item.id)
    return item


def main_place() -> StockPlace:
    """The first place of the shop; made when there is none."""
    found = session.scalar(select(StockPlace).where(sold()).order_by(StockPlace.id).limit(1))
    return found or add_place(MAIN, _("Main warehouse"))


def _unreserve(item: StockItem, pieces: int, now: datetime) -> None:
    """So many pieces fewer are kept back: the claims that came last wait again."""
    found = select(StockClaim).where(StockClaim.item_id == item.id).order_by(StockClaim.since.desc())
    for claim in session.scalars(found.order_by(StockClaim.id.desc())).all() if pieces > 0 else ():
        if taken := max(0, min(pieces, claim.quantity)):
            pieces -= taken
            shift(item, "released", claim.cause, "system", now, reserved=-taken)
            _wait_again(claim, taken)


def _wait_again(claim: StockClaim, pieces: int) -> None:
    again = {"sku": claim.sku, "order_line_id": claim.order_line_id, "cause": claim.cause, "since": claim.since}
    _shrink(claim, pieces)
    session.add(StockClaim(quantity=pieces, **again))
    session.flush()


def _shrink(claim: StockClaim, pieces: int) -> None:
    if pieces == claim.quantity:
        session.delete(claim)
    else:
        claim.quantity -= pieces


# --- the count itself -------------------------------------------------------------------------------------------------


def _claim(wishes: Sequence[Wish], now: datetime) -> int:
    items, waiting = counted({wish.sku for wish in wishes}, lock=True), 0
    for wish in wishes:
        if wish.sku in items and wish.quantity:
            waiting += _keep_back(wish, items[wish.sku], now)
    session.flush()
    return waiting


def _keep_back(wish: Wish, items: Sequence[StockItem], now: datetime) -> int:
    """Claim what is free, place by place; the rest is waited for. How many pieces that are."""
    left, same = wish.quantity, {"sku": wish.sku, "order_line_id": wish.line_id, "cause": wish.cause}
    for item in items:
        if pieces := min(left, item.available):
            left -= pieces
            shift(item, "reserved", wish.cause, "system", now, reserved=pieces)
            session.add(StockClaim(item_id=item.id, quantity=pieces, since=wish.since, **same))
    if left:
        session.add(StockClaim(quantity=left, since=wish.since, **same))
    return left


def _serve(items: Sequence[StockItem], now: datetime) -> None:
    """What is free goes to those who wait for it, the longest first; call it with the articles locked."""
    free = {item.sku for item in items if item.available}
    waits = (StockClaim.sku.in_(free), StockClaim.item_id.is_(None))
    session.flush()
    for claim in session.scalars(select(StockClaim).where(*waits).order_by(StockClaim.since, StockClaim.id)).all():
        mine = [item for item in items if item.sku == claim.sku]
        wish = Wish(claim.sku, claim.quantity, claim.cause, claim.since, claim.order_line_id)
        if any(item.available for item in mine):
            session.delete(claim)
            _keep_back(wish, mine, now)
    session.flush()


def shift(
    item: StockItem, reason: str, cause: str, by: Actor, now: datetime,
    *, on_hand: int = 0, reserved: int = 0, note: str = "",
) -> None:  # fmt: skip
    """Change the count by one guarded UPDATE and note why. Raises Refused when it would promise what is not there."""
    after = (StockItem.on_hand + on_hand, StockItem.reserved + reserved)
    guarded = update(StockItem).where(StockItem.id == item.id, after[1] >= 0, after[1] <= after[0])
    found = session.execute(
        guarded.values(on_hand=after[0], reserved=after[1])
        .returning(StockItem.on_hand, StockItem.reserved)
        .execution_options(synchronize_session=False)
    ).first()
    if found is None:
        raise Refused(_("There are not so many of %(sku)s left.", sku=item.sku))
    attributes.set_committed_value(item, "on_hand", found.on_hand)
    attributes.set_committed_value(item, "reserved", found.reserved)
    who, staff_id = (by.name, by.id) if isinstance(by, Staff) else (by, None)
    session.execute(
        insert(StockMove).values(
            item_id=item.id, at=now, by=who, staff_id=staff_id, reason=reason, on_hand=on_hand, reserved=reserved,
            cause=cause, note=note,
        )
    )  # fmt: skip
