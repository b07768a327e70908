"""It never arrived: the courier is asked first, nobody is accused, and a lost parcel ends in goods or money."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.tracking import record_update
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.orders.models import INSTEAD, Order
from portal.refunds.models import Refund
from portal.returns import actions, claims, withdrawals
from portal.returns.claims_models import Claim
from portal.returns.withdrawal_rules import right_of
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to, planned
from tests.returns.claim_hands import accepted, post, the_claim, wrong
from tests.returns.hands import delivered, line_of, wish
from tests.world import World, open_link, show_code, sign_in

Work = Callable[..., int]


def said(parcel: Parcel, status: str, at: datetime, place: str = "Depot Spandau") -> None:
    """The courier tells where it is."""
    event = TrackingEvent(at, Tracking(status), place=place)
    record_update(TrackingUpdate(str(parcel.tracking_number), "DHL", (event,)), now=clock.now())
    session.commit()


@pytest.fixture
def parcel(world: World) -> Parcel:
    """Alice's parcel has left, and is expected today."""
    parcel = brought_to("handed_over", world.alice, world.pat, clock.now())
    world.alice.promised_on = clock.now().date()
    session.commit()
    return parcel


@pytest.fixture
def alice(client: FlaskClient, world: World, parcel: Parcel) -> FlaskClient:
    return open_link(client, world.alice)


def page(alice: FlaskClient, parcel: Parcel) -> str:
    answer = alice.get(f"/orders/{parcel.order.ref}/claims/parcels/{parcel.id}")
    assert answer.status_code == 200
    return answer.text


def misses(alice: FlaskClient, parcel: Parcel, wish: str = "replacement", key: str = "k" * 28) -> TestResponse:
    fields = {"wish": wish, "key": key, "words": ""}
    answer = alice.post(f"/orders/{parcel.order.ref}/claims/parcels/{parcel.id}", data=fields)
    session.expire_all()
    return answer


def missed(world: World, parcel: Parcel, wish: str = "replacement", later: int = 10) -> Claim:
    now = clock.now() + timedelta(days=later)
    ret = claims.open_search(parcel.order_id, parcel.id, wish, "", key=tokens.mint(), by="customer", now=now)
    session.commit()
    return the_claim(ret.id)


def test_while_it_is_on_its_way_the_page_says_what_the_courier_said_and_until_when_to_wait(
    alice: FlaskClient, world: World, parcel: Parcel
) -> None:
    said(parcel, "in_transit", clock.now() - timedelta(hours=3))
    assert f"claims/parcels/{parcel.id}" in alice.get(f"/orders/{world.alice.ref}/claims/new").text
    text = page(alice, parcel)
    assert "It is on its way." in text
    assert "It should be there by" in text
    with nothing_appears(but={"buckets"}):
        answer = misses(alice, parcel)
    assert (answer.status_code, "Please give it a little more time." in answer.text) == (409, True)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ready_for_pickup", "waits for you at a pick-up point"),
        ("attempt_failed", "Look for a card in your letter box"),
    ],
)
def test_what_waits_at_the_door_or_at_a_pick_up_point_is_said(
    alice: FlaskClient, parcel: Parcel, status: str, advice: str
) -> None:
    said(parcel, status, clock.now())
    assert advice in page(alice, parcel)


def test_l7_where_the_courier_was_is_shown_with_the_code_only(alice: FlaskClient, world: World, parcel: Parcel) -> None:
    said(parcel, "in_transit", clock.now())
    assert "Spandau" not in page(alice, parcel)
    show_code(alice, world.alice)
    assert "Depot Spandau" in page(alice, parcel)


def test_silent_too_long_the_customer_chooses_and_the_parcel_is_sent_again(
    alice: FlaskClient, world: World, parcel: Parcel, work: Work, mails: list[EmailMessage]
) -> None:
    said(parcel, "in_transit", clock.now() - timedelta(hours=1))
    with clock.moved(timedelta(days=9)):
        open_link(alice, world.alice)
        assert "It has taken too long." in page(alice, parcel)
        answer = misses(alice, parcel)
        assert answer.status_code == 303
        assert "We are looking for your parcel" in alice.get(answer.location).text
        claim = the_claim(session.scalars(select(Claim.return_id)).one())
        desk = sign_in(alice.application.test_client(), world.rita)
        assert "On its way" in desk.get(f"/desk/claims/{claim.return_id}").text
        assert post(desk, claim, "acceptance", remedy="send_again").status_code == 303
        assert "We send it again" in alice.get(answer.location).text
    session.expire_all()
    second = session.scalars(select(Parcel).where(Parcel.replaces_id == parcel.id)).one()
    assert (parcel.fate, parcel.state, second.state) == ("sent_again", "cancelled", "to_pick")
    assert the_claim(claim.return_id).ret.closed_as == "nothing_due"
    assert right_of(world.alice, now=clock.now()).everything()[line_of(world.alice, "MUG-01").id] == 2


def test_or_the_money_comes_back_with_the_delivery_when_it_was_all(world: World, parcel: Parcel) -> None:
    accepted(world, missed(world, parcel, "money"), "money")
    refund = session.scalars(select(Refund)).one()
    assert (refund.amount, parcel.fate, refund.order.state) == (8400, "money_back", "cancelled")


def test_of_an_order_split_over_parcels_only_the_lost_one_is_paid_back(world: World) -> None:
    parcel = planned(world.alice, clock.now())
    shirt = next(packed for packed in parcel.lines if packed.line.sku == "SHIRT-M")
    session.delete(shirt)
    other = Parcel(order_id=world.alice.id, ref="OTHER", created_at=clock.now(), state="handed_over", courier="own")
    other.tracking_number, other.handed_over_at, other.lines = "X1", clock.now(), [
        ParcelLine(order_line_id=line_of(world.alice, "SHIRT-M").id, quantity=1, picked=1, boxed=1)
    ]  # fmt: skip
    session.add(other)
    session.commit()
    delivered(world, world.alice)
    claim = accepted(world, missed(world, other, "money"), "money")
    refund = session.scalars(select(Refund)).one()
    assert (refund.amount, [line.quantity for line in refund.lines]) == (3900, [1])
    assert claim.ret.goods == "not_expected"
    left = right_of(world.alice, now=clock.now()).everything()
    assert left == {line_of(world.alice, "MUG-01").id: 2}
    key = {"key": tokens.mint(), "by": "customer", "now": clock.now()}
    for ask in (
        lambda: actions.request_return(world.alice.id, [wish(world.alice, "SHIRT-M")], **key),
        lambda: claims.open_claim(world.alice.id, wrong(world.alice, "SHIRT-M"), **key),
        lambda: withdrawals.withdraw(world.alice.id, {shirt.order_line_id: 1}, key=tokens.mint(), now=clock.now()),
        lambda: claims.open_search(world.alice.id, other.id, "money", "", **key),
    ):
        with nothing_appears(), pytest.raises(Refused):
            ask()
        session.rollback()


def test_handed_over_says_the_courier_and_nobody_is_accused(alice: FlaskClient, world: World, parcel: Parcel) -> None:
    said(parcel, "delivered", clock.now() - timedelta(hours=2), place="Letter box")
    text = page(alice, parcel)
    assert "The courier says that it was handed over." in text
    assert "ask at home and at your neighbours" in text
    assert "a few hours too early" in text
    assert "You need not prove anything." in text
    assert misses(alice, parcel).status_code == 303
    claim = accepted(world, the_claim(session.scalars(select(Claim.return_id)).one()), "replacement")
    instead = session.scalars(select(Order).where(Order.channel == INSTEAD)).one()
    assert sorted(line.quantity for line in instead.lines) == [1, 2]
    assert (claim.ret.closed_as, parcel.fate) == ("nothing_due", None)


def test_it_refuses_a_second_search_for_the_same_parcel(alice: FlaskClient, world: World, parcel: Parcel) -> None:
    said(parcel, "exception", clock.now())
    assert misses(alice, parcel).status_code == 303
    with nothing_appears(but={"buckets"}):
        answer = misses(alice, parcel, key="b" * 28)
    assert (answer.status_code, "We are looking for this parcel already." in answer.text) == (409, True)
    assert "We are looking for it already" in page(alice, parcel)


def test_8_2_2_nobody_misses_another_s_parcel(alice: FlaskClient, world: World) -> None:
    bobs = brought_to("handed_over", world.bob, world.pat, clock.now(), number="00340434161094042588")
    path, fields = f"/orders/{world.alice.ref}/claims/parcels/{bobs.id}", {"wish": "money", "key": "k" * 28}
    with nothing_appears(but={"buckets"}):
        assert alice.get(path).status_code == alice.post(path, data=fields).status_code == 404


def test_it_refuses_when_nothing_is_chosen(alice: FlaskClient, parcel: Parcel) -> None:
    said(parcel, "exception", clock.now())
    with nothing_appears():
        assert misses(alice, parcel, wish="").status_code == 422
        assert misses(alice, parcel, wish="repair").status_code in (409, 422)
