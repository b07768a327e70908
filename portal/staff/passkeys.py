"""Passkeys: kept by the person's device, bound to our address, so that nobody can be talked out of them.

A challenge is a row that one browser holds the other half of; it is used up by the first answer, right or wrong.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import webauthn
from flask import current_app
from sqlalchemy import delete, select
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.db import session
from portal.lib.tokens import digest, mint
from portal.staff.models import Staff, StaffChallenge, StaffPasskey

LIVES = timedelta(minutes=5)
MALFORMED = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError)
"""What the library meets strange bytes with."""


@dataclass(frozen=True, slots=True)
class Question:
    """A challenge: the secret that the browser keeps beside it, and what its script is told."""

    token: str
    options: dict[str, Any]


def passkeys_of(person: Staff) -> Sequence[StaffPasskey]:
    return session.scalars(
        select(StaffPasskey).where(StaffPasskey.staff_id == person.id).order_by(StaffPasskey.id)
    ).all()


def has_any(person: Staff) -> bool:
    return session.scalar(select(StaffPasskey.id).where(StaffPasskey.staff_id == person.id).limit(1)) is not None


def ask_for_new(person: Staff, *, now: datetime) -> Question:
    """A passkey of this person is to be made, on a device that checks who holds it."""
    rules = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
    )
    options = webauthn.generate_registration_options(
        rp_id=_site(),
        rp_name=current_app.config["SETTINGS"].shop_name,
        user_id=f"staff:{person.id}".encode(),
        user_name=person.email,
        user_display_name=person.name,
        authenticator_selection=rules,
        exclude_credentials=_known(person),
    )
    return _question("new", person, options, now)


def ask_for_one(purpose: str, person: Staff | None, *, now: datetime) -> Question:
    """A passkey is to be shown: anybody's at the sign-in, this person's elsewhere."""
    options = webauthn.generate_authentication_options(
        rp_id=_site(),
        allow_credentials=_known(person) if person else None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _question(purpose, person, options, now)


def _known(person: Staff) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=row.credential_id) for row in passkeys_of(person)]


def _question(purpose: str, person: Staff | None, options: Any, now: datetime) -> Question:
    token, owner = mint(), person.id if person else None
    row = StaffChallenge(digest=digest(token), purpose=purpose, staff_id=owner, expires_at=now + LIVES)
    row.challenge = options.challenge
    session.add(row)
    return Question(token, json.loads(webauthn.options_to_json(options)))


def add(person: Staff, token: str, credential: str, *, name: str, now: datetime) -> StaffPasskey | None:
    """Keep the passkey that the device made; None when the answer is not right."""
    challenge = _used_up("new", person, token, now)
    if challenge is None:
        return None
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_site(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    except MALFORMED:
        return None
    if session.scalar(select(StaffPasskey.id).where(StaffPasskey.credential_id == made.credential_id)):
        return None
    row = StaffPasskey(staff_id=person.id, credential_id=made.credential_id, name=name[:100], created_at=now)
    row.public_key, row.sign_count = made.credential_public_key, made.sign_count
    session.add(row)
    session.flush()
    return row


def redeem(purpose: str, person: Staff | None, token: str, credential: str, *, now: datetime) -> Staff | None:
    """Whose passkey this is, if it answers the challenge that this browser was given for this purpose."""
    challenge = _used_up(purpose, person, token, now)
    row = _named_in(credential) if challenge else None
    if challenge is None or row is None or (person is not None and row.staff_id != person.id):
        return None
    try:
        shown = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=_site(),
            expected_origin=_origin(),
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except MALFORMED:
        return None
    row.sign_count, row.used_at = shown.new_sign_count, now
    return row.staff if row.staff.disabled_at is None else None


def _used_up(purpose: str, person: Staff | None, token: str, now: datetime) -> bytes | None:
    """The challenge, gone from the table: of two answers one finds it."""
    mine = (
        StaffChallenge.digest == digest(token),
        StaffChallenge.purpose == purpose,
        StaffChallenge.staff_id.is_not_distinct_from(person.id if person else None),
        StaffChallenge.expires_at > now,
    )
    return session.scalar(delete(StaffChallenge).where(*mine).returning(StaffChallenge.challenge))


def _named_in(credential: str) -> StaffPasskey | None:
    """The passkey that the answer names, its row locked: its count is compared and raised."""
    try:
        named = base64url_to_bytes(json.loads(credential)["rawId"])
    except (*MALFORMED, RecursionError):
        return None
    found = select(StaffPasskey).where(StaffPasskey.credential_id == named)
    return session.scalar(found.with_for_update(of=StaffPasskey))


def remove(person: Staff, passkey_id: int) -> bool:
    """False when there is no such passkey of theirs."""
    mine = (StaffPasskey.id == passkey_id, StaffPasskey.staff_id == person.id)
    return session.scalar(delete(StaffPasskey).where(*mine).returning(StaffPasskey.id)) is not None


def forget(person: Staff) -> None:
    session.execute(delete(StaffPasskey).where(StaffPasskey.staff_id == person.id))


def forget_challenges(*, now: datetime) -> None:
    """Remove challenges that nobody answered."""
    session.execute(delete(StaffChallenge).where(StaffChallenge.expires_at < now))


def _site() -> str:
    return str(urlsplit(current_app.config["SETTINGS"].base_url).hostname)


def _origin() -> str:
    parts = urlsplit(current_app.config["SETTINGS"].base_url)
    return f"{parts.scheme}://{parts.netloc}"
