"""The offices' work is offered, taken over, sent back or handed on; it never lacks an owner, and heads hear of it."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.db import session
from portal.feedback.case_models import Case
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.offices import actions, lists
from portal.offices.jobs import watch_offices
from portal.offices.kinds import KINDS
from portal.offices.models import OfficeWork
from portal.orders.timeline import for_staff
from portal.refunds.actions import approve_refund, refuse_refund
from portal.refunds.models import Refund
from portal.staff.absences import come_back, go_away
from portal.staff.actions import disable_staff
from portal.staff.models import Department
from tests.conftest import nothing_appears, statements
from tests.refunds.hands import asked
from tests.world import World, sign_in

HOUR = timedelta(hours=1)


@pytest.fixture
def at_work(world: World) -> World:
    """Fran answers for finance, Rita for returns, Sam for support, Max deputises; all have signed in before."""
    for code, head in (("finance", world.fran), ("returns", world.rita), ("support", world.sam)):
        both = {"responsible_id": head.id, "deputy_id": world.max.id}
        session.execute(update(Department).where(Department.code == code).values(both))
    for person in (world.fran, world.rita, world.sam, world.max):
        person.password_hash = "none"
    session.commit()
    return world


@pytest.fixture
def money(at_work: World) -> Refund:
    """Money that Rita asks for and finance has to approve."""
    return asked(at_work)


def current(refund: Refund) -> OfficeWork:
    actions.follow(now=clock.now())
    open_still = (OfficeWork.subject_id == refund.id, OfficeWork.done_at.is_(None))
    return session.scalars(select(OfficeWork).where(OfficeWork.kind == "approval", *open_still)).one()


def told() -> list[tuple[str, str]]:
    session.expire_all()
    found = select(Letter).where(Letter.kind == "offices-work").order_by(Letter.id)
    return [(letter.to_address.partition("@")[0], letter.subject) for letter in session.scalars(found)]


def test_what_is_asked_for_is_theirs_who_ask_until_it_is_taken_over(world, money):
    work = current(money)
    assert (work.office, work.giver, work.state, work.owner) == ("finance", "returns", "offered", world.rita)
    assert work.offered_at == money.requested_at, "waiting began when the money was asked for"
    actions.accept(work, by=world.fran, now=work.offered_at + HOUR)
    assert (work.state, work.owner) == ("accepted", world.fran)
    assert (work.waited(clock.now()), work.worked(work.offered_at + 3 * HOUR)) == (HOUR, 2 * HOUR)


def test_following_twice_changes_nothing(money):
    current(money)
    with nothing_appears():
        assert actions.follow(now=clock.now()) == 0


@pytest.mark.parametrize("decided", ["approved", "refused"])
def test_what_is_done_ends_and_who_did_it_had_it(world, money, decided):
    work = current(money)
    if decided == "approved":
        approve_refund(money, by=world.fran, now=clock.now())
    else:
        refuse_refund(money, note="Not paid here", by=world.fran, now=clock.now())
    actions.follow(now=clock.now())
    session.refresh(work)
    assert (work.state, work.done_at is not None) == ("accepted", True)
    if decided == "approved":
        assert work.owner == world.fran


def test_it_goes_back_with_the_reason_to_whom_it_came_from(world, money):
    work = current(money)
    actions.accept(work, by=world.fran, now=clock.now())
    actions.send_back(work, "facts_missing", "No picture", by=world.fran, now=clock.now())
    again = current(money)
    assert (work.state, work.reason, work.done_at is not None) == ("refused", "facts_missing", True)
    assert (again.office, again.giver, again.came_back, again.note) == ("returns", "finance", True, "No picture")
    assert "Finance sent it back: Facts are missing. No picture" in [entry.text for entry in for_staff(money.order_id)]
    actions.hand_on(again, "finance", "Picture is there now", by=world.rita, now=clock.now())
    once_more = current(money)
    assert (once_more.office, once_more.note, once_more.owner) == ("finance", "Picture is there now", world.rita)
    assert [one.office for one in lists.history(work)] == ["finance", "returns", "finance"]
    session.refresh(money)
    assert money.state == "requested", "what is decided about it stays as it is"


def test_it_refuses_to_send_back_without_a_reason_or_to_nobody(world, money):
    work = current(money)
    for reason, note in (("", ""), ("other", ""), ("astrology", "x")):
        with nothing_appears(), pytest.raises(Refused, match="Say why"):
            actions.send_back(work, reason, note, by=world.fran, now=clock.now())
    work.giver = None
    with nothing_appears(), pytest.raises(Refused, match="No office handed it"):
        actions.send_back(work, "not_ours", "", by=world.fran, now=clock.now())


def test_it_refuses_to_hand_on_to_nobody_or_without_saying_for_what(world, money):
    work = current(money)
    for to, note, said in (("finance", "x", "another office"), ("moon", "x", "another"), ("support", "", "Say what")):
        with nothing_appears(), pytest.raises(Refused, match=said):
            actions.hand_on(work, to, note, by=world.fran, now=clock.now())


def test_it_refuses_other_offices_people_and_what_is_done(world, money):
    work = current(money)
    with nothing_appears(), pytest.raises(Refused, match="another department"):
        actions.accept(work, by=world.sam, now=clock.now())
    actions.hand_on(work, "support", "Ask them", by=world.fran, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="already done"):
        actions.accept(work, by=world.fran, now=clock.now())


def test_the_work_of_somebody_who_is_away_goes_to_the_deputy_and_stays_there(world, money):
    work = current(money)
    actions.accept(work, by=world.fran, now=clock.now())
    absence = go_away(world.fran, shop_day(clock.now()), shop_day(clock.now()), by=world.fran, now=clock.now())
    assert actions.follow(now=clock.now()) == 1
    assert (work.owner_id, work.state) == (world.max.id, "accepted")
    come_back(absence.id, by=world.fran, now=clock.now())
    assert actions.follow(now=clock.now()) == 0
    assert work.owner_id == world.max.id


def test_new_work_is_not_given_to_somebody_who_is_away(world, at_work):
    go_away(world.fran, shop_day(clock.now()), shop_day(clock.now()), by=world.fran, now=clock.now())
    money = asked(at_work)
    money.requested_by_id = None
    work = current(money)
    assert (work.office, work.owner) == ("finance", world.max)


def test_whoever_leaves_leaves_nothing_behind(world, money):
    work = current(money)
    actions.accept(work, by=world.fran, now=clock.now())
    disable_staff(world.fran, now=clock.now())
    actions.follow(now=clock.now())
    session.commit()
    assert work.owner.name == "Max", "the deputy has it now"


def test_responsible_and_deputy_hear_once_of_what_waits_and_at_once_of_what_came_back(world, money):
    watch_offices()
    assert told() == [], "what is taken over soon needs no letter"
    with clock.moved(HOUR):
        watch_offices()
        watch_offices()
    assert told() == [("fran", "Finance: 1 thing waits"), ("max", "Finance: 1 thing waits")]
    actions.send_back(current(money), "wrong_amount", "", by=world.fran, now=clock.now())
    session.commit()
    watch_offices()
    assert sorted(told()[2:]) == [("max", "Returns: 1 thing waits"), ("rita", "Returns: 1 thing waits")]
    with clock.moved(timedelta(hours=25)):
        watch_offices()
    assert len(told()) == 6, "it waits too long now"


def test_an_open_case_is_the_supports_work_and_withdrawals_without_an_order_too(at_work):
    case = Case(
        order_id=at_work.alice.id, owner_id=at_work.sam.id, state="open", opened_at=clock.now(), due_at=clock.now()
    )
    session.add(case)
    session.commit()
    actions.follow(now=clock.now())
    [work] = session.scalars(select(OfficeWork)).all()
    assert (work.kind, work.office, work.owner, work.giver) == ("case", "support", at_work.sam, None)


@pytest.mark.parametrize("code", sorted(KINDS))
def test_each_kind_of_work_is_found_by_a_query_that_runs(app, code):
    assert session.execute(KINDS[code].waiting()).all() == session.execute(KINDS[code].doers([0])).all() == []


def test_the_list_shows_it_and_the_buttons_move_it(client: FlaskClient, world, money):
    work = current(money)
    session.commit()
    desk = sign_in(client, world.fran)
    page = desk.get("/desk/offices").text
    assert all(said in page for said in ("Money to approve", "1001", "Rita", "Waits to be taken over"))
    base = f"/desk/offices/{work.id}"
    assert desk.post(f"{base}/acceptance").status_code == 303
    assert "Taken over" in desk.get(base).text
    assert desk.post(f"{base}/refusal", data={"reason": ""}).status_code == 409
    assert desk.post(f"{base}/next-office", data={"office": "support", "note": " Ask  them "}).status_code == 303
    assert "Ask them" in desk.get("/desk/offices?office=support").text
    assert "Nothing waits here" in desk.get("/desk/offices?office=returns").text
    assert desk.get("/desk/offices?office=moon").status_code == desk.get("/desk/offices/999999").status_code == 404
    sent_back = session.scalars(select(OfficeWork).where(OfficeWork.done_at.is_(None))).one()
    desk = sign_in(client, world.sam)
    data = {"reason": "not_ours", "note": ""}
    assert desk.post(f"/desk/offices/{sent_back.id}/refusal", data=data).status_code == 303
    assert "Came back from Support" in desk.get("/desk/offices?office=finance").text


def test_warehouse_people_do_not_see_it(client: FlaskClient, world, money):
    work = current(money)
    session.commit()
    desk = sign_in(client, world.cleo)
    assert desk.get("/desk/offices").status_code == desk.post(f"/desk/offices/{work.id}/acceptance").status_code == 403


def test_the_list_takes_as_many_statements_however_long_it_is(client: FlaskClient, world, money):
    work = current(money)
    desk = sign_in(client, world.fran)
    with statements() as few:
        desk.get("/desk/offices")
    same = {"kind": "approval", "order_id": work.order_id, "office": "finance", "owner_id": world.rita.id}
    session.add_all(OfficeWork(subject_id=-n, offered_at=clock.now(), **same) for n in range(1, 9))
    session.commit()
    with statements() as many:
        desk.get("/desk/offices")
    assert len(many) == len(few)
