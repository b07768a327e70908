"""The worker's door: parcels planned for new orders, couriers' messages worked off."""

from collections.abc import Mapping

from portal.adapters.couriers import easypost
from portal.adapters.errors import Malformed
from portal.config import Settings
from portal.db import session, transaction
from portal.fulfilment.actions import plan_parcels
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


def open_easypost(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """Signed by EasyPost and readable, else it says what is wrong."""
    secrets = settings.easypost_webhook_secret
    if not secrets:
        raise NotReady
    if not easypost.verify(raw, headers, secrets):
        raise NotGenuine
    try:
        easypost.parse(raw)
        return Envelope(*easypost.identify(raw))
    except Malformed as error:
        raise Unreadable from error


@listen("easypost", open=open_easypost)
@task(queue="couriers")
def work_off_easypost(message_id: int) -> None:
    """Scans go to their parcel; a number nobody knows yet is kept until a parcel gets it."""
    with transaction():
        message = session.get_one(InboxMessage, message_id, with_for_update=True)
        if message.state == "done":
            return
        now = clock.now()
        strangers = [said.number for said in easypost.parse(message.body) if not record_update(said, now=now)]
        if strangers:
            inbox.park(message, strangers[0])
        else:
            inbox.finish(message, now=now)


@follows("parcel.handed_over")
@task(queue="couriers")
def work_off_parked(parcel_id: int, order_id: int) -> None:  # noqa: ARG001
    """What the courier said of this number before we did."""
    with transaction():
        number = session.get_one(Parcel, parcel_id).tracking_number or ""
        for message_id in inbox.parked("easypost", number):
            defer(work_off_easypost, message_id=message_id)
