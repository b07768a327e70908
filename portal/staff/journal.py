"""The journal of the doors: who came in, who failed to, who changed whose keys. Append-only; shown to admins."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal import mail
from portal.db import session
from portal.staff.models import Staff, StaffEvent

PAGE, LET_GO = 100, "journal_let_go"
KINDS: Mapping[str, tuple[Any, str]] = {
    "signed_in": (_l("Signed in"), "good"),
    "password_wrong": (_l("Wrong password"), "warn"),
    "name_unknown": (_l("Sign-in under an unknown name"), "warn"),
    "code_wrong": (_l("Wrong second factor"), "warn"),
    "locked": (_l("Too many tries"), "bad"),
    "confirmed": (_l("Confirmed it was them"), ""),
    "sign_on_bound": (_l("Single sign-on set up"), "info"),
    "sign_on_refused": (_l("Single sign-on of nobody invited"), "warn"),
    "signed_out": (_l("Signed out"), ""),
    "session_ended": (_l("A session was ended"), ""),
    "sessions_ended": (_l("All sessions were ended"), ""),
    "password_changed": (_l("Password changed"), "info"),
    "app_added": (_l("Authenticator app set up"), "info"),
    "app_removed": (_l("Authenticator app removed"), "info"),
    "codes_made": (_l("Recovery codes made"), "info"),
    "code_spent": (_l("Recovery code used"), "info"),
    "passkey_wrong": (_l("Wrong passkey"), "warn"),
    "passkey_added": (_l("Passkey added"), "info"),
    "passkey_removed": (_l("Passkey removed"), "info"),
    "reset_asked": (_l("New password asked for"), "info"),
    "link_sent": (_l("Link sent"), "info"),
    "invited": (_l("Invited"), "info"),
    "away": (_l("Away"), ""),
    "here_after_all": (_l("Here after all"), ""),
    "department": (_l("Department given"), "info"),
    "role_changed": (_l("Role changed"), "info"),
    "disabled": (_l("Shut out"), "bad"),
    "enabled": (_l("Let in again"), "good"),
    "second_factor_reset": (_l("Second factor reset"), "warn"),
    "locked_down": (_l("Every way in was ended"), "bad"),
    "journal_let_go": (_l("Old entries of the journal were let go"), "info"),
    "key_made": (_l("API key made"), "info"),
    "key_revoked": (_l("API key taken back"), "info"),
}
"""What can happen, in words, and how it looks."""


def note(
    kind: str,
    staff_id: int | None,
    *,
    now: datetime,
    by: Staff | None = None,
    browser: str = "",
    detail: str = "",
) -> None:
    """Write down what happened to this person's way in. `by` is whoever did it to somebody else."""
    if kind not in KINDS:
        raise ValueError(f"nobody could read {kind}")
    by_id = by.id if by and by.id != staff_id else None
    session.add(StaffEvent(at=now, kind=kind, staff_id=staff_id, by_id=by_id, browser=browser[:100], detail=detail))


def tell(person: Staff, kind: str, *, now: datetime) -> None:
    """Write to the person that their keys changed: if it was not them, they know first."""
    mail.queue("keys-changed", to=person.email, locale=person.locale, now=now, about=kind, what=KINDS[kind][0], at=now)


def let_go(up_to: int, *, now: datetime) -> int:
    """Forget entries up to this one, all older than a year: the database keeps younger ones. How many they were.

    That they went, and up to which, is an entry itself, so that `portal audit verify` knows them from stolen ones.
    """
    gone = session.scalar(select(func.let_go_of_journal(up_to))) or 0
    if gone:
        note(LET_GO, None, now=now, detail=str(up_to))
    return gone


def page_of(before: int | None, staff_id: int | None = None) -> tuple[Sequence[StaffEvent], bool]:
    """Newest first, and whether there is more."""
    found = select(StaffEvent).order_by(StaffEvent.id.desc()).limit(PAGE + 1)
    if before:
        found = found.where(StaffEvent.id < before)
    if staff_id:
        found = found.where(StaffEvent.staff_id == staff_id)
    rows = session.scalars(found).all()
    return rows[:PAGE], len(rows) > PAGE
