"""The worker's door: what sales channels told us becomes orders."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import ModuleType

from flask import current_app

from portal.adapters import stripe
from portal.adapters.channels import IncomingOrder, Shop, checkout, shopify, woocommerce
from portal.adapters.channels.accounts import accounts, shops
from portal.adapters.errors import Malformed, Permanent, Trouble
from portal.config import Settings
from portal.db import transaction
from portal.inbox import actions as inbox
from portal.inbox.models import Taken
from portal.inbox.sources import Envelope, Knock, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import announce, defer, follows, task
from portal.lib import clock
from portal.orders import codes, pushing, rereading
from portal.orders.actions import find_all, find_customers, find_external, order_gone, take_in, take_refunds
from portal.orders.flags import tell
from portal.orders.links import forget_grants
from portal.orders.payments import may_be_proven, prove

MOST_PAGES = 50
"""In one go; a channel with more goes on a quarter of an hour later."""


def open_shopify(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by Shopify; what it says is read later, by the worker."""
    _refuse_unless_genuine(shopify, raw, headers, settings.shopify_webhook_secret)
    return Envelope(*shopify.identify(raw, headers))


def open_woocommerce(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by WooCommerce, or the unsigned knock by which it tries a new webhook."""
    if settings.woocommerce_webhook_secret and woocommerce.is_ping(raw, headers):
        raise Knock
    _refuse_unless_genuine(woocommerce, raw, headers, settings.woocommerce_webhook_secret)
    return Envelope(*woocommerce.identify(raw, headers))


def open_checkout(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by Stripe for the endpoint that tells of Checkout sessions."""
    _refuse_unless_genuine(checkout, raw, headers, settings.checkout_webhook_secret)
    try:
        return Envelope(*checkout.identify(raw, headers))
    except Malformed:
        raise Unreadable from None


def _refuse_unless_genuine(channel: ModuleType, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> None:
    if not secrets:
        raise NotReady
    if not channel.verify(raw, headers, secrets):
        raise NotGenuine


@listen("shopify", open=open_shopify)
@task(queue="orders")
def work_off_shopify(message_id: int) -> None:
    """Orders come in and change, money given back is counted; what can't be read waits for a person."""
    _work_off(message_id, _sort_shopify)


@listen("woocommerce", open=open_woocommerce)
@task(queue="orders")
def work_off_woocommerce(message_id: int) -> None:
    """Orders come in and change; a Stripe payment that may be ours is proven afterwards."""
    _work_off(message_id, _sort_woocommerce)


def _work_off(message_id: int, sort: Callable[[Taken, datetime], None]) -> None:
    now = clock.now()
    with transaction():
        message = inbox.take(message_id, now=now)
        if message is None:
            return
        try:
            sort(message, now)
        except Malformed as unreadable:
            inbox.fail(message, str(unreadable))


def _sort_shopify(message: Taken, now: datetime) -> None:
    """Each topic to what it means here; one that is none of ours is done."""
    if message.topic == shopify.REFUNDED:
        external_id, refund = shopify.parse_refund(message.body)
        order = find_external(shopify.CODE, external_id)
        if order is None:
            inbox.park(message, _subject(external_id))
        else:
            take_refunds(order, [refund(order.currency)], now=now)
    elif message.topic == shopify.DELETED:
        order_gone(shopify.CODE, shopify.parse_subject(message.body), now=now)
    elif message.topic == shopify.GONE:
        _forget_all(find_customers(shopify.CODE))
    elif message.topic in (shopify.FORGET, shopify.COPY):
        _customer_asks(message, now)
    elif message.topic.startswith("orders/") and message.topic not in shopify.BARE:
        _take_in(shopify.parse(message.body, message.topic), now)


def _customer_asks(message: Taken, now: datetime) -> None:
    """To be forgotten: who sees to that is told. For a copy: a person hands it out."""
    orders = find_all(shopify.CODE, shopify.parse_asked(message.body))
    if message.topic == shopify.FORGET:
        _forget_all({order.customer_id for order in orders})
    for order in orders[:1] if message.topic == shopify.COPY else ():
        tell(order.id, "copy_asked", by="customer", now=now)


def _forget_all(customer_ids: Iterable[int]) -> None:
    for customer_id in sorted(customer_ids):
        announce("customer.redacted", customer_id=customer_id)


def _sort_woocommerce(message: Taken, now: datetime) -> None:
    if message.topic == woocommerce.DELETED:
        order_gone(woocommerce.CODE, woocommerce.parse_subject(message.body), now=now)
    elif message.topic.startswith("order."):
        incoming = woocommerce.parse(message.body)
        order_id = _take_in(incoming, now)
        if incoming.claimed_intent and may_be_proven(order_id):
            defer(prove_payment, order_id=order_id, intent=incoming.claimed_intent)


def _take_in(incoming: IncomingOrder, now: datetime) -> int:
    """The order's id; what came before it is worked off now."""
    order_id, _ = take_in(incoming, by="channel", now=now)
    for waiting in inbox.parked(incoming.channel, _subject(incoming.external_id)):
        defer(work_off_shopify, message_id=waiting)
    return order_id


def _subject(external_id: str) -> str:
    return f"order:{external_id}"


@task(queue="channels")
def prove_payment(order_id: int, intent: str) -> None:
    """Money can go back through our Stripe account when our key can read the payment; else only through the channel."""
    try:
        found = stripe.account().payment(intent)
    except (stripe.NoKey, Permanent):
        return
    with transaction():
        prove(order_id, found.id, found.currency, found.received)


@listen("checkout", open=open_checkout)
@task(queue="channels")
def work_off_checkout(message_id: int) -> None:
    """A paid session becomes an order: its lines are asked of Stripe, with no transaction open."""
    with transaction():
        message = inbox.claim(message_id)
        body = message.body if message else b""
    if not body:
        return
    try:
        found = checkout.bought(body)
        rows = stripe.account().checkout_lines(found.id) if found else []
        incoming = checkout.order_of(found, rows) if found else None
    except (Malformed, Permanent) as unreadable:
        _keep_for_a_person(message_id, str(unreadable))
        return
    _take_session_in(message_id, incoming)


def _take_session_in(message_id: int, incoming: IncomingOrder | None) -> None:
    now = clock.now()
    with transaction():
        message = inbox.claim(message_id)
        if message is None:
            return
        if incoming is not None:
            take_in(incoming, by="channel", now=now)
        inbox.finish(message, now=now)


def _keep_for_a_person(message_id: int, why: str) -> None:
    with transaction():
        message = inbox.claim(message_id)
        if message is not None:
            inbox.fail(message, why)


@task(queue="channels", retry=None, periodic="*/15 * * * *")
def reread_channels() -> None:
    """Every quarter of an hour each channel is asked what changed: webhooks get lost, WooCommerce's at one failure."""
    asked = list(accounts(current_app.config["SETTINGS"]))
    with transaction():
        for code in asked:
            defer(reread, lock=f"reread:{code}", code=code)


@task(queue="channels", retry=None)
def reread(code: str) -> None:
    """Page by page, each kept before the next is asked for; what is not answered is asked for again next time."""
    account = accounts(current_app.config["SETTINGS"])[code]
    for _page in range(MOST_PAGES):
        with transaction():
            due = rereading.begin(code, now=clock.now())
        try:
            page = account.changed_since(due.since, due.after)
        except Trouble as trouble:
            with transaction():
                rereading.note_trouble(code, trouble, now=clock.now())
            return
        with transaction():
            rereading.take_in(code, due, page, now=clock.now())
        if not page.after:
            return


@follows("push.owed")
@task(queue="channels", retry=None)
def tell_channel(code: str) -> None:
    """What this channel is to be told, one thing after another, until it wants a pause. `sweep_pushes` comes back."""
    shop = shops(current_app.config["SETTINGS"]).get(code)
    while shop is not None:
        with transaction():
            due = pushing.begin(code, now=clock.now())
        if due is None or not _tell(shop, due):
            return


def _tell(shop: Shop, due: pushing.Due) -> bool:
    """Whether to go on with the next."""
    try:
        remote_id = shop.push(due.push)
    except Trouble as trouble:
        with transaction():
            pushing.record_trouble(due.id, trouble, now=clock.now())
        return isinstance(trouble, Permanent)
    with transaction():
        pushing.record_told(due.id, remote_id, now=clock.now())
    return True


@task(queue="sweeps", periodic="* * * * *")
def sweep_pushes() -> None:
    """Every minute: what is to be told again, whose worker died, or what was too much at once."""
    with transaction():
        for code in pushing.due(clock.now()):
            defer(tell_channel, code=code)


@task(queue="sweeps", periodic="27 3 * * *")
def sweep_grants() -> None:
    """What browsers were let in by yesterday is forgotten at night."""
    with transaction():
        forget_grants(now=clock.now())
        codes.forget(now=clock.now())
