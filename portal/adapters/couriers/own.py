"""Our own courier: the shop writes the label and says where the parcel is."""

import secrets
from datetime import datetime

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate

CODE = "own"
DIGITS = 11


def new_number() -> str:
    """A number for a label of ours: `AS`, eleven random digits and a check digit."""
    digits = "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    return f"AS{digits}{check_digit(digits)}"


def check_digit(digits: str) -> int:
    """Modulo 10 with weights 3 and 1 from the right, as on GS1 labels: finds every single wrong digit."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -weighted % 10


def said(number: str, status: Tracking, place: str, *, at: datetime) -> TrackingUpdate:
    """What a person of the shop says of a parcel of ours."""
    event = TrackingEvent(at=at, status=status, code=f"own:{status}", place=place)
    return TrackingUpdate(number, CODE, (event,), as_of=at)
