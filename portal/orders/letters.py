"""Letters to the customer of an order."""

from datetime import datetime
from typing import Any

from portal import mail
from portal.orders.models import Order


def write(kind: str, order: Order, *, about: str, now: datetime, once: str | None = None, **more: Any) -> int | None:
    """Owe the customer a letter in the order's language; without `once`, one of its kind for what it is `about`."""
    return mail.queue(
        kind,
        to=order.customer.email,
        locale=order.locale,
        now=now,
        order_id=order.id,
        about=about,
        once=once or f"{kind}:{about}",
        number=order.number,
        **more,
    )
