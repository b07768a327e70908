"""What hand-offs, and reasons to send work back, are called."""

from datetime import timedelta
from typing import Any

from flask_babel import format_timedelta
from flask_babel import lazy_gettext as _l

from portal.staff.words import DEPARTMENT

REASON: dict[str, Any] = {
    "wrong_goods": _l("Wrong goods"),
    "damaged_goods": _l("Damaged goods"),
    "goods_missing": _l("Goods are missing"),
    "badly_packed": _l("Badly packed"),
    "wrong_weight": _l("The weight is wrong"),
    "cant_be_sent_there": _l("It can't be sent like this"),
    "other": _l("Something else"),
}
STATE: dict[str, tuple[Any, str]] = {
    "offered": (_l("Waits to be taken over"), "warn"),
    "accepted": (_l("Taken over"), "info"),
    "refused": (_l("Sent back"), "bad"),
}
FROM_CUSTOMER = _l("New order")
"""What is offered by no department."""


def giver(code: str | None) -> Any:
    """Which department offered it."""
    return DEPARTMENT[code] if code else FROM_CUSTOMER


def lasting(span: timedelta) -> str:
    """How long, in words: "3 hours"."""
    return str(format_timedelta(max(span, timedelta(minutes=1)), granularity="minute", threshold=1.2))
