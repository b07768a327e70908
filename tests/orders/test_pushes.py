"""What sales channels are told: parcels, notes and money back, each once, whatever the line does meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import checks
from portal.adapters import web
from portal.db import session
from portal.demo.shops import StandIn
from portal.fulfilment import actions as warehouse
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders import jobs, pushes, pushing
from portal.orders.actions import give_up_order
from portal.orders.flags import problems
from portal.orders.models import Order
from portal.orders.pushes import ChannelPush
from portal.orders.timeline import for_staff
from portal.pulse import Pulse
from portal.refunds.actions import approve_refund, open_refund
from portal.refunds.rules import RefundPart
from portal.refunds.ways import prove
from tests.conftest import nothing_appears, owed, statements
from tests.fulfilment.hands import brought_to, checked
from tests.orders.test_rereading import an_order
from tests.shops import BOTH
from tests.world import World, sign_in

Work = Callable[..., int]
DHL = "00340434161094042557"
ITEMS = {
    "shopify": {"line_items": [
        {"id": 11, "title": "Mug", "sku": "MUG-01", "quantity": 2, "price": "15.00"},
        {"id": 12, "title": "Bowl", "sku": "BOWL", "quantity": 1, "price": "10.00"},
    ]},
    "woocommerce": {},
}  # fmt: skip


def sold(shops: StandIn, client: FlaskClient, work: Work, channel: str, number: int = 7001, **more: Any) -> Order:
    """An order that the shop has told of, accepted and planned."""
    order = shops.sell(channel, an_order(channel, number, **ITEMS[channel], **more))
    topic = {"shopify": "orders/paid", "woocommerce": "order.created"}[channel]
    raw, headers = shops.webhook(channel, topic, order)
    assert client.post(f"/hooks/{channel}", data=raw, headers=headers).status_code == 200
    work()
    return session.scalars(select(Order).where(Order.external_id == str(number))).one()


def sent(order: Order, world: World, number: str = DHL) -> Parcel:
    return brought_to("handed_over", order, world.pat, clock.now(), number=number)


def hold(shops: StandIn, number: int, *, held: bool = True) -> None:
    """Shopify lets nothing of it be sent, for now."""
    shops.orders["shopify"][str(number)]["on_hold"] = held


def rows() -> list[ChannelPush]:
    session.expire_all()
    return list(session.scalars(select(ChannelPush).order_by(ChannelPush.id)))


def states() -> list[str]:
    return [row.state for row in rows()]


def heard(shops: StandIn, channel: str, number: int = 7001) -> list[str]:
    """What the shop knows of parcels: their numbers, as often as it was told."""
    if channel == "shopify":
        return [one["trackingInfo"][0]["number"] for one in shops.told.fulfilments.get(str(number), [])]
    return [DHL for note in shops.told.notes.get(str(number), []) if DHL in note["note"]]


def notes(shops: StandIn, channel: str, number: int = 7001) -> list[str]:
    if channel == "shopify":
        return shops.told.written.get(str(number), "").splitlines()
    return [str(note["note"]) for note in shops.told.notes.get(str(number), [])]


@pytest.mark.parametrize("channel", BOTH)
def test_a_parcel_that_leaves_is_told_once_with_its_number(
    shops: StandIn, client: FlaskClient, world: World, work: Work, channel: str
) -> None:
    order = sold(shops, client, work, channel)
    sent(order, world)
    assert (states(), heard(shops, channel)) == (["waiting"], [])
    for _ in range(3):
        jobs.sweep_pushes()
        work()
    assert (states(), heard(shops, channel)) == (["told"], [DHL])
    assert any("was told: a parcel is on its way" in entry.text for entry in for_staff(order.id))


def test_shopify_hears_pieces_courier_and_page_and_writes_to_nobody(
    shops: StandIn, client: FlaskClient, world: World, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, said = sold(shops, client, work, "shopify"), []
    monkeypatch.setattr(web, "call", lambda *a, _call=web.call, **more: said.append(more["json"]) or _call(*a, **more))
    sent(order, world)
    work()
    (fulfilment,) = [one["variables"]["f"] for one in said if "fulfillmentCreate" in one["query"]]
    assert fulfilment["notifyCustomer"] is False
    assert fulfilment["trackingInfo"]["company"] == "DHL"
    assert DHL in fulfilment["trackingInfo"]["url"]
    assert shops.told.fulfilments["7001"][0]["pieces"] == {"11": 2, "12": 1}


def test_goods_in_two_places_become_a_fulfilment_each_and_a_broken_one_is_finished(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "shopify", places=2)
    sent(order, world)
    shops.fault("cut", writes=True, after=1)
    work()
    assert states() == ["unknown"]
    with clock.moved(timedelta(minutes=5)):
        jobs.tell_channel("shopify")
    assert [one["pieces"] for one in shops.told.fulfilments["7001"]] == [{"11": 2}, {"12": 1}]
    assert states() == ["told"]


@pytest.mark.parametrize("channel", BOTH)
@pytest.mark.parametrize("what", ["500", "429", "cut", "deaf", "page", "lie", "throttled"])
@pytest.mark.parametrize("writes", [False, True])
def test_whatever_the_line_does_it_is_told_exactly_once(
    shops: StandIn, client: FlaskClient, world: World, work: Work, channel: str, what: str, writes: bool
) -> None:
    order = sold(shops, client, work, channel)
    sent(order, world)
    shops.fault(what, writes=writes)
    work()
    assert (states()[0] in ("waiting", "unknown"), bool(rows()[0].trouble)) == (True, True)
    for minutes in (20, 60, 180):
        with clock.moved(timedelta(minutes=minutes)):
            jobs.sweep_pushes()
            work()
    assert (states(), heard(shops, channel)) == (["told"], [DHL])


@pytest.mark.parametrize("channel", BOTH)
def test_a_shop_that_hangs_is_let_go_and_looked_at_before_it_is_told_again(
    shops: StandIn, client: FlaskClient, world: World, work: Work, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    monkeypatch.setattr(web, "TIMEOUT", (0.2, 0.2))
    sent(sold(shops, client, work, channel), world)
    shops.fault("hang", seconds=2, writes=True)
    work()
    assert states() == ["unknown"]
    with clock.moved(timedelta(minutes=5)):
        jobs.tell_channel(channel)
    assert (states(), heard(shops, channel)) == (["told"], [DHL])


def test_a_worker_that_died_in_the_middle_tells_nothing_twice(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    sent(sold(shops, client, work, "shopify"), world)
    due = pushing.begin("shopify", now=clock.now())
    assert due is not None
    session.commit()
    jobs.shops(client.application.config["SETTINGS"])["shopify"].push(due.push)
    jobs.tell_channel("shopify")
    assert states() == ["sending"]
    with clock.moved(pushing.LEASE + timedelta(minutes=1)):
        jobs.sweep_pushes()
        work()
    assert (states(), heard(shops, "shopify")) == (["told"], [DHL])


def test_one_at_a_time_per_channel(shops: StandIn, client: FlaskClient, world: World, work: Work) -> None:
    for n in (7001, 7002):
        sent(sold(shops, client, work, "shopify", n), world)
    assert pushing.begin("shopify", now=clock.now()) is not None
    assert pushing.begin("shopify", now=clock.now()) is None


def test_what_a_shop_refuses_waits_for_a_person_and_the_next_is_told(
    client: FlaskClient, shops: StandIn, world: World, work: Work
) -> None:
    first, second = (sold(shops, client, work, "shopify", n) for n in (7001, 7002))
    hold(shops, 7001)
    sent(first, world), sent(second, world)
    work()
    assert states() == ["failed", "told"]
    sign_in(client, world.sam)
    page = client.get("/desk/pushes").text
    assert "nothing of this left to be sent" in page
    hold(shops, 7001, held=False)
    assert client.post(f"/desk/pushes/{rows()[0].id}/sending").status_code == 303
    work()
    assert (states(), heard(shops, "shopify")) == (["told", "told"], [DHL])


def test_all_that_failed_at_one_shop_is_told_again_at_once(
    client: FlaskClient, shops: StandIn, world: World, work: Work
) -> None:
    for n in (7001, 7002):
        order = sold(shops, client, work, "shopify", n)
        hold(shops, n)
        sent(order, world)
    work()
    assert states() == ["failed", "failed"]
    for n in (7001, 7002):
        hold(shops, n, held=False)
    sign_in(client, world.sam)
    assert "all 2 again" in client.get("/desk/pushes").text
    client.post("/desk/pushes/sending", data={"channel": "shopify"})
    work()
    assert states() == ["told", "told"]


def test_it_is_left_aside_only_with_a_reason(client: FlaskClient, shops: StandIn, world: World, work: Work) -> None:
    order = sold(shops, client, work, "shopify")
    hold(shops, 7001)
    sent(order, world)
    work()
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post(f"/desk/pushes/{rows()[0].id}/settlement", data={"note": ""}).status_code == 422
        assert states() == ["failed"]
    client.post(f"/desk/pushes/{rows()[0].id}/settlement", data={"note": "Fulfilled there by hand"})
    assert (states(), rows()[0].note, owed("orders.tell_channel")) == (["dropped"], "Fulfilled there by hand", [])
    assert client.post(f"/desk/pushes/{rows()[0].id}/sending").status_code == 409
    assert "Fulfilled there by hand" in client.get("/desk/pushes?state=dropped").text


def test_who_may_not_settle_orders_may_not_tell_again(
    client: FlaskClient, shops: StandIn, world: World, work: Work
) -> None:
    sent(sold(shops, client, work, "shopify"), world)
    sign_in(client, world.rita)
    with nothing_appears():
        assert client.get("/desk/pushes?state=waiting").status_code == 200
        for where in (f"/desk/pushes/{rows()[0].id}/sending", "/desk/pushes/sending"):
            assert client.post(where, data={"channel": "shopify"}).status_code == 403


@pytest.mark.parametrize("what", ["401", "throttled", "429"])
def test_a_shop_that_asks_for_a_pause_gets_it_for_everything(
    shops: StandIn, client: FlaskClient, world: World, work: Work, what: str
) -> None:
    for order in [sold(shops, client, work, "shopify", n) for n in (7001, 7002)]:
        sent(order, world)
    before = len(shops.requests)
    shops.fault(what)
    work()
    assert (states(), len(shops.requests) - before) == (["waiting", "waiting"], 1)
    assert all(row.next_try_at > clock.now() for row in rows())


def test_a_channel_is_told_only_so_much_a_minute(
    shops: StandIn, client: FlaskClient, world: World, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PACE", 1)
    for n in (7001, 7002):
        sent(sold(shops, client, work, "shopify", n), world)
    work()
    assert sorted(states()) == ["told", "waiting"]
    with clock.moved(timedelta(minutes=2)):
        jobs.sweep_pushes()
        work()
    assert states() == ["told", "told"]


def test_after_the_last_try_a_person_must_look(shops: StandIn, client: FlaskClient, world: World, work: Work) -> None:
    sent(sold(shops, client, work, "woocommerce"), world)
    shops.fault("500", times=99)
    for day in range(pushing.MOST_ATTEMPTS + 3):
        with clock.moved(timedelta(days=day)):
            jobs.sweep_pushes()
            work(task="orders.tell_channel")
    assert (states(), rows()[0].attempts) == (["failed"], pushing.MOST_ATTEMPTS)
    sign_in(client, world.sam)
    assert 'href="/desk/pushes"><b>1</b>' in client.get("/desk/").text


def test_woocommerce_is_complete_with_the_last_parcel_and_our_own_echo_changes_nothing(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "woocommerce")
    parcel = brought_to("picked", order, world.pat, clock.now())
    second = warehouse.split(parcel, {parcel.lines[0].id: 1}, by=world.pat, now=clock.now())
    for n, each in enumerate((parcel, second)):
        checked(each, world.pat, clock.now())
        warehouse.pack(each, 500, by=world.pat, now=clock.now())
        warehouse.hand_over(each, "dhl", f"{DHL}{n}", by=world.pat, now=clock.now())
        session.commit()
        work(task="orders.tell_channel")
        assert shops.orders["woocommerce"]["7001"]["status"] == ("processing", "completed")[n]
    jobs.reread("woocommerce")
    work()
    assert (problems(order.id), states()) == ([], ["told", "told"])
    assert len(shops.told.meta["7001"]) == 2
    assert all(note["customer_note"] is False for note in shops.told.notes["7001"])


def test_an_order_that_was_cancelled_there_stays_cancelled(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "woocommerce")
    shops.orders["woocommerce"]["7001"]["status"] = "refunded"
    sent(order, world)
    work()
    assert (states(), shops.orders["woocommerce"]["7001"]["status"]) == (["told"], "refunded")


def test_an_order_that_is_gone_there_waits_for_a_person(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    for channel, number in (("shopify", 7001), ("woocommerce", 7002)):
        order = sold(shops, client, work, channel, number)
        del shops.orders[channel][str(number)]
        sent(order, world)
    work()
    assert states() == ["failed", "failed"]


def test_what_is_sent_again_is_a_note_because_it_was_counted_as_sent(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    parcel = sent(sold(shops, client, work, "shopify"), world)
    second = Parcel(
        order_id=parcel.order_id, ref="again", state="packed", replaces_id=parcel.id, created_at=clock.now()
    )
    session.add(second)
    session.flush()
    warehouse.hand_over(second, "dpd", "01234567890123", by=world.pat, now=clock.now())
    session.commit()
    work()
    assert states() == ["told", "told"]
    assert "Sent again with DPD, tracking number 01234567890123" in notes(shops, "shopify")[0]


@pytest.mark.parametrize("channel", BOTH)
@pytest.mark.parametrize("what", ["deaf", "cut", "lie"])
def test_a_note_by_staff_stands_there_once(
    client: FlaskClient, shops: StandIn, world: World, work: Work, channel: str, what: str
) -> None:
    order = sold(shops, client, work, channel)
    sign_in(client, world.sam)
    assert (
        client.post(f"/desk/orders/{order.id}/channel-notes", data={"text": "Will call\n on Monday"}).status_code == 303
    )
    shops.fault(what, writes=True)
    work()
    with clock.moved(timedelta(minutes=5)):
        jobs.tell_channel(channel)
    assert [note.partition(" [")[0] for note in notes(shops, channel)] == ["Will call on Monday"]
    assert "Will call on Monday" in client.get(f"/desk/orders/{order.id}").text


def test_an_empty_note_and_a_channel_without_ears_are_refused(
    client: FlaskClient, shops: StandIn, world: World
) -> None:
    sign_in(client, world.sam)
    with nothing_appears():
        client.post(f"/desk/orders/{world.alice.id}/channel-notes", data={"text": " "})
        assert client.post(f"/desk/orders/{world.alice.id}/channel-notes", data={"text": "x"}).status_code == 409
        with pytest.raises(Refused):
            pushes.write_note(world.alice, "  ", by=world.sam, now=clock.now())


def test_what_is_already_written_in_shopifys_note_stays(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "shopify")
    shops.told.written["7001"] = "Please wrap it as a gift"
    for text in ("One", "Two"):
        pushes.write_note(order, text, by=world.sam, now=clock.now())
    session.commit()
    work()
    assert [line.partition(" [")[0] for line in notes(shops, "shopify")] == ["Please wrap it as a gift", "One", "Two"]
    shops.told.written["7001"] = "x" * 4990
    pushes.write_note(order, "Three", by=world.sam, now=clock.now())
    session.commit()
    work()
    assert states()[-1] == "failed"


def test_money_given_back_by_hand_is_told_and_by_the_channel_itself_is_not(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "woocommerce")
    for way, amount in (("hand", 500), ("channel", 300)):
        part = [RefundPart(order.lines[0].id, 1, amount)]
        refund = open_refund(order, part, reason="Broken", by=world.rita, now=clock.now(), way=way)
        approve_refund(refund, by=world.fran, now=clock.now())
        prove(refund, reference=f"Bank 4711 {way}", on=clock.now().date(), by=world.max, now=clock.now())
    session.commit()
    work()
    assert [row.kind for row in rows()] == ["refunded"]
    (said,) = notes(shops, "woocommerce")
    assert said.startswith("€5.00 given back: by hand. Reference: Bank 4711 hand.")


def test_only_our_own_cancelling_is_told(shops: StandIn, client: FlaskClient, world: World, work: Work) -> None:
    ours, theirs = sold(shops, client, work, "shopify"), sold(shops, client, work, "shopify", 7002)
    give_up_order(ours, by=world.sam, now=clock.now())
    gone = {**shops.orders["shopify"]["7002"], "cancelled_at": f"{clock.now():%Y-%m-%dT%H:%M:%S}+00:00"}
    raw, headers = shops.webhook("shopify", "orders/cancelled", {**gone, "updated_at": gone["cancelled_at"]})
    client.post("/hooks/shopify", data=raw, headers=headers)
    session.commit()
    work()
    session.expire_all()
    assert theirs.state == "cancelled"
    assert [(row.order_id, row.kind) for row in rows()] == [(ours.id, "note")]


@pytest.mark.parametrize("channel", ["api:shop", "checkout"])
def test_who_has_no_ears_is_owed_nothing(shops: StandIn, world: World, channel: str) -> None:
    world.alice.channel = channel
    sent(world.alice, world)
    assert rows() == []


def test_without_a_key_nothing_is_owed(app: Flask, client: FlaskClient, world: World, work: Work) -> None:
    world.alice.channel = "shopify"
    sent(world.alice, world)
    assert (rows(), owed("orders.tell_channel")) == ([], [])
    assert "No channel can be told" in sign_in(client, world.sam).get("/desk/pushes").text


def test_what_fails_takes_nothing_of_the_parcel_with_it(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    """The row is committed with the parcel, or not at all."""
    order = sold(shops, client, work, "shopify")
    parcel = brought_to("packed", order, world.pat, clock.now())
    warehouse.hand_over(parcel, "dhl", DHL, by=world.pat, now=clock.now())
    assert states() == ["waiting"]
    session.rollback()
    assert rows() == []


def test_a_customer_who_is_forgotten_is_not_told_about(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "shopify")
    pushes.write_note(order, "Call Grete", by=world.sam, now=clock.now())
    order.erased_at = clock.now()
    session.commit()
    work()
    assert (states(), notes(shops, "shopify")) == (["dropped"], [])


def test_a_customer_who_is_forgotten_while_a_worker_died_is_not_told_about_either(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "shopify")
    pushes.write_note(order, "Call Grete", by=world.sam, now=clock.now())
    assert pushing.begin("shopify", now=clock.now()) is not None
    order.erased_at = clock.now()
    session.commit()
    with clock.moved(pushing.LEASE + timedelta(minutes=1)):
        jobs.tell_channel("shopify")
    assert (states(), notes(shops, "shopify")) == (["dropped"], [])


def test_the_check_and_the_figures_tell_of_what_was_not_told(
    shops: StandIn, client: FlaskClient, world: World, work: Work
) -> None:
    order = sold(shops, client, work, "shopify")
    assert all(finding.level == "ok" for finding in checks.told())
    hold(shops, 7001)
    sent(order, world)
    work()
    assert [finding.level for finding in checks.told()] == ["wrong", "ok"]
    (gauge,) = [one for one in Pulse().collect() if one.name == "aftersale_pushes_open"]
    assert [(sample.labels, sample.value) for sample in gauge.samples] == [
        ({"channel": "shopify", "state": "failed"}, 1.0)
    ]


def test_the_list_costs_the_same_for_many(shops: StandIn, client: FlaskClient, world: World, work: Work) -> None:
    order = sold(shops, client, work, "shopify")
    sign_in(client, world.sam)
    counts = []
    for _ in range(2):
        for n in range(3):
            pushes.write_note(order, f"Note {n}", by=world.sam, now=clock.now())
        session.commit()
        with statements() as seen:
            client.get("/desk/pushes?state=all")
        counts.append(len(seen))
    assert counts[0] == counts[1]
