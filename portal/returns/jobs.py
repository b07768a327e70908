"""The worker's door."""

from portal.db import session, transaction
from portal.fulfilment.models import BackParcel
from portal.jobs import follows, task
from portal.lib import clock
from portal.returns import dispatch, labels_back, withdrawals
from portal.returns.models import Return


@task(queue="orders")
def match_withdrawal(withdrawal_id: int) -> None:
    """Find the order that a statement is about, out of sight of who made it."""
    with transaction():
        withdrawals.match(withdrawal_id, now=clock.now())


@follows("back_parcel.sent")
@task(queue="orders")
def note_dispatch(back_parcel_id: int) -> None:
    """A courier has scanned a parcel of a return for the first time."""
    with transaction():
        return_id = session.get_one(BackParcel, back_parcel_id).return_id
        dispatch.note_dispatch(return_id, by="courier", now=clock.now())


@task(queue="sweeps", periodic="20 7 * * *")
def watch_the_way_back() -> None:
    """Every morning: who should be reminded, what was never sent, what got lost."""
    now = clock.now()
    with transaction():
        lost, soon, never = dispatch.lost_by_now(now), dispatch.to_remind(now), dispatch.never_sent(now)
    for return_id in lost:
        with transaction():
            dispatch.lose(session.get_one(Return, return_id), by="system", now=now)
    for return_id in soon:
        with transaction():
            dispatch.remind(return_id, now=now)
    for return_id in never:
        with transaction():
            dispatch.expire(return_id, now=now)


@follows("return.awaited")
@task(queue="orders")
def order_first_label(return_id: int) -> None:
    """A return was accepted: the label that the shop gives, when it gives one."""
    with transaction():
        labels_back.first_label(return_id, now=clock.now())


@follows("back_parcel.labelled")
@task(queue="orders")
def tell_of_label(back_parcel_id: int) -> None:
    """The label is here to be printed."""
    with transaction():
        labels_back.tell(back_parcel_id, now=clock.now())


@follows("return.ended")
@task(queue="orders")
def give_labels_back(return_id: int) -> None:
    """Nobody will use its labels."""
    with transaction():
        labels_back.give_up(return_id, now=clock.now())
