"""Sessions at the desk: rows on our side, one per browser, that end when they should."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select

from portal.db import session
from portal.lib.tokens import digest, mint
from portal.staff.models import Staff, StaffSession

IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
HALFWAY = timedelta(minutes=10)
"""How long the second factor may take after the password."""
FRESH = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=1)


def open_session(person: Staff, *, browser: str, proven: bool, now: datetime, proven_at: datetime | None = None) -> str:
    """The secret of a new session's cookie. One that is not `proven` leads to the second factor and nowhere else.

    `proven_at` when somebody else was shown both factors, some minutes ago.
    """
    token = mint()
    row = StaffSession(digest=digest(token), staff_id=person.id, created_at=now, seen_at=now, browser=browser[:100])
    row.proven_at = (proven_at or now) if proven else None
    session.add(row)
    session.flush()
    return token


def find_session(token: str, *, now: datetime) -> StaffSession | None:
    """The session behind this cookie while it lives: half an hour idle, twelve hours at most."""
    row = session.scalar(select(StaffSession).where(StaffSession.digest == digest(token)))
    if row is None or row.staff.disabled_at or _is_over(row, now):
        return None
    if now > row.seen_at + SEEN_EVERY:
        row.seen_at = now
    return row


def _is_over(row: StaffSession, now: datetime) -> bool:
    ends = min(row.seen_at + IDLE, row.created_at + (LONGEST if row.proven_at else HALFWAY))
    return now > ends


def is_fresh(row: StaffSession, *, now: datetime) -> bool:
    """Whether both factors were shown a few minutes ago. A clock that was put back makes nothing fresh."""
    return row.proven_at is not None and timedelta(0) <= now - row.proven_at <= FRESH


def prove(row: StaffSession, *, now: datetime) -> str:
    """Both factors were shown: the session goes on under a new secret, and the old cookie is dead."""
    token = mint()
    row.digest, row.proven_at, row.seen_at = digest(token), now, now
    return token


def sessions_of(person: Staff, *, now: datetime) -> Sequence[StaffSession]:
    """Those that live, the one used last first."""
    mine = select(StaffSession).where(StaffSession.staff_id == person.id, StaffSession.proven_at.is_not(None))
    rows = session.scalars(mine.order_by(StaffSession.seen_at.desc())).all()
    return [row for row in rows if not _is_over(row, now)]


def sign_out(token: str) -> int | None:
    """End this session; whose it was."""
    ended = delete(StaffSession).where(StaffSession.digest == digest(token)).returning(StaffSession.staff_id)
    return session.scalar(ended)


def end_session(person: Staff, session_id: int) -> bool:
    """End one session of this person; False when it is not theirs or over."""
    mine = (StaffSession.id == session_id, StaffSession.staff_id == person.id)
    return session.scalar(delete(StaffSession).where(*mine).returning(StaffSession.id)) is not None


def end_sessions(person: Staff, *, but: StaffSession | None = None) -> None:
    """Sign this person out everywhere, or everywhere else."""
    others = (StaffSession.staff_id == person.id, StaffSession.id != (but.id if but else 0))
    session.execute(delete(StaffSession).where(*others))


def forget_sessions(*, now: datetime) -> None:
    """Remove sessions that ended by themselves."""
    halfway = and_(StaffSession.proven_at.is_(None), StaffSession.created_at < now - HALFWAY)
    over = or_(StaffSession.seen_at < now - IDLE, StaffSession.created_at < now - LONGEST, halfway)
    session.execute(delete(StaffSession).where(over))
