"""One at a time decides about an order's goods."""

from portal.db import session
from portal.orders.models import Order


def lock(order_id: int) -> Order:
    """One at a time decides about an order's goods; what was read before is read anew.

    A lock that lets others refer to the order: a timeline entry of somebody who holds the payment must not wait for us.
    """
    lock = {"of": Order, "key_share": True}
    return session.get_one(Order, order_id, with_for_update=lock, populate_existing=True)
