"""The way back: the first scan proves that it was sent, and what follows; what is never sent, or gets lost."""

from datetime import datetime, timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment.models import BackParcel
from portal.fulfilment.tracking import record_update
from portal.lib import clock, tokens
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.refunds.actions import approve_refund
from portal.refunds.models import Refund
from portal.returns import actions, bench, dispatch, jobs, withdrawals
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.parcels_back import note_number
from portal.returns.settlement import work_out
from portal.returns.withdrawal_rules import right_of
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.returns.hands import approved, delivered, found, page_of, post, wish
from tests.world import World, open_link, sign_in

NUMBER = "JJD0099887766"


@pytest.fixture(autouse=True)
def arrived(world: World) -> None:
    delivered(world, world.alice, clock.now() - timedelta(days=2))


def withdrawn(world: World) -> Return:
    """Alice withdrew from the whole contract."""
    chosen = right_of(world.alice, now=clock.now()).everything()
    made = withdrawals.withdraw(world.alice.id, chosen, key=tokens.mint(), now=clock.now())
    session.commit()
    assert made.ret
    return made.ret


def numbered(ret: Return, number: str = NUMBER, courier: str | None = "dhl") -> BackParcel:
    made = note_number(ret, courier, number, by="customer", now=clock.now())
    session.commit()
    session.expire_all()
    return made


def scanned(
    status: Tracking = Tracking.picked_up, number: str = NUMBER, at: datetime | None = None, code: str = ""
) -> bool:
    """The courier says so, and the worker follows."""
    event = TrackingEvent(at or clock.now(), status, code or str(status), "LEIPZIG, DE")
    known = record_update(TrackingUpdate(number, "DHL", (event,), as_of=clock.now()), now=clock.now())
    session.commit()
    session.expire_all()
    return known


def settle(work: object) -> None:
    work(task="returns.note_dispatch")  # type: ignore[operator]
    session.expire_all()


def letters(kind: str) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == kind)))


def money() -> list[tuple[str, int]]:
    return [(one.state, one.amount) for one in session.scalars(select(Refund).order_by(Refund.id))]


def test_the_first_scan_makes_the_money_of_a_withdrawal_due_that_minute(world, work):
    ret = withdrawn(world)
    numbered(ret)
    with nothing_appears():
        settle(work)
    assert scanned(Tracking.label_created)
    settle(work)
    assert (ret.goods, money()) == ("awaited", [])
    assert scanned()
    settle(work)
    assert (ret.goods, money()) == ("in_transit", [("requested", 8400)])
    refund = ret.money
    assert refund
    assert refund.requested_by_id is None
    assert refund.due_on == shop_day(ret.requested_at + timedelta(days=14))
    [letter] = letters("return-sent")
    assert "We don't wait until it is here" in letter.text
    scanned(Tracking.in_transit, at=clock.now() + timedelta(hours=1))
    settle(work)
    assert (len(money()), len(letters("return-sent"))) == (1, 1)


def test_a_person_still_approves_it(world, work):
    ret = withdrawn(world)
    numbered(ret)
    scanned()
    settle(work)
    assert ret.money
    approve_refund(ret.money, by=world.fran, now=clock.now())
    assert ret.money.approved_by_id == world.fran.id


def test_who_sends_late_is_owed_from_the_day_of_the_scan(world, work):
    ret = withdrawn(world)
    numbered(ret)
    with clock.moved(timedelta(days=20)):
        scanned()
        settle(work)
        assert ret.money
        assert ret.money.due_on == shop_day(clock.now())


def test_a_scan_of_a_return_by_the_shop_s_policy_moves_it_and_proposes_nothing(world, work):
    ret = approved(world, world.alice)
    numbered(ret)
    scanned()
    settle(work)
    assert (ret.goods, money(), letters("return-sent")) == ("in_transit", [], [])


def test_scans_from_before_the_number_was_told_count_and_older_ones_are_another_parcel_s(world, work):
    ret = withdrawn(world)
    numbered(ret)
    scanned(at=clock.now() - timedelta(days=60))
    assert ret.sent_at is None
    scanned(at=clock.now() - timedelta(hours=3))
    settle(work)
    assert ret.sent_at


def test_numbers_that_leave_and_come_back_live_in_one_space(world, work):
    """The number of the parcel that brought the goods proves nothing, nor does somebody else's return."""
    ret = withdrawn(world)
    brought = brought_to("handed_over", world.bob, world.max, clock.now(), number="BROUGHT123")
    with nothing_appears(), pytest.raises(Refused, match="a parcel from us"):
        note_number(ret, "dhl", str(brought.tracking_number), by="customer", now=clock.now())
    brought.delivered_at = clock.now()
    session.commit()
    numbered(approved(world, world.bob))
    with nothing_appears(), pytest.raises(Refused, match="another parcel"):
        note_number(ret, "dhl", NUMBER, by="customer", now=clock.now())


@pytest.mark.parametrize("code", [NUMBER, NUMBER.lower(), "JJD00 9988 7766", "4201011590" + NUMBER])
def test_the_bench_scans_the_label_as_well_as_the_slip(client, world, code):
    """Couriers put where it goes before the number in their bars."""
    ret = approved(world, world.alice)
    numbered(ret)
    answer = sign_in(client, world.rita).get("/desk/returns/bench", query_string={"code": code})
    assert (answer.status_code, answer.location) == (303, f"/desk/returns/{ret.id}?scanned=1")


@pytest.mark.parametrize("code", ["", " ", "%", "0" * 200, "66", "7766"])
def test_what_is_only_a_part_of_a_number_leads_nowhere(client, world, code):
    numbered(approved(world, world.alice))
    assert sign_in(client, world.rita).get("/desk/returns/bench", query_string={"code": code}).status_code == 404


def test_a_number_that_is_used_again_is_about_the_parcel_that_was_there(world, work):
    """Months ago it brought goods to Bob; now it takes Alice's back."""
    with clock.moved(-timedelta(days=200)):
        old = brought_to("handed_over", world.bob, world.max, clock.now(), number=NUMBER)
    old.created_at = old.handed_over_at = clock.now() - timedelta(days=200)
    session.commit()
    ret = withdrawn(world)
    numbered(ret)
    scanned(at=clock.now() - timedelta(days=199))
    assert (old.tracking_status, ret.sent_at) == ("picked_up", None)
    scanned()
    assert ret.sent_at


def test_two_returns_of_one_order_may_travel_in_one_parcel(world, work):
    mug, shirt = approved(world, world.alice), approved(world, world.alice, wish(world.alice, "SHIRT-M"))
    for ret in (mug, shirt):
        numbered(ret)
    scanned()
    settle(work)
    assert (mug.goods, shirt.goods) == ("in_transit", "in_transit")


def test_what_was_sent_needs_no_inspection_to_be_paid_and_the_count_sets_it_right(world, work):
    """Nobody has approved yet when the goods arrive worn: what is proposed follows the count, by who counted."""
    ret = withdrawn(world)
    numbered(ret)
    scanned()
    settle(work)
    actions.receive_return(ret, by=world.rita, now=clock.now())
    bench.inspect_return(ret, found(ret, deduction=100, note="worn", grade="worn"), by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()
    assert money() == [("rejected_by_us", 8400), ("requested", 8200)]
    assert ret.money
    assert ret.money.requested_by_id == world.rita.id


def test_what_was_paid_before_the_count_stays_paid(world, work):
    ret = withdrawn(world)
    numbered(ret)
    scanned()
    settle(work)
    assert ret.money
    approve_refund(ret.money, by=world.fran, now=clock.now())
    actions.receive_return(ret, by=world.rita, now=clock.now())
    bench.inspect_return(ret, found(ret, deduction=100, note="worn", grade="worn"), by=world.rita, now=clock.now())
    session.commit()
    assert money() == [("approved", 8400)]


def test_a_receipt_proves_it_as_well(world):
    ret = withdrawn(world)
    with nothing_appears(), pytest.raises(Refused, match="Say why"):
        dispatch.show_dispatch(ret, " ", by=world.rita, now=clock.now())
    dispatch.show_dispatch(ret, "Receipt of the post office, by mail.", by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()
    assert (ret.goods, money()) == ("in_transit", [("requested", 8400)])


def test_what_got_lost_is_paid_to_who_had_sent_it(world, work):
    ret = approved(world, world.alice, wish(world.alice, quantity=2))
    numbered(ret)
    scanned()
    settle(work)
    assert money() == []
    jobs.watch_the_way_back()
    assert ret.goods == "in_transit"
    with clock.moved(timedelta(days=15)):
        jobs.watch_the_way_back()
        session.expire_all()
        assert (ret.goods, money()) == ("lost", [("requested", 4000)])
        [letter] = letters("return-lost")
        assert "That is not your fault" in letter.text
        jobs.watch_the_way_back()
        assert len(money()) == 1


def test_one_of_two_parcels_that_moves_keeps_the_other_from_being_lost(world, work):
    ret = approved(world, world.alice, wish(world.alice, quantity=2))
    numbered(ret)
    numbered(ret, "JJD0099887767")
    scanned()
    with clock.moved(timedelta(days=15)):
        scanned(number="JJD0099887767")
        settle(work)
        jobs.watch_the_way_back()
        session.expire_all()
        assert ret.goods == "in_transit"


def test_one_reminder_before_the_day_and_none_after_it_was_sent(world, work):
    ret, sent = approved(world, world.alice), withdrawn_by_bob(world)
    numbered(sent, "JJD0011223344")
    days = (ret.send_back_by - shop_day(clock.now())).days
    for day in (days - 4, days - 3, days - 1, days, days + 1):
        with clock.moved(timedelta(days=day)):
            jobs.watch_the_way_back()
    assert [letter.about for letter in letters("return-reminder")] == [f"return:{ret.id}"]
    assert letters("return-reminder")[0].not_after


def withdrawn_by_bob(world: World) -> Return:
    delivered(world, world.bob)
    made = withdrawals.withdraw(
        world.bob.id, right_of(world.bob, now=clock.now()).everything(), key=tokens.mint(), now=clock.now()
    )
    session.commit()
    assert made.ret
    return made.ret


def test_what_is_never_sent_ends_and_a_withdrawal_stays(world):
    ret, bound = approved(world, world.alice), withdrawn_by_bob(world)
    with clock.moved(timedelta(days=21)):
        jobs.watch_the_way_back()
        session.expire_all()
        assert ret.decision == "approved"
    with clock.moved(timedelta(days=22)):
        jobs.watch_the_way_back()
        session.expire_all()
    assert (ret.decision, ret.goods) == ("cancelled", "not_expected")
    assert (bound.decision, bound.goods) == ("approved", "awaited")
    assert len(letters("return-expired")) == 1


def test_the_customer_tells_the_number_and_sees_where_it_is(client: FlaskClient, world, work):
    ret = withdrawn(world)
    mine = open_link(client, world.alice)
    path = f"/orders/{world.alice.ref}/returns/{ret.rma}"
    assert "I have sent it: tell the number" in mine.get(path).text
    with nothing_appears():
        answer = mine.post(f"{path}/parcels", data={"courier": "dhl", "number": "?!"})
    assert answer.status_code == 409
    assert "That is no tracking number." in answer.text
    assert mine.post(f"{path}/parcels", data={"courier": "dhl", "number": "jjd 00998 87766"}).status_code == 303
    assert mine.post(f"{path}/parcels", data={"courier": "dhl", "number": NUMBER}).status_code == 303
    assert "number ending in …7766" in unescape(mine.get(path).text)
    scanned()
    settle(work)
    page = unescape(mine.get(path).text)
    assert "With the courier" in page
    assert "LEIPZIG" not in page
    assert "You get €84.00 back" in page


def test_a_number_typed_wrongly_is_taken_out_until_it_is_scanned(client: FlaskClient, world):
    ret = withdrawn(world)
    parcel = numbered(ret)
    path = f"/orders/{world.alice.ref}/returns/{ret.rma}/parcels/removal"
    assert open_link(client, world.alice).post(path, data={"parcel": "nonsense"}).status_code == 404
    assert client.post(path, data={"parcel": parcel.ref}).status_code == 303
    session.expire_all()
    assert ret.living == []
    assert not scanned()


def test_the_desk_sees_what_is_on_its_way_the_riskiest_first(client: FlaskClient, world, work):
    plain = approved(world, world.alice)
    bound = withdrawn_by_bob(world)
    for ret, number in ((plain, NUMBER), (bound, "JJD0011223344")):
        numbered(ret, number)
        scanned(number=number)
    settle(work)
    desk = sign_in(client, world.rita)
    page = desk.get("/desk/returns?state=on_the_way").text
    assert page.index(bound.rma) < page.index(plain.rma)
    assert "The law lets the shop wait no longer." in page_of(desk, bound)
    assert post(desk, plain, "loss").status_code == 303
    assert (plain.goods, plain.money and plain.money.amount) == ("lost", 2000)


def test_a_settlement_says_what_is_counted_on(world, work):
    ret = withdrawn(world)
    numbered(ret)
    facts = read(ret.order, now=clock.now(), besides=ret.id)
    assert work_out(ret, facts).amounts == ()
    scanned()
    settle(work)
    assert work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total.amount == 8400
