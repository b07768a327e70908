"""17TRACK: `TRACKING_UPDATED` events, each with all scans of one number, the newest first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate, normal_number, not_there_yet
from portal.adapters.errors import Malformed
from portal.adapters.reading import day, document, first, header, moment, part, parts, same, text

STAGE = {
    "InfoReceived": Tracking.label_created,
    "PickedUp": Tracking.picked_up,
    "Departure": Tracking.in_transit,
    "Arrival": Tracking.in_transit,
    "InTransit": Tracking.in_transit,
    "OutForDelivery": Tracking.out_for_delivery,
    "AvailableForPickup": Tracking.ready_for_pickup,
    "DeliveryFailure": Tracking.attempt_failed,
    "Delivered": Tracking.delivered,
    "Returning": Tracking.returning,
    "Returned": Tracking.returned,
    "Exception": Tracking.exception,
    "Expired": Tracking.expired,
}
SUB = {
    "InTransit_PickedUp": Tracking.picked_up,
    "Exception_Returning": Tracking.returning,
    "Exception_Returned": Tracking.returned,
    "Exception_Delayed": Tracking.delayed,
    "Exception_Cancel": Tracking.cancelled,
}
"""Sub-statuses that say more than the word before their underscore."""


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether one of our API keys goes with these very bytes: a plain hash, the key is the secret."""
    expected = [sha256(raw + f"/{key}".encode("utf-8", "surrogatepass")).hexdigest() for key in secrets if key]
    return same(header(headers, "sign"), expected)


def identify(raw: bytes) -> tuple[str, str]:
    """A key of our own: number, courier and the hash of all that is known of it. Raises Malformed."""
    event = document(raw)
    data = part(event.get("data"))
    topic, known = first(event.get("event")), first(_tracking(data).get("providers_hash"))
    told = (first(data.get("number")), first(data.get("carrier")), known, topic)
    return "|".join(told) if all(told) else sha256(raw).hexdigest(), topic


def _tracking(data: dict[str, Any]) -> dict[str, Any]:
    return part(part(data.get("track_info")).get("tracking"))


def parse(raw: bytes) -> list[TrackingUpdate]:
    """The number's scans; none when 17TRACK stopped looking. Raises Malformed."""
    event = document(raw)
    data = part(event.get("data"))
    if not data:
        return []
    number = normal_number(first(data.get("number")))
    if not number:
        raise Malformed("a tracking without a number")
    providers = parts(_tracking(data).get("providers"))
    expected = part(part(part(data.get("track_info")).get("time_metrics")).get("estimated_delivery_date"))
    return [
        TrackingUpdate(
            number=number,
            carrier=first(*(part(one.get("provider")).get("name") for one in providers)),
            events=tuple(dict.fromkeys(seen for one in providers for seen in _events(one))),
            as_of=max((read[0] for one in providers if (read := moment(one.get("latest_sync_time")))), default=None),
            estimate_on=day(expected.get("to")) or day(expected.get("from")),
        )
    ]


def _events(provider: dict[str, Any]) -> list[TrackingEvent]:
    """What is scanned before it arrives and says no more is on its way; afterwards it is an afterthought."""
    scans = [(scan, *read) for scan in parts(provider.get("events")) if (read := _time(scan))]
    arrived = min((at for scan, at, _ in scans if _status(scan) is Tracking.delivered), default=None)
    found = (_event(scan, at, assumed, arrived) for scan, at, assumed in scans)
    return [event for event in found if event]


def _time(scan: dict[str, Any]) -> tuple[datetime, bool] | None:
    raw = part(scan.get("time_raw"))
    written = "T".join(filter(None, (text(raw.get("date"), 12), text(raw.get("time"), 12))))
    return moment(scan.get("time_utc")) or moment(scan.get("time_iso")) or moment(written)


def _event(scan: dict[str, Any], at: datetime, assumed: bool, arrived: datetime | None) -> TrackingEvent | None:
    message = first(scan.get("description"), limit=500)
    status = not_there_yet(_status(scan), message)
    if status is Tracking.unknown and not message:
        return None
    if status is Tracking.unknown and not text(scan.get("stage")) and (arrived is None or at < arrived):
        status = Tracking.in_transit
    return TrackingEvent(
        at=at,
        status=status,
        code=first(scan.get("sub_status"), scan.get("stage"), limit=60),
        place=first(scan.get("location")),
        message=message,
        at_raw=first(scan.get("time_iso"), scan.get("time_utc"), limit=60),
        offset_assumed=assumed,
    )


def _status(scan: dict[str, Any]) -> Tracking:
    sub, stage = text(scan.get("sub_status")), text(scan.get("stage"))
    return SUB.get(sub) or STAGE.get(sub.partition("_")[0]) or STAGE.get(stage, Tracking.unknown)
