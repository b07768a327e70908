"""When a parcel will be there as things stand, whether the promise will break, and why it might: pure rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.adapters.couriers import Tracking
from portal.fulfilment.rules import NOT_SCANNED, SILENT_AFTER
from portal.orders.calendar import Terms, first_day, ship_by

NEAR_CUTOFF = timedelta(hours=3)
"""So long before the last pick-up that still keeps the promise a parcel that is not ready is at risk."""
LOST_COURSE = (Tracking.delayed, Tracking.returning, Tracking.returned)
"""What the courier says when it will not come as promised."""
STOPPED = (*LOST_COURSE, Tracking.exception, Tracking.expired, Tracking.cancelled)
AT_THE_DOOR = (Tracking.attempt_failed, Tracking.ready_for_pickup, Tracking.out_for_delivery)
"""The courier was there, or is nearly: the customer hears of that in another letter."""

RISKS: dict[str, Any] = {
    "late": _l("Will be late"),
    "no_stock": _l("Lacks stock"),
    "cut_off": _l("Must leave today"),
    "trouble": _l("Courier in trouble"),
    "silent": _l("Silent"),
    "slow_lane": _l("Slow lane"),
}
"""Why the promise of a parcel is at risk, the worst first."""


@dataclass(frozen=True, slots=True)
class Road:
    """How long a courier took to a country lately: the median of days on the road, and of how many parcels."""

    days: float
    parcels: int


Roads = Mapping[tuple[str, str], Road]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a parcel and its order. `says_on` is the courier's own estimate, `lacks` pieces not in
    stock, `silence` how long this courier usually says nothing on this lane.
    """

    state: str
    tracking: str
    courier: str | None
    country: str | None
    promised_on: date
    paid_at: datetime
    handed_over_at: datetime | None
    heard_at: datetime | None
    says_on: date | None
    lacks: int = 0
    silence: timedelta = SILENT_AFTER

    @property
    def away(self) -> bool:
        return self.state == "handed_over"


@dataclass(frozen=True, slots=True)
class Outlook:
    """The living estimate (None: nobody can say), whether the promise will break by it, and the risk there is."""

    expected_on: date | None
    breaks: bool
    risk: str | None


def look_ahead(facts: Facts, terms: Terms, lanes: Roads, now: datetime) -> Outlook:
    """What is to be expected of a parcel that is not delivered."""
    expected = expected_on(facts, terms, now)
    breaks = _breaks(facts, expected, terms, now)
    return Outlook(expected, breaks, "late" if breaks else _risk(facts, terms, lanes, now))


def expected_on(facts: Facts, terms: Terms, now: datetime) -> date | None:
    """The day by which it comes as things stand; None when something is missing that nobody has a date for."""
    today, road = _today(terms, now), terms.transit_days(facts.courier, facts.country)
    if not facts.away:
        return None if facts.lacks else terms.calendar.add(_leaves(facts, terms, now), road)
    if facts.says_on and facts.says_on >= today:
        return facts.says_on
    if facts.tracking in STOPPED:
        return None
    usual = terms.calendar.add(_day(facts.handed_over_at or now, terms), road)
    return usual if usual >= today else None


def _leaves(facts: Facts, terms: Terms, now: datetime) -> date:
    """Packed, with the next collection; else after the handling days, which begin anew when they were not enough."""
    soonest = first_day(now, terms)
    planned = terms.calendar.add(first_day(facts.paid_at, terms), terms.handling_days)
    if facts.state == "packed" or soonest <= planned:
        return soonest if facts.state == "packed" else planned
    return terms.calendar.add(soonest, terms.handling_days)


def _breaks(facts: Facts, expected: date | None, terms: Terms, now: datetime) -> bool:
    if facts.away and facts.tracking in AT_THE_DOOR:
        return False
    if expected is not None:
        return expected > facts.promised_on
    if facts.away:
        return facts.tracking in LOST_COURSE or _today(terms, now) > facts.promised_on
    return first_day(now, terms) > _ship_by(facts, terms)


def _risk(facts: Facts, terms: Terms, lanes: Roads, now: datetime) -> str | None:
    if not facts.away:
        if facts.lacks:
            return "no_stock"
        if _ship_by(facts, terms) == _today(terms, now) and now >= _cutoff(terms, now) - NEAR_CUTOFF:
            return "cut_off"
    elif facts.tracking in STOPPED:
        return "trouble"
    elif facts.tracking not in NOT_SCANNED and (facts.heard_at or now) < now - facts.silence:
        return "silent"
    return "slow_lane" if _slow(facts, terms, lanes, now) else None


def _slow(facts: Facts, terms: Terms, lanes: Roads, now: datetime) -> bool:
    """Whether parcels of this courier to this country usually take longer than the days that are left."""
    country = facts.country or terms.calendar.country
    lane = lanes.get((facts.courier or terms.usual.get(country, ""), country))
    if lane is None or (facts.away and (facts.says_on or facts.tracking in AT_THE_DOOR)):
        return False
    leaves = _day(facts.handed_over_at or now, terms) if facts.away else _leaves(facts, terms, now)
    return leaves + timedelta(days=round(lane.days)) > facts.promised_on


def _ship_by(facts: Facts, terms: Terms) -> date:
    return ship_by(facts.promised_on, facts.courier, facts.country, terms)


def _cutoff(terms: Terms, now: datetime) -> datetime:
    return datetime.combine(_today(terms, now), terms.cutoff or time(), terms.calendar.zone)


def _today(terms: Terms, now: datetime) -> date:
    return _day(now, terms)


def _day(moment: datetime, terms: Terms) -> date:
    return moment.astimezone(terms.calendar.zone).date()
