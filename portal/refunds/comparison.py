"""The daily comparison of three books: our refunds, Stripe's, and the balance of each payment. They must agree."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from portal.adapters.stripe import ALIVE, StripeDispute, StripeRefund
from portal.db import session
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.orders.models import Payment
from portal.refunds.alarms import Trouble
from portal.refunds.facts import MEANS
from portal.refunds.models import HOLDING, LEFT, Refund

BACK = timedelta(days=35)
"""How far back Stripe is asked: a refund that succeeded can still fail for 30 days."""
COMPARED = ("unknown_here", "missing_at_stripe", "differs", "balance", "too_much")
WATCHED = ("unknown_long", "pending_long", "silent", "bad_signature")
UNKNOWN_TOO_LONG, PENDING_TOO_LONG, SILENT_TOO_LONG = timedelta(hours=1), timedelta(days=3), timedelta(days=1)
TOO_MANY_REFUSALS = 3
"""One message with a wrong signature may be anybody's."""
FETCHED = {"fetched": "yes"}
"""The headers of an event that we asked for: it does not show that Stripe's webhook reaches us."""


def compare(found: Sequence[StripeRefund], *, since: datetime, asked_at: datetime) -> list[Trouble]:
    """Everything that differs. `found` are all refunds at Stripe made after `since`, already brought to our rows.

    What we heard of after `asked_at` is left for the next day: Stripe's list may be older than it.
    """
    payments = _payments(found)
    ours = _ours(found, since)
    return [
        *_one_by_one(found, ours, payments, asked_at),
        *_missing(found, ours.values(), since, asked_at),
        *_balances(),
        *_too_much(found, payments),
    ]


def _payments(found: Iterable[StripeRefund]) -> dict[str, Payment]:
    intents = {one.payment_intent for one in found}
    rows = session.scalars(select(Payment).where(Payment.payment_intent.in_(intents)))
    return {str(payment.payment_intent): payment for payment in rows}


def _ours(found: Iterable[StripeRefund], since: datetime) -> dict[str, Refund]:
    recent = Refund.requested_at >= since - BACK
    known = Refund.stripe_refund_id.in_([one.id for one in found])
    rows = session.scalars(select(Refund).where(Refund.stripe_refund_id.is_not(None), recent | known))
    return {str(refund.stripe_refund_id): refund for refund in rows}


def _one_by_one(
    found: Iterable[StripeRefund], ours: dict[str, Refund], payments: dict[str, Payment], asked_at: datetime
) -> Iterator[Trouble]:
    """Each of Stripe's refunds of our payments is here once, and says the same."""
    for one in found:
        refund, payment = ours.get(one.id), payments.get(one.payment_intent)
        theirs = f"{one.amount} {one.currency} {one.status}"
        if refund is None and payment is not None:
            yield Trouble("unknown_here", one.id, theirs, payment.order_id)
        elif refund is not None and _says_other(refund, one) and not (refund.looked_at and refund.looked_at > asked_at):
            here = f"{refund.amount} {refund.currency} {refund.state}"
            yield Trouble("differs", one.id, f"{here} / {theirs}", refund.order_id, refund.id)


def _says_other(refund: Refund, one: StripeRefund) -> bool:
    """What needs a person is listed as such already."""
    if refund.state == "needs_review":
        return False
    return (refund.amount, refund.currency, refund.state) != (one.amount, one.currency, MEANS.get(one.status))


def _missing(
    found: Iterable[StripeRefund], ours: Iterable[Refund], since: datetime, asked_at: datetime
) -> Iterator[Trouble]:
    """Each of ours that Stripe has answered for is in its list."""
    ids = {one.id for one in found}
    for refund in ours:
        sent = refund.first_sent_at or refund.requested_at
        if refund.stripe_refund_id not in ids and since < sent < asked_at - timedelta(minutes=10):
            told = f"{refund.amount} {refund.currency} {refund.state}"
            yield Trouble("missing_at_stripe", str(refund.stripe_refund_id), told, refund.order_id, refund.id)


def _balances() -> Iterator[Trouble]:
    """What a payment has reserved is the sum of what holds it; what was given back elsewhere, the sum of that."""
    sums = _sums().subquery()
    wrong = select(Payment, sums.c.ours, sums.c.external).join(sums, sums.c.payment_id == Payment.id)
    differs = (Payment.reserved != sums.c.ours) | ((Payment.route == "stripe") & (Payment.external != sums.c.external))
    for payment, ours, external in session.execute(wrong.where(differs)):
        detail = f"{payment.reserved}+{payment.external} / {ours}+{external} {payment.currency}"
        yield Trouble("balance", str(payment.id), detail, payment.order_id)


def held(payment_id: int) -> tuple[int, int]:
    """Minor units of a payment that its refunds hold, and that were given back elsewhere."""
    row = session.execute(_sums().where(Refund.payment_id == payment_id)).one()
    return int(row.ours), int(row.external)


def _sums() -> Select[int, int, int]:
    holds = Refund.state.in_(HOLDING) & (Refund.failure_reason.is_distinct_from("spent_twice"))
    return select(
        Refund.payment_id,
        func.coalesce(func.sum(Refund.amount).filter(holds, Refund.source == "ours"), 0).label("ours"),
        func.coalesce(func.sum(Refund.amount).filter(holds, Refund.source == "external"), 0).label("external"),
    ).group_by(Refund.payment_id)


def _too_much(found: Iterable[StripeRefund], payments: dict[str, Payment]) -> Iterator[Trouble]:
    """No payment gives back more than was captured."""
    back: defaultdict[str, int] = defaultdict(int)
    for one in found:
        back[one.payment_intent] += one.amount if one.status in ALIVE else 0
    for intent, payment in payments.items():
        if back[intent] > payment.captured:
            detail = f"{back[intent]} / {payment.captured} {payment.currency}"
            yield Trouble("too_much", intent, detail, payment.order_id)


def overdue(now: datetime) -> list[Trouble]:
    """What waits for too long: unknown for an hour, pending for three days; and a Stripe that tells us nothing, or
    whose signatures are wrong.
    """
    late = Refund.first_sent_at <= now - UNKNOWN_TOO_LONG
    unknown = session.scalars(select(Refund).where(Refund.state.in_(("unknown", "sending")), late))
    long_ago = func.coalesce(Refund.first_sent_at, Refund.requested_at) <= now - PENDING_TOO_LONG
    pending = session.scalars(select(Refund).where(Refund.state == "pending", long_ago))
    return [
        *(_waits("unknown_long", refund) for refund in unknown),
        *(_waits("pending_long", refund) for refund in pending),
        *_silent(now),
        *_unsigned(now),
    ]


def _waits(kind: str, refund: Refund) -> Trouble:
    return Trouble(kind, str(refund.id), f"{refund.amount} {refund.currency}", refund.order_id, refund.id)


def _silent(now: datetime) -> Iterator[Trouble]:
    """Refunds were settled within a day, and in that day nothing came in by Stripe's webhook."""
    day = now - SILENT_TOO_LONG
    by_webhook = (InboxMessage.source == "stripe", InboxMessage.headers != FETCHED)
    heard = select(InboxMessage.id).where(*by_webhook, InboxMessage.received_at > day)
    settled = select(Refund.id).where(
        Refund.settled_at.between(day, now - timedelta(hours=1)), Refund.state == "succeeded", Refund.way == "card"
    )
    if session.scalar(settled.limit(1)) is not None and session.scalar(heard.limit(1)) is None:
        yield Trouble("silent", "stripe", f"{now:%Y-%m-%d}")


def _unsigned(now: datetime) -> Iterator[Trouble]:
    if inbox.refusals("stripe", now=now) >= TOO_MANY_REFUSALS:
        yield Trouble("bad_signature", "stripe", f"{now:%Y-%m-%d}")


def disputed(payment: Payment, disputes: Iterable[StripeDispute]) -> list[Trouble]:
    """Disputes, won ones left out, of a payment of which money left or may have left: it may leave twice."""
    refunds = session.scalars(select(Refund).where(Refund.payment_id == payment.id, Refund.state.in_(LEFT))).all()
    back = sum(refund.amount for refund in refunds)
    return [
        Trouble("disputed", one.id, f"{one.amount} / {back} {one.currency}", payment.order_id, refunds[-1].id)
        for one in disputes
        if refunds and not one.is_over
    ]
