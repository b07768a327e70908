"""What every courier's message becomes: one vocabulary, times in UTC, nothing guessed silently."""

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
