"""Who works here: invited, given another role, shut out, let in again, helped when a key is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import func, select

from portal import mail
from portal.db import limits, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.mail.links import minted_for
from portal.staff import actions, codes, passkeys
from portal.staff.journal import note, tell
from portal.staff.models import Staff, StaffInvitation, StaffPasskey, StaffSession
from portal.staff.rules import Role
from portal.staff.sessions import end_sessions

RESET_LASTS = timedelta(hours=1)
RESETS_PER_DAY = 3


@dataclass(frozen=True, slots=True)
class Colleague:
    """One person as the list shows them."""

    person: Staff
    seen_at: datetime | None
    has_second_factor: bool

    @property
    def state(self) -> str:
        return state_of(self.person)


def state_of(person: Staff) -> str:
    return "disabled" if person.disabled_at else "active" if person.has_a_way_in else "invited"


def everybody() -> Sequence[Colleague]:
    """All people, those who are shut out last."""
    seen = select(func.max(StaffSession.seen_at)).where(StaffSession.staff_id == Staff.id).scalar_subquery()
    keyed = select(StaffPasskey.id).where(StaffPasskey.staff_id == Staff.id).exists()
    found = select(Staff, seen, keyed).order_by(Staff.disabled_at.is_not(None), func.lower(Staff.name), Staff.id)
    return [
        Colleague(person, at, keys or person.totp_secret is not None) for person, at, keys in session.execute(found)
    ]


def invite(email: str, name: str, role: Role, *, by: Staff, now: datetime) -> Staff:
    """Make the person and write to them. Raises Refused for one who is here already or was shut out."""
    person = actions.add_person(email, name, role, now=now)
    note("invited", person.id, now=now, by=by, detail=role)
    _write_invitation(person, by, now)
    return person


def send_link(person: Staff, *, by: Staff, now: datetime) -> None:
    """Write to them again: with the invitation, or a way to a new password. Raises Refused for who is shut out."""
    if person.disabled_at:
        raise Refused(_("%(name)s is shut out. Let them in first.", name=person.name))
    note("link_sent", person.id, now=now, by=by)
    if person.password_hash:
        _write_reset(person, now)
    else:
        _write_invitation(person, by, now)


def _write_invitation(person: Staff, by: Staff, now: datetime) -> None:
    mail.queue(
        "staff-invitation",
        to=person.email,
        locale=person.locale,
        now=now,
        not_after=now + actions.INVITATION_LASTS,
        staff_id=person.id,
        name=person.name,
        inviter=by.name,
        days=actions.INVITATION_LASTS.days,
    )


def _write_reset(person: Staff, now: datetime) -> None:
    mail.queue(
        "password-reset",
        to=person.email,
        locale=person.locale,
        now=now,
        not_after=now + RESET_LASTS,
        staff_id=person.id,
        name=person.name,
    )


def reset_asked(email: str, *, now: datetime) -> None:
    """Write to who forgot the password, if there is such a person. Nobody who asks learns it: this is the worker's."""
    person = session.scalar(select(Staff).where(Staff.email == email.strip().lower(), Staff.disabled_at.is_(None)))
    if person is None or person.password_hash is None:
        return
    if limits.take("reset", str(person.id), RESETS_PER_DAY, timedelta(days=1), now):
        note("reset_asked", person.id, now=now)
        _write_reset(person, now)


@minted_for("invitation")
def mint_invitation(staff_id: int, now: datetime) -> str:
    person = session.get_one(Staff, staff_id)
    return _mint(person, now + actions.INVITATION_LASTS, good=person.password_hash is None)


@minted_for("reset")
def mint_reset(staff_id: int, now: datetime) -> str:
    person = session.get_one(Staff, staff_id)
    return _mint(person, now + RESET_LASTS, good=person.password_hash is not None)


def _mint(person: Staff, until: datetime, *, good: bool) -> str:
    """A link's secret; one that opens nothing when the letter is no longer true."""
    token = mint()
    if good and person.disabled_at is None:
        session.add(StaffInvitation(digest=digest(token), staff_id=person.id, expires_at=until))
        session.flush()
    return token


def change_role(person: Staff, role: Role, *, by: Staff, now: datetime) -> None:
    """They may what the role says with their next click. Raises Refused for oneself and the last admin."""
    if person.role == role:
        return
    _not_oneself(person, by)
    _not_the_last_admin(person)
    note("role_changed", person.id, now=now, by=by, detail=f"{person.role} → {role}")
    person.role = role


def shut_out(person: Staff, *, by: Staff | None, now: datetime) -> None:
    """Out with the next click. Raises Refused for oneself and the last admin."""
    _not_oneself(person, by)
    _not_the_last_admin(person)
    actions.disable_staff(person, now=now)
    note("disabled", person.id, now=now, by=by)


def let_in(person: Staff, *, by: Staff, now: datetime) -> None:
    """Back with the password and the second factor from before."""
    person.disabled_at = None
    note("enabled", person.id, now=now, by=by)


def sign_out_everywhere(person: Staff, *, by: Staff, now: datetime) -> None:
    end_sessions(person)
    note("sessions_ended", person.id, now=now, by=by)


def reset_second_factor(person: Staff, *, by: Staff | None, now: datetime) -> None:
    """The phone is gone: the next sign-in sets up a new one. The person is told, and signed out everywhere."""
    _not_oneself(person, by)
    codes.remove_app(person)
    codes.forget_recovery_codes(person)
    passkeys.forget(person)
    end_sessions(person)
    note("second_factor_reset", person.id, now=now, by=by)
    tell(person, "second_factor_reset", now=now)


def _not_oneself(person: Staff, by: Staff | None) -> None:
    if by is not None and by.id == person.id:
        raise Refused(_("Nobody does this to themselves. Ask another admin."))


def _not_the_last_admin(person: Staff) -> None:
    """Two who demote each other wait for one another: the rows of all admins are locked."""
    admins = select(Staff.id).where(
        Staff.role == Role.admin,
        Staff.disabled_at.is_(None),
        Staff.password_hash.is_not(None) | Staff.sso_subject.is_not(None),
    )
    if set(session.scalars(admins.with_for_update())) == {person.id}:
        raise Refused(_("%(name)s is the only admin. Make somebody else one first.", name=person.name))
