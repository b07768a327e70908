"""The worker's door: parcels planned for new orders, couriers' messages worked off."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from portal.adapters.couriers.known import LISTENED
from portal.adapters.errors import Malformed
from portal.config import Settings
from portal.db import session, transaction
from portal.fulfilment.actions import claim_stock, plan_parcels
from portal.fulfilment.models import Parcel
from portal.fulfilment.tracking import record_update
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.inbox.sources import Envelope, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import defer, follows, task
from portal.lib import clock


@follows("order.accepted")
@task(queue="fulfilment")
def plan(order_id: int) -> None:
    """A new order is ready to be picked."""
    with transaction():
        plan_parcels(order_id, now=clock.now())


@follows("stock.counted")
@task(queue="fulfilment")
def claim(item_id: int) -> None:
    """An article is counted from now on."""
    with transaction():
        claim_stock(item_id, now=clock.now())


def open_message(source: str, raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by this courier and readable, else it says what is wrong."""
    secrets = getattr(settings, f"{source}_webhook_secret")
    if not secrets:
        raise NotReady
    if not LISTENED[source].verify(raw, headers, secrets):
        raise NotGenuine
    try:
        return Envelope(*LISTENED[source].identify(raw))
    except Malformed as error:
        raise Unreadable from error


@task(queue="couriers")
def work_off(message_id: int) -> None:
    """Scans go to their parcel; a number nobody knows yet is kept until a parcel gets it."""
    with transaction():
        message = inbox.claim(message_id)
        if message is not None:
            _sort(message, clock.now())


def _sort(message: InboxMessage, now: datetime) -> None:
    """Done, or parked for a parcel that has not left yet, or, when it can't be read, kept for a person."""
    try:
        updates = LISTENED[message.source].parse(message.body)
    except Malformed as unreadable:
        inbox.fail(message, str(unreadable))
        return
    strangers = [said.number for said in updates if not record_update(said, now=now)]
    if strangers:
        inbox.park(message, strangers[0])
    else:
        inbox.finish(message, now=now)


for _source in LISTENED:
    listen(_source, open=partial(open_message, _source))(work_off)


@follows("parcel.handed_over")
@task(queue="couriers")
def work_off_parked(parcel_id: int, order_id: int) -> None:  # noqa: ARG001
    """What the courier said of this number before we did."""
    with transaction():
        number = session.get_one(Parcel, parcel_id).tracking_number or ""
        for source in LISTENED:
            for message_id in inbox.parked(source, number):
                defer(work_off, message_id=message_id)
