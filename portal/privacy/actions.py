"""Forget a customer: what may go goes, what the law keeps is locked away, and they are told which is which."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from portal import mail
from portal.db import move, session
from portal.db.personal import Ids, take_out
from portal.feedback import rollups
from portal.fulfilment.models import Parcel
from portal.inbox.actions import forget_messages
from portal.jobs import announce
from portal.jobs.failures import forget_arguments
from portal.lib.errors import Refused
from portal.mail.actions import drop_waiting, wipe_sent
from portal.mail.personal import RECEIPT
from portal.orders.models import Customer, Order
from portal.orders.timeline import record, words
from portal.privacy.models import KEPT, WAITING, Erasure, last_year, open_erasure, open_matter, orders_of
from portal.privacy.rules import locked_until
from portal.staff.models import Staff

words(
    "customer.erasure_asked", staff=_l("The customer asked to be forgotten"), customer=_l("You asked to be forgotten")
)
words("customer.erased", staff=_l("What is known of the customer was erased"))
LEAST_NEEDLE = 6
"""Characters; shorter numbers stand in other people's messages too."""


def ask(customer_id: int, *, by: Staff | None, now: datetime) -> Erasure:
    """Owe it. Asking twice is asking once. Raises Refused when this customer is forgotten already."""
    if (known := open_erasure(customer_id)) is not None:
        return known
    ids = orders_of(customer_id)
    if not session.get_one(Customer, customer_id).email:
        raise Refused(_("There is nothing left to erase."))
    erasure = Erasure(customer_id=customer_id, asked_by_id=by.id if by else None, asked_at=now)
    session.add(erasure)
    session.flush()
    for order_id in ids:
        record(order_id, "customer.erasure_asked", by=by or "customer", now=now)
    announce("erasure.asked", erasure_id=erasure.id)
    return erasure


def waiting() -> list[int]:
    """What was asked for and is still to be done."""
    return list(session.scalars(select(Erasure.id).where(Erasure.state.in_(WAITING)).order_by(Erasure.id)))


def begin(erasure_id: int, *, now: datetime) -> Sequence[str]:
    """The references of the orders to be forgotten now; none while something of theirs is open, or when it is done."""
    erasure = session.get_one(Erasure, erasure_id, with_for_update=True)
    if erasure.state == "done":
        return ()
    ids = orders_of(erasure.customer_id)
    because = open_matter(ids, now=now)
    if because is None:
        return session.scalars(select(Order.ref).where(Order.id.in_(ids))).all()
    if because != erasure.because:
        move(erasure, "state", "wait", because=because)
    return ()


def finish(erasure_id: int, *, now: datetime) -> None:
    """Write the receipt, then forget. Again does nothing; what was opened meanwhile makes it wait."""
    erasure = session.get_one(Erasure, erasure_id, with_for_update=True)
    ids = orders_of(erasure.customer_id)
    if erasure.state == "done" or open_matter(ids, now=now):
        return
    _write_receipt(erasure, ids, now)
    forget(ids, now=now)
    move(erasure, "state", "finish", done_at=now, because=None)


def _write_receipt(erasure: Erasure, ids: Ids, now: datetime) -> None:
    """The last letter; it belongs to no order, so that none of its pages leads back to it."""
    orders = session.execute(select(Order.number, Order.locale, Order.country).where(Order.id.in_(ids))).all()
    mail.queue(
        "erased",
        to=erasure.customer.email,
        locale=orders[-1].locale,
        now=now,
        about=f"erasure:{erasure.id}",
        once=f"erased:{erasure.id}",
        numbers=[order.number for order in orders],
        until=until(ids),
    )


def until(ids: Ids) -> date:
    """The day on which the locked rest may go."""
    return locked_until(last_year(ids), session.scalars(select(Order.country).where(Order.id.in_(ids))))


def forget(ids: Ids, *, now: datetime) -> None:
    """Take out all that says who bought. Raw messages and waiting letters that name them go too."""
    session.flush()
    needles = _names_of(ids)
    drop_waiting(ids)
    for kept in KEPT:
        take_out(kept, ids)
    forget_messages(needles)
    forget_arguments(needles)
    rollups.forget_words_of(ids)
    session.execute(update(Order).where(Order.id.in_(ids)).values(erased_at=now))
    session.expire_all()
    for order_id in ids:
        record(order_id, "customer.erased", by="system", now=now)


def _names_of(ids: Ids) -> list[str]:
    """What a raw message would name them by: address, the channel's number, tracking numbers."""
    addresses = select(Customer.email).join(Order).where(Order.id.in_(ids))
    numbers = select(Parcel.tracking_number).where(Parcel.order_id.in_(ids))
    found = (*session.scalars(addresses), *session.scalars(numbers), *_externals(ids))
    return sorted({needle for needle in found if needle and len(needle) >= LEAST_NEEDLE})


def _externals(ids: Ids) -> Iterable[str]:
    return session.scalars(select(Order.external_id).where(Order.id.in_(ids)))


def wipe_receipts() -> None:
    """Receipts that have left are forgotten as well."""
    wipe_sent(RECEIPT)


def replay(refs: Sequence[str], *, now: datetime) -> int:
    """Forget again what a copy from before brought back; how many orders it were."""
    ids = list(session.scalars(select(Order.id).where(Order.ref.in_(refs), Order.erased_at.is_(None))))
    if ids:
        forget(ids, now=now)
    return len(ids)
