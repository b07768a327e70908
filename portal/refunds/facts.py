"""One door for what Stripe says of a refund, whichever way we came to ask: a call's answer, a webhook, a sweep."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select

from portal import mail
from portal.adapters.stripe import StripeRefund
from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.models import Payment
from portal.orders.payments import add_external, release, reserve
from portal.orders.timeline import record, words
from portal.refunds.models import HOLDING, Refund
from portal.refunds.sending import database_now, log, review

MEANS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
"""Each of Stripe's statuses has one meaning here (facts: refund object)."""
VERBS = {"pending": "pend", "succeeded": "succeed", "failed": "fail"}
LOOK_AGAIN = timedelta(minutes=15)

words("refund.pending", staff=_l("Stripe has the refund of %(amount)s; it is pending"))
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
words("refund.external", staff=_l("%(amount)s were given back in Stripe's dashboard"), customer=_l("%(amount)s sent back to you"))


def apply(found: StripeRefund, *, source: str, now: datetime) -> Refund | None:
    """Bring our row to what Stripe says; a refund that is none of ours is adopted. None when even its payment is not ours."""
    refund = session.scalar(
        select(Refund)
        .where(or_(Refund.stripe_refund_id == found.id, Refund.uuid == found.our_id))
        .with_for_update(of=Refund)
        .execution_options(populate_existing=True)
    )
    if refund is None:
        return _adopt(found, now=now)
    if why := _mismatch(refund, found):
        if refund.state != "needs_review":
            review(refund, why, now=now, stripe_refund_id=refund.stripe_refund_id or found.id, stripe_status=found.status)
        return refund
    _bring(refund, found, source=source, now=now)
    return refund


def _mismatch(refund: Refund, found: StripeRefund) -> str:
    if (found.amount, found.currency) != (refund.amount, refund.currency):
        return f"Stripe has {found.amount} {found.currency}, we have {refund.amount} {refund.currency}"
    if found.payment_intent != refund.payment.payment_intent:
        return f"Stripe has it on {found.payment_intent}"
    if refund.stripe_refund_id not in (None, found.id):
        return f"Stripe has a second refund, {found.id}"
    return "" if found.status in MEANS else f"Stripe says {found.status}, which we do not know"


def _bring(refund: Refund, found: StripeRefund, *, source: str, now: datetime) -> None:
    target, before = MEANS[found.status], refund.state
    also: dict[str, Any] = {
        "stripe_refund_id": found.id, "stripe_status": found.status, "bank_reference": found.bank_reference,
        "failure_reason": found.failure_reason, "lease_until": None,
        "next_look_at": database_now() + LOOK_AGAIN if target == "pending" else None,
    }  # fmt: skip
    if before == target or before == "needs_review":
        for name, value in also.items():
            setattr(refund, name, value)
        return
    if before == "failed":
        review(refund, f"Stripe said failed and now says {found.status}", now=now, stripe_status=found.status)
        _take_again(refund)
        return
    if target != "pending":
        also["settled_at"] = now
    move(refund, "state", VERBS[target], **also)
    log(refund, before, source=source, detail=found.status, request_id=found.request_id)
    FOLLOWS[target](refund, before, now)


def _take_again(refund: Refund) -> None:
    try:
        reserve(refund.payment, refund.amount)
    except Refused:  # somebody else's by now: the person who reviews sees both
        refund.failure_reason = f"{refund.failure_reason}; its money was taken by another refund"


def _pending(refund: Refund, before: str, now: datetime) -> None:
    record(refund.order_id, "refund.pending", by="stripe", now=now, amount=refund.money)


def _succeeded(refund: Refund, before: str, now: datetime) -> None:
    record(refund.order_id, "refund.succeeded", by="stripe", now=now, amount=refund.money)
    _write("refund-sent", refund, now)
    announce("refund.settled", refund_id=refund.id)


def _failed(refund: Refund, before: str, now: datetime) -> None:
    _give_back_balance(refund)
    record(refund.order_id, "refund.failed", by="stripe", now=now, amount=refund.money, why=refund.failure_reason or "")
    if before == "succeeded":
        _write("refund-corrected", refund, now)
    announce("refund.settled", refund_id=refund.id)


FOLLOWS = {"pending": _pending, "succeeded": _succeeded, "failed": _failed}


def _give_back_balance(refund: Refund) -> None:
    if refund.source == "external":
        add_external(refund.payment, -refund.amount)
    else:
        release(refund.payment, refund.amount)


def _write(kind: str, refund: Refund, now: datetime) -> None:
    mail.queue(
        kind,
        to=refund.order.customer.email,
        locale=refund.order.locale,
        now=now,
        order_id=refund.order_id,
        about=f"refund:{refund.id}",
        once=f"{kind}:{refund.id}",
        number=refund.order.number,
        amount=refund.money,
        items=[(line.line.title, line.quantity, Money(line.amount, refund.currency)) for line in refund.lines],
        reference=refund.bank_reference,
    )


def _adopt(found: StripeRefund, *, now: datetime) -> Refund | None:
    """Made in Stripe's dashboard: recorded as external, and it reduces what is left of the payment."""
    payment = session.scalar(select(Payment).where(Payment.payment_intent == found.payment_intent).with_for_update(of=Payment))
    if payment is None or found.status not in MEANS:
        return None
    state = MEANS[found.status]
    refund = Refund(
        order_id=payment.order_id, payment_id=payment.id, source="external", state=state, amount=found.amount,
        currency=found.currency, reason="stripe", requested_at=now, uuid=str(uuid4()), idem_key=f"external:{found.id}",
        stripe_refund_id=found.id, stripe_status=found.status, failure_reason=found.failure_reason,
        bank_reference=found.bank_reference, settled_at=None if state == "pending" else now,
        next_look_at=database_now() + LOOK_AGAIN if state == "pending" else None,
    )  # fmt: skip
    session.add(refund)
    session.flush()
    log(refund, "", source="adopted", detail=found.status)
    if state in HOLDING:
        add_external(payment, found.amount)
        record(payment.order_id, "refund.external", by="stripe", now=now, amount=refund.money)
    return refund
