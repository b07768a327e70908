"""Pick, pack, ship: one verb per function."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import func, select, update
from sqlalchemy.orm import contains_eager

from portal.adapters.couriers import Tracking, normal_number, own
from portal.db import move, session
from portal.fulfilment import handoffs, rules, sscc, tracking
from portal.fulfilment.boxes import Box
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.scans import alone_with
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders import pushes, stock
from portal.orders.letters import write
from portal.orders.models import Order, OrderLine
from portal.orders.shelves import StockClaim, StockItem
from portal.orders.timeline import record, words
from portal.staff.models import Staff

words("parcel.picking", staff=_l("Picking started"))
words("parcel.put_back", staff=_l("Put back on the list"))
words("parcel.picked", staff=_l("Everything picked"))
words("parcel.packed", staff=_l("Packed, %(grams)s g"), customer=_l("Your order is packed"))
words("parcel.split", staff=_l("A second parcel was made: %(second)s"))
words("parcel.labelled", staff=_l("Label made: %(number)s"))
words("parcel.handed_over", staff=_l("Handed over: %(courier)s, %(number)s"), customer=_l("Handed over to %(courier)s"))
words(
    "parcel.sent_by_us",
    staff=_l("Given to our own courier: %(number)s"),
    customer=_l("On its way with our own courier"),
)

HEAVIEST = 70_000
LETTER_USEFUL_FOR = timedelta(days=3)


def plan_parcels(order_id: int, *, now: datetime) -> Parcel | None:
    """One parcel with all that is to be sent; nothing for an order that has parcels or nothing to send."""
    order = session.get_one(Order, order_id, with_for_update={"of": Order}, populate_existing=True)
    planned = session.scalar(select(Parcel.id).where(Parcel.order_id == order_id).limit(1))
    goods = [line for line in order.lines if line.kind == "item"]
    if planned or not goods or order.state not in ("accepted", "on_hold"):
        return None
    return fill_parcel(order, goods, now=now)


def fill_parcel(order: Order, goods: Sequence[OrderLine], *, now: datetime) -> Parcel:
    """One parcel with all of these lines, ready to be picked."""
    lines = [ParcelLine(order_line_id=line.id, quantity=line.quantity) for line in goods]
    parcel = Parcel(order_id=order.id, ref=reference(), lines=lines, created_at=now)
    session.add(parcel)
    session.flush()
    handoffs.offer([parcel], by=None, now=now)
    return parcel


def claim_stock(item_id: int, *, now: datetime) -> None:
    """An article is counted from now on: what open orders still need of it is kept back, the oldest order first."""
    sku = session.get_one(StockItem, item_id).sku
    done = select(func.sum(ParcelLine.quantity)).join(Parcel).where(ParcelLine.order_line_id == OrderLine.id)
    sent = func.coalesce(done.where(Parcel.state.in_(("handed_over", "cancelled"))).scalar_subquery(), 0)
    known = select(StockClaim.id).where(StockClaim.order_line_id == OrderLine.id).exists()
    needed = (OrderLine.sku == sku, Order.state.in_(("accepted", "on_hold")), OrderLine.quantity > sent, ~known)
    found = select(OrderLine, OrderLine.quantity - sent).join(OrderLine.order).where(*needed)
    oldest = found.order_by(Order.paid_at, OrderLine.id).options(contains_eager(OrderLine.order))
    for line, pieces in session.execute(oldest).all():
        stock.reserve_pieces(line, int(pieces), now=now)


def start_picking(parcel: Parcel, *, by: Staff, now: datetime) -> None:
    """Take the parcel: from now on it is this person's, and in no wave."""
    _refuse_unless_wanted(parcel.order)
    move(parcel, "state", "start_picking", picker_id=by.id, wave_id=None, basket=None)
    handoffs.take(parcel, by=by, now=now)
    record(parcel.order_id, "parcel.picking", by=by, now=now, parcel=parcel.ref)


def _refuse_unless_wanted(order: Order) -> None:
    if order.state == "on_hold":
        raise Refused(_("This order is on hold. Leave it until somebody has cleared it."))
    if order.state == "cancelled":
        raise Refused(_("This order was cancelled. Nothing of it may leave."))


def put_back(parcel: Parcel, *, by: Staff, now: datetime) -> None:
    """Give the parcel up: what was picked goes back on the shelf, and anybody may take it."""
    move(parcel, "state", "put_back", picker_id=None, wave_id=None, basket=None)
    session.execute(update(ParcelLine).where(ParcelLine.parcel_id == parcel.id).values(picked=0))
    handoffs.pass_on(parcel, by=by, now=now)
    record(parcel.order_id, "parcel.put_back", by=by, now=now, parcel=parcel.ref)


def line_to_pick(parcel: Parcel, scanned: str) -> ParcelLine:
    """The line that this code is about, one that still misses pieces if it can be. Raises Refused for a stranger."""
    code = scanned.strip().casefold()
    found = [packed for packed in parcel.lines if code and packed.line.sku.casefold() == code]
    if not found:
        raise Refused(_("%(code)s does not belong in this parcel. Put it back.", code=scanned.strip()[:40] or "–"))
    return next((packed for packed in found if packed.left), found[0])


def pick(packed: ParcelLine, pieces: int, *, by: Staff) -> None:
    """Count pieces of a line as picked, or, with a negative number, as put back. Never more than ordered."""
    mine = select(Parcel.id).where(Parcel.id == packed.parcel_id, Parcel.state == "picking", Parcel.picker_id == by.id)
    wanted = ParcelLine.picked + pieces
    counted = update(ParcelLine).where(
        ParcelLine.id == packed.id,
        ParcelLine.parcel_id.in_(mine),
        wanted >= 0,
        wanted <= ParcelLine.quantity - ParcelLine.short,
    )
    if not session.scalar(counted.values(picked=wanted).returning(ParcelLine.id)):
        _refuse_unless_picking(packed.parcel, by)
        enough = _("Too many: %(title)s is complete with %(n)s.", title=packed.title, n=packed.quantity - packed.short)
        raise Refused(enough if pieces > 0 else _("Nothing of this line is picked yet."))
    session.refresh(packed, ["picked"])


def _refuse_unless_picking(parcel: Parcel, by: Staff) -> None:
    session.refresh(parcel, ["state", "picker_id"])
    if parcel.state != "picking":
        raise Refused(_("This parcel is not being picked. Nothing was counted."))
    if parcel.picker and parcel.picker_id != by.id:
        raise Refused(_("%(name)s is picking this parcel.", name=parcel.picker.name))


def finish_picking(parcel: Parcel, *, by: Staff, now: datetime) -> None:
    """All pieces are here: the parcel goes on to packing."""
    _refuse_unless_picking(parcel, by)
    if missing := sum(packed.left for packed in parcel.lines):
        raise Refused(ngettext("One piece is still missing.", "%(num)s pieces are still missing.", missing))
    if any(packed.short for packed in parcel.lines):
        raise Refused(_("Set it aside: somebody decides what becomes of the pieces that are not there."))
    move(parcel, "state", "finish_picking")
    handoffs.pass_on(parcel, by=by, now=now, giver="picking")
    record(parcel.order_id, "parcel.picked", by=by, now=now, parcel=parcel.ref)


def split(parcel: Parcel, pieces: dict[int, int], *, by: Staff, now: datetime) -> Parcel:
    """Move pieces (by the parcel's line) into a second parcel, picked as they are. Both keep something."""
    session.refresh(parcel, with_for_update={"of": Parcel})
    moved = {packed: pieces.get(packed.id, 0) for packed in parcel.lines}
    if parcel.state != "picked":
        raise Refused(_("Only a parcel that is picked and not yet packed can be split."))
    if any(not 0 <= n <= packed.quantity for packed, n in moved.items()):
        raise Refused(_("There are not so many pieces in this parcel."))
    if not 0 < sum(moved.values()) < sum(packed.quantity for packed in moved):
        raise Refused(_("Each of the two parcels needs at least one piece."))
    second = Parcel(
        order_id=parcel.order_id, ref=reference(), state="picked", picker_id=parcel.picker_id, created_at=now
    )
    for packed, n in moved.items():
        _move_pieces(packed, n, second)
    session.add(second)
    session.flush()
    handoffs.offer([second], by=by, now=now, giver="picking")
    record(parcel.order_id, "parcel.split", by=by, now=now, parcel=parcel.ref, second=second.ref)
    return second


def _move_pieces(packed: ParcelLine, pieces: int, second: Parcel) -> None:
    if pieces:
        second.lines.append(ParcelLine(order_line_id=packed.order_line_id, quantity=pieces, picked=pieces))
    if pieces == packed.quantity:
        session.delete(packed)
    else:
        packed.boxed = min(packed.boxed, packed.quantity - pieces)
        packed.quantity = packed.picked = packed.quantity - pieces


def pack(parcel: Parcel, grams: int, box: Box | None = None, *, by: Staff, now: datetime) -> None:
    """Closed, weighed, slip inside. Raises Refused while pieces are not in the box, and for what it cannot hold."""
    if not 0 < grams <= HEAVIEST:
        raise Refused(_("A parcel weighs between 1 g and %(kg)s kg.", kg=HEAVIEST // 1000))
    if box and grams > box.holds_grams:
        raise Refused(_("%(box)s holds %(grams)s g at the most.", box=box.name, grams=box.holds_grams))
    _refuse_unless_boxed(parcel)
    move(parcel, "state", "pack", weight_grams=grams, packed_at=now, box_id=box.id if box else None)
    handoffs.pass_on(parcel, by=by, now=now, giver="packing")
    record(parcel.order_id, "parcel.packed", by=by, now=now, parcel=parcel.ref, grams=grams)


def _refuse_unless_boxed(parcel: Parcel) -> None:
    session.refresh(parcel, ["state"], with_for_update={"of": Parcel})
    lines = select(func.sum(ParcelLine.quantity - ParcelLine.boxed)).where(ParcelLine.parcel_id == parcel.id)
    missing = int(session.scalar(lines) or 0)
    if missing and parcel.state == "picked":
        message = ngettext("One piece is not in the box yet.", "%(num)s pieces are not in the box yet.", missing)
        raise Refused(message)


def make_label(parcel: Parcel, *, by: Staff, now: datetime) -> None:
    """A number and a label of our own courier. Twice gives the same label."""
    session.refresh(parcel, with_for_update={"of": Parcel})
    if parcel.state != "packed":
        raise Refused(_("A label is made for a parcel that is packed and still here."))
    if parcel.courier == own.CODE and parcel.tracking_number:
        return
    parcel.courier, parcel.tracking_number = own.CODE, own.new_number()
    parcel.sscc = parcel.sscc or sscc.take_next()
    record(parcel.order_id, "parcel.labelled", by=by, now=now, parcel=parcel.ref, number=parcel.tracking_number)
    say(parcel, Tracking.label_created, "", by=by, now=now)


def hand_over(parcel: Parcel, courier: str, number: str, *, by: Staff, now: datetime) -> None:
    """The courier has it: the customer is told in the same breath, and what the courier said before is worked off."""
    code = normal_number(number)
    if not code or courier not in {*rules.COURIERS, parcel.courier}:
        raise Refused(_("Choose a courier and scan the tracking number."))
    if courier == own.CODE and code != parcel.tracking_number:
        raise Refused(_("This is not the number of our label for this parcel."))
    alone_with(code)
    order = session.get_one(Order, parcel.order_id, with_for_update={"of": Order}, populate_existing=True)
    _refuse_unless_wanted(order)
    move(parcel, "state", "hand_over", courier=courier, tracking_number=code, handed_over_at=now)
    handoffs.pass_on(parcel, by=by, now=now)
    stock.take({packed.line: packed.quantity for packed in parcel.lines}, f"parcel:{parcel.ref}", by=by, now=now)
    _record_hand_over(parcel, by, now)
    _write_on_its_way(parcel, order, now)
    _tell_channel(parcel, order, now)
    if courier == own.CODE:
        say(parcel, Tracking.picked_up, "", by=by, now=now)
    announce("parcel.handed_over", parcel_id=parcel.id, order_id=order.id)


def _record_hand_over(parcel: Parcel, by: Staff, now: datetime) -> None:
    kind = "parcel.sent_by_us" if parcel.courier == own.CODE else "parcel.handed_over"
    facts = {"courier": rules.courier_name(parcel.courier), "number": parcel.tracking_number, "parcel": parcel.ref}
    record(parcel.order_id, kind, by=by, now=now, **facts)


def _write_on_its_way(parcel: Parcel, order: Order, now: datetime) -> None:
    write(
        "on-its-way",
        order,
        about=f"parcel:{parcel.id}",
        now=now,
        not_after=now + LETTER_USEFUL_FOR,
        courier=None if parcel.courier == own.CODE else rules.courier_name(parcel.courier),
        tracking_number=parcel.tracking_number,
        promised_on=order.promised_on,
        rows=[packed.told for packed in parcel.lines],
    )


def _tell_channel(parcel: Parcel, order: Order, now: datetime) -> None:
    """The channel hears of the parcel, and whether it is the last. The order is locked: two parcels leave in turn."""
    number, known = parcel.tracking_number or "", rules.COURIERS.get(parcel.courier or "")
    courier, page = known.name if known else parcel.courier, known.page_of(number) if known and known.page else ""
    if parcel.replaces_id is not None:
        pushes.tell_sent_again(order, parcel.ref, number, courier=courier, page=page, now=now)
        return
    here = (Parcel.order_id == order.id, Parcel.state.not_in(("handed_over", "cancelled")))
    last = session.scalar(select(Parcel.id).where(*here).limit(1)) is None
    pieces = {packed.line.external_id: packed.quantity for packed in parcel.lines}
    pushes.tell_shipped(order, parcel.ref, number, courier=courier, page=page, pieces=pieces, last=last, now=now)


def say(parcel: Parcel, status: Tracking, place: str, *, by: Staff, now: datetime) -> None:
    """What a person of the shop knows of a parcel of our own courier."""
    if parcel.courier != own.CODE or not parcel.tracking_number:
        raise Refused(_("Only for parcels of our own courier; the others tell us themselves."))
    said = own.said(parcel.tracking_number, status, place, at=now)
    tracking.add_events(parcel, said.events, said, by=by, now=now)
