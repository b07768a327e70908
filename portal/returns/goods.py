"""What of an order can still come back, and what it is worth: read in a few statements, whatever the order's size."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import aliased

from portal.adapters.couriers import Tracking
from portal.config import Settings
from portal.db import session
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib.money import Money, share
from portal.orders.models import INSTEAD, Order, OrderLine
from portal.orders.promise import on_or_after
from portal.refunds.models import HOLDING, Refund, RefundLine
from portal.returns.claims_models import holds_pieces
from portal.returns.models import Inspection, Return, ReturnLine
from portal.returns.origins import paid_line
from portal.returns.policy import NO_POLICY, Policy

SURELY_THERE_AFTER = timedelta(days=14)
GIVEN_UP = "money_back"
"""The fate of a parcel whose goods nobody gets: the customer got the money."""
NOT_WITH_THE_CUSTOMER = (Tracking.returning, Tracking.returned, Tracking.cancelled)


@dataclass(frozen=True, slots=True)
class Goods:
    """A line of the order: pieces that arrived, pieces in other returns, minor units and pieces given back.

    `stays` are pieces that the customer keeps for part of their money: no policy takes them back, the law still does.
    """

    line: OrderLine
    arrived: int
    unsure: int
    claimed: int
    given: int
    given_pieces: int
    stays: int = 0

    @property
    def there(self) -> int:
        """Pieces that are with the customer, and in no other return."""
        return max(0, self.arrived + self.unsure - self.claimed)

    @property
    def left(self) -> int:
        """Pieces that the customer can still send back."""
        return max(0, self.there - self.stays)

    @property
    def unclaimed(self) -> int:
        """Pieces bought that are in no other return, wherever they are."""
        return max(0, self.line.quantity - self.claimed)

    def worth(self, pieces: int, taken: int) -> Money:
        """What was really paid for `pieces` more after `taken`, less what was given back before."""
        line, currency = self.line, self.line.order.currency
        fair = share(line.paid, pieces, line.quantity, taken, currency=currency)
        return Money(max(0, min(fair, line.paid - self.given)), currency)


@dataclass(frozen=True, slots=True)
class Variant:
    """What an article can be exchanged for; `left` pieces are free, None where nobody counts them."""

    sku: str
    told: str
    left: int | None

    def has(self, pieces: int) -> bool:
        return self.left is None or self.left >= pieces


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the rules ask about an order. `delivered_at` is None while somebody does not know of some parcel.

    `policy` is the shop's, where its door is asked (`policy_facts`): with `types` of articles by SKU, and how `often`
    the customer sent something back in the last year, and the `variants` of each article, where it may be exchanged.
    The law's door and the bench know of none.
    """

    order: Order
    goods: tuple[Goods, ...]
    delivered_at: datetime | None
    last_day: date | None
    today: date
    policy: Policy = NO_POLICY
    types: Mapping[str, str] = field(default_factory=dict)
    often: int = 0
    variants: Mapping[str, Sequence[Variant]] = field(default_factory=dict)

    def of(self, line_id: int) -> Goods | None:
        return next((goods for goods in self.goods if goods.line.id == line_id), None)


def read(order: Order, *, now: datetime, besides: int | None = None) -> Facts:
    """The order as it is now; the return `besides` and its money do not count."""
    settings: Settings = current_app.config["SETTINGS"]
    sent, claimed, given = _sent(order.id), _claimed(order.id, besides), _given(order.id, besides)
    if order.channel == INSTEAD:
        given = dict(_given_where_paid(order, claimed, besides))
    goods = tuple(
        Goods(line, *_arrived(line, sent, now), gone, *given.get(line.id, (0, 0)), stays)
        for line in order.lines
        for gone, stays in [claimed.get(line.id, (0, 0))]
    )
    delivered_at = last_delivery(order.lines, sent)
    return Facts(order, goods, delivered_at, last_day(delivered_at, settings), now.astimezone(settings.zone).date())


def last_day(delivered_at: datetime | None, settings: Settings, window: int | None = None) -> date | None:
    """The last day to ask, counted from the delivery of the last parcel and moved to a working day; None while open.

    `window` are the policy's days, where it has its own.
    """
    if delivered_at is None:
        return None
    days = settings.return_window_days if window is None else window
    day = delivered_at.astimezone(settings.zone).date() + timedelta(days=days)
    return on_or_after(day, settings.shop_country)


class Sent(Protocol):
    """Pieces of a line in a parcel, and what became of that."""

    @property
    def order_line_id(self) -> int: ...
    @property
    def quantity(self) -> int: ...
    @property
    def delivered_at(self) -> datetime | None: ...
    @property
    def fate(self) -> str | None: ...


def _sent(order_id: int) -> list[Any]:
    """What is in which parcel; and what was given up for its money, which nobody waits for."""
    columns = (Parcel.tracking_status, Parcel.handed_over_at, Parcel.delivered_at, Parcel.fate)
    found = select(ParcelLine.order_line_id, ParcelLine.quantity, *columns).join(ParcelLine.parcel)
    travelled = or_(Parcel.state != "cancelled", Parcel.fate == GIVEN_UP)
    return list(session.execute(found.where(Parcel.order_id == order_id, travelled)))


def _arrived(line: OrderLine, sent: list[Any], now: datetime) -> tuple[int, int]:
    """Pieces that arrived, and pieces of which we only believe it."""
    mine = [row for row in sent if row.order_line_id == line.id and row.fate != GIVEN_UP]
    sure = sum(row.quantity for row in mine if row.delivered_at)
    unsure = (row for row in mine if not row.delivered_at)
    return sure, sum(row.quantity for row in unsure if believed_there(row.tracking_status, row.handed_over_at, now))


def believed_there(status: str, handed_over_at: datetime | None, now: datetime) -> bool:
    """Whether a parcel is with the customer, as far as we know, though no courier said so."""
    if handed_over_at is None or status in NOT_WITH_THE_CUSTOMER:
        return False
    return status == Tracking.expired or handed_over_at < now - SURELY_THERE_AFTER


def counts(parcel: Parcel) -> bool:
    """Whether what was packed in it is with the customer, on its way, or was given up for its money."""
    return parcel.state != "cancelled" or parcel.fate == GIVEN_UP


def last_delivery(lines: Iterable[OrderLine], sent: Iterable[Sent]) -> datetime | None:
    """When the last piece of these lines arrived; None while something is still to come, or nobody knows."""
    travelled = list(sent)
    arrived: Counter[int] = Counter()
    for row in travelled:
        arrived[row.order_line_id] += row.quantity if row.delivered_at or row.fate == GIVEN_UP else 0
    waiting = any(arrived[line.id] < line.quantity for line in lines if line.kind == "item")
    days = [row.delivered_at for row in travelled if row.fate != GIVEN_UP]
    return None if waiting else max((day for day in days if day), default=None) if all(days) else None


def _claimed(order_id: int, besides: int | None) -> dict[int, tuple[int, int]]:
    """By line, the pieces in returns that live: counted where somebody has counted, else as announced; and those that
    the customer keeps for part of the money.
    """
    stay = and_(ReturnLine.choice == "keep", Return.decision == "approved", Return.goods == "not_expected")
    kept = case(
        (stay, 0),
        (Inspection.id.is_(None), ReturnLine.quantity),
        (or_(Inspection.grade == "wrong_item", Inspection.disposition == "back_to_customer"), 0),
        else_=Inspection.counted,
    )
    # what is believed to have come is paid, and gone for the customer, though nobody counted it
    believed = case((Inspection.id == _first_of(ReturnLine.id), ReturnLine.believed), else_=0)
    alive = and_(Return.kind != "claim", Return.decision.in_(("requested", "approved")))
    lives = or_(alive, holds_pieces(), Return.goods == "received")
    stays = case((stay, ReturnLine.quantity), else_=0)
    found = (
        select(ReturnLine.order_line_id, func.sum(kept + believed), func.sum(stays))
        .join(ReturnLine.ret)
        .outerjoin(ReturnLine.inspections)
    )
    found = found.where(and_(Return.order_id == order_id, lives, Return.id != (besides or 0)))
    rows = session.execute(found.group_by(ReturnLine.order_line_id))
    return {line_id: (int(pieces), int(stays)) for line_id, pieces, stays in rows}


def _first_of(row_id: Any) -> Any:
    other = aliased(Inspection)
    return select(func.min(other.id)).where(other.return_line_id == row_id).correlate(ReturnLine).scalar_subquery()


def _given(order_id: int, besides: int | None) -> dict[int, tuple[int, int]]:
    """By line, minor units and pieces that refunds have given back or hold."""
    sums = (func.sum(RefundLine.amount), func.sum(RefundLine.quantity))
    found = select(RefundLine.order_line_id, *sums).join(RefundLine.refund)
    others = func.coalesce(Refund.return_id, 0) != (besides or -1)
    found = found.where(Refund.order_id == order_id, Refund.state.in_(HOLDING), others)
    rows = session.execute(found.group_by(RefundLine.order_line_id))
    return {line_id: (int(amount), int(pieces)) for line_id, amount, pieces in rows}


def _given_where_paid(
    order: Order, claimed: Mapping[int, tuple[int, int]], besides: int | None
) -> Iterator[tuple[int, tuple[int, int]]]:
    """The same of what went out in place of other goods: what of their money is not left any more."""
    for line in order.lines:
        first = paid_line(line)
        if first is not line:
            gone, _pieces = _given(first.order_id, besides).get(first.id, (0, 0))
            yield line.id, (max(0, line.paid - max(0, first.paid - gone)), claimed.get(line.id, (0, 0))[0])
