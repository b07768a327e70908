"""Invite a person, let them in, let them out."""

from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select, update

from portal.db import limits, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.staff import codes, passkeys, passwords
from portal.staff.journal import note, tell
from portal.staff.models import Staff, StaffInvitation, StaffSession
from portal.staff.rules import Role
from portal.staff.sessions import end_sessions, forget_sessions, open_session, prove

INVITATION_LASTS = timedelta(days=7)
TRIES, TRIES_PER_ADDRESS, A_QUARTER = 10, 30, timedelta(minutes=15)
CODE_TRIES = 5


def invite_staff(email: str, name: str, role: Role, *, now: datetime) -> str:
    """Make the person, or invite them anew; the secret of a one-time link. Raises Refused for one with a password."""
    person = add_person(email, name, role, now=now)
    token = mint()
    session.add(StaffInvitation(digest=digest(token), staff_id=person.id, expires_at=now + INVITATION_LASTS))
    return token


def add_person(email: str, name: str, role: Role, *, now: datetime) -> Staff:
    """Somebody who has no password yet, new or invited before. Raises Refused for one who is here or was shut out."""
    address = email.strip().lower()
    person = session.scalar(select(Staff).where(Staff.email == address))
    if person is None:
        person = Staff(email=address, created_at=now)
        session.add(person)
    elif person.password_hash or person.disabled_at:
        raise Refused(_("%(email)s has an account already.", email=address))
    person.name, person.role = name, role
    session.flush()
    return person


def find_invitation(token: str, *, now: datetime) -> StaffInvitation | None:
    """The invitation behind the link while it can still be used."""
    live = (
        StaffInvitation.digest == digest(token),
        StaffInvitation.used_at.is_(None),
        StaffInvitation.expires_at > now,
    )
    return session.scalar(select(StaffInvitation).where(*live))


def accept_invitation(invitation: StaffInvitation, password: str, *, now: datetime) -> None:
    """Choose a password; every link that was sent to this person ends, and so does every session."""
    hashed = passwords.kept(password, *_known_of(invitation.staff))
    if not _use_up(invitation.staff_id, now):
        raise Refused(_("This invitation was used already."))
    if invitation.staff.password_hash:
        tell(invitation.staff, "password_changed", now=now)
    invitation.staff.password_hash = hashed
    end_sessions(invitation.staff)
    note("password_changed", invitation.staff_id, now=now)


def change_password(person: Staff, password: str, *, here: StaffSession, now: datetime) -> None:
    """A new password; everybody who was signed in with the old one is out, but for this browser."""
    person.password_hash = passwords.kept(password, *_known_of(person))
    end_sessions(person, but=here)
    _use_up(person.id, now)
    note("password_changed", person.id, now=now)
    tell(person, "password_changed", now=now)


def _known_of(person: Staff) -> tuple[str, ...]:
    return current_app.config["SETTINGS"].shop_name, person.name, person.email


def _use_up(staff_id: int, now: datetime) -> bool:
    """End all invitations of this person; False when there was none left to end."""
    live = (StaffInvitation.staff_id == staff_id, StaffInvitation.used_at.is_(None))
    done: Any = session.execute(update(StaffInvitation).where(*live).values(used_at=now))
    return bool(done.rowcount)


def sign_in(email: str, password: str, *, address: str, now: datetime, browser: str = "") -> str | None:
    """The secret of a new session, or None. A wrong name takes as long as a wrong password; both count as tries.

    The session opens nothing but the second factor, where one is set up or the shop wants one.
    """
    name = email.strip().lower()[:320]
    person = session.scalar(select(Staff).where(Staff.email == name))
    allowed = limits.take("sign-in-name", name, TRIES, A_QUARTER, now)
    if not (limits.take("sign-in-address", address, TRIES_PER_ADDRESS, A_QUARTER, now) and allowed):
        note("locked", person.id if person else None, now=now, browser=browser)
        raise Refused(_("Too many tries. Please wait a quarter of an hour."))
    known = person.password_hash if person and not person.disabled_at else None
    if not passwords.matches(known or passwords.NOBODY, password) or person is None or known is None:
        note("password_wrong" if person else "name_unknown", person.id if person else None, now=now, browser=browser)
        return None
    if passwords.hasher.check_needs_rehash(known):
        person.password_hash = passwords.hasher.hash(password)
    enough = not (has_second_factor(person) or wants_second_factor())
    if enough:
        note("signed_in", person.id, now=now, browser=browser, detail="password")
    return open_session(person, browser=browser, proven=enough, now=now)


def wants_second_factor() -> bool:
    return bool(current_app.config["SETTINGS"].staff_second_factor == "required")


def has_second_factor(person: Staff) -> bool:
    return person.totp_secret is not None or passkeys.has_any(person)


def sign_in_with_passkey(challenge: str, credential: str, *, address: str, browser: str, now: datetime) -> str | None:
    """The secret of a new session that is proven at once, or None. Raises Refused after many tries."""
    if not limits.take("sign-in-address", address, TRIES_PER_ADDRESS, A_QUARTER, now):
        note("locked", None, now=now, browser=browser)
        raise Refused(_("Too many tries. Please wait a quarter of an hour."))
    person = passkeys.redeem("sign-in", None, challenge, credential, now=now)
    if person is None:
        note("passkey_wrong", None, now=now, browser=browser)
        return None
    note("signed_in", person.id, now=now, browser=browser, detail="passkey")
    return open_session(person, browser=browser, proven=True, now=now)


def show_second_factor(row: StaffSession, code: str, *, now: datetime) -> str | None:
    """After the password: the code opens the desk. The session's new secret, or None. Raises Refused after many."""
    how = _redeemed(row, code, now)
    if how is None:
        return None
    note("signed_in", row.staff_id, now=now, browser=row.browser, detail=f"password, {how}")
    return prove(row, now=now)


def confirm(row: StaffSession, password: str, code: str, *, now: datetime) -> str | None:
    """Once more who it is, before money and keys. The session's new secret, or None. Raises Refused after many."""
    person = row.staff
    right = passwords.matches(person.password_hash or passwords.NOBODY, password)
    how = _redeemed(row, code, now, counts=right) if has_second_factor(person) else _counted(row, now)
    if not right or how is None:
        return None
    note("confirmed", person.id, now=now, browser=row.browser)
    return prove(row, now=now)


def show_passkey(row: StaffSession, challenge: str, credential: str, *, now: datetime) -> str | None:
    """After the password: the passkey opens the desk. The session's new secret, or None. Raises Refused after many."""
    if not _is_shown(row, "second", challenge, credential, now):
        return None
    note("signed_in", row.staff_id, now=now, browser=row.browser, detail="password, passkey")
    return prove(row, now=now)


def confirm_with_passkey(row: StaffSession, challenge: str, credential: str, *, now: datetime) -> str | None:
    """Once more who it is, by the passkey alone. The session's new secret, or None. Raises Refused after many."""
    if not _is_shown(row, "confirm", challenge, credential, now):
        return None
    note("confirmed", row.staff_id, now=now, browser=row.browser, detail="passkey")
    return prove(row, now=now)


def _is_shown(row: StaffSession, purpose: str, challenge: str, credential: str, now: datetime) -> bool:
    _counted(row, now)
    if passkeys.redeem(purpose, row.staff, challenge, credential, now=now):
        return True
    note("passkey_wrong", row.staff_id, now=now, browser=row.browser)
    return False


def _redeemed(row: StaffSession, code: str, now: datetime, *, counts: bool = True) -> str | None:
    """How the code was right. A code beside a wrong password is not used up."""
    _counted(row, now)
    how = codes.redeem(row.staff, code, now=now) if counts else None
    if how == "recovery":
        note("code_spent", row.staff_id, now=now, browser=row.browser)
    if how is None:
        note("code_wrong", row.staff_id, now=now, browser=row.browser)
    return how


def _counted(row: StaffSession, now: datetime, what: str = "second-factor") -> str:
    """Tries count for the person, whichever form they are made in."""
    if not limits.take(what, str(row.staff_id), CODE_TRIES, A_QUARTER, now):
        note("locked", row.staff_id, now=now, browser=row.browser)
        raise Refused(_("Too many tries. Please wait a quarter of an hour."))
    return "counted"


def begin_with_app(row: StaffSession, secret: str, code: str, *, now: datetime) -> tuple[str, list[str]] | None:
    """The first second factor of all opens the desk. The session's new secret, and the recovery codes."""
    made = set_up_app(row, secret, code, now=now)
    if made is None:
        return None
    note("signed_in", row.staff_id, now=now, browser=row.browser, detail="password, app")
    return prove(row, now=now), made


def begin_with_passkey(
    row: StaffSession, challenge: str, credential: str, *, name: str, now: datetime
) -> tuple[str, list[str]] | None:
    """The first second factor of all, as a passkey. The session's new secret, and the recovery codes.

    Raises Refused after many tries.
    """
    if not add_passkey(row, challenge, credential, name=name, now=now):
        return None
    note("signed_in", row.staff_id, now=now, browser=row.browser, detail="password, passkey")
    return prove(row, now=now), make_recovery_codes(row.staff, now=now)


def add_passkey(row: StaffSession, challenge: str, credential: str, *, name: str, now: datetime) -> bool:
    """Keep the passkey that this browser's device made; False when it is not what was asked for.

    Raises Refused after many tries.
    """
    _counted(row, now, "new-passkey")
    if passkeys.add(row.staff, challenge, credential, name=name, now=now) is None:
        return False
    note("passkey_added", row.staff_id, now=now, browser=row.browser)
    tell(row.staff, "passkey_added", now=now)
    return True


def remove_passkey(person: Staff, passkey_id: int, *, now: datetime) -> bool:
    """False when there is no such one of theirs. Raises Refused for the only second factor where one is wanted."""
    if not passkeys.remove(person, passkey_id):
        return False
    _keep_one(person)
    note("passkey_removed", person.id, now=now)
    tell(person, "passkey_removed", now=now)
    return True


def _keep_one(person: Staff) -> None:
    if has_second_factor(person):
        return
    if wants_second_factor():
        raise Refused(_("This is your only second factor, and this shop wants one. Set up another one first."))
    codes.forget_recovery_codes(person)


def set_up_app(row: StaffSession, secret: str, code: str, *, now: datetime) -> list[str] | None:
    """The first code of a new app is right: it counts from now on. New recovery codes, or None when it is wrong."""
    _counted(row, now)
    if not codes.add_app(row.staff, secret, code, now=now):
        return None
    note("app_added", row.staff_id, now=now, browser=row.browser)
    tell(row.staff, "app_added", now=now)
    return make_recovery_codes(row.staff, now=now)


def make_recovery_codes(person: Staff, *, now: datetime) -> list[str]:
    note("codes_made", person.id, now=now)
    return codes.new_recovery_codes(person)


def remove_app(person: Staff, *, now: datetime) -> None:
    """No code is asked for any more. Raises Refused where the shop wants a second factor and this is the only one."""
    codes.remove_app(person)
    _keep_one(person)
    note("app_removed", person.id, now=now)
    tell(person, "app_removed", now=now)


def disable_staff(person: Staff, *, now: datetime) -> None:
    """The person is out with the next click; all sessions and invitations end."""
    person.disabled_at = now
    end_sessions(person)
    _use_up(person.id, now)


def forget_what_ended(*, now: datetime) -> None:
    """Sessions that ended by themselves, and challenges that nobody answered."""
    forget_sessions(now=now)
    passkeys.forget_challenges(now=now)
