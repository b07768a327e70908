"""The worker's door to Stripe: never a transaction open while Stripe talks, always a look before a second try."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, select, update

from portal.adapters import stripe
from portal.adapters.errors import Malformed, Permanent, Temporary, Unknown
from portal.adapters.stripe import StripeRefund
from portal.config import Settings
from portal.db import session, transaction
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.inbox.sources import Envelope, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import defer, task
from portal.lib import clock
from portal.orders.models import Payment
from portal.orders.timeline import record, words
from portal.refunds.facts import LOOK_AGAIN, apply
from portal.refunds.models import Refund
from portal.refunds.sending import Due, begin_sending, database_now, give_to_a_person, lose_sight, postpone, reject

TOO_OLD = "Its key is too old to be sent again, and Stripe knows no such refund."
words("payment.disputed", staff=_l("The customer's bank disputes this payment (%(what)s)"))


@task(queue="refunds", retry=None)
def send_refund(refund_id: int) -> None:
    """Send it once. Whichever way this ends, the row says how to go on, and `sweep` sees to it."""
    with transaction():
        due = begin_sending(refund_id)
    if due is None:
        return
    try:
        found = _look_or_send(due)
    except Temporary as error:
        _again(refund_id, postpone, str(error))
    except stripe.KeyReused as error:
        with transaction():
            give_to_a_person(refund_id, str(error), now=clock.now())
    except Unknown as error:
        _again(refund_id, lose_sight, str(error))
    except Permanent as error:
        with transaction():
            reject(refund_id, str(error), now=clock.now())
    else:
        with transaction():
            _write_down(refund_id, found)


def _look_or_send(due: Due) -> StripeRefund | None:
    """The refund at Stripe: found by our id, else made. None when nothing is there and the key is too old to send."""
    account = stripe.account()
    if found := account.find_refund(due.payment_intent, due.uuid):
        return found
    if not due.may_send:
        return None
    if due.first and account.payment(due.payment_intent).disputed:
        raise Permanent("charge_disputed: the customer's bank disputes this payment")
    try:
        return account.create_refund(due.params, key=due.key)
    except Permanent:
        if found := account.find_refund(due.payment_intent, due.uuid):
            return found
        raise


def _again(refund_id: int, verb: Callable[[int, str], datetime], why: str) -> None:
    with transaction():
        defer(send_refund, at=verb(refund_id, why), refund_id=refund_id)


def _write_down(refund_id: int, found: StripeRefund | None) -> None:
    if found is not None:
        apply(found, source="call", now=clock.now())
    else:
        give_to_a_person(refund_id, TOO_OLD, now=clock.now())


def open_stripe(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Verify a delivery of Stripe's; what it says is only a reason to look."""
    if not settings.stripe_webhook_secret:
        raise NotReady
    try:
        event = stripe.verify_webhook(raw, headers.get("Stripe-Signature", ""), settings.stripe_webhook_secret)
    except stripe.BadSignature as error:
        raise NotGenuine from error
    except Malformed as error:
        raise Unreadable from error
    return Envelope(external_id=event.id, topic=event.type)


@listen("stripe", open=open_stripe)
@task(queue="refunds")
def work_off(message_id: int) -> None:
    """Look at Stripe for what the event is about, and write down what is true now."""
    with transaction():
        message = session.get_one(InboxMessage, message_id)
        done, topic, body = message.state == "done", message.topic, message.body
    if done:
        return
    about = json.loads(body)["data"]["object"]
    found = _refunds_behind(about) if "refund" in topic else []
    with transaction():
        for refund in found:
            apply(refund, source="webhook", now=clock.now())
        if topic.startswith("charge.dispute"):
            _note_dispute(about.get("payment_intent"), topic)
        inbox.finish(session.get_one(InboxMessage, message_id), now=clock.now())


def _refunds_behind(about: Mapping[str, Any]) -> list[StripeRefund]:
    """The refund itself, or all refunds of the charge's payment."""
    if about.get("object") == "refund":
        return [stripe.account().get_refund(str(about["id"]))]
    intent = about.get("payment_intent")
    return stripe.account().refunds_of(intent) if isinstance(intent, str) else []


def _note_dispute(payment_intent: str | None, topic: str) -> None:
    payment = session.scalar(select(Payment).where(Payment.payment_intent == payment_intent))
    if payment is not None:
        record(payment.order_id, "payment.disputed", by="stripe", now=clock.now(), what=topic)


@task(queue="sweeps", periodic="* * * * *")
def sweep() -> None:
    """Every minute: refunds whose claim ran out, that are unknown and due, or pending and not looked at for a while."""
    with transaction():
        for refund_id in session.scalars(_stuck()).all():
            defer(send_refund, refund_id=refund_id)
        waiting = select(Refund.id).where(Refund.state == "pending", Refund.next_look_at <= database_now())
        for refund_id in session.scalars(waiting).all():
            session.execute(update(Refund).where(Refund.id == refund_id).values(next_look_at=database_now() + LOOK_AGAIN))
            defer(look_at_refund, refund_id=refund_id)


def _stuck() -> Select[int]:
    now = database_now()
    ran_out = (Refund.state == "sending") & (Refund.lease_until <= now)
    due = Refund.state.in_(("approved", "unknown")) & (Refund.next_look_at <= now)
    return select(Refund.id).where(ran_out | due)


@task(queue="refunds", retry=None)
def look_at_refund(refund_id: int) -> None:
    """Ask Stripe how a pending refund stands."""
    with transaction():
        stripe_id = session.get_one(Refund, refund_id).stripe_refund_id
    if stripe_id is None:
        return
    found = stripe.account().get_refund(stripe_id)
    with transaction():
        apply(found, source="sweep", now=clock.now())
