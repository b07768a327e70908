"""Single sign-on: the shop's own provider says who it is, and only who was invited here is let in.

What the provider is asked is a row that one browser holds the other half of (the state), used up by the first answer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import delete, select

from portal.adapters.sign_on import Identity, Provider
from portal.config import Settings
from portal.db import limits, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.staff.actions import A_QUARTER, TRIES_PER_ADDRESS, has_second_factor, wants_second_factor
from portal.staff.journal import note, tell
from portal.staff.models import Staff, StaffChallenge
from portal.staff.sessions import open_session

LIVES, PURPOSE = timedelta(minutes=10), "sign-on"
BOTH = frozenset({"mfa"})
"""Methods (RFC 8176) that stand for two factors; classes that do are named by the shop."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the provider: our half of each secret."""

    state: str
    nonce: str
    verifier: str


def provider(settings: Settings) -> Provider | None:
    """None where the shop has no sign-in of its own."""
    if not settings.oidc_issuer:
        return None
    return Provider(settings.oidc_issuer, settings.oidc_client_id or "", settings.oidc_client_secret or "")


def ask(*, address: str, now: datetime) -> Asked:
    """A new question. Raises Refused after many from one address."""
    if not limits.take("sign-on-address", address, TRIES_PER_ADDRESS, A_QUARTER, now):
        note("locked", None, now=now)
        raise Refused(_("Too many tries. Please wait a quarter of an hour."))
    asked = Asked(mint(), mint(), mint() + mint())
    row = StaffChallenge(digest=digest(asked.state), purpose=PURPOSE, staff_id=None, expires_at=now + LIVES)
    row.challenge = f"{asked.nonce} {asked.verifier}".encode()
    session.add(row)
    return asked


def answered(state: str, held: str, *, now: datetime) -> Asked | None:
    """The question to which this is the answer, gone from the table; only in the browser that asked it."""
    if not state or state != held:
        return None
    live = (
        StaffChallenge.digest == digest(state), StaffChallenge.purpose == PURPOSE, StaffChallenge.expires_at > now,
    )  # fmt: skip
    kept = session.scalar(delete(StaffChallenge).where(*live).returning(StaffChallenge.challenge))
    return Asked(state, *kept.decode().split()) if kept else None


def let_in(who: Identity, *, browser: str, now: datetime) -> str | None:
    """The secret of a new session for the person whom the provider vouches for; None for who was not invited here."""
    person = _known(who) or _bound(who, now)
    if person is None or person.disabled_at:
        note("sign_on_refused", person.id if person else None, now=now, browser=browser)
        return None
    enough = _is_enough(person, who)
    if enough:
        note("signed_in", person.id, now=now, browser=browser, detail="single sign-on")
    return open_session(person, browser=browser, proven=enough, now=now, proven_at=who.shown_at)


def _known(who: Identity) -> Staff | None:
    """Whom this subject was bound to; another address at the provider changes nothing."""
    issuer = _settings().oidc_issuer
    return session.scalar(select(Staff).where(Staff.sso_issuer == issuer, Staff.sso_subject == who.subject))


def _bound(who: Identity, now: datetime) -> Staff | None:
    """The first time: by an address that the provider has verified, to somebody here whom nothing is bound to yet."""
    mine = (Staff.email == who.email, Staff.disabled_at.is_(None), Staff.sso_subject.is_(None))
    person = session.scalar(select(Staff).where(*mine).with_for_update(of=Staff)) if who.email else None
    if person is not None:
        person.sso_issuer, person.sso_subject = _settings().oidc_issuer, who.subject
        note("sign_on_bound", person.id, now=now)
        tell(person, "sign_on_bound", now=now)
    return person


def _is_enough(person: Staff, who: Identity) -> bool:
    """Whether ours may be left out: where the shop says so, and the provider says that two factors were shown."""
    settings = _settings()
    if settings.oidc_second_factor == "theirs" and who.ways & (BOTH | set(settings.oidc_acr)):
        return True
    return not (has_second_factor(person) or wants_second_factor())


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
