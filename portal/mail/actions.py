"""Begin to send a letter, and record what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portal.db import move, session
from portal.mail import links
from portal.mail.models import WAITING, Letter
from portal.mail.rendering import with_links

MOST_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter as it leaves, links minted. Never stored."""

    to: str
    subject: str
    html: str
    text: str
    message_id: str
    headers: dict[str, str]


def begin_sending(letter_id: int, *, now: datetime) -> Outgoing | None:
    """Claim the letter and mint its links; None when it was sent before or is no longer worth sending."""
    letter = session.get_one(Letter, letter_id, with_for_update=True)
    if letter.state not in WAITING:
        return None
    if letter.not_after and now > letter.not_after:
        move(letter, "state", "suppress", error="too late to be of use")
        return None
    move(letter, "state", "begin", attempts=letter.attempts + 1)
    mint = _minter(letter, now)
    return Outgoing(
        to=letter.to_address,
        subject=letter.subject,
        html=with_links(letter.html, mint),
        text=with_links(letter.text, mint),
        message_id=letter.message_id,
        headers={name: with_links(value, mint) for name, value in letter.headers.items()},
    )


def _minter(letter: Letter, now: datetime) -> Callable[[str, int | None], str]:
    minted: dict[tuple[str, int | None], str] = {}

    def mint(purpose: str, subject: int | None) -> str:
        if letter.order_id is None:
            raise ValueError(f"letter {letter.id} has links but no order")
        if (purpose, subject) not in minted:
            minted[purpose, subject] = links.mint(letter.order_id, purpose, subject, now)
        return minted[purpose, subject]

    return mint


def record_sent(letter_id: int, *, now: datetime) -> None:
    move(session.get_one(Letter, letter_id), "state", "record", sent_at=now, error=None)


def record_failure(letter_id: int, error: str, *, for_good: bool) -> None:
    """It did not leave: to be tried again, or, `for_good` or after the last try, a person must look."""
    letter = session.get_one(Letter, letter_id)
    verb = "give_up" if for_good or letter.attempts >= MOST_ATTEMPTS else "fail"
    move(letter, "state", verb, error=error[:500])
