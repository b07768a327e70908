"""Carry an approved refund to Stripe: claim it, and write down how the call ended when Stripe gave no refund to look at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import DateTime, func, insert, select

from portal.db import move, session
from portal.orders.payments import release
from portal.orders.timeline import record, words
from portal.refunds.models import Refund, RefundAttempt
from portal.refunds.rules import KEYS_LAST

LEASE = timedelta(seconds=150)
"""How long a claim holds: two retries at 3 + 20 seconds each take about 71 at worst (facts: what the SDK does)."""
LONGEST_WAIT = timedelta(hours=1)

words("refund.refused_by_stripe", staff=_l("Stripe refused to give back %(amount)s: %(why)s"))
words("refund.needs_review", staff=_l("The refund of %(amount)s needs a person: %(why)s"))


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed refund as the worker carries it out of the transaction."""

    refund_id: int
    payment_intent: str
    uuid: str
    key: str
    params: dict[str, Any]
    first: bool
    may_send: bool


def begin_sending(refund_id: int) -> Due | None:
    """Claim the refund under a lease; None when it is settled, claimed by a living worker or not due.

    Leases and the 23 hours of a key are counted on the database's clock, so that hosts need not agree on the time.
    """
    refund = session.get_one(Refund, refund_id, with_for_update=True)
    now = database_now()
    if refund.state not in ("approved", "unknown", "sending") or (refund.lease_until or now) > now:
        return None
    before, first_sent_at = refund.state, refund.first_sent_at or now
    move(
        refund, "state", "claim",
        lease_until=now + LEASE, attempts=refund.attempts + 1, first_sent_at=first_sent_at,
    )  # fmt: skip
    log(refund, before, source="claim")
    return Due(
        refund_id=refund.id,
        payment_intent=str(refund.payment.payment_intent),
        uuid=refund.uuid,
        key=refund.idem_key,
        params=dict(refund.params or {}),
        first=refund.attempts == 1,
        may_send=now - first_sent_at < KEYS_LAST,
    )


def database_now() -> datetime:
    return session.execute(select(func.clock_timestamp(type_=DateTime(timezone=True)))).scalar_one()


def postpone(refund_id: int, why: str) -> datetime:
    """Stripe did not execute it (too fast, key refused): back to approved. When to try again."""
    return _wait(refund_id, "postpone", why, at_least=timedelta(seconds=5))


def lose_sight(refund_id: int, why: str) -> datetime:
    """It may have happened: unknown, and it keeps its money until a look-up answers. When to look."""
    return _wait(refund_id, "lose", why, at_least=timedelta(seconds=2))


def _wait(refund_id: int, verb: str, why: str, at_least: timedelta) -> datetime:
    refund = session.get_one(Refund, refund_id, with_for_update=True)
    again = database_now() + min(LONGEST_WAIT, at_least * 2 ** min(refund.attempts - 1, 12))
    if refund.state != "sending":  # a webhook was quicker and knows better
        return again
    move(refund, "state", verb, lease_until=None, next_look_at=again)
    log(refund, "sending", source="call", detail=why)
    return again


def reject(refund_id: int, why: str, *, now: datetime) -> None:
    """Stripe refused and a look-up found nothing: definite. The money is free again, a person decides anew."""
    refund = session.get_one(Refund, refund_id, with_for_update=True)
    if refund.state not in ("sending", "unknown"):
        return
    before = refund.state
    move(refund, "state", "reject", lease_until=None, next_look_at=None, failure_reason=why[:500], settled_at=now)
    release(refund.payment, refund.amount)
    log(refund, before, source="call", detail=why)
    record(refund.order_id, "refund.refused_by_stripe", by="stripe", now=now, amount=refund.money, why=why[:500])


def give_to_a_person(refund_id: int, why: str, *, now: datetime) -> None:
    """The claimed refund can neither be sent nor found."""
    refund = session.get_one(Refund, refund_id, with_for_update=True)
    if refund.state == "sending":
        review(refund, why, now=now)


def review(refund: Refund, why: str, *, now: datetime, **also: Any) -> None:
    """Something does not fit: the money stays taken, nothing is sent, a person must look."""
    before = refund.state
    move(refund, "state", "review", lease_until=None, next_look_at=None, failure_reason=why[:500], **also)
    log(refund, before, source="review", detail=why)
    record(refund.order_id, "refund.needs_review", by="system", now=now, amount=refund.money, why=why[:500])


def log(refund: Refund, before: str, *, source: str, detail: str = "", request_id: str | None = None) -> None:
    """One line of what was asked of Stripe and what came back."""
    values = {
        "refund_id": refund.id, "at": database_now(), "source": source, "from_state": before, "to_state": refund.state,
        "request_id": request_id, "detail": detail[:1000],
    }  # fmt: skip
    session.execute(insert(RefundAttempt).values(values))
