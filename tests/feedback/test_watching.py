"""A case that nobody answers goes up by age, with its clock; one that the customer lets rest ends, counted apart."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback import cases, watching
from portal.feedback.case_models import find_case
from portal.feedback.deadlines import deadline
from portal.feedback.jobs import watch_cases
from portal.feedback.timing import set_terms
from portal.lib import clock
from portal.mail.models import Letter
from portal.staff.models import Department
from tests.conftest import nothing_appears
from tests.feedback.scenes import case_of, invited, kinds

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def case(app, world):
    """Alice's case, owned by Sam, whose deputy is Rita here; Max manages."""
    invited(world.alice)
    support = session.scalars(select(Department).where(Department.code == "support")).one()
    support.deputy_id, world.rita.role = world.rita.id, "support"
    session.commit()
    return case_of(world.alice)


def told() -> list[str]:
    """Who got the letter that a case came up to them, in their order."""
    return list(session.scalars(select(Letter.to_address).where(Letter.kind == "case-went-up").order_by(Letter.id)))


def twice(case, app):
    """When as much working time has passed again as the case had at first."""
    return deadline(case.due_at)


def test_before_its_deadline_a_case_stays_where_it_is(case):
    with nothing_appears():
        assert not watching.send_up(case.id, now=case.due_at)
        assert list(watching.overdue(now=case.due_at)) == []


def test_it_goes_to_the_deputy_and_then_to_a_manager_each_once_and_each_is_told(case, app, world):
    due_at = case.due_at
    assert watching.send_up(case.id, now=due_at + A_MINUTE)
    assert (case.owner_id, case.escalated, case.due_at) == (world.rita.id, 1, due_at)
    with nothing_appears():
        assert not watching.send_up(case.id, now=due_at + 2 * A_MINUTE)
    assert watching.send_up(case.id, now=twice(case, app) + A_MINUTE)
    assert (case.owner_id, case.escalated, case.due_at) == (world.max.id, 2, due_at)
    assert told() == ["rita@shop.example", "max@shop.example"]
    assert kinds(world.alice)[-2:] == ["case.went_up", "case.went_up"]
    assert list(watching.overdue(now=twice(case, app) + timedelta(days=99))) == []


def test_where_the_deputy_is_away_a_manager_has_it_at_once(case, world):
    world.rita.disabled_at = clock.now()
    assert watching.send_up(case.id, now=case.due_at + A_MINUTE)
    assert case.owner_id == world.max.id


def test_a_case_that_was_answered_does_not_go_up(case, world):
    cases.reply(case, "A new one leaves today.", asks=True, seen=case.last_message_id, by=world.sam, now=clock.now())
    with nothing_appears():
        assert not watching.send_up(case.id, now=case.due_at + timedelta(days=9))


def test_the_clock_and_the_steps_begin_anew_when_the_customer_writes_again(case, world):
    watching.send_up(case.id, now=case.due_at + A_MINUTE)
    cases.reply(case, "Sorry.", asks=True, seen=case.last_message_id, by=world.rita, now=case.due_at + 2 * A_MINUTE)
    cases.say_not_solved(case, now=case.due_at + timedelta(days=3))
    assert (case.escalated, case.owner_id, case.state) == (0, world.max.id, "open")


def test_silence_after_our_word_ends_a_case_and_is_not_called_solved(case, world):
    now = clock.now()
    set_terms(after_days=5, hour=9, working_days=False, remind_days=0, quiet_days=90, silence_days=10)
    cases.reply(case, "Is it solved?", asks=True, seen=case.last_message_id, by=world.sam, now=now)
    assert list(watching.silent(now=now + timedelta(days=10))) == []
    later = now + timedelta(days=10) + A_MINUTE
    assert list(watching.silent(now=later)) == [case.id]
    assert watching.close_silent(case.id, now=later)
    assert (case.state, case.solved_at, case.closed_at) == ("closed", None, later)
    assert kinds(world.alice)[-1] == "case.fell_silent"
    with nothing_appears():
        assert not watching.close_silent(case.id, now=later + A_MINUTE)


def test_a_word_that_comes_at_the_last_moment_keeps_it_open(case, world):
    now = clock.now()
    cases.reply(case, "Is it solved?", asks=True, seen=case.last_message_id, by=world.sam, now=now)
    cases.write_to_shop(case, "Not yet.", now=now + timedelta(days=14))
    with nothing_appears():
        assert not watching.close_silent(case.id, now=now + timedelta(days=15))


def test_the_watch_walks_over_all_cases(case, world):
    with clock.moved(case.due_at - clock.now() + A_MINUTE):
        watch_cases()
    session.expire_all()
    found = find_case(case.id)
    assert found is not None
    assert found.owner_id == world.rita.id


def test_the_case_of_who_left_goes_to_whoever_answers_for_support(case, world):
    assert list(watching.without_owner(now=clock.now())) == []
    world.sam.disabled_at = clock.now()
    assert list(watching.without_owner(now=clock.now())) == [case.id]
    assert watching.give_an_owner(case.id, now=clock.now())
    assert (case.owner_id, kinds(world.alice)[-1]) == (world.rita.id, "case.assigned")
    with nothing_appears():
        assert not watching.give_an_owner(case.id, now=clock.now())
