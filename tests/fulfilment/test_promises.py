"""Promises watched over: risk on every list, one letter per break, and the customer's choice."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment import actions, jobs, promises
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.models import Parcel
from portal.fulfilment.promises import PromiseBreak
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders import stock
from portal.orders.flags import raise_flag
from portal.orders.models import Order
from portal.orders.timeline import for_customer
from portal.refunds.models import Refund
from portal.tracking import actions as front
from tests.conftest import nothing_appears, statements
from tests.fulfilment import hands
from tests.world import World, open_link, sign_in

Work = Callable[..., int]
NEWS = select(Letter).where(Letter.kind == "late").order_by(Letter.id)


def at(when: str) -> timedelta:
    """How far that moment lies ahead."""
    return datetime.fromisoformat(when) - clock.now()


def promise(order: Order, day: str, paid: str = "2026-11-20T09:00+01:00") -> None:
    order.promised_on, order.paid_at = date.fromisoformat(day), datetime.fromisoformat(paid)
    session.commit()


@pytest.fixture
def late(world: World) -> World:
    """It is Thursday; Alice's goods are still here and were promised for Friday, Bob's for next month."""
    promise(world.alice, "2026-11-27")
    promise(world.bob, "2026-12-29", "2026-12-23T09:00+01:00")
    hands.planned(world.alice, world.now)
    hands.planned(world.bob, world.now)
    session.commit()
    return world


THURSDAY = "2026-11-26T10:00+01:00"


def watched(when: str = THURSDAY) -> list[Letter]:
    with clock.moved(at(when)):
        jobs.watch_promises()
    session.expire_all()
    return list(session.scalars(NEWS))


def test_a_promise_that_will_break_is_told_once(late: World) -> None:
    (letter,) = watched()
    assert "Friday, 27 November" in letter.text
    assert "Tuesday, 1 December" in letter.text
    assert (letter.order_id, letter.to_address) == (late.alice.id, "alice@example.org")
    assert watched() == [letter]
    assert watched("2026-11-27T09:00+01:00") == [letter]


def test_it_is_told_again_only_when_what_was_told_breaks_too(late: World) -> None:
    watched()
    assert len(watched("2026-11-30T10:00+01:00")) == 2
    news = promises.latest_break(late.alice.id)
    assert news is not None
    assert (news.number, news.expected_on) == (2, date(2026, 12, 3))


def test_who_was_never_told_is_not_written_to_long_after(late: World) -> None:
    assert watched("2026-12-07T10:00+01:00") == []


def test_without_a_day_none_is_made_up_and_the_day_is_told_when_it_is_known(late: World) -> None:
    item = stock.begin_counting("MUG-01", stock.main_place())
    actions.claim_stock(item.id, now=clock.now())
    session.commit()
    (letter,) = watched()
    assert "We don't know the new day yet" in letter.text
    stock.set_count(item, 5, "delivery", "", by=late.max, now=clock.now())
    session.commit()
    again = watched("2026-11-30T09:00+01:00")
    assert len(again) == 2
    assert "Thursday, 3 December" in again[1].text


def test_the_page_makes_up_no_day_either(late: World, client: FlaskClient) -> None:
    item = stock.begin_counting("MUG-01", stock.main_place())
    actions.claim_stock(item.id, now=clock.now())
    session.commit()
    watched()
    with clock.moved(at(THURSDAY)):
        page = open_link(client, late.alice).get(f"/orders/{late.alice.ref}").text
    assert "Delayed. Sorry." in page
    assert "Arriving" not in page


def test_what_nobody_waits_for_any_more_is_no_broken_promise(late: World) -> None:
    promises.cancel_order(late.alice, by=late.max, now=clock.now())
    session.commit()
    assert watched() == []


def test_the_watch_takes_as_many_statements_for_many_parcels_as_for_one(late: World) -> None:
    def counted() -> int:
        with statements() as seen:
            promises.watch(0, now=clock.now())
        session.rollback()
        return len(seen)

    before = counted()
    for _ in range(5):
        session.add(Parcel(order_id=late.alice.id, ref=f"P{_}", created_at=clock.now()))
    session.commit()
    assert counted() == before


def test_what_is_at_risk_stands_on_top_of_every_list_with_its_reason(late: World, client: FlaskClient) -> None:
    promise(late.bob, "2026-11-20")
    bob = hands.planned(late.bob, late.now)
    watched()
    bob.risk = None
    session.commit()
    sign_in(client, late.cleo)
    page = client.get("/desk/parcels?state=to_pick").text
    assert page.index(">1001<") < page.index(">1002<")
    assert "Will be late" in page
    risky = client.get("/desk/parcels?state=at_risk").text
    assert ">1001<" in risky
    assert ">1002<" not in risky


def test_at_risk_leads_hand_offs_what_is_stuck_and_what_needs_attention_too(late: World, client: FlaskClient) -> None:
    """Alice's is at risk and waits less long than Bob's in each of them."""
    promise(late.bob, "2026-12-20")
    watched()
    for order, hours in ((late.bob, 90), (late.alice, 80)):
        parcel = hands.planned(order, late.now)
        parcel.risk = "silent" if order is late.alice else None
        raise_flag(order.id, "totals", now=late.now - timedelta(hours=hours))
        session.execute(
            update(HandOff).where(HandOff.parcel_id == parcel.id).values(offered_at=late.now - timedelta(hours=hours))
        )
    session.commit()
    sign_in(client, late.max)
    for where in ("/desk/handoffs?department=picking", "/desk/attention"):
        page = client.get(where).text
        assert page.index("1001") < page.index("1002"), where
    for order, hours in ((late.bob, 90), (late.alice, 80)):
        away = {"state": "handed_over", "tracking_status": "exception", "courier": "dhl"}
        away |= {"handed_over_at": late.now - timedelta(hours=hours), "tracking_number": f"N{order.id}"}
        session.execute(update(Parcel).where(Parcel.order_id == order.id).values(**away))
    session.commit()
    page = client.get("/desk/parcels?state=stuck").text
    assert page.index(">1001<") < page.index(">1002<")


def test_the_desks_home_shows_what_is_at_risk_before_its_day_has_come(late: World, client: FlaskClient) -> None:
    promise(late.alice, "2099-12-20")
    hands.planned(late.alice, late.now).risk = "slow_lane"
    promise(late.bob, "2099-12-20")
    hands.planned(late.bob, late.now)
    session.commit()
    home = sign_in(client, late.max).get("/desk/").text.partition("Promises at risk")[2]
    assert "Slow lane" in home
    assert (">1001<" in home, ">1002<" in home) == (True, False)


def test_a_lane_is_learnt_from_enough_deliveries(late: World) -> None:
    now = clock.now()
    for n in range(promises.ENOUGH):
        session.add(
            Parcel(
                order_id=late.alice.id, ref=f"L{n}", created_at=now, state="handed_over", courier="dpd",
                tracking_number=f"N{n}", handed_over_at=now - timedelta(days=4), delivered_at=now - timedelta(days=1),
            )
        )  # fmt: skip
        assert (promises.lanes(now).get(("dpd", "DE")) is None) == (n + 1 < promises.ENOUGH)
    assert promises.lanes(now)[("dpd", "DE")].days == 3


# --- the choice ---


def choose(world: World, choice: str, day: date | None = None) -> None:
    with clock.moved(at("2026-11-26T11:00+01:00")):
        front.choose(world.alice.id, choice, day, now=clock.now())
        session.commit()
    session.expire_all()


def test_the_customer_waits(late: World) -> None:
    watched()
    choose(late, "wait")
    news = promises.latest_break(late.alice.id)
    assert news is not None
    assert (news.choice, late.alice.state) == ("wait", "accepted")
    assert for_customer(late.alice.id)[0].text == "You chose to wait"


def test_the_customer_chooses_another_day(late: World) -> None:
    watched()
    choose(late, "another_day", date(2026, 12, 4))
    news = promises.latest_break(late.alice.id)
    assert news is not None
    assert news.told == date(2026, 12, 4)
    assert late.alice.promised_on == date(2026, 11, 27)
    assert "4 December 2026" in for_customer(late.alice.id)[0].text
    assert len(watched("2026-11-30T10:00+01:00")) == 1  # expected earlier than the day chosen: no news


def test_the_customer_cancels_and_all_that_was_paid_is_proposed_back(late: World) -> None:
    item = stock.begin_counting("SHIRT-M", stock.main_place())
    stock.set_count(item, 1, "delivery", "", by=late.max, now=clock.now())
    actions.claim_stock(item.id, now=clock.now())
    session.commit()
    watched()
    choose(late, "cancel")
    refund = session.scalars(select(Refund)).one()
    assert (refund.amount, refund.state, refund.requested_by_id) == (8400, "requested", None)
    assert late.alice.state == "cancelled"
    assert set(session.scalars(select(Parcel.state).where(Parcel.order_id == late.alice.id))) == {"cancelled"}
    assert item.available == 1


@pytest.mark.parametrize(
    ("choice", "day", "who"),
    [("wait", None, ["sam"]), ("another_day", date(2026, 12, 4), ["pat", "sam"]), ("cancel", None, ["pat", "sam"])],
)
def test_who_answers_for_it_is_told_once_what_the_customer_chose(
    late: World, choice: str, day: date | None, who: list[str]
) -> None:
    late.sam.password_hash = late.pat.password_hash = "none"
    watched()
    choose(late, choice, day)
    if choice != "cancel":
        choose(late, choice, day)
    told = session.scalars(select(Letter).where(Letter.kind == "customer-chose").order_by(Letter.to_address)).all()
    assert [letter.to_address.partition("@")[0] for letter in told] == who
    assert all("1001" in letter.subject for letter in told)


def test_money_that_is_with_the_channel_is_given_back_by_a_person(late: World) -> None:
    assert late.alice.payment is not None
    late.alice.payment.route = "channel"
    session.commit()
    watched()
    choose(late, "cancel")
    refund = session.scalars(select(Refund)).one()
    assert (refund.way, refund.state, refund.amount) == ("channel", "requested", late.alice.payment.captured)


@pytest.mark.parametrize(
    ("choice", "day"),
    [("another_day", date(2026, 11, 27)), ("another_day", date(2027, 5, 3)), ("another_day", None), ("complain", None)],
)
def test_what_was_not_offered_is_refused(late: World, choice: str, day: date | None) -> None:
    watched()
    with clock.moved(at(THURSDAY)), nothing_appears(), pytest.raises(Refused):
        front.choose(late.alice.id, choice, day, now=clock.now())


@pytest.mark.parametrize("choice", ["cancel", "another_day"])
def test_what_has_left_the_house_is_not_changed_any_more(late: World, choice: str) -> None:
    watched()
    hands.brought_to("handed_over", late.alice, late.pat, clock.now())
    with nothing_appears(), pytest.raises(Refused, match="has left our house"):
        front.choose(late.alice.id, choice, date(2026, 12, 3), now=clock.now())
    assert late.alice.state == "accepted"


def test_without_a_broken_promise_there_is_nothing_to_choose(late: World) -> None:
    with nothing_appears(), pytest.raises(Refused, match="nothing to choose"):
        front.choose(late.alice.id, "cancel", None, now=clock.now())


def test_the_page_offers_the_choice_and_takes_it(late: World, client: FlaskClient) -> None:
    watched()
    open_link(client, late.alice)
    with clock.moved(at("2026-11-26T11:00+01:00")):
        open_link(client, late.alice)
        page = client.get(f"/orders/{late.alice.ref}").text
        assert "Delayed: now Tuesday, 1 December. Sorry." in page
        assert "We promised Friday, 27 November." in page
        assert 'value="2026-12-02"' in page
        answer = client.post(f"/orders/{late.alice.ref}/promise", data={"choice": "another_day", "day": "2026-12-02"})
        assert answer.status_code == 303
        page = client.get(f"/orders/{late.alice.ref}").text
    assert "now Wednesday, 2 December" in page
    assert session.scalars(select(PromiseBreak.choice)).one() == "another_day"


@pytest.mark.parametrize(
    ("data", "code"), [({}, 422), ({"choice": "x"}, 422), ({"choice": "another_day", "day": "soon"}, 409)]
)
def test_the_page_says_what_is_wrong(late: World, client: FlaskClient, data: dict[str, str], code: int) -> None:
    watched()
    open_link(client, late.alice)
    with nothing_appears():
        assert client.post(f"/orders/{late.alice.ref}/promise", data=data).status_code == code


def test_a_parcel_that_left_meanwhile_is_told_in_words(late: World, client: FlaskClient) -> None:
    watched()
    hands.brought_to("handed_over", late.alice, late.pat, clock.now())
    open_link(client, late.alice)
    answer = client.post(f"/orders/{late.alice.ref}/promise", data={"choice": "cancel"})
    assert (answer.status_code, "has left our house" in answer.text) == (409, True)
