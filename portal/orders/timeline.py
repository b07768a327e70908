"""The order's timeline: one line of facts per thing that happened, put into words when somebody reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, insert, select

from portal.db import session
from portal.db.prepared import Prepared
from portal.lib import days
from portal.lib.money import Money
from portal.orders.models import TimelineEntry
from portal.staff.models import Actor, Staff

WORDS: dict[str, tuple[Any, Any]] = {}
NAMES: dict[str, Any] = {}
WHO: dict[str, Any] = {
    "customer": _l("the customer"),
    "courier": _l("the courier"),
    "channel": _l("the sales channel"),
    "stripe": "Stripe",
    "system": _l("by itself"),
}
"""Who did it, when it was nobody of the shop."""
A_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Entry:
    """A timeline entry in the reader's language."""

    at: datetime
    kind: str
    text: str
    by: str


def words(kind: str, staff: Any, customer: Any = None) -> None:
    """How to tell this kind (lazy texts with %(fact)s in them); without `customer` the customer is not told."""
    if kind in WORDS:
        raise KeyError(f"{kind} has its words already")
    WORDS[kind] = (staff, customer)


def names(of: Mapping[str, Any]) -> None:
    """How to call what facts name by a code (lazy texts)."""
    NAMES.update(of)


def named(*codes: str) -> dict[str, Any]:
    """A fact that lists things by their codes, put into words when it is read; what has no name is told as it is."""
    return {"named": list(codes)}


def record(order_id: int, kind: str, *, by: Actor, now: datetime, **facts: Any) -> None:
    """Add an entry in the caller's transaction. Facts hold ids, numbers, words of staff: nothing about a customer."""
    RECORD.run(**entry(order_id, kind, by=by, now=now, **facts))


def entry(order_id: int, kind: str, *, by: Actor, now: datetime, **facts: Any) -> dict[str, Any]:
    """What `RECORDING` writes, for a statement that does more in the same breath."""
    if kind not in WORDS:
        raise KeyError(f"nobody can tell what {kind} means: call timeline.words")
    who, staff_id = (by.name, by.id) if isinstance(by, Staff) else (by, None)
    told = Jsonb({name: _plain(value) for name, value in facts.items()})
    return {"order_id": order_id, "kind": kind, "by": who, "staff_id": staff_id, "at": now, "facts": told}


ENTRY = ("order_id", "kind", "by", "staff_id", "at", "facts")
RECORDING = insert(TimelineEntry).values({name: bindparam(name) for name in ENTRY})
RECORD = Prepared(RECORDING, *ENTRY)


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": value.amount, "currency": value.currency}
    return value.isoformat() if isinstance(value, date | datetime) else value


def for_staff(order_id: int, locale: str = "en") -> list[Entry]:
    """All that happened, newest first."""
    return [_told(row, str(WHO.get(row.by, row.by)), 0, locale) for row in _rows(order_id)]


def for_customer(order_id: int, locale: str = "en") -> list[Entry]:
    """What concerns the customer, newest first, without names of staff."""
    return [
        _told(row, "", 1, locale) for row in _rows(order_id) if row.kind in WORDS and WORDS[row.kind][1] is not None
    ]


def told(entry: TimelineEntry, locale: str = "en") -> str:
    """What happened, in staff's words."""
    return _told(entry, "", 0, locale).text


def _rows(order_id: int) -> Any:
    columns = (TimelineEntry.at, TimelineEntry.kind, TimelineEntry.by, TimelineEntry.facts)
    newest = (TimelineEntry.at.desc(), TimelineEntry.id.desc())
    return session.execute(select(*columns).where(TimelineEntry.order_id == order_id).order_by(*newest)).all()


def _told(row: Any, by: str, reader: int, locale: str) -> Entry:
    text = WORDS[row.kind][reader] if row.kind in WORDS else row.kind
    facts = {name: _worded(value, locale) for name, value in row.facts.items()}
    return Entry(row.at, row.kind, str(text) % facts if facts else str(text), by)


def _worded(value: Any, locale: str) -> Any:
    if isinstance(value, Mapping) and set(value) == {"amount", "currency"}:
        return Money(value["amount"], value["currency"]).format(locale)
    if isinstance(value, Mapping) and set(value) == {"named"}:
        return ", ".join(str(NAMES.get(code, code)) for code in value["named"])
    if isinstance(value, str) and A_DAY.fullmatch(value):
        return days.with_year(date.fromisoformat(value), locale)
    return value
