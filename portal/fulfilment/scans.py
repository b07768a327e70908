"""Scans of couriers, kept as a set: the same one told twice is one, whatever it is about."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.couriers import TrackingEvent
from portal.db import session
from portal.fulfilment.models import CourierEvent

SLACK = timedelta(days=1)
"""Couriers' clocks and zones: an event may seem this much older than the parcel it is about."""
SAME = {
    "parcel_id": "uq_courier_events_parcel_id_at_code_place_status",
    "back_parcel_id": "uq_courier_events_back_parcel_id_at_code_place_status",
}


def alone_with(number: str) -> None:
    """Until this transaction ends nobody else reads or hands out this number: no event falls between two chairs."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"courier-number:{number}", 0))))


def keep(events: Iterable[TrackingEvent], *, told_at: datetime, now: datetime, **about: int) -> None:
    """Add what is new about a parcel (`parcel_id`, or `back_parcel_id` of one that comes back).

    Of the same event told twice the newer words stay, and of equally new ones the longer.
    """
    [whose] = about
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for event in events:
        row = {**about, **_row(event, told_at, now)}
        key = tuple(row[name] for name in ("at", "code", "place", "status"))
        newest[key] = max(newest.get(key, row), row, key=lambda row: (len(row["message"]), row["message"]))
    told = list(newest.values())
    said = insert(CourierEvent)
    new, old = said.excluded, CourierEvent
    better = tuple_(new.told_at, func.length(new.message), new.message)
    than = tuple_(func.coalesce(old.told_at, old.received_at), func.length(old.message), old.message)
    words = {"message": new.message, "told_at": new.told_at}
    merged = said.on_conflict_do_update(constraint=SAME[whose], set_=words, where=better > than)
    # One row as itself and many as a list: a list of rows inside the statement would be worked out anew each time.
    session.execute(merged, told if len(told) > 1 else told[0])


def _row(event: TrackingEvent, told_at: datetime, now: datetime) -> dict[str, Any]:
    return {
        "at": event.at,
        "at_raw": event.at_raw,
        "offset_assumed": event.offset_assumed,
        "status": str(event.status),
        "code": event.code,
        "message": event.message,
        "place": event.place,
        "told_at": told_at,
        "received_at": now,
    }
