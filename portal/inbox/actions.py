"""Store a webhook once; work it off later; park what can't be understood yet."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, case, delete, func, select, text
from sqlalchemy.dialects.postgresql import array, insert

from portal.db import move, moving, session
from portal.db.prepared import Prepared
from portal.inbox.models import InboxMessage, InboxRefusal, Taken
from portal.jobs import called_by, job_row

ONE_SERIES = timedelta(hours=1)
"""Refusals within this time of each other belong together."""


def receive(
    source: str, external_id: str, body: bytes, *, now: datetime, topic: str = "",
    headers: dict[str, str] | None = None, handle: Callable[[int], None] | None = None,
    alone: bool = False,
) -> int | None:  # fmt: skip
    """Keep a verified message; its id when it is new, None when the same one was kept before.

    `handle` is the job that works it off: it is owed in the same breath. `alone` keeps both for good at once, in a
    transaction of their own: for a door at which nothing else is done.
    """
    given = {"source": source, "external_id": external_id[:300], "topic": topic[:100], "headers": Jsonb(headers or {})}
    told = {**given, "body": body, "received_at": now}
    statement, told = (RECEIVE, {**told, **called_by(handle)}) if handle else (KEEP, told)
    row = statement.row(**told) if alone else statement.run(**told).fetchone()
    return row[0] if row else None


TOLD = ("source", "external_id", "topic", "headers", "body", "received_at")
KEPT = (
    insert(InboxMessage)
    .values(state="received", **{name: bindparam(name) for name in TOLD})
    .on_conflict_do_nothing()
    .returning(InboxMessage.id)
)
KEEP = Prepared(KEPT, *TOLD)


def _receiving() -> Prepared:
    new = KEPT.cte("kept")
    job = job_row(bindparam("queue"), bindparam("task"), func.jsonb_build_object("message_id", new.c.id))
    return Prepared(select(new.c.id, func.procrastinate_defer_jobs_v1(array([job]))), *TOLD, "queue", "task")


RECEIVE = _receiving()


def count_refusal(source: str, *, now: datetime) -> None:
    """One more message whose signature is wrong; the count begins anew after an hour without any."""
    first = insert(InboxRefusal).values(source=source, count=1, last_at=now)
    again = case((InboxRefusal.last_at < now - ONE_SERIES, 1), else_=InboxRefusal.count + 1)
    session.execute(first.on_conflict_do_update(index_elements=["source"], set_={"count": again, "last_at": now}))


def refusals(source: str, *, now: datetime) -> int:
    """How many messages were refused, the last of them within the hour."""
    recent = (InboxRefusal.source == source, InboxRefusal.last_at >= now - ONE_SERIES)
    return session.scalar(select(InboxRefusal.count).where(*recent)) or 0


def take(message_id: int, *, now: datetime) -> Taken | None:
    """The message, locked and done with this transaction if it is still to be worked off; `park` and `fail` undo that.

    With this a job begins that needs no more of it than `Taken` has, in one transaction; with `claim` any other.
    """
    row = TAKE.run(id=message_id, now=now).fetchone()
    return Taken(message_id, *row) if row else None


TAKE = Prepared(
    moving(InboxMessage, "state", "finish")
    .where(InboxMessage.id == bindparam("id"))
    .values(done_at=bindparam("now"), error=None)
    .returning(InboxMessage.source, InboxMessage.topic, InboxMessage.body),
    "id",
    "now",
)


def claim(message_id: int) -> InboxMessage | None:
    """The message, locked, if it is still to be worked off."""
    message = session.get_one(InboxMessage, message_id, with_for_update=True)
    return None if message.state == "done" else message


def finish(message: InboxMessage, *, now: datetime) -> None:
    move(message, "state", "finish", done_at=now, error=None)


def park(message: InboxMessage | Taken, subject: str) -> None:
    """Keep the message until somebody asks for `subject`."""
    move(_row(message), "state", "park", subject=subject)


def fail(message: InboxMessage | Taken, error: str) -> None:
    move(_row(message), "state", "fail", error=error[:2000])


def _row(message: InboxMessage | Taken) -> InboxMessage:
    """What was taken is put back first."""
    if isinstance(message, InboxMessage):
        return message
    row = session.get_one(InboxMessage, message.id)
    move(row, "state", "put_back", done_at=None)
    return row


def parked(source: str, subject: str) -> list[int]:
    """The ids of messages that wait for this subject, oldest first."""
    return [row[0] for row in PARKED.run(source=source, subject=subject)]


PARKED = Prepared(
    select(InboxMessage.id)
    .where(
        InboxMessage.source == bindparam("source"),
        InboxMessage.subject == bindparam("subject"),
        InboxMessage.state == "parked",
    )
    .order_by(InboxMessage.id),
    "source",
    "subject",
)


def forget_messages(needles: Sequence[str]) -> None:
    """Drop what was told raw and names one of these, in whatever case, whatever became of it."""
    names = text("strpos(lower(convert_from(body, 'LATIN1')), :needle) > 0")
    for needle in needles:
        as_stored = needle.encode().decode("latin1").lower()
        session.execute(delete(InboxMessage).where(names.bindparams(needle=as_stored)))
