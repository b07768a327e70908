"""The worker's door: what sales channels told us becomes orders."""

from collections.abc import Mapping

from portal.adapters.channels import shopify
from portal.adapters.errors import Malformed
from portal.config import Settings
from portal.db import transaction
from portal.inbox.actions import claim, fail, finish
from portal.inbox.sources import Envelope, NotGenuine, NotReady, listen
from portal.jobs import task
from portal.lib import clock
from portal.orders.actions import accept_order
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
    """A paid order comes in; other topics are none of ours; what can't be read waits for a person."""
    now = clock.now()
    with transaction():
        message = claim(message_id)
        if message is None:
            return
        try:
            if message.topic == shopify.PAID:
                accept_order(shopify.parse(message.body, message.topic), by="channel", now=now)
            finish(message, now=now)
        except Malformed as unreadable:
            fail(message, str(unreadable))


@task(queue="sweeps", periodic="27 3 * * *")
def sweep_grants() -> None:
    """What browsers were let in by yesterday is forgotten at night."""
    with transaction():
        forget_grants(now=clock.now())
