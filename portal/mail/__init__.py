"""Letters. `mail.queue(...)` is what the features' actions call."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.dialects.postgresql import insert

from portal.config import LANGUAGES
from portal.db import move, session
from portal.jobs import defer
from portal.mail.jobs import send_letter
from portal.mail.models import Letter
from portal.mail.rendering import render


def queue(
    kind: str,
    *,
    to: str | None,
    locale: str,
    now: datetime,
    order_id: int | None = None,
    about: str | None = None,
    once: str | None = None,
    not_after: datetime | None = None,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> int | None:
    """Owe a letter: rendered now, in this transaction, sent by the worker. Its id.

    None, and nothing is owed, when there is no address to write to or a letter with the same `once` exists.
    `about` says what caused it ("return:17"); what is left of `context` goes to the templates.
    """
    if not to:
        return None
    language = locale if locale in LANGUAGES else "en"
    rendered = render(kind, language, context)
    values = {
        "kind": kind, "order_id": order_id, "about": about, "once": once, "to_address": to, "locale": language,
        "subject": rendered.subject, "html": rendered.html, "text": rendered.text, "headers": headers or {},
        "message_id": f"<{uuid4().hex}@aftersale>", "state": "queued", "attempts": 0,
        "created_at": now, "not_after": not_after,
    }  # fmt: skip
    statement = insert(Letter).values(values).on_conflict_do_nothing(index_elements=["once"]).returning(Letter.id)
    letter_id = session.execute(statement).scalar_one_or_none()
    if letter_id is not None:
        defer(send_letter, letter_id=letter_id)
    return letter_id


def send_again(letter: Letter) -> None:
    """A person wants a letter that failed to be tried again."""
    move(letter, "state", "revive", attempts=0, error=None)
    defer(send_letter, letter_id=letter.id)
