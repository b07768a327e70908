"""AfterShip: signed `tracking_update` events, each with all checkpoints of one number."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, normal_number, not_there_yet
from portal.adapters.errors import Malformed
from portal.adapters.reading import (
    day,
    document,
    first,
    header,
    hmac_sha256,
    moment,
    part,
    parts,
    same,
    text,
    unix_moment,
)

TAG = {
    "InfoReceived": Tracking.label_created,
    "InTransit": Tracking.in_transit,
    "OutForDelivery": Tracking.out_for_delivery,
    "AttemptFail": Tracking.attempt_failed,
    "AvailableForPickup": Tracking.ready_for_pickup,
    "Delivered": Tracking.delivered,
    "Exception": Tracking.exception,
    "Expired": Tracking.expired,
}
SUBTAG = {
    "InTransit_002": Tracking.picked_up,
    "Exception_003": Tracking.returning,
    "Exception_005": Tracking.delayed,
}
"""Sub-tags that say more than their tag: accepted by the courier, refused at the door, late for outer reasons."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes."""
    expected = [base64.b64encode(hmac_sha256(secret, raw)).decode() for secret in secrets if secret]
    return same(header(headers, "aftership-hmac-sha256"), expected)


def identify(raw: bytes) -> tuple[str, str]:
    """The sender's key for this message, and its topic. Raises Malformed."""
    event = document(raw)
    return first(event.get("event_id")) or sha256(raw).hexdigest(), first(event.get("event"))


def parse(raw: bytes) -> list[TrackingUpdate]:
    """The tracking in the event; nothing for events without one. Raises Malformed."""
    event = document(raw)
    tracking = part(event.get("msg"))
    if not tracking:
        return []
    number = normal_number(first(tracking.get("tracking_number")))
    if not number:
        raise Malformed("a tracking without a number")
    as_of, computed = _as_of(event, tracking), part(tracking.get("aftership_estimated_delivery_date"))
    return [
        TrackingUpdate(
            number=number,
            carrier=first(tracking.get("slug")),
            events=_events(tracking, as_of),
            as_of=as_of,
            estimate_on=day(tracking.get("expected_delivery")) or day(computed.get("estimated_delivery_date")),
        )
    ]


def _as_of(event: dict[str, Any], tracking: dict[str, Any]) -> datetime | None:
    read = moment(tracking.get("updated_at")) or moment(tracking.get("last_updated_at"))
    return read[0] if read else unix_moment(event.get("ts"))


def _events(tracking: dict[str, Any], as_of: datetime | None) -> tuple[TrackingEvent, ...]:
    """The checkpoints; a tracking that has none yet speaks for itself."""
    sent_back = tracking.get("return_to_sender") is True
    points = parts(tracking.get("checkpoints")) or [{**tracking, "checkpoint_time": None, "message": None}]
    return tuple(event for point in points if (event := _event(point, sent_back, as_of)))


def _event(point: dict[str, Any], sent_back: bool, as_of: datetime | None) -> TrackingEvent | None:
    at, assumed = moment(point.get("checkpoint_time")) or (as_of, True)
    message = first(point.get("message"), point.get("subtag_message"), limit=500)
    status = not_there_yet(_status(point), message)
    if at is None or (status is Tracking.unknown and not message):
        return None
    return TrackingEvent(
        at=at.astimezone(UTC),
        status=Tracking.returned if sent_back and status is Tracking.delivered else status,
        code=":".join(filter(None, (text(point.get(name), 60) for name in ("raw_tag", "subtag")))),
        place=first(point.get("location"), point.get("city"), point.get("country_name")),
        message=message,
        at_raw=text(point.get("checkpoint_time"), 60),
        offset_assumed=assumed,
    )


def _status(point: dict[str, Any]) -> Tracking:
    tag, subtag = text(point.get("tag")), text(point.get("subtag"))
    if tag == "Exception" and (back := _going_back(text(point.get("subtag_message")).lower())):
        return back
    return SUBTAG.get(subtag, TAG.get(tag, Tracking.unknown))


def _going_back(says: str) -> Tracking | None:
    """An exception that is a way back says so in words."""
    if "returned" in says:
        return Tracking.returned
    return Tracking.returning if "returning" in says or "return to" in says else None
