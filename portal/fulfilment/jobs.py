"""The worker's door: parcels planned for new orders, couriers' messages worked off."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from portal.adapters.couriers import easypost_account
from portal.adapters.couriers.known import LISTENED
from portal.adapters.couriers.selling import Bought, Manifest
from portal.adapters.errors import Malformed, Permanent, Temporary, Unknown
from portal.config import Settings
from portal.db import session, transaction
from portal.fulfilment import (
    buying,
    buying_back,
    changes,
    closing,
    handoff_news,
    handoffs,
    manifests,
    promises,
    vans,
    watching,
    waves,
)
from portal.fulfilment.actions import claim_stock, plan_parcels
from portal.fulfilment.models import BackParcel, Parcel
from portal.fulfilment.tracking import record_update
from portal.inbox import actions as inbox
from portal.inbox.models import Taken
from portal.inbox.sources import Envelope, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import defer, follows, task
from portal.lib import clock


@follows("order.accepted")
@task(queue="fulfilment")
def plan(order_id: int) -> None:
    """A new order is ready to be picked."""
    with transaction():
        plan_parcels(order_id, now=clock.now())


@follows("order.changed")
@task(queue="fulfilment")
def take_over_change(order_id: int) -> None:
    """The channel wants something else: the order follows, unless somebody has begun."""
    with transaction():
        changes.take_over(order_id, now=clock.now())


@follows("order.sent_by_channel")
@task(queue="fulfilment")
def notice_sent(order_id: int) -> None:
    """Somebody sent it from elsewhere, or it is what we told the channel ourselves."""
    with transaction():
        changes.notice_sent(order_id, now=clock.now())


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
    now = clock.now()
    with transaction():
        message = inbox.take(message_id, now=now)
        if message is not None:
            _sort(message, now)


def _sort(message: Taken, now: datetime) -> None:
    """Done, or parked for a parcel that has not left yet, or, when it can't be read, kept for a person."""
    try:
        updates = LISTENED[message.source].parse(message.body)
    except Malformed as unreadable:
        inbox.fail(message, str(unreadable))
        return
    strangers = [said.number for said in updates if not record_update(said, now=now)]
    if strangers:
        inbox.park(message, strangers[0])


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


@follows("parcel.handed_over")
@task(queue="couriers")
def follow_number(parcel_id: int, order_id: int) -> None:  # noqa: ARG001
    """EasyPost tells of its own labels by itself, of others when it was asked to."""
    with transaction():
        stranger = buying.number_to_follow(parcel_id)
    if stranger:
        easypost_account.account().track(*stranger)


@follows("back_parcel.numbered")
@task(queue="couriers")
def follow_back(back_parcel_id: int) -> None:
    """What the courier said of this number before it was told to us; and EasyPost is asked to follow it."""
    with transaction():
        parcel = session.get_one(BackParcel, back_parcel_id)
        for source in LISTENED:
            for message_id in inbox.parked(source, parcel.tracking_number or ""):
                defer(work_off, message_id=message_id)
        stranger = buying_back.number_to_follow(parcel, buying.CARRIERS)
    if stranger:
        easypost_account.account().track(*stranger)


@follows("label.rates_wanted")
@task(queue="couriers")
def fetch_rates(purchase_id: int) -> None:
    """Asking costs nothing, so it may be asked twice."""
    with transaction():
        wanted = buying.shipment_to_quote(purchase_id)
    if wanted is None:
        return
    try:
        quote = easypost_account.account().quote(wanted)
    except Permanent as error:
        with transaction():
            buying.record_no_rates(purchase_id, str(error))
        return
    with transaction():
        buying.record_rates(purchase_id, quote)


@follows("label.chosen")
@task(queue="couriers", retry=None)
def buy_label(purchase_id: int) -> None:
    """One try. However it ends, the row says how to go on, and `sweep_labels` sees to it."""
    with transaction():
        due = buying.begin_buying(purchase_id)
    if due is None:
        return
    try:
        bought = _look_or_buy(due)
    except Temporary as error:
        _doubt(due, str(error), executed=False)
    except Unknown as error:
        _doubt(due, str(error), executed=True)
    except Permanent as error:
        with transaction():
            buying.record_refusal(due, str(error), now=clock.now())
    else:
        with transaction():
            buying.record_bought(due, bought, now=clock.now())


def _look_or_buy(due: buying.Due) -> Bought:
    """The label: found when an earlier try may have bought it, else bought now."""
    if due.sent and (found := _look(due)):
        return found
    return easypost_account.account().buy(due.shipment_id, due.rate_id)


def _look(due: buying.Due) -> Bought | None:
    """Whoever does not let us look has not said that nothing was bought."""
    try:
        return easypost_account.account().find(due.shipment_id, due.reference)
    except Permanent as error:
        raise Unknown(str(error)) from error


def _doubt(due: buying.Due, why: str, *, executed: bool) -> None:
    with transaction():
        buying.record_doubt(due, why, executed=executed, now=clock.now())


@follows("label.bought")
@task(queue="couriers")
def fetch_paper(purchase_id: int) -> None:
    """The label itself; tried again until it is here."""
    with transaction():
        bought, comes_back = buying.paper_to_fetch(purchase_id), buying_back.comes_back(purchase_id)
    if bought is None:
        return
    account = easypost_account.account()
    paper, code = account.paper(bought), account.code(bought.shipment_id) if comes_back else None
    with transaction():
        buying.record_paper(purchase_id, paper, code)


@follows("label.unwanted")
@task(queue="couriers", retry=None)
def void_label(purchase_id: int) -> None:
    """Asked again by `sweep_labels` until there is an answer; to give back twice is to give back once."""
    with transaction():
        shipment_id = buying.shipment_to_void(purchase_id)
    if shipment_id is None:
        return
    try:
        taken = easypost_account.account().void(shipment_id)
    except Permanent:
        taken = False
    with transaction():
        buying.record_void(purchase_id, taken, now=clock.now())


@follows("van.wanted")
@task(queue="couriers", retry=None)
def order_van(van_id: int) -> None:
    """One try; `sweep_labels` comes back to what is not settled, and the courier is looked at before it is asked."""
    with transaction():
        due = vans.begin_ordering(van_id)
    if due is None:
        return
    account = easypost_account.account()
    try:
        remote_id = due.remote_id or account.plan_pickup(due.window, due.shipment_id)
        with transaction():
            remote_id = vans.record_plan(due, remote_id)
        pickup = account.confirm_pickup(remote_id)
    except (Temporary, Unknown) as error:
        with transaction():
            vans.record_doubt(due, str(error))
    except Permanent as error:
        with transaction():
            vans.record_no_van(due, str(error))
    else:
        with transaction():
            vans.record_ordered(due, pickup)


@follows("van.unwanted")
@task(queue="couriers", retry=None)
def cancel_van(van_id: int) -> None:
    """Asked again by `sweep_labels` until there is an answer."""
    with transaction():
        remote_id = vans.van_to_cancel(van_id)
    if remote_id is None:
        return
    try:
        easypost_account.account().cancel_pickup(remote_id)
    except (Temporary, Unknown):
        return
    except Permanent as error:
        with transaction():
            vans.record_kept(van_id, str(error))
        return
    with transaction():
        vans.record_cancelled(van_id)


@follows("manifest.wanted")
@task(queue="couriers", retry=None)
def make_manifest(manifest_id: int) -> None:
    """One try; `sweep_labels` comes back to what is not settled, and the form is looked for before it is made again."""
    with transaction():
        parcel_ids = closing.parcel_ids_on(manifests.closing_of(manifest_id))
        due = manifests.begin_making(manifest_id, parcel_ids, now=buying.database_now())
    if due is None:
        return
    try:
        form = _form(due)
        paper = easypost_account.account().fetch(form.paper) if form.state == "made" else None
    except (Temporary, Unknown) as error:
        with transaction():
            manifests.record_doubt(due, str(error))
    except Permanent as error:
        with transaction():
            manifests.record_refusal(due, str(error))
    else:
        with transaction():
            manifests.record_form(due, form, paper, now=buying.database_now())


def _form(due: manifests.Due) -> Manifest:
    account = easypost_account.account()
    if due.remote_id:
        return account.manifest(due.remote_id)
    found = account.find_manifest(due.numbers) if due.looked_for else None
    return found or account.make_manifest(due.shipments)


@task(queue="sweeps", periodic="41 2 * * *")
def learn_lanes() -> None:
    """At night: how long each courier is usually silent."""
    with transaction():
        watching.learn_lanes(now=clock.now())


@task(queue="sweeps", periodic="* * * * *")
def sweep_labels() -> None:
    """Every minute: labels, vans and forms whose worker died, whose job was lost, or that are to be looked up."""
    with transaction():
        for purchase_id in buying.take_overdue(buying.database_now()):
            defer(buy_label, purchase_id=purchase_id)
            defer(void_label, purchase_id=purchase_id)
        for van_id in vans.take_overdue(buying.database_now()):
            defer(order_van, van_id=van_id)
            defer(cancel_van, van_id=van_id)
        for manifest_id in manifests.take_overdue(buying.database_now()):
            defer(make_manifest, manifest_id=manifest_id)


@task(queue="sweeps", periodic="3-59/5 * * * *")
def watch_handoffs() -> None:
    """Every five minutes: nothing is without an owner, and who answers for a department hears of what waits."""
    with transaction():
        handoffs.mend(now=clock.now())
        waves.mend(now=clock.now())
    for department in handoffs.CHAIN:
        with transaction():
            handoff_news.tell(department, now=clock.now())


@task(queue="sweeps", periodic="*/5 * * * *")
def watch_promises() -> None:
    """Every five minutes: what is expected of every open parcel, and a letter per promise that will break."""
    after: int | None = 0
    while after is not None:
        with transaction():
            after, breaking = promises.watch(after, now=clock.now())
            known = promises.broken(breaking.keys())
        for order_id, promised_on in breaking.items():
            if promises.may_be_news(known.get(order_id), promised_on, now=clock.now()):
                with transaction():
                    promises.tell_of_break(order_id, now=clock.now())
