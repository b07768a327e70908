"""Waves at a glance: what waits to go into one, what is open, how far each is. One statement each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.fulfilment import waves
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.waves import Wave

ENDED_SHOWN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Row:
    """A wave with how many parcels are in it, and how many of its pieces are picked."""

    wave: Wave
    parcels: int
    picked: int
    pieces: int


def waiting() -> dict[str, int]:
    """By kind, how many parcels could go into a wave now."""
    counts = [
        select(func.count()).select_from(waves.candidates(kind).order_by(None).subquery()).scalar_subquery().label(kind)
        for kind in waves.KINDS
    ]
    return dict(session.execute(select(*counts)).mappings().one())


def open_waves() -> list[Row]:
    """What is planned, released or walked; the oldest first."""
    return _rows(Wave.ended_at.is_(None), Wave.id)


def done_lately(*, now: datetime) -> list[Row]:
    """What was brought to packing in a day, the last one first."""
    return _rows((Wave.state == "done") & (Wave.ended_at > now - ENDED_SHOWN), Wave.ended_at.desc())


def _rows(which: Any, order: Any) -> list[Row]:
    counts = (
        func.count(func.distinct(Parcel.id)),
        func.coalesce(func.sum(ParcelLine.picked), 0),
        func.coalesce(func.sum(ParcelLine.quantity - ParcelLine.short), 0),
    )
    found = select(Wave, *counts).outerjoin(Parcel, Parcel.wave_id == Wave.id)
    found = found.outerjoin(ParcelLine, ParcelLine.parcel_id == Parcel.id).where(which).group_by(Wave.id)
    found = found.options(joinedload(Wave.owner)).order_by(order).limit(50)
    return [Row(wave, *map(int, numbers)) for wave, *numbers in session.execute(found)]


def mine(staff_id: int) -> int | None:
    """The wave this person walks now."""
    return session.scalar(select(Wave.id).where(Wave.owner_id == staff_id, Wave.state == "picking").limit(1))


def scanned(code: str) -> int | None:
    """The wave whose pick list says so."""
    number = code.upper().removeprefix("WAVE-")
    known = code.upper().startswith("WAVE-") and number.isdecimal() and len(number) < 16
    return session.scalar(select(Wave.id).where(Wave.id == int(number))) if known else None
