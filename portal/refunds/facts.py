"""One door for what Stripe says of a refund, whichever way we came to ask: a call's answer, a webhook, a look."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select, update

from portal.adapters.stripe import StripeRefund
from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.letters import write
from portal.orders.models import Payment
from portal.orders.payments import add_external, release, reserve
from portal.orders.timeline import record, words
from portal.refunds.credit_notes import CreditNote, cancel_note, issue_note
from portal.refunds.models import GIVEN_UP, HOLDING, TO_SEND, Refund, RefundLine
from portal.refunds.sending import note, review
from portal.refunds.telling import tell_given, tell_returned
from portal.refunds.words import why

MEANS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
"""What each of Stripe's statuses is here; another one is for a person."""
VERBS = {"pending": "pend", "succeeded": "succeed", "failed": "fail"}
PENDING_LOOK = timedelta(minutes=15)
GRACE = timedelta(seconds=30)
"""A job of its own is usually owed for the moment of the next look; the sweep comes after it."""
WATCHED = tuple(timedelta(days=days) for days in (1, 3, 7, 14, 30, 35))
"""When a refund that succeeded is looked at again: banks return money for weeks, and a webhook can be lost."""

words("refund.pending", staff=_l("Stripe has the refund of %(amount)s and waits for the bank"))
words(
    "refund.succeeded",
    staff=_l("%(amount)s given back, says Stripe"),
    customer=_l("%(amount)s sent back to you; your bank takes five to ten days"),
)
words(
    "refund.failed",
    staff=_l("The refund of %(amount)s failed: %(why)s"),
    customer=_l("Your bank could not take %(amount)s; we will write to you"),
)
words(
    "refund.external",
    staff=_l("Given back in Stripe's dashboard: %(amount)s"),
    customer=_l("%(amount)s sent back to you"),
)


def apply(found: StripeRefund, *, source: str, asked_at: datetime, now: datetime) -> Refund | None:
    """Bring our row to what Stripe said when it was asked at `asked_at`; a later word is never undone by an older one.

    A refund that is none of ours is adopted. None when even its payment is not ours.
    """
    refund = _find(found)
    if refund is None:
        return _adopt(found, asked_at=asked_at, now=now)
    if refund.looked_at and refund.looked_at > asked_at:
        return refund
    refund.looked_at = asked_at
    if code := _misfit(refund, found):
        _doubt(refund, found, code, now=now)
    elif refund.state in GIVEN_UP and MEANS[found.status] != "failed":
        _doubt(refund, found, "alive_again", now=now)
        _take_again(refund)
    else:
        _bring(refund, found, source=source, now=now)
    return refund


def _find(found: StripeRefund) -> Refund | None:
    ours = or_(Refund.stripe_refund_id == found.id, Refund.uuid == found.our_id)
    locked = select(Refund).where(ours).with_for_update(of=Refund).execution_options(populate_existing=True)
    return session.scalar(locked.limit(1))


def _misfit(refund: Refund, found: StripeRefund) -> str:
    """Why this can't be what we asked for; empty when it can."""
    if (found.amount, found.currency) != (refund.amount, refund.currency):
        return "differs"
    if found.payment_intent != refund.payment.payment_intent:
        return "differs"
    if refund.stripe_refund_id not in (None, found.id):
        return "second_refund"
    return "" if found.status in MEANS else "unknown_status"


def _doubt(refund: Refund, found: StripeRefund, code: str, *, now: datetime) -> None:
    if refund.state == "needs_review":
        return
    said = f"Stripe has {found.id}: {found.amount} {found.currency}, {found.status}, on {found.payment_intent}"
    known = {"stripe_refund_id": refund.stripe_refund_id or found.id, "stripe_status": found.status}
    review(refund, code, said, now=now, request_id=found.request_id, **known)


def _take_again(refund: Refund) -> None:
    """It holds its money again, unless another refund has it by now."""
    try:
        if refund.source == "external":
            add_external(refund.payment, refund.amount)
        else:
            reserve(refund.payment, refund.amount)
    except Refused:
        refund.failure_reason = "spent_twice"


def _bring(refund: Refund, found: StripeRefund, *, source: str, now: datetime) -> None:
    target, before = MEANS[found.status], refund.state
    settled_at = refund.settled_at if before == target else now if target != "pending" else None
    also: dict[str, Any] = {
        "stripe_refund_id": found.id, "stripe_status": found.status, "lease_until": None, "settled_at": settled_at,
        "bank_reference": found.bank_reference or None, "next_look_at": _next_look(target, settled_at, now),
    }  # fmt: skip
    if before in ("needs_review", "refused_by_stripe"):
        _keep(refund, {"stripe_refund_id": found.id, "stripe_status": found.status})
    elif before == target:
        _keep(refund, also)
    else:
        move(refund, "state", VERBS[target], failure_reason=found.failure_reason or None, **also)
        note(refund, before, source=source, detail=found.status, request_id=found.request_id)
        FOLLOWS[target](refund, before, now)


def _keep(refund: Refund, also: dict[str, Any]) -> None:
    for name, value in also.items():
        setattr(refund, name, value)


def _next_look(state: str, settled_at: datetime | None, now: datetime) -> datetime | None:
    if state == "pending":
        return now + PENDING_LOOK
    if state != "succeeded" or settled_at is None:
        return None
    return next((settled_at + days for days in WATCHED if settled_at + days > now), None)


def _pending(refund: Refund, _before: str, now: datetime) -> None:
    record(refund.order_id, "refund.pending", by="stripe", now=now, amount=refund.money)


def _succeeded(refund: Refund, _before: str, now: datetime) -> None:
    record(refund.order_id, "refund.succeeded", by="stripe", now=now, amount=refund.money)
    _write("refund-on-its-way", refund, now, issue_note(refund, now=now))
    tell_given(refund, now=now)
    announce("refund.settled", refund_id=refund.id)


def _failed(refund: Refund, before: str, now: datetime) -> None:
    give_back_balance(refund)
    reason = str(why(refund.failure_reason))
    record(refund.order_id, "refund.failed", by="stripe", now=now, amount=refund.money, why=reason)
    taken_back = cancel_note(refund, now=now)
    if before == "succeeded":
        _write("refund-corrected", refund, now, taken_back)
        tell_returned(refund, now=now)
    announce("refund.settled", refund_id=refund.id)


FOLLOWS = {"pending": _pending, "succeeded": _succeeded, "failed": _failed}


def give_back_balance(refund: Refund) -> None:
    """The payment gets back what this refund holds of it."""
    if refund.source == "external":
        add_external(refund.payment, -refund.amount)
    else:
        release(refund.payment, refund.amount)


def _write(kind: str, refund: Refund, now: datetime, paper: CreditNote | None) -> None:
    """Tell the customer; what others gave back, others tell."""
    if refund.source == "external":
        return
    order = refund.order
    write(
        kind,
        order,
        about=f"refund:{refund.id}",
        now=now,
        amount=refund.money,
        rows=_rows(refund, order.locale),
        reference=refund.bank_reference,
        paper=paper.called if paper else None,
    )


def _rows(refund: Refund, locale: str) -> list[tuple[str, str]]:
    """What the money is for, line by line."""
    given = [line for line in refund.lines if line.amount]
    return [(_title(line), Money(line.amount, refund.currency).format(locale)) for line in given]


def _title(line: RefundLine) -> str:
    return f"{line.quantity} × {line.line.title}" if line.quantity > 1 else line.line.title


def _adopt(found: StripeRefund, *, asked_at: datetime, now: datetime) -> Refund | None:
    """Made in Stripe's dashboard: recorded as external, and it reduces what is left of the payment."""
    payment = session.scalar(
        select(Payment).where(Payment.payment_intent == found.payment_intent).with_for_update(of=Payment)
    )
    if payment is None or found.status not in MEANS:
        return None
    if known := _find(found):  # somebody adopted it while we waited for the payment
        return known
    state = MEANS[found.status]
    refund = Refund(
        order_id=payment.order_id, payment_id=payment.id, source="external", state=state, amount=found.amount,
        currency=found.currency, requested_at=found.created_at, uuid=str(uuid4()), idem_key=f"external:{found.id}",
        stripe_refund_id=found.id, stripe_status=found.status, failure_reason=found.failure_reason or None,
        bank_reference=found.bank_reference or None, settled_at=None if state == "pending" else now,
        looked_at=asked_at, next_look_at=_next_look(state, now, now),
    )  # fmt: skip
    session.add(refund)
    session.flush()
    note(refund, "", source="adopted", detail=found.status, request_id=found.request_id)
    if state in HOLDING:
        add_external(payment, found.amount)
        record(payment.order_id, "refund.external", by="stripe", now=now, amount=refund.money)
    return refund


def take_overdue(now: datetime) -> list[tuple[int, bool]]:
    """What should have been looked at by now, and whether it is still to be sent. It comes up again a while later."""
    late = update(Refund).where(Refund.next_look_at <= now - GRACE).values(next_look_at=now + PENDING_LOOK)
    rows = session.execute(late.returning(Refund.id, Refund.state)).all()
    return [(row.id, row.state in TO_SEND) for row in rows]
