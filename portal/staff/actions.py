"""Invite a person, let them in, let them out."""

from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from flask_babel import gettext as _
from sqlalchemy import delete, or_, select, update

from portal.db import limits, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.staff.models import Staff, StaffInvitation, StaffSession
from portal.staff.rules import LONGEST_PASSWORD, SHORTEST_PASSWORD, Role

INVITATION_LASTS = timedelta(days=7)
IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)

hasher = PasswordHasher()  # argon2id, 64 MiB, 3 passes
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$zlyfK5mMXpJLzYhFbTiKJg$HUccXrYkHRUQGHKCddbbqEVh7/PKUmBYXgRKSokajVA"
"""The hash of a password that nobody has, as costly to check as a real one."""


def invite_staff(email: str, name: str, role: Role, *, now: datetime) -> str:
    """Make the person, or invite them anew; the secret of a one-time link. Raises Refused for one with a password."""
    address = email.strip().lower()
    person = session.scalar(select(Staff).where(Staff.email == address))
    if person is None:
        person = Staff(email=address, created_at=now)
        session.add(person)
    elif person.password_hash or person.disabled_at:
        raise Refused(_("%(email)s has an account already.", email=address))
    person.name, person.role = name, role
    session.flush()
    token = mint()
    session.add(StaffInvitation(digest=digest(token), staff_id=person.id, expires_at=now + INVITATION_LASTS))
    return token


def find_invitation(token: str, *, now: datetime) -> StaffInvitation | None:
    """The invitation behind the link while it can still be used."""
    live = (
        StaffInvitation.digest == digest(token),
        StaffInvitation.used_at.is_(None),
        StaffInvitation.expires_at > now,
    )
    return session.scalar(select(StaffInvitation).where(*live))


def accept_invitation(invitation: StaffInvitation, password: str, *, now: datetime) -> None:
    """Choose a password; every link that was sent to this person ends."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(_("A password has at least %(n)s characters.", n=SHORTEST_PASSWORD))
    if not _use_up(invitation.staff_id, now):
        raise Refused(_("This invitation was used already."))
    invitation.staff.password_hash = hasher.hash(password)


def _use_up(staff_id: int, now: datetime) -> bool:
    """End all invitations of this person; False when there was none left to end."""
    live = (StaffInvitation.staff_id == staff_id, StaffInvitation.used_at.is_(None))
    done: Any = session.execute(update(StaffInvitation).where(*live).values(used_at=now))
    return bool(done.rowcount)


def sign_in(email: str, password: str, *, address: str, now: datetime) -> str | None:
    """The secret of a new session, or None. A wrong name takes as long as a wrong password; both count as tries."""
    name = email.strip().lower()[:320]
    allowed = limits.take("sign-in-name", name, 10, timedelta(minutes=15), now)
    if not (limits.take("sign-in-address", address, 30, timedelta(minutes=15), now) and allowed):
        raise Refused(_("Too many tries. Please wait a quarter of an hour."))
    person = session.scalar(select(Staff).where(Staff.email == name, Staff.disabled_at.is_(None)))
    known = person.password_hash if person and person.password_hash else None
    if not _matches(known or NOBODY, password) or person is None or known is None:
        return None
    if hasher.check_needs_rehash(known):
        person.password_hash = hasher.hash(password)
    token = mint()
    session.add(StaffSession(digest=digest(token), staff_id=person.id, created_at=now, seen_at=now))
    return token


def _matches(hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def find_session(token: str, *, now: datetime) -> Staff | None:
    """Who sits behind this cookie, while the session lives: half an hour idle, twelve hours at most."""
    row = session.scalar(select(StaffSession).where(StaffSession.digest == digest(token)))
    if row is None or row.staff.disabled_at or now > row.seen_at + IDLE or now > row.created_at + LONGEST:
        return None
    if now > row.seen_at + SEEN_EVERY:
        row.seen_at = now
    return row.staff


def sign_out(token: str) -> None:
    session.execute(delete(StaffSession).where(StaffSession.digest == digest(token)))


def disable_staff(person: Staff, *, now: datetime) -> None:
    """The person is out with the next click; all sessions and invitations end."""
    person.disabled_at = now
    session.execute(delete(StaffSession).where(StaffSession.staff_id == person.id))
    _use_up(person.id, now)


def forget_sessions(*, now: datetime) -> None:
    """Remove sessions that ended by themselves."""
    over = or_(StaffSession.seen_at < now - IDLE, StaffSession.created_at < now - LONGEST)
    session.execute(delete(StaffSession).where(over))
