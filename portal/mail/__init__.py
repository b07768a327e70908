"""Letters. `mail.queue(...)` is what the features' actions call."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import uuid4

from flask import current_app
from sqlalchemy.dialects.postgresql import insert

from portal.config import spoken
from portal.db import move, session
from portal.jobs import defer
from portal.mail.jobs import send_letter
from portal.mail.models import Letter
from portal.mail.rendering import one_click, render


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
    unsubscribe: int | None = None,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> int | None:
    """Owe a letter: rendered now, in this transaction, sent by the worker. Its id.

    None, and nothing is owed, when there is no address to write to or a letter with the same `once` exists.
    `about` says what caused it ("return:17"); what is left of `context` goes to the templates.
    With `unsubscribe`, the subject of that link, mail programs offer to unsubscribe; `headers` go out as they are.
    """
    if not to:
        return None
    language, mark = spoken(locale, current_app.config["SETTINGS"].shop_language), uuid4().hex
    rendered = render(kind, language, context, mark)
    values = {
        "kind": kind,
        "order_id": order_id,
        "about": about,
        "once": once,
        "to_address": to,
        "locale": language,
        "headers": {**(headers or {}), **({} if unsubscribe is None else one_click(mark, unsubscribe))},
        "message_id": f"<{mark}@aftersale>",
        "state": "queued",
        "attempts": 0,
        "created_at": now,
        "not_after": not_after,
        **asdict(rendered),
    }
    statement = insert(Letter).values(values).on_conflict_do_nothing(index_elements=["once"]).returning(Letter.id)
    letter_id = session.execute(statement).scalar_one_or_none()
    if letter_id is not None:
        defer(send_letter, letter_id=letter_id)
    return letter_id


def send_again(letter: Letter) -> None:
    """A person wants a letter that failed to be tried again."""
    move(letter, "state", "revive", attempts=0, error=None)
    defer(send_letter, letter_id=letter.id)


def send_copy(letter: Letter, *, now: datetime) -> int:
    """The same letter once more, as a letter of its own: its links are minted anew when it leaves."""
    mark = uuid4().hex
    copy = Letter(
        kind=letter.kind,
        order_id=letter.order_id,
        about=letter.about,
        to_address=letter.to_address,
        locale=letter.locale,
        subject=letter.subject,
        html=letter.html.replace(letter.mark, mark),
        text=letter.text.replace(letter.mark, mark),
        headers={name: value.replace(letter.mark, mark) for name, value in letter.headers.items()},
        message_id=f"<{mark}@aftersale>",
        created_at=now,
    )
    session.add(copy)
    session.flush()
    defer(send_letter, letter_id=copy.id)
    return copy.id
