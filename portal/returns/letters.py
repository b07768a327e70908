"""Letters about a return: what is in it, and until when it is to be sent."""

from datetime import datetime
from typing import Any

from portal.fulfilment import drop_off
from portal.lib import days
from portal.lib.days import shop_day
from portal.orders import letters
from portal.returns.models import Return


def write(kind: str, ret: Return, now: datetime, *, carried_by: str | None = None, **more: Any) -> None:
    """Queue a letter to whoever ordered, in their language. Who carries it, when that is known, takes it in places."""
    order, today = ret.order, shop_day(now)
    letters.write(
        kind,
        order,
        about=f"return:{ret.id}",
        now=now,
        rma=ret.rma,
        rows=[(row.told, f"× {row.quantity}") for row in ret.lines if row.quantity],
        drop_off=drop_off.lines(order.locale, carried_by),
        send_by=days.spelled(ret.send_back_by, today, order.locale) if ret.send_back_by else "",
        **more,
    )


