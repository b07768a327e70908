"""Count an order again when something about it changed; prove that what is counted is what is so, and mend it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import delete, select, text

from portal.db import session
from portal.feedback.counting import ADD_CELLS, ADD_WORDS, COUNT, STALE, WRONG_CELLS, WRONG_WORDS
from portal.feedback.models import Answer
from portal.feedback.tallies import WordTally
from portal.orders.models import Order

BATCH = 200
LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('counted', key))"
    " FROM (SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key ORDER BY key) AS each"
)
"""Whoever counts an order is alone; a statement of its own, so that the next one sees what the one before left."""


def nameless(answer_id: int) -> int:
    """The key under which an answer is counted that was cut off from its order."""
    return -answer_id


def count_again(keys: Sequence[int]) -> None:
    """Bring what is counted of these orders (and nameless answers) up to date; at most some hundreds at once.

    In the caller's transaction: so nobody ever reads an answer that is not counted.
    """
    session.flush()
    session.execute(LOCK, {"keys": list(keys)})
    session.execute(text(COUNT), _given(keys))


def _given(keys: Sequence[int]) -> dict[str, Any]:
    return {"keys": list(keys), "zone": current_app.config["SETTINGS"].shop_timezone}


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that was counted wrongly, and by how much it was too low."""

    what: str
    n: int
    good: int
    bad: int


def stale(keys: Sequence[int]) -> list[int]:
    """Those of these orders and nameless answers that are counted as something else than they are."""
    session.flush()
    return list(session.scalars(text(STALE), _given(keys)))


def batches(since: datetime | None = None) -> Iterator[Sequence[int]]:
    """The keys of all orders and nameless answers, or of those that came since then, some hundreds at a time."""
    orders, answers = select(Order.id).order_by(Order.id), select(Answer.id).where(Answer.invitation_id.is_(None))
    if since is not None:
        orders, answers = orders.where(Order.created_at > since), answers.where(Answer.answered_at > since)
    keys = [*session.scalars(orders), *map(nameless, session.scalars(answers.order_by(Answer.id)))]
    return (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))


def wrong_sums() -> list[Wrong]:
    """Tallies that are not the sum of the orders that are counted."""
    cells = [Wrong(_cell(row), row.n, row.good, row.bad) for row in session.execute(text(WRONG_CELLS))]
    return cells + [Wrong(_word(row), row.n, row.good, row.bad) for row in session.execute(text(WRONG_WORDS))]


def _cell(row: Any) -> str:
    within = f" within {row.within} {row.within_value}" if row.within else ""
    return f"{row.measure}, {row.grain} {row.day}, {row.dimension} {row.value}{within}"


def _word(row: Any) -> str:
    return f"word {row.stem}, {row.language}, week {row.day}" + (f", {row.about}" if row.about else "")


def mend_sums() -> None:
    """Add what is missing, so that whoever counts meanwhile is not overwritten; and let empty words go."""
    session.execute(text(ADD_CELLS.replace("{cells}", WRONG_CELLS)))
    session.execute(text(ADD_WORDS.replace("{words}", WRONG_WORDS)))
    forget_words()


def forget_words_of(keys: Sequence[int]) -> None:
    """The words of these answers are gone: they are no longer counted either."""
    for at in range(0, len(keys), BATCH):
        count_again(keys[at : at + BATCH])
    forget_words()


def forget_words() -> None:
    """Words that no answer holds any more."""
    session.execute(delete(WordTally).where(WordTally.n == 0))
