"""A day of a shop: orders from three channels, two couriers, four people, through the real doors.

Thirty orders in the suite, three hundred by `make day`.
"""

import json
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.db import session
from portal.fulfilment import shorts, wave_lists, waves
from portal.fulfilment.closing import ListedParcel
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.waves import Wave
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.keys import make_key
from portal.orders.models import Order, OrderLine
from tests.bench.pieces import shopify_orders, woocommerce_orders
from tests.fulfilment.courier_mail import signed
from tests.world import World, sign_in

EACH = int(os.environ.get("DAY_ORDERS", "30")) // 3
"""Orders of each channel; the known world has two more."""
ORDERS = 3 * EACH + 2
PARCELS = ORDERS
"""That leave the house: one order goes in two, and one lacks a piece."""
MUG = {"external_id": "1", "sku": "MUG-01", "title": "Stoneware mug", "quantity": 1, "unit_price": 2000}
HOME = {"name": "Ada Ångström", "street": "Lindenstraße 7", "postcode": "10115", "city": "Berlin", "country": "DE"}
Work = Callable[..., int]


def test_in_the_evening_every_order_is_where_it_should_be(
    app: Flask, client: FlaskClient, world: World, work: Work
) -> None:
    """Two walk waves, one packs, one ships. One thing is not found, one order needs two boxes, one comes back."""
    cleo, dan, pat, max_ = (sign_in(app.test_client(), who) for who in (world.cleo, world.dan, world.pat, world.max))
    orders_come_in(client, work)
    walk_waves(cleo, "singles")
    walk_waves(dan, "several")
    decide(max_)
    pack_all(pat)
    ship_all(max_)
    couriers_tell(client, work)

    assert by_state(Order) == {"closed": ORDERS - 2, "accepted": 2}, "one came back, one lacks a piece"
    assert by_state(Parcel) == {"handed_over": PARCELS, "to_pick": 1}
    assert tracked() == {"delivered": PARCELS - 1, "returned": 1, "unknown": 1}
    assert set(by_state(Wave)) == {"done"}
    assert open_work() == [("picking", "Cleo")], "what is not found is still somebody's"
    assert session.scalar(select(func.count()).select_from(ListedParcel)) == PARCELS
    assert (letters("on-its-way"), letters("delivered")) == (PARCELS, PARCELS - 1)


def orders_come_in(client: FlaskClient, work: Work) -> None:
    """One article each by our API, two each from Shopify and WooCommerce; some are sent twice, as shops do."""
    key = make_key("webshop", "first", by=None, now=clock.now())
    session.commit()
    for number in (*range(EACH), 0, 1):
        answer = client.post("/api/v1/orders", json=bought(number), headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code in (200, 201), answer.text
    for pieces in (shopify_orders(1, EACH), woocommerce_orders(2, EACH)):
        for piece in (*pieces, *pieces[:2]):
            assert client.post(f"/hooks/{piece.source}", data=piece.body, headers=piece.headers).status_code == 200
    for task in ("orders.work_off_shopify", "orders.work_off_woocommerce", "fulfilment.plan"):
        work(task=task)
    assert wave_lists.waiting() == {"singles": EACH + 1, "several": 2 * EACH + 1}


def bought(number: int) -> dict[str, Any]:
    moment = (clock.now() - timedelta(hours=2)).isoformat()
    return {
        "external_id": f"W-{number}", "number": f"W-{number}", "placed_at": moment, "currency": "EUR", "total": 2000,
        "name": "Ada Ångström", "email": f"ada{number}@example.org", "locale": "de", "address": HOME, "lines": [MUG],
        "payment": {"captured": 2000},
    }  # fmt: skip


def done(desk: FlaskClient, url: str, **data: Any) -> str:
    """Somebody pressed a button, and it worked; where that leads."""
    answer = desk.post(url, data=data)
    assert answer.status_code == 303, (url, answer.status_code, answer.text)
    return answer.location


def walk_waves(picker: FlaskClient, kind: str) -> None:
    """One wave after the other until none is left, every piece scanned; the last mug of all is not found."""
    while left := wave_lists.waiting()[kind]:
        wave = done(picker, "/desk/waves", kind=kind, most=waves.KINDS[kind], begin="1")
        lines = lines_of(wave)
        if kind == "singles" and left <= waves.KINDS[kind]:
            missing = lines[-1]
            lines = [line for line in lines if line.id != missing.id]
            done(picker, f"{wave}/lines/{missing.id}/short-picks", pieces="1", reason="not_found", note="")
        for line in lines:
            for _piece in range(line.quantity):
                done(picker, f"{wave}/picks", code=line.sku)
        done(picker, f"{wave}/completion")


def lines_of(wave: str) -> list[Any]:
    columns = select(ParcelLine.id, ParcelLine.quantity, OrderLine.sku).join(ParcelLine.parcel).join(ParcelLine.line)
    found = columns.where(Parcel.wave_id == int(wave.rpartition("/")[2])).order_by(ParcelLine.id)
    return list(session.execute(found))


def decide(manager: FlaskClient) -> None:
    [short] = shorts.listed()
    done(manager, f"/desk/short-picks/{short.id}/choice", choice="wait")


def pack_all(packer: FlaskClient) -> None:
    """A scan opens a parcel, each piece goes into its box; for the first order of two things it is full after one."""
    large = next(parcel for parcel in in_state("picked") if len(parcel.lines) == 2)
    pack(packer, large.ref, [large.lines[0].line.sku], full=True)
    for parcel in in_state("picked"):
        pack(packer, parcel.ref, [packed.line.sku for packed in parcel.lines for _piece in range(packed.quantity)])


def pack(packer: FlaskClient, ref: str, pieces: Sequence[str], *, full: bool = False) -> None:
    answer = packer.get(f"/desk/parcels/scanned?code={ref}&state=to_pack")
    assert answer.status_code == 303, answer.text
    for code in pieces:
        done(packer, f"{answer.location}/contents", code=code)
    if full:
        done(packer, f"{answer.location}/second-parcel", rest="1")
    done(packer, f"{answer.location}/packing", grams="900", box="")


def ship_all(shipper: FlaskClient) -> None:
    """In turns to two couriers, whose days are then closed."""
    for place, parcel in enumerate(in_state("packed")):
        courier = COURIERS[place % 2]
        done(shipper, f"/desk/parcels/{parcel.id}/hand-over", courier=courier, number=f"{courier}{place:09}")
    for courier in COURIERS:
        done(shipper, "/desk/couriers/closings", courier=courier)


COURIERS = ("dhl", "dpd")


def couriers_tell(client: FlaskClient, work: Work) -> None:
    """A day later, in no order and some twice: all arrived, but one that comes back."""
    parcels = in_state("handed_over")
    with clock.moved(timedelta(days=1)):
        told = [told_of(parcel, returned=parcel is parcels[0]) for parcel in parcels]
        told += told[5:15]
        Random(1).shuffle(told)
        for source, raw in told:
            assert client.post(f"/hooks/{source}", data=raw, headers=signed(source, raw)).status_code == 200
        work(task="fulfilment.work_off")
    session.expire_all()


def told_of(parcel: Parcel, *, returned: bool) -> tuple[str, bytes]:
    """DHL speaks through EasyPost, DPD through AfterShip; each with the whole story."""
    number, at = parcel.tracking_number, (clock.now() - timedelta(minutes=30)).isoformat()
    before = (clock.now() - timedelta(hours=9)).isoformat()
    if parcel.courier == "dhl":
        story = (("in_transit", before), ("delivered", at))
        details = [{"status": status, "datetime": moment} for status, moment in story]
        result = {"tracking_code": number, "carrier": "DHL", "updated_at": at, "tracking_details": details}
        result |= {"is_return": returned}
        return "easypost", json.dumps({"id": f"e{number}", "description": "tracker.updated", "result": result}).encode()
    points = [{"tag": tag, "checkpoint_time": moment} for tag, moment in (("InTransit", before), ("Delivered", at))]
    tracking = {"tracking_number": number, "slug": "dpd", "updated_at": at, "checkpoints": points}
    body = {"event": "tracking_update", "event_id": f"e{number}", "ts": int(clock.now().timestamp()), "msg": tracking}
    return "aftership", json.dumps(body).encode()


def in_state(state: str) -> Sequence[Parcel]:
    session.expire_all()
    return session.scalars(select(Parcel).where(Parcel.state == state).order_by(Parcel.id)).all()


def by_state(table: type[Order] | type[Parcel] | type[Wave]) -> dict[str, int]:
    rows = session.execute(select(table.state, func.count()).group_by(table.state))
    return {str(state): int(count) for state, count in rows}


def tracked() -> dict[str, int]:
    rows = session.execute(select(Parcel.tracking_status, func.count()).group_by(Parcel.tracking_status))
    return {str(status): int(count) for status, count in rows}


def open_work() -> list[tuple[str, str]]:
    """Each piece of work in the house, and who answers for it."""
    found = session.scalars(select(HandOff).where(HandOff.done_at.is_(None)))
    return [(handoff.department, handoff.owner.name) for handoff in found]


def letters(kind: str) -> int:
    return session.scalar(select(func.count()).select_from(Letter).where(Letter.kind == kind)) or 0
