"""What the customer's page tells of one order. It owns no tables."""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from portal.adapters.couriers import Tracking
from portal.config import Settings
from portal.db import session
from portal.feedback.questions import Said
from portal.feedback.questions import told as said_in
from portal.lib.money import Money
from portal.orders.models import Order
from portal.returns.goods import believed_there, last_day
from portal.returns.withdrawal_rules import withdraw_until
from portal.tracking.reading import page

GOING_BACK = (Tracking.returning, Tracking.returned)
IN_TROUBLE = (Tracking.exception, Tracking.expired, Tracking.cancelled)


@dataclass(slots=True)
class Item:
    """Goods as the customer knows them."""

    title: str
    variant: str
    quantity: int


@dataclass(slots=True)
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
        if step == "ordered":
            return True
        if step == "delivered":
            return self.delivered_at is not None
        if step == "packed":
            return self.packed_at is not None or self.handed_over_at is not None
        if step == "out_for_delivery":
            return self.delivered_at is not None or self.at("out_for_delivery") is not None
        return self.handed_over_at is not None

    def believed_there(self, now: datetime) -> bool:
        return believed_there(self.status, self.handed_over_at, now)

    def at(self, step: str) -> datetime | None:
        """When it reached the step, as far as somebody said so."""
        if step == "out_for_delivery":
            near = (Tracking.out_for_delivery, Tracking.ready_for_pickup, Tracking.attempt_failed)
            return next((scan.at for scan in self.scans if scan.status in near), None)
        if step == "packed":
            return self.packed_at
        return self.handed_over_at if step == "on_its_way" else self.delivered_at if step == "delivered" else None


@dataclass(slots=True)
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
    requested_at: datetime
    closed_as: str | None = None
    released_at: datetime | None = None
    money: list[MoneyBack] = field(default_factory=list)

    @property
    def paid_back(self) -> bool:
        """Whether all money that is due has reached the customer."""
        return bool(self.money) and all(back.state == "succeeded" for back in self.money)


@dataclass(frozen=True, slots=True)
class TrackedCase:
    """What we are making right."""

    id: int
    state: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """Our promise that will not be kept, and what the customer chose."""

    expected_on: date | None
    choice: str | None
    chosen_on: date | None

    @property
    def told(self) -> date | None:
        """The day the customer counts on now."""
        return self.chosen_on or self.expected_on


@dataclass(frozen=True, slots=True)
class SentFor:
    """An order that goes out for a return of this one, with nothing to pay."""

    number: str
    promised_on: date
    state: str


@dataclass(frozen=True, slots=True)
class Behind:
    """The return for which this order goes out, and the number of the order that was bought first."""

    rma: str
    number: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about the order, as much of a `QuestionVersion` as the page shows."""

    kind: str
    low: int
    high: int
    texts: dict[str, Any]

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1)

    def said(self, locale: str) -> Said:
        return said_in(self.texts, locale, (self.low, self.high))


@dataclass(slots=True)
class Tracked:
    """One order as its page tells it. Cancelled parcels are left out: nothing of them travels."""

    ref: str
    number: str
    state: str
    country: str | None
    guarantee: int
    placed_at: datetime
    promised_on: date
    survey: str | None
    survey_closes_at: datetime | None
    question: Question | None = None
    broken: Broken | None = None
    parcels: list[TrackedParcel] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    returns: list[TrackedReturn] = field(default_factory=list)
    money: list[MoneyBack] = field(default_factory=list)
    cases: list[TrackedCase] = field(default_factory=list)
    sent_instead: list[SentFor] = field(default_factory=list)
    behind: Behind | None = None
    window: int | None = None

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

    def return_until(self, settings: Settings) -> date | None:
        """The last day of the shop's own window; None while it is open."""
        return last_day(self.delivered_at, settings, self.window)

    def may_return(self, settings: Settings, now: datetime) -> bool:
        """Whether there is something to send back and the window is open; the form decides line by line."""
        there = any(parcel.delivered_at or parcel.believed_there(now) for parcel in self.parcels)
        until = self.return_until(settings)
        return self.state != "cancelled" and there and (until is None or now.astimezone(settings.zone).date() <= until)

    def hours(self, now: datetime) -> tuple[bool, ...]:
        """What the page says by the hour and not by the day: each changes once."""
        there = [parcel.believed_there(now) for parcel in self.parcels]
        return (self.may_answer(now), *there, *(case.due_at > now for case in self.cases))

    def withdraw_until(self, settings: Settings) -> date | None:
        """The last day of the right to withdraw; None while it is open."""
        return withdraw_until(self.delivered_at, self.country, settings)

    def may_withdraw(self, settings: Settings, now: datetime) -> bool:
        """Whether the law's door is open; behind it each line says for itself."""
        until = self.withdraw_until(settings)
        return self.state != "cancelled" and (until is None or now.astimezone(settings.zone).date() <= until)


def read(order_id: int) -> Tracked:
    """The order with all that its page needs, in one statement."""
    return told(session.scalars(_whole(), {"order_id": order_id}).one())


@cache
def _whole() -> Select[tuple[Any]]:
    return select(page()).where(Order.id == bindparam("order_id"))


def told(found: dict[str, Any]) -> Tracked:
    """The page's matter out of the JSON that `reading.page` brings."""
    survey = found["survey"] or {"state": None, "closes_at": None, "put": None}
    return Tracked(
        ref=found["ref"],
        number=found["number"],
        state=found["state"],
        country=found["country"],
        guarantee=found["guarantee"],
        placed_at=datetime.fromisoformat(found["placed_at"]),
        promised_on=date.fromisoformat(found["promised_on"]),
        survey=survey["state"],
        survey_closes_at=_moment(survey["closes_at"]),
        question=Question(**survey["put"]) if survey["put"] else None,
        broken=_broken(found["broken"]),
        parcels=[_parcel(parcel) for parcel in found["parcels"]],
        waiting=[Item(**line) for line in found["waiting"]],
        returns=[_return(ret) for ret in found["returns"]],
        money=[_money(back) for back in found["elsewhere"] + found["money"]],
        cases=[TrackedCase(**{**case, "due_at": _moment(case["due_at"])}) for case in found["cases"]],
        sent_instead=[SentFor(**{**one, "promised_on": _day(one["promised_on"])}) for one in found["sent_instead"]],
        behind=Behind(**found["behind"]) if found["behind"] else None,
        window=found["window"],
    )


def _broken(found: dict[str, Any] | None) -> Broken | None:
    return None if found is None else Broken(_day(found["expected_on"]), found["choice"], _day(found["chosen_on"]))


def _parcel(found: dict[str, Any]) -> TrackedParcel:
    return TrackedParcel(
        id=found["id"],
        status=Tracking(found["status"]),
        action_required=found["action_required"],
        estimate_on=_day(found["estimate_on"]),
        packed_at=_moment(found["packed_at"]),
        handed_over_at=_moment(found["handed_over_at"]),
        delivered_at=_moment(found["delivered_at"]),
        items=[Item(**line) for line in found["items"]],
        scans=[_scan(scan) for scan in found["scans"]],
    )


def _scan(found: dict[str, Any]) -> Scan:
    return Scan(datetime.fromisoformat(found["at"]), Tracking(found["status"]), found["detail"].split(":")[-1])


def _return(found: dict[str, Any]) -> TrackedReturn:
    moments = {name: _moment(found[name]) for name in ("requested_at", "released_at")}
    read = {"send_back_by": _day(found["send_back_by"]), **moments}
    return TrackedReturn(**{**found, **read, "money": [_money(back) for back in found["money"]]})


def _money(found: dict[str, Any]) -> MoneyBack:
    left, currency = found.get("left"), found["currency"]
    return MoneyBack(
        amount=Money(found["amount"], currency),
        state=found["state"],
        settled_at=_moment(found["settled_at"]),
        reference=found.get("reference") or None,
        way=found["way"],
        left=None if left is None else Money(left, currency),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
