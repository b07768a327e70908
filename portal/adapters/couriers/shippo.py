"""Shippo: `track_updated` events, each with the history of one number; signed when the shop asked Shippo for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, normal_number, not_there_yet
from portal.adapters.errors import Malformed
from portal.adapters.reading import day, document, first, header, hmac_sha256, moment, part, parts, same, text
from portal.lib import clock

STATUS = {
    "PRE_TRANSIT": Tracking.label_created,
    "TRANSIT": Tracking.in_transit,
    "DELIVERED": Tracking.delivered,
    "RETURNED": Tracking.returning,
    "FAILURE": Tracking.exception,
}
SUBSTATUS = {
    "package_accepted": Tracking.picked_up,
    "out_for_delivery": Tracking.out_for_delivery,
    "pickup_available": Tracking.ready_for_pickup,
    "delivery_attempted": Tracking.attempt_failed,
    "notice_left": Tracking.attempt_failed,
    "reschedule_delivery": Tracking.attempt_failed,
    "delayed": Tracking.delayed,
    "address_issue": Tracking.exception,
    "package_held": Tracking.exception,
    "package_damaged": Tracking.exception,
    "package_lost": Tracking.exception,
    "return_to_sender": Tracking.returning,
    "package_unclaimed": Tracking.returning,
}
"""Sub-statuses that say more than the status beside them."""
OPEN = {"TRANSIT", "FAILURE", "RETURNED"}
"""The statuses that a sub-status may make more exact; "DELIVERED" says enough by itself."""
OLDEST = 300
"""Seconds after which a signature is refused, before and behind."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes at a time near ours."""
    given = dict(item.strip().partition("=")[::2] for item in header(headers, "Shippo-Auth-Signature").split(","))
    at = given.get("t", "")
    if not (at.isascii() and at.isdigit() and len(at) < 12) or abs(clock.now().timestamp() - int(at)) > OLDEST:
        return False
    signed = f"{at}.".encode() + raw
    return same(given.get("v1", ""), [hmac_sha256(secret, signed).hex() for secret in secrets if secret])


def identify(raw: bytes) -> tuple[str, str]:
    """A key of our own: Shippo has none, and tells twice what was registered twice. Raises Malformed."""
    event = document(raw)
    track = part(event.get("data"))
    status = part(track.get("tracking_status"))
    told = (
        track.get("carrier"),
        track.get("tracking_number"),
        *map(status.get, ("object_id", "status_date", "status")),
    )
    if not any(map(first, told)):
        return sha256(raw).hexdigest(), first(event.get("event"))
    return sha256("|".join(map(first, told)).encode()).hexdigest(), first(event.get("event"))


def parse(raw: bytes) -> list[TrackingUpdate]:
    """The track in the event; nothing for events about anything else. Raises Malformed."""
    event = document(raw)
    track = part(event.get("data"))
    if text(event.get("event")) != "track_updated" or not track:
        return []
    number = normal_number(first(track.get("tracking_number")))
    if not number:
        raise Malformed("a track without a number")
    newest = part(track.get("tracking_status"))
    scans = [*parts(track.get("tracking_history")), newest]
    return [
        TrackingUpdate(
            number=number,
            carrier=first(track.get("carrier")),
            events=tuple(dict.fromkeys(seen for scan in scans if (seen := _event(scan)))),
            as_of=_as_of(newest),
            estimate_on=day(track.get("eta")),
        )
    ]


def _as_of(newest: dict[str, Any]) -> datetime | None:
    read = moment(newest.get("object_updated")) or moment(newest.get("status_date"))
    return read[0] if read else None


def _event(scan: dict[str, Any]) -> TrackingEvent | None:
    read = moment(scan.get("status_date"))
    message = first(scan.get("status_details"), part(scan.get("substatus")).get("text"), limit=500)
    status = not_there_yet(_status(scan), message)
    if read is None or (status is Tracking.unknown and not message):
        return None
    place = part(scan.get("location"))
    return TrackingEvent(
        at=read[0],
        status=status,
        code=":".join(filter(None, (text(scan.get("status"), 60), text(part(scan.get("substatus")).get("code"), 60)))),
        place=", ".join(filter(None, (text(place.get(name), 80) for name in ("city", "state", "country")))),
        message=message,
        at_raw=text(scan.get("status_date"), 60),
        offset_assumed=read[1],
    )


def _status(scan: dict[str, Any]) -> Tracking:
    status, code = text(scan.get("status")), text(part(scan.get("substatus")).get("code"))
    plain = STATUS.get(status, Tracking.unknown)
    return SUBSTATUS.get(code, plain) if status in OPEN else plain
