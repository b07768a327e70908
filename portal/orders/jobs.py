"""The worker's door: what sales channels told us becomes orders."""

from collections.abc import Mapping
from datetime import datetime

from portal.adapters.channels import IncomingOrder, shopify
from portal.adapters.errors import Malformed
from portal.config import Settings
from portal.db import transaction
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.inbox.sources import Envelope, NotGenuine, NotReady, listen
from portal.jobs import defer, task
from portal.lib import clock
from portal.orders import codes
from portal.orders.actions import accept_order, find_external, order_gone, take_refunds
from portal.orders.links import forget_grants


def open_shopify(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by Shopify; what it says is read later, by the worker."""
    secrets = settings.shopify_webhook_secret
    if not secrets:
        raise NotReady
    if not shopify.verify(raw, headers, secrets):
        raise NotGenuine
    return Envelope(*shopify.identify(raw, headers))


@listen("shopify", open=open_shopify)
@task(queue="orders")
def work_off_shopify(message_id: int) -> None:
    """Orders come in and change, money given back is counted; what can't be read waits for a person."""
    now = clock.now()
    with transaction():
        message = inbox.claim(message_id)
        if message is None:
            return
        try:
            _sort_shopify(message, now)
        except Malformed as unreadable:
            inbox.fail(message, str(unreadable))


def _sort_shopify(message: InboxMessage, now: datetime) -> None:
    """Each topic to what it means here; one that is none of ours is done."""
    if message.topic == shopify.REFUNDED:
        external_id, refund = shopify.parse_refund(message.body)
        order = find_external(shopify.CODE, external_id)
        if order is None:
            inbox.park(message, _subject(external_id))
            return
        take_refunds(order, [refund(order.currency)], now=now)
    elif message.topic == shopify.DELETED:
        order_gone(shopify.CODE, shopify.parse_subject(message.body), now=now)
    elif message.topic.startswith("orders/") and message.topic not in shopify.BARE:
        _take_in(shopify.parse(message.body, message.topic), now)
    inbox.finish(message, now=now)


def _take_in(incoming: IncomingOrder, now: datetime) -> None:
    """The order; what came before it is worked off now."""
    accept_order(incoming, by="channel", now=now)
    for waiting in inbox.parked(incoming.channel, _subject(incoming.external_id)):
        defer(work_off_shopify, message_id=waiting)


def _subject(external_id: str) -> str:
    return f"order:{external_id}"


@task(queue="sweeps", periodic="27 3 * * *")
def sweep_grants() -> None:
    """What browsers were let in by yesterday is forgotten at night."""
    with transaction():
        forget_grants(now=clock.now())
        codes.forget(now=clock.now())
