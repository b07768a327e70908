"""Begin to send a letter, and record what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Select, bindparam, or_, select, update

from portal.db import move, moving, session
from portal.db.prepared import Prepared
from portal.mail import links
from portal.mail.models import WAITING, Letter, mark_of
from portal.mail.personal import WIPED
from portal.mail.rendering import Mint, with_links

MOST_ATTEMPTS = 8
FORGOTTEN_AFTER = timedelta(hours=1)


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
    row = CLAIM.run(letter=letter_id, now=now).fetchone()
    if row is None:
        _drop_when_late(letter_id, now)
        return None
    order_id, to, subject, html, text, message_id, headers = row
    mark, mint = mark_of(message_id), _minter(letter_id, order_id, now)
    return Outgoing(
        to=to,
        subject=subject,
        html=with_links(html, mark, mint),
        text=with_links(text, mark, mint),
        message_id=message_id,
        headers={name: with_links(value, mark, mint) for name, value in headers.items()},
    )


CLAIM = Prepared(
    moving(Letter, "state", "begin")
    .where(Letter.id == bindparam("letter"), or_(Letter.not_after.is_(None), Letter.not_after >= bindparam("now")))
    .values(attempts=Letter.attempts + 1)
    .returning(
        Letter.order_id, Letter.to_address, Letter.subject, Letter.html, Letter.text, Letter.message_id, Letter.headers
    ),
    "letter",
    "now",
)


def _drop_when_late(letter_id: int, now: datetime) -> None:
    letter = session.get_one(Letter, letter_id, with_for_update=True)
    if letter.state in WAITING and letter.not_after and now > letter.not_after:
        move(letter, "state", "suppress", error="too late to be of use")


def _minter(letter_id: int, order_id: int | None, now: datetime) -> Mint:
    """Mints each link of the letter once, though it stands in several places."""

    @cache
    def mint(purpose: str, subject: int | None) -> str:
        if purpose in links.FOR_SUBJECT and subject is not None:
            return links.FOR_SUBJECT[purpose](subject, now)
        if order_id is None:
            raise ValueError(f"letter {letter_id} has links but no order")
        return links.mint(order_id, purpose, subject, now)

    return mint


def record_sent(letter_id: int, *, now: datetime) -> None:
    """It left; a worker that was taken for dead may say so a second time. A transaction of its own."""
    SENT.row(letter=letter_id, now=now)


SENT = Prepared(
    moving(Letter, "state", "record")
    .where(Letter.id == bindparam("letter"))
    .values(sent_at=bindparam("now"), error=None)
    .returning(Letter.id),
    "letter",
    "now",
)


def record_failure(letter_id: int, error: str, *, for_good: bool) -> bool:
    """It did not leave. Whether to try again: after the last try, or when it failed `for_good`, a person must look."""
    letter = session.get_one(Letter, letter_id, with_for_update=True)
    if letter.state != "sending":
        return False
    again = not for_good and letter.attempts < MOST_ATTEMPTS
    move(letter, "state", "fail" if again else "give_up", error=error[:500])
    return again


def come_back(letter: Letter, why: str) -> bool:
    """A mail server brought it back: a person must look. Whether it was news."""
    session.refresh(letter, with_for_update=True)
    if letter.state != "sent":
        return False
    move(letter, "state", "come_back", error=why[:500])
    return True


def give_up_forgotten(owed: Select[tuple[int]], *, now: datetime) -> None:
    """Give up letters that wait though they are not among those `owed` by a job, so that a person looks."""
    forgotten = (Letter.state.in_(WAITING), Letter.created_at < now - FORGOTTEN_AFTER, Letter.id.not_in(owed))
    for letter in session.scalars(select(Letter).where(*forgotten)).all():
        move(letter, "state", "give_up", error="no job was left to send it")


def hold_back(why: str) -> int:
    """Give up every letter that waits, so that a person decides which of them to send; how many there were."""
    waiting = session.scalars(select(Letter).where(Letter.state.in_(WAITING)).with_for_update()).all()
    for letter in waiting:
        move(letter, "state", "give_up", error=why)
    return len(waiting)


def drop_waiting(order_ids: Sequence[int]) -> None:
    """What is still to be written to these orders' customers is not written any more."""
    waiting = select(Letter).where(Letter.order_id.in_(order_ids), Letter.state.in_(WAITING)).with_for_update()
    for letter in session.scalars(waiting).all():
        move(letter, "state", "suppress", error=None)


def wipe_sent(kind: str) -> None:
    """Forget what letters of this kind said, and to whom, once they have left."""
    session.execute(update(Letter).where(Letter.kind == kind, Letter.state == "sent").values(WIPED))
