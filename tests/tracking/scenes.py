"""Orders at every point of their way, written straight into the tables."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from portal.adapters.channels import IncomingLine
from portal.db import session
from portal.fulfilment.models import CourierEvent, Parcel, ParcelLine
from portal.lib import clock, tokens
from portal.orders.actions import accept_order
from portal.orders.models import Order
from tests.world import ALICES_ORDER

LONG_TITLE = "Wasserdichte Outdoor-Funktionsjacke mit abnehmbarer Kapuze und Reißverschlusstasche"
SHIPPED = ("picked_up", "in_transit")


def an_order(number: str, lines: int = 2, **changes: object) -> Order:
    """Another order of Alice's, with so many lines of goods."""
    goods = tuple(
        IncomingLine(f"L{n}", LONG_TITLE if n % 7 == 1 else f"Stoneware mug no. {n}", 2, 1000, 2000, sku=f"SKU-{n}")
        for n in range(lines)
    )
    incoming = replace(
        ALICES_ORDER, external_id=f"A-{number}", number=number, lines=goods, total=2000 * lines, captured=2000 * lines,
        payment_intent=f"pi_{number}",
    )  # fmt: skip
    order, _ = accept_order(replace(incoming, **changes), by="channel", now=clock.now())  # type: ignore[arg-type]
    session.flush()
    return order


def a_parcel(
    order: Order,
    *,
    scans: Sequence[str] | None = SHIPPED,
    status: str | None = None,
    ago: timedelta = timedelta(hours=30),
    share: tuple[int, int] = (0, 1),
    estimate_on: date | None = None,
    state: str = "handed_over",
) -> Parcel:
    """A parcel with its share (which, of how many) of the order's goods; `scans` None is one still in the house."""
    now = clock.now()
    away = scans is not None and state == "handed_over"
    reached = status or (scans[-1] if scans else "unknown")
    parcel = Parcel(
        order_id=order.id,
        ref=tokens.reference(),
        state=state if away or state != "handed_over" else "packed",
        courier="ups" if away else None,
        tracking_number="1ZCANARY9999" if away else None,
        tracking_status=reached if away else "unknown",
        action_required=reached in ("attempt_failed", "ready_for_pickup"),
        estimate_on=estimate_on,
        created_at=now - ago,
        packed_at=now - ago,
        handed_over_at=now - ago + timedelta(hours=1) if away else None,
        delivered_at=_time_of(len(scans or ()) - 1, now, ago) if reached == "delivered" else None,
    )
    session.add(parcel)
    session.flush()
    session.add_all(_events(parcel, scans or (), now, ago))
    which, of = share
    goods = [line for line in order.lines if line.kind == "item"][which::of]
    session.add_all(ParcelLine(parcel_id=parcel.id, order_line_id=line.id, quantity=line.quantity) for line in goods)
    session.commit()
    return parcel


def _events(parcel: Parcel, scans: Sequence[str], now: datetime, ago: timedelta) -> list[CourierEvent]:
    return [
        CourierEvent(
            parcel_id=parcel.id,
            at=_time_of(n, now, ago),
            status=status,
            code=f"X{n}:{status}",
            message="CANARY MESSAGE",
            place="CANARY TOWN",
            received_at=now,
        )
        for n, status in enumerate(scans)
    ]


def _time_of(n: int, now: datetime, ago: timedelta) -> datetime:
    return now - ago + timedelta(hours=2 + 2 * n)
