"""Sendcloud: signed `parcel_status_changed` events, each with the one status that a parcel has now."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, normal_number, not_there_yet
from portal.adapters.errors import Malformed
from portal.adapters.reading import document, first, header, hmac_sha256, part, same, text, unix_moment

STATUS = {
    1: Tracking.label_created,
    3: Tracking.in_transit,
    7: Tracking.in_transit,
    8: Tracking.attempt_failed,
    11: Tracking.delivered,
    12: Tracking.ready_for_pickup,
    22: Tracking.picked_up,
    80: Tracking.exception,
    91: Tracking.in_transit,
    92: Tracking.out_for_delivery,
    93: Tracking.delivered,
    1002: Tracking.exception,
    2000: Tracking.cancelled,
    62991: Tracking.returning,
    62992: Tracking.returned,
    62996: Tracking.exception,
}
"""By the number of the status."""
WORDS = {
    "ready to send": Tracking.label_created,
    "announced": Tracking.label_created,
    "announcing": Tracking.label_created,
    "no label": Tracking.label_created,
    "announced uncollected": Tracking.label_created,
    "to sorting": Tracking.in_transit,
    "sorting": Tracking.in_transit,
    "sorted": Tracking.in_transit,
    "unsorted": Tracking.in_transit,
    "not sorted": Tracking.in_transit,
    "at sorting centre": Tracking.in_transit,
    "parcel en route": Tracking.in_transit,
    "shipment on route": Tracking.in_transit,
    "en route to sorting center": Tracking.in_transit,
    "picked up by driver": Tracking.picked_up,
    "shipment picked up by driver": Tracking.picked_up,
    "driver on route": Tracking.out_for_delivery,
    "driver en route": Tracking.out_for_delivery,
    "awaiting customer pickup": Tracking.ready_for_pickup,
    "delivered": Tracking.delivered,
    "collected by customer": Tracking.delivered,
    "shipment collected by customer": Tracking.delivered,
    "delivery failed": Tracking.attempt_failed,
    "delivery attempt failed": Tracking.attempt_failed,
    "delayed": Tracking.delayed,
    "delivery delayed": Tracking.delayed,
    "exception": Tracking.exception,
    "address invalid": Tracking.exception,
    "at customs": Tracking.exception,
    "error collecting": Tracking.exception,
    "unable to deliver": Tracking.exception,
    "undeliverable": Tracking.exception,
    "announcement failed": Tracking.exception,
    "refused by recipient": Tracking.returning,
    "returned to sender": Tracking.returned,
    "cancelled": Tracking.cancelled,
    "cancelled upstream": Tracking.cancelled,
    "cancelling": Tracking.cancelled,
    "cancelling upstream": Tracking.cancelled,
}
"""By its words, for numbers that are none of the above."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our secrets signed these very bytes."""
    expected = [hmac_sha256(secret, raw).hex() for secret in secrets if secret]
    return same(header(headers, "Sendcloud-Signature"), expected)


def identify(raw: bytes) -> tuple[str, str]:
    """A key of our own: parcel, time and status. Raises Malformed."""
    event = document(raw)
    parcel = part(event.get("parcel"))
    told = (first(parcel.get("id")), first(event.get("timestamp")), first(part(parcel.get("status")).get("id")))
    return "|".join(told) if all(told) else sha256(raw).hexdigest(), first(event.get("action"))


def parse(raw: bytes) -> list[TrackingUpdate]:
    """The parcel's new status; nothing for events about anything else. Raises Malformed."""
    event = document(raw)
    parcel = part(event.get("parcel"))
    if text(event.get("action")) != "parcel_status_changed" or not parcel:
        return []
    number = normal_number(first(parcel.get("tracking_number")))
    if not number:
        raise Malformed("a parcel without a number")
    told = unix_moment(event.get("timestamp"))
    at = unix_moment(event.get("carrier_status_change_timestamp")) or told
    seen = _event(part(parcel.get("status")), at)
    carrier = first(part(parcel.get("carrier")).get("code"), parcel.get("carrier"))
    return [TrackingUpdate(number=number, carrier=carrier, events=(seen,) if seen else (), as_of=told or at)]


def _event(status: dict[str, Any], at: datetime | None) -> TrackingEvent | None:
    message = first(status.get("message"), limit=500)
    means = not_there_yet(_means(status), message)
    if at is None or (means is Tracking.unknown and not message):
        return None
    return TrackingEvent(at=at, status=means, code=text(status.get("id"), 20), message=message)


def _means(status: dict[str, Any]) -> Tracking:
    number = status.get("id")
    known = STATUS.get(number) if isinstance(number, int) else None
    words = " ".join(re.findall("[a-z]+", text(status.get("message")).lower()))
    return known or WORDS.get(words, Tracking.unknown)
