"""EasyPost: signed `tracker.updated` events, each with all scans of one number."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, normal_number, not_there_yet
from portal.adapters.errors import Malformed
from portal.adapters.reading import day, document, first, header, hmac_sha256, moment, part, parts, same, text

STATUS = {
    "pre_transit": Tracking.label_created,
    "in_transit": Tracking.in_transit,
    "out_for_delivery": Tracking.out_for_delivery,
    "available_for_pickup": Tracking.ready_for_pickup,
    "delivered": Tracking.delivered,
    "return_to_sender": Tracking.returning,
    "failure": Tracking.exception,
    "error": Tracking.exception,
    "cancelled": Tracking.cancelled,
    "unknown": Tracking.unknown,
}
DETAIL = {
    "delivery_exception": Tracking.attempt_failed,
    "delayed": Tracking.delayed,
    "weather_delay": Tracking.delayed,
    "arrived_at_pickup_location": Tracking.ready_for_pickup,
    "expired": Tracking.expired,
    "return": Tracking.returning,
    "refused": Tracking.returning,
} | dict.fromkeys(
    ("address_correction", "damaged", "held", "lost", "missorted", "transit_exception"), Tracking.exception
)
"""Details that say more than the status beside them."""
OPEN = {"in_transit", "failure", "error", "unknown"}
"""The statuses that a detail may make more exact; the others say enough by themselves."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes; the key is NFKD-normalised first, as EasyPost does it."""
    normal = [unicodedata.normalize("NFKD", secret) for secret in secrets if secret]
    expected = [f"hmac-sha256-hex={hmac_sha256(secret, raw).hex()}" for secret in normal]
    return same(header(headers, "X-Hmac-Signature"), expected)


def identify(raw: bytes) -> tuple[str, str]:
    """The sender's key for this message, and its topic. Raises Malformed."""
    event = document(raw)
    return first(event.get("id")) or sha256(raw).hexdigest(), first(event.get("description"))


def parse(raw: bytes) -> list[TrackingUpdate]:
    """The tracker in the event; nothing for events about anything else. Raises Malformed."""
    event = document(raw)
    tracker = part(event.get("result"))
    if not text(event.get("description")).startswith("tracker.") or not tracker:
        return []
    number = normal_number(first(tracker.get("tracking_code")))
    if not number:
        raise Malformed("a tracker without a number")
    as_of = _first_moment(tracker.get("updated_at"), event.get("updated_at"), event.get("created_at"))
    return [
        TrackingUpdate(
            number=number,
            carrier=first(tracker.get("carrier")),
            events=_events(tracker, as_of),
            as_of=as_of,
            estimate_on=_estimate(tracker),
        )
    ]


def _events(tracker: dict[str, Any], as_of: datetime | None) -> tuple[TrackingEvent, ...]:
    """The scans; a tracker that has none yet speaks for itself."""
    sent_back = tracker.get("is_return") is True
    scans = parts(tracker.get("tracking_details")) or [{**tracker, "datetime": tracker.get("updated_at")}]
    return tuple(event for scan in scans if (event := _event(scan, sent_back, as_of)))


def _event(scan: dict[str, Any], sent_back: bool, as_of: datetime | None) -> TrackingEvent | None:
    read = moment(scan.get("datetime"))
    at, assumed = read or (as_of, True)
    status = not_there_yet(_status(scan), text(scan.get("message"), 500))
    if at is None or (status is Tracking.unknown and not text(scan.get("message"))):
        return None
    return TrackingEvent(
        at=at,
        status=Tracking.returned if sent_back and status is Tracking.delivered else status,
        code=_code(scan),
        place=_place(part(scan.get("tracking_location"))),
        message=first(scan.get("message"), scan.get("description"), limit=500),
        at_raw=text(scan.get("datetime"), 60),
        offset_assumed=assumed,
    )


def _status(scan: dict[str, Any]) -> Tracking:
    status, detail = text(scan.get("status")), text(scan.get("status_detail"))
    plain = STATUS.get(status, Tracking.unknown)
    if detail == "arrived_at_pickup_location" and plain is Tracking.delivered:
        return Tracking.ready_for_pickup
    return DETAIL.get(detail, plain) if status in OPEN else plain


def _code(scan: dict[str, Any]) -> str:
    return ":".join(filter(None, (text(scan.get(name), 60) for name in ("carrier_code", "status", "status_detail"))))


def _place(location: dict[str, Any]) -> str:
    return ", ".join(filter(None, (text(location.get(name), 80) for name in ("city", "state", "country"))))


def _estimate(tracker: dict[str, Any]) -> date | None:
    """The local day at the destination when the courier says it, else the day of its time stamp."""
    return day(part(tracker.get("carrier_detail")).get("est_delivery_date_local")) or day(
        tracker.get("est_delivery_date")
    )


def _first_moment(*values: Any) -> datetime | None:
    return next((read[0] for value in values if (read := moment(value))), None)
