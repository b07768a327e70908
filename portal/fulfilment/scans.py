"""Scans of couriers, kept as a set: the same one told twice is one, whatever it is about."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, DateTime, String, bindparam, cast, func, select, tuple_, union
from sqlalchemy.dialects.postgresql import ARRAY, insert

from portal.adapters.couriers import TrackingEvent
from portal.db import session
from portal.db.prepared import Prepared
from portal.fulfilment.models import CourierEvent
from portal.fulfilment.rules import Scan

SLACK = timedelta(days=1)
"""Couriers' clocks and zones: an event may seem this much older than the parcel it is about."""
SAME = {
    "parcel_id": "uq_courier_events_parcel_id_at_code_place_status",
    "back_parcel_id": "uq_courier_events_back_parcel_id_at_code_place_status",
}


def alone_with(number: str) -> None:
    """Until this transaction ends nobody else reads or hands out this number: no event falls between two chairs."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"courier-number:{number}", 0))))


def keep(events: Iterable[TrackingEvent], *, told_at: datetime, now: datetime, **about: int) -> list[Scan]:
    """Add what is new about a parcel (`parcel_id`, or `back_parcel_id` of one that comes back), whose order is locked;
    all that is known of it now.

    Of the same event told twice the newer words stay, and of equally new ones the longer.
    """
    [(whose, parcel)] = about.items()
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for event in events:
        row = (event.at, event.code, event.place, str(event.status), event.message, event.at_raw, event.offset_assumed)
        newest[row[:4]] = max(newest.get(row[:4], row), row, key=lambda row: (len(row[4]), row[4]))
    told = {name: [row[number] for row in newest.values()] for number, name in enumerate(ROW)}
    return [Scan(*row) for row in KEEP[whose].run(**told, parcel=parcel, told_at=told_at, now=now)]


def _keeping(whose: str) -> Prepared:
    """One statement adds and reads: what it adds it returns, and of the rest it sees what was there before."""
    rows = func.unnest(*(cast(bindparam(name), ARRAY(kind)) for name, kind in ROW.items()))
    told = rows.table_valued(*ROW).render_derived(name="told")
    same = {whose: "parcel", "told_at": "told_at", "received_at": "now"}
    typed = [cast(bindparam(value), CourierEvent.__table__.c[name].type) for name, value in same.items()]
    said = insert(CourierEvent).from_select([*ROW, *same], select(*told.c, *typed))
    new, old = said.excluded, CourierEvent
    better = tuple_(new.told_at, func.length(new.message), new.message)
    than = tuple_(func.coalesce(old.told_at, old.received_at), func.length(old.message), old.message)
    words = {"message": new.message, "told_at": new.told_at}
    merged = said.on_conflict_do_update(constraint=SAME[whose], set_=words, where=better > than)
    kept = merged.returning(*SCAN).cte("kept")
    known = select(*SCAN).where(getattr(CourierEvent, whose) == bindparam("parcel"))
    return Prepared(union(select(kept), known), *ROW, "parcel", "told_at", "now")


SCAN = (CourierEvent.at, CourierEvent.status, CourierEvent.offset_assumed)
ROW: dict[str, Any] = {
    "at": DateTime(timezone=True), "code": String, "place": String, "status": String, "message": String,
    "at_raw": String, "offset_assumed": Boolean,
}  # fmt: skip
KEEP = {whose: _keeping(whose) for whose in SAME}
