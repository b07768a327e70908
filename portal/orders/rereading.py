"""Reading channels again: what they say has changed comes in as if their webhooks had brought it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from portal.adapters.channels import Page
from portal.adapters.errors import Permanent, Trouble
from portal.db import session
from portal.inbox import actions as inbox
from portal.inbox.sources import SOURCES
from portal.orders.models import ChannelReading

FETCHED = {"fetched": "yes"}
"""In place of a webhook's headers: nobody signed this, we asked for it."""
FIRST = timedelta(days=1)
"""How far back a channel is asked the first time."""
OVERLAP = timedelta(minutes=15)
"""Clocks differ, and a change may be seen late: what was read lately is read again."""
TOO_LONG = timedelta(hours=1)
"""After so long without an answer somebody is told."""


@dataclass(frozen=True, slots=True)
class Due:
    """What to ask next: all that changed since then, after this page. Once all is answered, it is read `until` then."""

    since: datetime
    after: str
    until: datetime


def begin(code: str, *, now: datetime) -> Due:
    """Where to go on: a reading that was broken off goes on with its page."""
    row = _row(code, now)
    if not row.after:
        row.asked_since, row.asked_at = row.until - OVERLAP, now
    session.flush()
    return Due(row.asked_since, row.after, row.asked_at)


def _row(code: str, now: datetime) -> ChannelReading:
    first = {"until": now - FIRST, "asked_since": now - FIRST, "asked_at": now, "after": "", "found": 0}
    session.execute(insert(ChannelReading).values(code=code, **first).on_conflict_do_nothing(index_elements=["code"]))
    return session.scalars(select(ChannelReading).where(ChannelReading.code == code).with_for_update()).one()


def take_in(code: str, due: Due, page: Page, *, now: datetime) -> int:
    """Keep what is new of this page for the worker, and note where to go on. How much was new."""
    new = 0
    for heard in page.heard:
        message = inbox.receive(
            code, heard.key, heard.body, now=now, topic=heard.topic, headers=FETCHED, handle=SOURCES[code].handle
        )
        new += message is not None
    row = _row(code, now)
    row.after, row.found = page.after, row.found + new
    if not page.after:
        row.until, row.read_at, row.problem, row.failing_since = due.until, now, None, None
    session.flush()
    return new


def note_trouble(code: str, trouble: Trouble, *, now: datetime) -> None:
    """It did not answer. A page that will never be answered is given up, and all is asked for again."""
    row = _row(code, now)
    row.problem, row.failing_since = str(trouble)[:500], row.failing_since or now
    if isinstance(trouble, Permanent):
        row.after = ""
    session.flush()


def silent(*, now: datetime) -> list[ChannelReading]:
    """Channels that have not answered for too long."""
    failing = select(ChannelReading).where(ChannelReading.failing_since < now - TOO_LONG)
    return list(session.scalars(failing.order_by(ChannelReading.code)))
