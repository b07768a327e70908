"""The second factor that is typed: a code from an authenticator app, or a recovery code. Each works once."""

import base64
import hmac
import re
import secrets
from datetime import datetime
from typing import Any

import pyotp
import segno
from flask import current_app
from sqlalchemy import delete, func, or_, select, update

from portal.db import session
from portal.lib import vault
from portal.lib.tokens import ALPHABET, digest
from portal.staff.models import Staff, StaffRecoveryCode

PURPOSE = "totp"
STEP = 30  # seconds; RFC 6238
DRIFT = (-1, 0, 1)
"""Phones' clocks go wrong by some seconds: the step before and the one after count too."""
HOW_MANY, LENGTH = 10, 16  # recovery codes; characters of base32 in each: 80 bits


def new_secret(person: Staff) -> str:
    """A secret for this person's app, sealed: the form carries it until a code proves that the app has it."""
    return base64.urlsafe_b64encode(_seal(pyotp.random_base32(), person)).decode()


def opened(sealed: str, person: Staff) -> str | None:
    """What `new_secret` sealed for this person; None for anything else."""
    try:
        return _open(base64.urlsafe_b64decode(sealed), person)
    except (vault.Sealed, ValueError):
        return None


def add_app(person: Staff, secret: str, code: str, *, now: datetime) -> bool:
    """The app shows the right code: from now on it is asked for. False when the code is not right."""
    step = _step_of(secret, code, now)
    if step is None:
        return False
    person.totp_secret, person.totp_step = _seal(secret, person), step
    return True


def remove_app(person: Staff) -> None:
    person.totp_secret = person.totp_step = None


def picture(secret: str, person: Staff) -> str:
    """The secret as a QR code that authenticator apps read: an SVG drawing, made here."""
    name = current_app.config["SETTINGS"].shop_name
    address = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=name)
    drawn = segno.make(address, error="m", micro=False)
    return str(
        drawn.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None)
    )


def redeem(person: Staff, code: str, *, now: datetime) -> str | None:
    """Use up the code: "app" or "recovery", as it was one or the other; None when it is neither, or was used."""
    plain = re.sub(r"[\s-]", "", code).lower()
    if re.fullmatch(r"\d{6}", plain):
        return "app" if _use_app(person, plain, now) else None
    return "recovery" if _use_recovery(person, plain, now) else None


def _use_app(person: Staff, code: str, now: datetime) -> bool:
    secret = _secret_of(person)
    step = _step_of(secret, code, now) if secret else None
    if step is None:
        return False
    # one UPDATE decides, so that of two who send the same code one comes in
    later = or_(Staff.totp_step.is_(None), Staff.totp_step < step)
    used: Any = session.execute(update(Staff).where(Staff.id == person.id, later).values(totp_step=step))
    return bool(used.rowcount)


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is."""
    code, current = re.sub(r"\s", "", code), int(now.timestamp()) // STEP
    app = pyotp.TOTP(secret)
    fits = [step for step in (current + drift for drift in DRIFT) if _same(app.at(step * STEP), code)]
    return max(fits, default=None)


def _same(ours: str, typed: str) -> bool:
    return hmac.compare_digest(ours.encode(), typed.encode("utf-8", "surrogatepass"))


def _use_recovery(person: Staff, code: str, now: datetime) -> bool:
    unused = (StaffRecoveryCode.staff_id == person.id, StaffRecoveryCode.used_at.is_(None))
    mine = update(StaffRecoveryCode).where(StaffRecoveryCode.digest == digest(code), *unused)
    used: Any = session.execute(mine.values(used_at=now))
    return bool(used.rowcount)


def new_recovery_codes(person: Staff) -> list[str]:
    """Ten codes, to be shown this once; those before are no longer good."""
    forget_recovery_codes(person)
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(HOW_MANY)]
    session.add_all(StaffRecoveryCode(digest=digest(code), staff_id=person.id) for code in codes)
    return ["-".join(re.findall("....", code)) for code in codes]


def forget_recovery_codes(person: Staff) -> None:
    session.execute(delete(StaffRecoveryCode).where(StaffRecoveryCode.staff_id == person.id))


def recovery_codes_left(person: Staff) -> int:
    unused = (StaffRecoveryCode.staff_id == person.id, StaffRecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(StaffRecoveryCode).where(*unused)) or 0


def _secret_of(person: Staff) -> str | None:
    """None also when SECRET_KEY was changed: then a recovery code or an admin's reset helps."""
    try:
        return _open(person.totp_secret, person) if person.totp_secret else None
    except vault.Sealed:
        current_app.logger.error("a second factor was sealed under another SECRET_KEY: staff %s", person.id)
        return None


def seal_anew(key: str) -> tuple[int, int]:
    """Seal every app's secret under another SECRET_KEY: how many, and how many could not be opened and stay as is."""
    people = session.scalars(select(Staff).where(Staff.totp_secret.is_not(None)).with_for_update()).all()
    opened = [(person, secret) for person in people if (secret := _secret_of(person))]
    for person, secret in opened:
        person.totp_secret = _seal(secret, person, key)
    return len(opened), len(people) - len(opened)


def _seal(secret: str, person: Staff, key: str = "") -> bytes:
    return vault.seal(secret.encode(), key=key or _key(), purpose=PURPOSE, owner=f"staff:{person.id}")


def _open(sealed: bytes, person: Staff) -> str:
    return vault.unseal(sealed, key=_key(), purpose=PURPOSE, owner=f"staff:{person.id}").decode()


def _key() -> str:
    return str(current_app.config["SETTINGS"].secret_key)
