"""The worker's door to Stripe: never a transaction open while Stripe talks, always a look before a second try."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal.adapters import stripe
from portal.adapters.errors import Malformed, Permanent, Temporary, Trouble, Unknown
from portal.adapters.stripe import StripeDispute, StripeEvent, StripeRefund
from portal.config import Settings
from portal.db import session, transaction
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.inbox.sources import Envelope, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import defer, follows, task
from portal.lib import clock
from portal.orders.models import Order, Payment
from portal.orders.timeline import record, words
from portal.refunds import ways
from portal.refunds.alarms import close_alarm, keep_alarms, raise_alarms
from portal.refunds.comparison import BACK, COMPARED, FETCHED, WATCHED, compare, disputed, overdue
from portal.refunds.facts import GRACE, apply, take_overdue
from portal.refunds.models import Refund
from portal.refunds.pause import first_waiting, pause, paused, resume
from portal.refunds.sending import (
    Due,
    about_to_send,
    begin_sending,
    database_now,
    give_to_a_person,
    reject,
    review,
    try_later,
)

log = logging.getLogger(__name__)
OURS = {"refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.dispute.created"}
"""What is worth waiting for an order that has not come in yet."""
UNDELIVERED = timedelta(days=3)
"""How far back Stripe is asked for events that did not reach us; it tries for as long itself."""

DISPUTES = {
    "charge.dispute.created": _l("it was opened"),
    "charge.dispute.closed": _l("it was closed"),
    "charge.dispute.funds_withdrawn": _l("the money was taken back"),
    "charge.dispute.funds_reinstated": _l("the money was given back"),
}
words("payment.disputed", staff=_l("The customer's bank disputes this payment: %(what)s"))


class TooOld(Trouble):
    """Its key is too old to be sent again, and Stripe knows no such refund."""


@task(queue="refunds", retry=None)
def send_refund(refund_id: int) -> None:
    """One try. However it ends, the row says how to go on, and `sweep` sees to it."""
    with transaction():
        due = None if paused() else begin_sending(refund_id)
    if due is not None:
        _try(due)


def _try(due: Due) -> bool:
    """Whether Stripe let us in."""
    try:
        found = _look_or_send(due)
    except stripe.Locked as error:
        _wait_for_a_key(due, error)
        return False
    except Temporary as error:
        _again(due, error, executed=False)
    except (stripe.KeyReused, TooOld) as error:
        with transaction():
            give_to_a_person(due, CODES[type(error)], str(error), request_id=error.request_id, now=clock.now())
    except Unknown as error:
        _again(due, error, executed=True)
    except Permanent as error:
        with transaction():
            code = getattr(error, "code", "")
            reject(due, code, str(error), request_id=error.request_id, now=clock.now())
    else:
        _write_down(found, source="call", asked_at=due.claimed_at)
    return True


CODES: dict[type[Exception], str] = {stripe.KeyReused: "key_reused", TooOld: "too_old"}


def _look_or_send(due: Due) -> list[StripeRefund]:
    """The refund at Stripe: found by our id when an earlier try may have made it, else made now."""
    account = stripe.account()
    if due.sent and (found := account.find_refund(due.payment_intent, due.uuid)):
        return [found]
    if not due.key_lives:
        raise TooOld("its key is too old to be sent again, and Stripe knows no such refund")
    _check_payment(account.payment(due.payment_intent), due)
    with transaction():
        ours = about_to_send(due)
    return [_send(account, due)] if ours else []


def _check_payment(payment: stripe.StripePayment, due: Due) -> None:
    """Raises Declined for what Stripe would refuse, and for what it would misunderstand."""
    if payment.disputed:
        raise stripe.Declined("the customer's bank disputes this payment", "charge_disputed")
    if payment.currency != due.currency:
        raise stripe.Declined(f"Stripe has this payment in {payment.currency}, we in {due.currency}", "other_currency")


def _send(account: stripe.Account, due: Due) -> StripeRefund:
    try:
        return account.create_refund(due.params, key=due.key)
    except Permanent:
        if found := account.find_refund(due.payment_intent, due.uuid):
            return found
        raise


def _wait_for_a_key(due: Due, error: stripe.Locked) -> None:
    """Nothing is owed: `try_key` lets it go on."""
    with transaction():
        try_later(due, str(error), executed=False, request_id=error.request_id)
        pause(str(error), now=clock.now())


def _again(due: Due, error: Trouble, *, executed: bool) -> None:
    with transaction():
        at = try_later(due, str(error), executed=executed, request_id=error.request_id)
        if at is not None:
            defer(send_refund, at=at, refund_id=due.refund_id)


def _write_down(found: list[StripeRefund], *, source: str, asked_at: datetime) -> None:
    for refund in found:
        with transaction():
            apply(refund, source=source, asked_at=asked_at, now=clock.now())


@task(queue="refunds", retry=None, periodic="*/10 * * * *")
def try_key() -> None:
    """Every ten minutes, and when a person wants it: does Stripe take our key again? Then the queue goes on.

    A key may read and not write, so the refund that waits longest is sent first, and alone.
    """
    with transaction():
        now = database_now()
        wait, first = paused(), first_waiting(now)
    if wait is None or not _key_may_read():
        return
    with transaction():
        due = begin_sending(first) if first else None
    if due is None or _try(due):
        with transaction():
            resume(at=now - GRACE, now=clock.now())
        sweep()


def _key_may_read() -> bool:
    try:
        stripe.account().prove()
    except (Temporary, Permanent, Unknown) as error:
        log.error("refunds still wait for a key that Stripe takes: %s", error)
        return False
    return True


@task(queue="refunds", retry=None)
def look_at_refund(refund_id: int) -> None:
    """Ask Stripe how it stands."""
    with transaction():
        stripe_id, asked_at = session.get_one(Refund, refund_id).stripe_refund_id, database_now()
    if stripe_id is None:
        return
    try:
        found = _account().get_refund(stripe_id)
    except stripe.Locked as error:
        _note_locked(error)
    except Permanent as error:
        with transaction():
            review(session.get_one(Refund, refund_id, with_for_update=True), "vanished", str(error), now=clock.now())
    else:
        _write_down([found], source="look", asked_at=asked_at)


def _account() -> stripe.Account:
    """Raises Locked without asking, while Stripe does not take our key."""
    with transaction():
        if paused():
            raise stripe.Locked("Stripe does not take our key")
    return stripe.account()


def _note_locked(error: stripe.Locked) -> None:
    """Where there is no key at all, nobody expects Stripe to answer."""
    if not isinstance(error, stripe.NoKey):
        with transaction():
            pause(str(error), now=clock.now())


@task(queue="sweeps", periodic="* * * * *")
def sweep() -> None:
    """Every minute: what should have been looked at by now. Its worker died, its job was lost, or its time came."""
    with transaction():
        if paused():
            return
        for refund_id, to_send in take_overdue(database_now()):
            defer(send_refund if to_send else look_at_refund, refund_id=refund_id)


@task(queue="refunds", retry=None, periodic="17 * * * *")
def fetch_undelivered() -> None:
    """Every hour: what Stripe could not tell us comes in as if its webhook had."""
    try:
        missed = _account().undelivered(clock.now() - UNDELIVERED)
    except stripe.Locked as error:
        _note_locked(error)
        return
    with transaction():
        for event, raw in missed:
            inbox.receive(
                "stripe", event.id, raw, now=clock.now(), topic=event.type, headers=FETCHED, handle=work_off_stripe
            )


@task(queue="refunds", retry=None, periodic="40 3 * * *")
def reconcile() -> None:
    """Every night: all refunds at Stripe of five weeks are brought to our rows; what then differs is kept for a person.

    Without a key there is nothing to compare with, and no refund can have been made by us.
    """
    with transaction():
        asked_at = database_now()
    try:
        found = _account().refunds_since(asked_at - BACK)
    except stripe.Locked as error:
        _note_locked(error)
        return
    _write_down(found, source="reconcile", asked_at=asked_at)
    with transaction():
        keep_alarms(compare(found, since=asked_at - BACK, asked_at=asked_at), COMPARED, now=clock.now())


@task(queue="sweeps", periodic="*/10 * * * *")
def watch_money() -> None:
    """Every ten minutes: what waits for too long, and whether Stripe has fallen silent or signs wrongly."""
    with transaction():
        keep_alarms(overdue(clock.now()), WATCHED, now=clock.now())


def open_stripe(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by Stripe and readable, else it says what is wrong."""
    if not settings.stripe_webhook_secret:
        raise NotReady
    signature = headers.get("Stripe-Signature", "")
    try:
        event = stripe.verify_webhook(raw, signature, settings.stripe_webhook_secret)
    except stripe.BadSignature as error:
        raise NotGenuine(signed="v1=" in signature) from error
    except Malformed as error:
        raise Unreadable from error
    return Envelope(external_id=event.id, topic=event.type)


@dataclass(frozen=True, slots=True)
class News:
    """A webhook to be worked off, as read before Stripe is asked."""

    event: StripeEvent
    asked_at: datetime


@listen("stripe", open=open_stripe)
@task(queue="refunds")
def work_off_stripe(message_id: int) -> None:
    """A webhook is a reason to look: what it is about is asked for, and what is true now is written down."""
    with transaction():
        news = _read(message_id)
    if news is None:
        return
    try:
        found, disputes = _refunds_behind(news.event), _disputes_behind(news.event)
    except stripe.Locked as error:
        _note_locked(error)
        raise
    except Permanent as error:
        with transaction():
            inbox.fail(session.get_one(InboxMessage, message_id), str(error))
        return
    _write_down(found, source=news.event.type, asked_at=news.asked_at)
    with transaction():
        _end(session.get_one(InboxMessage, message_id), news.event, disputes)


def _read(message_id: int) -> News | None:
    message = session.get_one(InboxMessage, message_id)
    return None if message.state == "done" else News(stripe.read_event(message.body), database_now())


def _refunds_behind(event: StripeEvent) -> list[StripeRefund]:
    """The refund itself, or all refunds of the charge's payment."""
    if event.object_kind == "refund":
        return [_account().get_refund(event.object_id)]
    if event.type == "charge.refunded" and event.payment_intent:
        return _account().refunds_of(event.payment_intent)
    return []


def _disputes_behind(event: StripeEvent) -> list[StripeDispute]:
    """All disputes about the payment as they are now."""
    if event.type.startswith("charge.dispute.") and event.payment_intent:
        return _account().disputes_of(event.payment_intent)
    return []


def _end(message: InboxMessage, event: StripeEvent, disputes: Sequence[StripeDispute]) -> None:
    """Done; what is about an order that has not come in yet waits for it."""
    payment = session.scalar(select(Payment).where(Payment.payment_intent == event.payment_intent))
    if payment is None and event.payment_intent and event.type in OURS:
        inbox.park(message, event.payment_intent)
        return
    if payment is not None and event.type.startswith("charge.dispute."):
        what = str(DISPUTES.get(event.type, event.type))
        record(payment.order_id, "payment.disputed", by="stripe", now=clock.now(), what=what)
        _keep_disputes(payment, disputes)
    inbox.finish(message, now=clock.now())


def _keep_disputes(payment: Payment, disputes: Sequence[StripeDispute]) -> None:
    """An alarm for each that may cost us the money twice, until it is won or a person has dealt with it."""
    raise_alarms(disputed(payment, disputes), now=clock.now())
    for dispute in disputes:
        if dispute.is_over:
            close_alarm("disputed", dispute.id, now=clock.now())


@follows("order.accepted")
@task(queue="refunds")
def work_off_parked(order_id: int) -> None:
    """What Stripe said of this payment before we had its order."""
    with transaction():
        payment = session.get_one(Order, order_id).payment
        waiting = inbox.parked("stripe", payment.payment_intent) if payment and payment.payment_intent else []
        for message_id in waiting:
            defer(work_off_stripe, message_id=message_id)


@follows("refund.by_channel")
@task(queue="refunds")
def know_again_what_channel_gave(order_id: int) -> None:
    """Our own tasks come back from the channel as its news."""
    with transaction():
        ways.know_again(order_id)
