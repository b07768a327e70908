"""What every courier's message becomes: one vocabulary, times in UTC, nothing guessed silently."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Tracking(StrEnum):
    """Where a parcel is, in one vocabulary for all couriers."""

    unknown = "unknown"
    label_created = "label_created"
    picked_up = "picked_up"
    in_transit = "in_transit"
    delayed = "delayed"
    out_for_delivery = "out_for_delivery"
    attempt_failed = "attempt_failed"
    ready_for_pickup = "ready_for_pickup"
    delivered = "delivered"
    returning = "returning"
    returned = "returned"
    exception = "exception"
    cancelled = "cancelled"
    expired = "expired"


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One scan. Same time, code, place and status is the same event, whatever its words."""

    at: datetime
    status: Tracking
    code: str = ""
    place: str = ""
    message: str = ""
    at_raw: str = ""
    offset_assumed: bool = False


@dataclass(frozen=True, slots=True)
class TrackingUpdate:
    """What a courier knows of a number: all its scans so far, or the newest ones; in any order.

    `as_of` is when the courier said so: a newer estimate replaces an older one.
    """

    number: str
    carrier: str
    events: tuple[TrackingEvent, ...]
    as_of: datetime | None = None
    estimate_on: date | None = None


def normal_number(number: str) -> str:
    """A tracking number as it is compared: no blanks, upper case."""
    return "".join(number.split()).upper()


WAITS = re.compile(
    r"(?i)(ready|available|awaiting|waiting)( for| your)? (customer )?(pick-?\s?up|collection)"
    r"|held at (a )?(pick-?\s?up|access|service) point|zur abholung bereit|abholbereit|à retirer"
    r"|klaar om (op|af) te halen"
)


def not_there_yet(status: Tracking, message: str) -> Tracking:
    """Some couriers write "delivered" when a parcel waits for its receiver at a shop: that is not delivered."""
    return Tracking.ready_for_pickup if status is Tracking.delivered and WAITS.search(message) else status


CODES = {
    "dhl": "dhl", "dhlexpress": "dhl", "dhlparcel": "dhl", "dhlecommerce": "dhl", "dhlgermany": "dhl",
    "deutschepost": "dhl", "dpd": "dpd", "dpdde": "dpd", "dpduk": "dpd", "fedex": "fedex", "gls": "gls",
    "laposte": "laposte", "colissimo": "laposte", "postnl": "postnl", "royalmail": "royalmail",
    "ups": "ups", "usps": "usps",
}  # fmt: skip


def code_of(carrier: str) -> str:
    """Our code for a courier under one of its names; a courier we do not know keeps its name."""
    return CODES.get(re.sub(r"[^a-z]", "", carrier.lower()), carrier)
