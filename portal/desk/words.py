"""What the desk calls the states of things, and their tone."""

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.fulfilment.risk import RISKS
from portal.mail import words as letters
from portal.refunds.words import STATE

REFUND = STATE
PROMISE = {
    "kept": (_l("Promise kept"), "good"),
    "missed": (_l("Promise missed"), "bad"),
    "at_risk": (_l("Promise at risk"), "warn"),
    "running": (_l("On time so far"), "info"),
    "none": (_l("Not promised yet"), "warn"),
    "cancelled": (_l("Cancelled"), "neutral"),
}
ORDER = {
    "accepted": (_l("Accepted"), "info"),
    "on_hold": (_l("On hold"), "warn"),
    "cancelled": (_l("Cancelled"), "neutral"),
    "closed": (_l("Closed"), "good"),
}
PARCEL = {
    "to_pick": (_l("To pick"), "neutral"),
    "picking": (_l("Being picked"), "info"),
    "picked": (_l("To pack"), "info"),
    "packed": (_l("To ship"), "info"),
    "handed_over": (_l("With the courier"), "info"),
    "cancelled": (_l("Cancelled"), "neutral"),
}
RETURN_KIND = {"withdrawal": _l("Withdrawal"), "return": _l("Return"), "claim": _l("Claim")}
DECISION = {
    "requested": (_l("To decide"), "warn"),
    "approved": (_l("Approved"), "good"),
    "declined": (_l("Declined"), "neutral"),
    "cancelled": (_l("Cancelled"), "neutral"),
}
GOODS = {
    "not_expected": (_l("No goods expected"), "neutral"),
    "awaited": (_l("Goods awaited"), "info"),
    "in_transit": (_l("Goods on their way"), "info"),
    "received": (_l("Goods received"), "good"),
    "lost": (_l("Goods lost"), "bad"),
}
CASE = {
    "open": (_l("Open"), "warn"),
    "waiting_for_customer": (_l("Waiting for the customer"), "info"),
    "solved": (_l("Solved"), "good"),
    "closed": (_l("Closed"), "neutral"),
}
LETTER = letters.STATE
LETTER_LIST = {
    "all": _l("All"),
    "failed": _l("Failed"),
    "waiting": _l("Waiting"),
    "sent": _l("Sent"),
    "dropped": _l("Dropped"),
}
SURVEY = {
    "scheduled": _l("Will be asked"),
    "sent": _l("Asked, no answer yet"),
    "answered": _l("Answered"),
    "expired": _l("Never answered"),
    "suppressed": _l("Not asked"),
}

CHOICE: dict[str, Any] = {
    "wait": _l("Waits for it"),
    "another_day": _l("Another day"),
    "cancel": _l("Cancelled"),
}
"""What a customer chose when a promise broke."""


def risks(codes: Iterable[str]) -> str:
    """Why a promise is at risk, in words."""
    return ", ".join(str(RISKS[code]) for code in codes)
