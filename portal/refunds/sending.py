"""Carry an approved refund to Stripe: claim it, and write down how a try ended that brought no refund to look at."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, insert, select, update

from portal.db import move, session
from portal.lib import clock
from portal.orders.payments import release
from portal.orders.timeline import record, words
from portal.refunds.models import TO_SEND, Refund, RefundAttempt
from portal.refunds.words import why

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=150)
"""How long a claim holds: a try makes up to four calls of 23 seconds at worst."""
KEYS_LAST = timedelta(hours=23)
"""How long a refund may be sent again under its key: Stripe may forget keys after 24 hours."""
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=4), timedelta(hours=1)

words("refund.refused_by_stripe", staff=_l("Stripe refused to give back %(amount)s: %(why)s"))
words("refund.needs_review", staff=_l("The refund of %(amount)s needs a person: %(why)s"))


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed refund as the worker carries it out of the transaction. `sent`: an earlier try may have paid."""

    refund_id: int
    attempt: int
    claimed_at: datetime
    payment_intent: str
    currency: str
    uuid: str
    key: str
    params: dict[str, Any]
    sent: bool
    key_lives: bool


def begin_sending(refund_id: int) -> Due | None:
    """Claim the refund under a lease; None when it is settled, or another worker's for now.

    Leases and the age of a key are counted on the database's clock: hosts need not agree on the time.
    """
    refund = session.get_one(Refund, refund_id, with_for_update=True)
    now = database_now()
    if refund.way != "card" or refund.state not in TO_SEND or (refund.lease_until or now) > now:
        return None
    before, until = refund.state, now + LEASE
    move(refund, "state", "claim", lease_until=until, next_look_at=until, attempts=refund.attempts + 1)
    note(refund, before, source="claim")
    return Due(
        refund_id=refund.id,
        attempt=refund.attempts,
        claimed_at=now,
        payment_intent=str(refund.payment.payment_intent),
        currency=refund.currency,
        uuid=refund.uuid,
        key=refund.idem_key,
        params=dict(refund.params or {}),
        sent=refund.first_sent_at is not None,
        key_lives=now - (refund.first_sent_at or now) < KEYS_LAST,
    )


def database_now() -> datetime:
    return session.scalars(select(func.clock_timestamp())).one() + clock.ahead()


def about_to_send(due: Due) -> bool:
    """The last word before the call: from now on the money may have moved. False when the claim was lost."""
    refund = _still_ours(due)
    if refund is None:
        return False
    refund.first_sent_at = refund.first_sent_at or database_now()
    return True


def _still_ours(due: Due) -> Refund | None:
    """The refund, locked, while nobody else has claimed it or knows better."""
    refund = session.get_one(Refund, due.refund_id, with_for_update=True, populate_existing=True)
    return refund if refund.state == "sending" and refund.attempts == due.attempt else None


def try_later(due: Due, reason: str, *, executed: bool, request_id: str = "") -> datetime | None:
    """The try brought no answer; when to try again, None when the refund is no longer ours.

    What surely was never executed is approved as before. Else it is unknown and keeps its money until Stripe answers.
    """
    refund = _still_ours(due)
    if refund is None:
        return None
    never = not due.sent and (not executed or refund.first_sent_at is None)
    again = database_now() + min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(due.attempt - 1, 12))
    also = {"first_sent_at": None} if never else {}
    move(refund, "state", "postpone" if never else "lose", lease_until=None, next_look_at=again, **also)
    note(refund, "sending", source="call", detail=reason, request_id=request_id)
    return again


def reject(due: Due, code: str, reason: str, *, now: datetime, request_id: str = "") -> None:
    """Stripe refused, and a look-up found nothing: definite. The money is free again, a person decides anew."""
    refund = _still_ours(due)
    if refund is None:
        return
    settled = {"lease_until": None, "next_look_at": None, "failure_reason": (code or reason)[:500], "settled_at": now}
    move(refund, "state", "reject", **settled)
    release(refund.payment, refund.amount)
    note(refund, "sending", source="call", detail=reason, request_id=request_id)
    _tell("refund.refused_by_stripe", refund, "stripe", now)


def give_to_a_person(due: Due, code: str, reason: str, *, now: datetime, request_id: str = "") -> None:
    """Neither a yes nor a no can be had from Stripe."""
    refund = _still_ours(due)
    if refund is not None:
        review(refund, code, reason, now=now, request_id=request_id)


def review(refund: Refund, code: str, reason: str, *, now: datetime, request_id: str = "", **also: Any) -> None:
    """Something does not fit: the money stays taken, nothing is sent, a person must look."""
    before = refund.state
    log.error("refund %s needs a person: %s", refund.id, reason)
    anew = {"lease_until": None, "next_look_at": None, "handled_by_id": None, "handled_at": None, "handled_note": ""}
    move(refund, "state", "review", failure_reason=code, **anew, **also)
    note(refund, before, source="review", detail=reason, request_id=request_id)
    _tell("refund.needs_review", refund, "system", now)


def _tell(kind: str, refund: Refund, by: str, now: datetime) -> None:
    record(refund.order_id, kind, by=by, now=now, amount=refund.money, why=str(why(refund.failure_reason)))


def look_first(since: datetime) -> int:
    """In a database that came back from a copy made at `since`: each refund that is not settled may have been sent by
    now, so Stripe is asked before any is sent. How many there were.
    """
    unsent = (Refund.state.in_(("requested", *TO_SEND)), Refund.first_sent_at.is_(None))
    done: Any = session.execute(update(Refund).where(*unsent).values(first_sent_at=since))
    return int(done.rowcount)


def note(refund: Refund, before: str, *, source: str, detail: str = "", request_id: str = "") -> None:
    """One line of what was asked of Stripe and what came back."""
    values = {
        "refund_id": refund.id, "at": database_now(), "source": source, "from_state": before, "to_state": refund.state,
        "request_id": request_id or None, "detail": detail[:1000],
    }  # fmt: skip
    session.execute(insert(RefundAttempt).values(values))
