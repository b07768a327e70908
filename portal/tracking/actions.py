"""What customers do on the front page: ask for a new link, and choose when a promise breaks."""

from datetime import date, datetime, timedelta

from sqlalchemy import func, select

from portal import mail
from portal.db import limits, session
from portal.fulfilment import promises
from portal.orders import pushes
from portal.orders.models import Customer, Order
from portal.refunds.actions import give_all_back

A_DAY = timedelta(days=1)
MOST_PER_ADDRESS, MOST_PER_ORDER = 3, 10


def send_new_link(number: str, email: str, *, now: datetime) -> int:
    """How many letters are owed. Nobody who asks learns it: this is the worker's."""
    if not limits.take("new-link-address", email, MOST_PER_ADDRESS, A_DAY, now):
        return 0
    return sum(_write_to(order, now) for order in _find(number, email))


def _find(number: str, email: str) -> list[Order]:
    """Their orders with this number; some channels write it with a # in front, people do not."""
    matches = (func.ltrim(func.lower(Order.number), "#") == number.lower().lstrip("#"), Customer.email == email)
    return list(session.scalars(select(Order).join(Order.customer).where(*matches).limit(5)))


def _write_to(order: Order, now: datetime) -> bool:
    if not limits.take("new-link-order", str(order.id), MOST_PER_ORDER, A_DAY, now):
        return False
    letter = mail.queue(
        "new-link",
        to=order.customer.email,
        locale=order.locale,
        now=now,
        order_id=order.id,
        about="link",
        not_after=now + A_DAY,
        number=order.number,
    )
    return letter is not None


def choose(order_id: int, choice: str, day: date | None, *, now: datetime) -> None:
    """Wait, another day, or cancel: then all that was paid is proposed to be given back. Raises Refused."""
    promises.choose(order_id, choice, day, now=now)
    if choice == "cancel":
        order = session.get_one(Order, order_id)
        promises.cancel_order(order, by="customer", now=now)
        pushes.tell_cancelled(order, now=now)
        give_all_back(order, by="customer", now=now)
