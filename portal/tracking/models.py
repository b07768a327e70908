"""What the customer's page tells of one order, read in five statements whatever its size. It owns no tables."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Integer, Label, cast, func, literal, null, select, union_all
from sqlalchemy.orm import aliased

from portal.adapters.couriers import Tracking
from portal.config import Settings
from portal.db import session
from portal.feedback.models import UNSOLVED, Answer, Case, SurveyInvitation
from portal.fulfilment.models import CourierEvent, Parcel, ParcelLine
from portal.fulfilment.promises import PromiseBreak
from portal.lib.money import Money
from portal.orders.models import ChannelRefund, Order, OrderLine
from portal.refunds.credit import CreditEntry, StoreCredit
from portal.refunds.models import Refund
from portal.returns.goods import believed_there, last_day
from portal.returns.models import Return
from portal.returns.withdrawal_rules import withdraw_until

GOING_BACK = (Tracking.returning, Tracking.returned)
IN_TROUBLE = (Tracking.exception, Tracking.expired, Tracking.cancelled)


@dataclass(frozen=True, slots=True)
class Item:
    """Goods as the customer knows them."""

    title: str
    variant: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What a courier said. Neither its words nor the place: both can give the customer's address away."""

    at: datetime
    status: Tracking
    detail: str


@dataclass(slots=True)
class TrackedParcel:
    """A parcel, its goods, and its scans, newest first."""

    id: int
    status: Tracking
    action_required: bool
    estimate_on: date | None
    packed_at: datetime | None
    handed_over_at: datetime | None
    delivered_at: datetime | None
    items: list[Item] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)

    def reached(self, step: str) -> bool:
        """Whether it has come at least as far as this step of the five."""
        return {
            "ordered": True,
            "packed": self.packed_at is not None or self.handed_over_at is not None,
            "on_its_way": self.handed_over_at is not None,
            "out_for_delivery": self.at("out_for_delivery") is not None or self.delivered_at is not None,
            "delivered": self.delivered_at is not None,
        }[step]

    def believed_there(self, now: datetime) -> bool:
        return believed_there(self.status, self.handed_over_at, now)

    def at(self, step: str) -> datetime | None:
        """When it reached the step, as far as somebody said so."""
        if step == "out_for_delivery":
            near = (Tracking.out_for_delivery, Tracking.ready_for_pickup, Tracking.attempt_failed)
            return next((scan.at for scan in self.scans if scan.status in near), None)
        return {
            "packed": self.packed_at,
            "on_its_way": self.handed_over_at,
            "delivered": self.delivered_at,
        }.get(step)


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """One refund as the customer meets it; `left` is what is left of it as store credit."""

    amount: Money
    state: str
    settled_at: datetime | None
    reference: str | None = None
    way: str = "card"
    left: Money | None = None


@dataclass(slots=True)
class TrackedReturn:
    """Goods on their way back, and the money for them."""

    rma: str
    kind: str
    decision: str
    goods: str
    send_back_by: date | None
    closed_as: str | None = None
    requested_at: datetime | None = None
    money: list[MoneyBack] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrackedCase:
    """What we are making right."""

    id: int
    state: str
    due_at: datetime


@dataclass(slots=True)
class Tracked:
    """One order as its page tells it. Cancelled parcels are left out: nothing of them travels."""

    ref: str
    number: str
    state: str
    country: str | None
    placed_at: datetime
    promised_on: date
    survey: str | None
    survey_closes_at: datetime | None
    score: int | None
    broken: PromiseBreak | None = None
    parcels: list[TrackedParcel] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    returns: list[TrackedReturn] = field(default_factory=list)
    money: list[MoneyBack] = field(default_factory=list)
    cases: list[TrackedCase] = field(default_factory=list)

    @property
    def undelivered(self) -> list[TrackedParcel]:
        return [parcel for parcel in self.parcels if not parcel.reached("delivered")]

    @property
    def delivered_at(self) -> datetime | None:
        """When the last of it arrived; None while something is still to come."""
        if not self.parcels or self.waiting or self.undelivered:
            return None
        return max(parcel.delivered_at for parcel in self.parcels if parcel.delivered_at)

    def expected_on(self, parcel: TrackedParcel) -> date:
        """The estimate, else the day we told last, else our promise."""
        return parcel.estimate_on or (self.broken.told if self.broken else None) or self.promised_on

    @property
    def without_day(self) -> bool:
        """Whether the promise broke and nobody can say when it comes instead."""
        unknown = all(parcel.estimate_on is None for parcel in self.undelivered)
        return self.broken is not None and self.broken.told is None and unknown

    @property
    def arrives_on(self) -> date:
        """The day by which the last of it is expected."""
        if self.broken and self.broken.chosen_on and not any(parcel.handed_over_at for parcel in self.parcels):
            return self.broken.chosen_on
        days = [self.expected_on(parcel) for parcel in self.undelivered]
        return max([*days, self.promised_on] if self.waiting or not days else days)

    def may_answer(self, now: datetime) -> bool:
        """Whether "how was it?" is asked on the page."""
        open_still = self.survey_closes_at is None or now < self.survey_closes_at
        return self.delivered_at is not None and self.survey in ("scheduled", "sent") and open_still

    def may_return(self, settings: Settings, now: datetime) -> bool:
        """Whether there is something to send back and the window is open; the form decides line by line."""
        there = any(parcel.delivered_at or parcel.believed_there(now) for parcel in self.parcels)
        until = last_day(self.delivered_at, settings)
        return self.state != "cancelled" and there and (until is None or now.astimezone(settings.zone).date() <= until)

    def withdraw_until(self, settings: Settings) -> date | None:
        """The last day of the right to withdraw; None while it is open."""
        return withdraw_until(self.delivered_at, self.country, settings)

    def may_withdraw(self, settings: Settings, now: datetime) -> bool:
        """Whether the law's door is open; behind it each line says for itself."""
        until = self.withdraw_until(settings)
        return self.state != "cancelled" and (until is None or now.astimezone(settings.zone).date() <= until)


def read(order_id: int) -> Tracked:
    """The order with all that its page needs."""
    tracked = _order(order_id)
    parcels = _parcels(order_id)
    tracked.waiting = _put_items_in(parcels, _lines(order_id))
    tracked.parcels = list(parcels.values())
    tracked.returns, tracked.money = _money_back(order_id)
    tracked.cases = _cases(order_id)
    return tracked


def _order(order_id: int) -> Tracked:
    columns = (Order.ref, Order.number, Order.state, Order.country, Order.placed_at, Order.promised_on)
    survey = (SurveyInvitation.state, SurveyInvitation.closes_at, Answer.score)
    found = select(*columns, *survey, PromiseBreak)
    found = found.outerjoin(SurveyInvitation, SurveyInvitation.order_id == Order.id)
    found = found.outerjoin(Answer, Answer.invitation_id == SurveyInvitation.id)
    each = aliased(PromiseBreak)
    last = select(func.max(each.id)).where(each.order_id == Order.id).scalar_subquery()
    found = found.outerjoin(PromiseBreak, PromiseBreak.id == last)
    return Tracked(*session.execute(found.where(Order.id == order_id)).one())


def _parcels(order_id: int) -> dict[int, TrackedParcel]:
    columns = (
        Parcel.id, Parcel.tracking_status, Parcel.action_required,
        func.coalesce(Parcel.estimate_on, Parcel.expected_on).label("estimate_on"),
        Parcel.packed_at, Parcel.handed_over_at, Parcel.delivered_at,
    )  # fmt: skip
    found = select(*columns, CourierEvent.at, CourierEvent.status, CourierEvent.code).outerjoin(
        CourierEvent, CourierEvent.parcel_id == Parcel.id
    )
    found = found.where(Parcel.order_id == order_id, Parcel.state != "cancelled")
    parcels: dict[int, TrackedParcel] = {}
    for parcel_id, status, *rest, at, said, code in session.execute(found.order_by(Parcel.id, CourierEvent.at.desc())):
        parcel = parcels.setdefault(parcel_id, TrackedParcel(parcel_id, Tracking(status), *rest))
        if at is not None:
            parcel.scans.append(Scan(at, Tracking(said), code.split(":")[-1]))
    return parcels


def _lines(order_id: int) -> Sequence[Any]:
    columns = (OrderLine.id, OrderLine.title, OrderLine.variant, OrderLine.quantity, ParcelLine.parcel_id, Parcel.fate)
    found = select(*columns, ParcelLine.quantity.label("packed")).outerjoin(
        ParcelLine, ParcelLine.order_line_id == OrderLine.id
    )
    found = found.outerjoin(Parcel, Parcel.id == ParcelLine.parcel_id)
    goods = (OrderLine.order_id == order_id, OrderLine.kind == "item")
    return session.execute(found.where(*goods).order_by(OrderLine.id, ParcelLine.id)).all()


def _put_items_in(parcels: dict[int, TrackedParcel], lines: Sequence[Any]) -> list[Item]:
    """Put the goods in their parcels; what is in none of them, and not given up for its money, still waits."""
    left: dict[int, int] = {line.id: line.quantity for line in lines}
    for line in lines:
        if line.parcel_id in parcels:
            parcels[line.parcel_id].items.append(Item(line.title, line.variant, line.packed))
        if line.parcel_id in parcels or line.fate == "money_back":
            left[line.id] -= line.packed
    once = {line.id: line for line in lines}.values()
    return [Item(line.title, line.variant, left[line.id]) for line in once if left[line.id] > 0]


def _money_back(order_id: int) -> tuple[list[TrackedReturn], list[MoneyBack]]:
    """The returns with their latest refunds, and the refunds that belong to no return."""
    known = (Return.rma, Return.kind, Return.decision, Return.goods, Return.send_back_by, Return.closed_as)
    about = (Return.id, *known, Return.requested_at)
    reference = func.coalesce(Refund.bank_reference, Refund.proof).label("reference")
    said = (Refund.state, Refund.settled_at, reference, Refund.way, Refund.instead_of_id, _credit_left())
    refund = (Refund.id.label("refund_id"), Refund.decision_no, Refund.amount, Refund.currency, *said)
    with_return = select(*about, *refund).outerjoin(Refund, Refund.return_id == Return.id)
    nothing = [cast(null(), Integer if column is Return.id else column.type) for column in about]
    without = select(*nothing, *refund).where(Refund.order_id == order_id, Refund.return_id.is_(None))
    no_id = cast(null(), Integer)
    elsewhere = (ChannelRefund.amount, ChannelRefund.currency, literal("succeeded"), ChannelRefund.given_at)
    by_channel = select(*nothing, no_id, literal(0), *elsewhere, null(), literal("channel"), no_id, no_id)
    of_its_own = (ChannelRefund.amount > 0, ChannelRefund.refund_id.is_(None))
    by_channel = by_channel.where(ChannelRefund.order_id == order_id, *of_its_own)
    whole = union_all(with_return.where(Return.order_id == order_id), without, by_channel)
    rows = session.execute(whole).all()
    replaced = {row.instead_of_id for row in rows} - {
        None
    }  # one that failed is no news once another was made in its place
    returns: dict[int, TrackedReturn] = {}
    told: defaultdict[int | None, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.id or 0, row.decision_no or 0)):
        if row.id is not None:
            returns.setdefault(row.id, TrackedReturn(*row[1:8]))
        if row.amount is not None and row.state != "rejected_by_us" and row.refund_id not in replaced:
            told[row.id].append(_back(row))
    for return_id, ret in returns.items():
        ret.money = told[return_id]
    return list(reversed(returns.values())), told[None]


def _credit_left() -> Label[int | None]:
    """What is left of a refund's store credit."""
    last = select(CreditEntry.balance).join(CreditEntry.credit).where(StoreCredit.refund_id == Refund.id)
    return last.order_by(CreditEntry.number.desc()).limit(1).correlate(Refund).scalar_subquery().label("credit_left")


def _back(row: Any) -> MoneyBack:
    left = None if row.credit_left is None else Money(row.credit_left, row.currency)
    return MoneyBack(Money(row.amount, row.currency), row.state, row.settled_at, row.reference or None, row.way, left)


def _cases(order_id: int) -> list[TrackedCase]:
    columns = (Case.id, Case.state, Case.due_at)
    found = select(*columns).where(Case.order_id == order_id, Case.state.in_(UNSOLVED)).order_by(Case.id.desc())
    return [TrackedCase(*row) for row in session.execute(found)]
