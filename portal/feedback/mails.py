"""Answers by mail: the signed address of a case, and what our letters carry so that mail programs keep a thread."""

import hmac
import re
from base64 import b32encode
from datetime import datetime, timedelta
from hashlib import sha256

from flask import current_app
from sqlalchemy import select

from portal.db import limits, session
from portal.feedback.case_models import Case
from portal.mail.models import Letter

SIGNATURE = 16  # characters of base32: 80 bits, in lower case because some mail servers make it so
PROBE = "check"
"""In a case's place: `portal check` asks whether the door knows this address. It never takes a mail."""
OPEN_FOR = timedelta(days=180)
MAILS_PER_HOUR = 40
REFERENCES = 10


def address_of(what: int | str) -> str | None:
    """Where answers about this case go; None when the shop set no REPLY_ADDRESS."""
    settings = current_app.config["SETTINGS"]
    if not settings.reply_address:
        return None
    local, _, domain = settings.reply_address.partition("@")
    return f"{local}+{what}.{_signature(str(what))}@{domain}"


def _signature(what: str) -> str:
    key = str(current_app.config["SETTINGS"].secret_key).encode()
    made = hmac.new(key, f"case-reply:{what}".encode(), sha256).digest()
    return b32encode(made).decode().lower()[:SIGNATURE]


def named_in(address: str) -> str:
    """The case's id (or the probe) in an address of ours; empty for any other, and for one that is signed wrongly."""
    settings = current_app.config["SETTINGS"]
    local, _, domain = (settings.reply_address or "").partition("@")
    found = re.fullmatch(rf"{re.escape(local)}\+(\d{{1,15}}|{PROBE})\.([a-z2-7]{{{SIGNATURE}}})", address_part(address))
    if not domain or address.lower().rpartition("@")[2] != domain or not found:
        return ""
    return found[1] if hmac.compare_digest(found[2], _signature(found[1])) else ""


def address_part(address: str) -> str:
    return address.lower().rpartition("@")[0]


def may_come(address: str, *, now: datetime) -> str:
    """Whether a mail to this address is taken: `yes`, `nobody`, `over` for what ended long ago, `later` in a flood."""
    case_id = named_in(address)
    if case_id == PROBE:
        return "yes"
    case = session.get(Case, int(case_id)) if case_id else None
    if case is None:
        return "nobody"
    ended = case.solved_at or case.closed_at
    if case.order.customer.email is None or (ended and now - ended > OPEN_FOR):
        return "over"
    return "yes" if limits.take("case-mails", case_id, MAILS_PER_HOUR, timedelta(hours=1), now) else "later"


def headers_of(case: Case) -> dict[str, str]:
    """Answers go to the case, and each letter names what came before it (RFC 5322), under one root per case."""
    address = address_of(case.id)
    if address is None:
        return {}
    before = [*_letters(case), *(message.mail_id for message in case.said if message.mail_id)][-REFERENCES:]
    root = f"<case-{case.id}.{_signature(f'root {case.id}')}@aftersale>"
    return {"Reply-To": address, "References": " ".join([root, *before]), "In-Reply-To": before[-1] if before else root}


def _letters(case: Case) -> list[str]:
    sent = select(Letter.message_id).where(Letter.order_id == case.order_id, Letter.about == f"case:{case.id}")
    return list(session.scalars(sent.order_by(Letter.id)))
