"""What the customer's page says: whole sentences, in the second person."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import get_domain, get_locale, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.adapters.couriers import Tracking
from portal.fulfilment.told import SCANS
from portal.lib import days
from portal.refunds.words import for_customer
from portal.tracking.models import (
    GOING_BACK,
    IN_TROUBLE,
    MoneyBack,
    Scan,
    Tracked,
    TrackedCase,
    TrackedParcel,
    TrackedReturn,
)

STEPS = {
    "ordered": _l("Ordered"),
    "packed": _l("Packed"),
    "on_its_way": _l("On its way"),
    "out_for_delivery": _l("Out for delivery"),
    "delivered": _l("Delivered"),
}
NEXT = {
    "ordered": _l("Next: we pack your order."),
    "packed": _l("Next: the courier collects it."),
    "on_its_way": _l("Next: it goes on the delivery van. We write to you when something changes."),
    "out_for_delivery": _l("Next: the courier brings it to you."),
}
STATUS = {
    Tracking.unknown: (_l("Handed to the courier"), "info"),
    Tracking.label_created: (_l("Handed to the courier"), "info"),
    Tracking.picked_up: (_l("With the courier"), "info"),
    Tracking.in_transit: (_l("On its way"), "info"),
    Tracking.delayed: (_l("Delayed"), "warn"),
    Tracking.out_for_delivery: (_l("Out for delivery"), "info"),
    Tracking.attempt_failed: (_l("Missed delivery"), "warn"),
    Tracking.ready_for_pickup: (_l("Ready to collect"), "warn"),
    Tracking.delivered: (_l("Delivered"), "good"),
    Tracking.returning: (_l("Coming back to us"), "warn"),
    Tracking.returned: (_l("Came back to us"), "warn"),
    Tracking.exception: (_l("Held up"), "warn"),
    Tracking.cancelled: (_l("Held up"), "warn"),
    Tracking.expired: (_l("Held up"), "warn"),
}
DETAILS = {
    "arrived_at_destination": _l("Arrived in your region"),
    "arrived_at_facility": _l("Arrived at a sorting centre"),
    "departed_facility": _l("Left the sorting centre"),
    "departed_origin_facility": _l("Left the first sorting centre"),
    "received_at_origin_facility": _l("Arrived at the first sorting centre"),
    "received_at_destination_facility": _l("Arrived at the depot near you"),
    "transferred_to_destination_carrier": _l("Handed to the local courier"),
    "weather_delay": _l("The weather slows the courier down"),
    "missorted": _l("Sorted wrongly, and on its way to the right place"),
    "damaged": _l("The courier reports damage"),
    "refused": _l("Not accepted at the door"),
}
"""Couriers' details that tell the customer more than the status does."""
NO_BREAK = "\u00a0"
Day = date


@dataclass(frozen=True, slots=True)
class Fixed:
    """The texts above in one language."""

    steps: dict[str, str]
    status: dict[Tracking, tuple[str, str]]
    scans: dict[Tracking, str]
    details: dict[str, str]
    at: str
    short: str


@cache
def fixed(_locale: str) -> Fixed:
    """A page says two dozen of them, and to look one up takes longer than to say it."""
    return Fixed(
        steps={step: str(text) for step, text in STEPS.items()},
        status={status: (str(text), tone) for status, (text, tone) in STATUS.items()},
        scans={status: str(text) for status, text in SCANS.items()},
        details={detail: str(text) for detail, text in DETAILS.items()},
        at=_("%(day)s at %(time)s"),
        short=_("%(day)s, %(time)s"),
    )


@dataclass(slots=True)
class Headline:
    """The one sentence, and what is said below it."""

    title: str
    lead: str = ""
    arrived: bool = False


@dataclass(slots=True)
class Step:
    """One of the five, for the stepper."""

    label: str
    at: str
    state: str


@dataclass(slots=True)
class Told:
    """Something that happened, for a timeline."""

    at: datetime
    text: str
    tone: str = ""

    @property
    def iso(self) -> str:
        return self.at.isoformat()


class Words:
    """The words for one order, read at one moment in the shop's zone."""

    def __init__(self, tracked: Tracked, now: datetime, zone: ZoneInfo) -> None:
        self.tracked, self.now, self.zone = tracked, now, zone
        self.today = now.astimezone(zone).date()
        self.locale = str(get_locale() or "en")
        self.fixed, self.catalogue = fixed(self.locale), get_domain().get_translations()

    def gettext(self, text: str, **named: Any) -> str:
        """As everywhere, without looking up whose page this is for each text."""
        said = self.catalogue.ugettext(text)
        return said % named if named else said

    def headline(self) -> Headline:
        """Where the order is, worst news first."""
        return self._stopped() or self._arrived() or self._stuck() or self._coming()

    def _stopped(self) -> Headline | None:
        if self.tracked.state == "cancelled":
            return Headline(_("This order was cancelled"), _("Nothing more will be sent."))
        if self.tracked.state == "on_hold":
            return Headline(
                _("We are checking your order"),
                _("It is on hold for the moment. You don't have to do anything; we write to you if we need you."),
            )
        return None

    def _arrived(self) -> Headline | None:
        at = self.tracked.delivered_at
        if at is None:
            return None
        late = self.day_of(at) > self.tracked.promised_on
        sorry = _("We promised %(date)s. Sorry that it took longer.", date=self.date(self.tracked.promised_on))
        return Headline(self._delivered(at), sorry if late else "", arrived=True)

    def _delivered(self, at: datetime) -> str:
        time = at.astimezone(self.zone).strftime("%H:%M")
        if self.day_of(at) == self.today:
            return _("Delivered today at %(time)s", time=time)
        if self.day_of(at) == self.today - timedelta(days=1):
            return _("Delivered yesterday at %(time)s", time=time)
        return _("Delivered on %(date)s at %(time)s", date=self.date(self.day_of(at)), time=time)

    def _stuck(self) -> Headline | None:
        statuses = [parcel.status for parcel in self.tracked.undelivered]
        if Tracking.ready_for_pickup in statuses:
            return Headline(_("Ready for you to collect"), self._so_far())
        if Tracking.attempt_failed in statuses:
            return Headline(_("The courier could not hand over your parcel"), self._so_far())
        if any(status in GOING_BACK for status in statuses):
            return Headline(
                _("Your parcel is coming back to us"),
                _("It could not be delivered. We are looking into it and write to you."),
            )
        if any(status in IN_TROUBLE for status in statuses):
            return Headline(
                _("Something is holding up your parcel"),
                _("We are asking the courier, and write to you as soon as we know more."),
            )
        return None

    def _coming(self) -> Headline:
        promised, on_the_van = self.tracked.promised_on, self._on_the_van()
        day = self.today if on_the_van else self.tracked.arrives_on
        unsure = any(self._late_without_day(parcel) for parcel in self.tracked.undelivered)
        late = day < self.today or unsure or self.tracked.without_day
        if late and not on_the_van:
            lead = _("We promised %(date)s. We tell you the new day as soon as we know it.", date=self.date(promised))
            return Headline(_("Delayed. Sorry."), lead)
        if day > promised:
            return Headline(self._now_on(day), _("We promised %(date)s.", date=self.date(promised)))
        differs = _("We promised %(date)s.", date=self.date(promised)) if day != promised else ""
        return Headline(self.arriving(day), self._so_far() or differs)

    def _on_the_van(self) -> bool:
        """All that is still to come was loaded today, whatever day was expected."""
        coming = self.tracked.undelivered
        loaded = all(parcel.status is Tracking.out_for_delivery for parcel in coming) and not self.tracked.waiting
        return bool(coming) and loaded and all(self._scanned_today(parcel) for parcel in coming)

    def _scanned_today(self, parcel: TrackedParcel) -> bool:
        return any(self.day_of(scan.at) == self.today for scan in parcel.scans)

    def _now_on(self, day: date) -> str:
        if day == self.today:
            return _("Delayed: it comes today. Sorry.")
        if day == self.today + timedelta(days=1):
            return _("Delayed: now tomorrow. Sorry.")
        return _("Delayed: now %(date)s. Sorry.", date=self.date(day))

    def arriving(self, day: date) -> str:
        if day == self.today:
            return _("Arriving today")
        if day == self.today + timedelta(days=1):
            return _("Arriving tomorrow")
        return _("Arriving %(date)s", date=self.date(day))

    def _so_far(self) -> str:
        """Of several parcels, how many have arrived."""
        here = len(self.tracked.parcels) - len(self.tracked.undelivered)
        if not here:
            return ""
        return ngettext(
            "%(num)s of %(total)s parcels has arrived.",
            "%(num)s of %(total)s parcels have arrived.",
            here,
            total=len(self.tracked.parcels),
        )

    def steps(self) -> list[Step]:
        """The five steps: a step is done when all parcels have come that far."""
        reached = self.reached()
        order = list(STEPS)
        last = order.index(reached)
        return [
            Step(
                label,
                self.short(self._step_at(step)) if index <= last else "",
                "todo" if index > last else "current" if index == last and step != "delivered" else "done",
            )
            for index, (step, label) in enumerate(self.fixed.steps.items())
        ]

    def reached(self) -> str:
        """The furthest step that all parcels have come to."""
        if not self.tracked.parcels or self.tracked.waiting:
            return "ordered"
        return [step for step in STEPS if all(parcel.reached(step) for parcel in self.tracked.parcels)][-1]

    def _step_at(self, step: str) -> datetime | None:
        if step == "ordered":
            return self.tracked.placed_at
        return max((at for parcel in self.tracked.parcels if (at := parcel.at(step))), default=None)

    def next(self) -> str:
        """What comes next, said and not only drawn; nothing while something is in the way."""
        statuses = {parcel.status for parcel in self.tracked.undelivered}
        if Tracking.ready_for_pickup in statuses:
            return _("Next: you collect it.")
        in_the_way = statuses & {Tracking.attempt_failed, *GOING_BACK, *IN_TROUBLE}
        return "" if in_the_way else str(NEXT.get(self.reached(), ""))

    def waits(self) -> tuple[str, str]:
        """Why what is in no parcel stays here, and the tone of it."""
        return {"on_hold": (_("On hold"), "warn"), "cancelled": (_("Cancelled"), "neutral")}.get(
            self.tracked.state, (_("Being packed"), "neutral")
        )

    def badge(self, parcel: TrackedParcel) -> tuple[str, str]:
        """Where the parcel is, and the tone of it."""
        if parcel.handed_over_at is None:
            return (_("Packed"), "info") if parcel.packed_at else (_("Being packed"), "neutral")
        return self.fixed.status[parcel.status]

    def due(self, parcel: TrackedParcel) -> str:
        """When this one of several parcels comes."""
        if parcel.delivered_at:
            return self._delivered(parcel.delivered_at)
        day = self.tracked.expected_on(parcel)
        unsure = parcel.status in GOING_BACK + IN_TROUBLE or self._late_without_day(parcel)
        return "" if unsure else self.arriving(day)

    def _late_without_day(self, parcel: TrackedParcel) -> bool:
        day = self.tracked.expected_on(parcel)
        return day < self.today or (parcel.status is Tracking.delayed and day <= self.tracked.promised_on)

    def story(self, parcel: TrackedParcel) -> list[Told]:
        """What happened to the parcel, newest first; a courier that repeats itself is heard once."""
        told: list[Told] = []
        for scan in reversed(parcel.scans):
            words = self.scan_words(scan)
            if not told or told[-1].text != words:
                told.append(Told(scan.at, words, tone=STATUS[scan.status][1]))
        if parcel.handed_over_at:
            told.append(Told(parcel.handed_over_at, _("Handed to the courier")))
        if parcel.packed_at:
            told.append(Told(parcel.packed_at, _("Packed")))
        return sorted(told, key=lambda entry: entry.at, reverse=True)

    def scan_words(self, scan: Scan) -> str:
        """Couriers add "arrived at destination" to "delivered", which says less."""
        told = None if scan.status == Tracking.delivered else self.fixed.details.get(scan.detail)
        return told or self.fixed.scans[scan.status]

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def date(self, day: Day) -> str:
        return days.spelled(day, self.today, self.locale)

    def day(self, when: Day) -> str:
        """A date as people say it."""
        near = days.NEAR.get((when - self.today).days)
        return str(near) if near else self.date(when)

    def moment(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        return self.fixed.at % {"day": self.day(local.date()), "time": f"{local:%H:%M}"}

    def short(self, at: datetime | None) -> str:
        if at is None:
            return ""
        local = at.astimezone(self.zone)
        day = days.short(local.date(), self.locale).replace(" ", NO_BREAK)
        return self.fixed.short % {"day": day, "time": f"{local:%H:%M}"}


def returned(ret: TrackedReturn) -> tuple[str, str]:
    """How far what comes back has come, in a sentence and its tone."""
    if ret.decision == "requested":
        return _("We have your request and answer soon."), "info"
    if ret.decision == "declined":
        return _("We could not accept it. We wrote to you why."), "warn"
    if ret.decision == "cancelled":
        return _("It was called off."), "neutral"
    if ret.closed_as == "in_channel":
        return _("You get your money back where you paid."), "good"
    if ret.closed_as:
        return _("It is closed. We wrote to you why."), "neutral"
    return {
        "awaited": (_("Accepted. Now send it back to us."), "warn"),
        "in_transit": (_("On its way to us."), "info"),
        "received": (_("It has arrived with us."), "good"),
        "lost": (_("It was lost on the way. We are looking into it."), "warn"),
    }.get(ret.goods, (_("Accepted. You don't have to send anything back."), "good"))


def money_words(back: MoneyBack) -> str:
    """Where the money is. "Sent" only when Stripe says so, or a person has proven it."""
    return for_customer(back.state, back.reference, back.way)


def case_words(case: TrackedCase) -> tuple[str, str]:
    """What the customer reads of a case that is not solved: a title and a button."""
    if case.state == "waiting_for_customer":
        return _("We have an answer for you"), _("Read and answer")
    return _("We are making this right"), _("See the conversation")
