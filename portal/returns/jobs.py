"""The worker's door."""

from portal.db import session, transaction
from portal.fulfilment.models import BackParcel
from portal.jobs import follows, task
from portal.lib import clock
from portal.returns import dispatch, withdrawals
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
