"""Each customer is asked once, at the right time, and not when it would be wrong."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from portal import config
from portal.adapters.couriers import Tracking
from portal.db import session
from portal.feedback.actions import object_to_surveys, schedule_survey, send_survey
from portal.feedback.jobs import send
from portal.feedback.models import Case, SurveyInvitation, SurveyObjection
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.orders.payments import reserve
from portal.refunds.models import Refund
from portal.returns.models import Return
from tests.conftest import nothing_appears, owed
from tests.feedback.scenes import (
    AFTER,
    another_order_of_alices,
    asked,
    delivered,
    invitation_of,
    kinds,
    scanned,
    written,
)
from tests.world import build


def letters(order: Order) -> list[Letter]:
    found = select(Letter).where(Letter.order_id == order.id, Letter.kind == "how-was-it")
    return list(session.scalars(found))


def test_it_asks_some_days_after_the_last_parcel_arrived(world, work, mails):
    delivered(world.alice, world.pat)
    work()
    invitation = invitation_of(world.alice)
    assert (invitation.state, invitation.question) == ("scheduled", "csat.1")
    assert invitation.due_at - world.alice.closed_at == AFTER
    with clock.moved(AFTER + timedelta(hours=2)):
        work()
    assert [mail["to"] for mail in written(mails, "How was it?")] == ["alice@example.org"]
    invitation = invitation_of(world.alice)
    assert invitation.state == "sent"
    assert invitation.closes_at - invitation.sent_at == timedelta(days=30)
    assert kinds(world.alice) == ["survey.sent"]


def test_nobody_is_asked_a_minute_too_early(world, work):
    delivered(world.alice, world.pat)
    work()
    due_at = invitation_of(world.alice).due_at
    with nothing_appears():
        assert work(until=due_at - timedelta(minutes=1), task="feedback.send") == 0
    assert work(until=due_at, task="feedback.send") == 1
    assert len(letters(world.alice)) == 1


def test_nobody_is_asked_while_a_parcel_is_still_to_come(world):
    with nothing_appears():
        schedule_survey(world.alice.id, now=clock.now())
        session.commit()


def test_an_order_that_arrives_twice_is_asked_about_once(world, work):
    asked(world.alice, world.pat, work)
    with nothing_appears():
        schedule_survey(world.alice.id, now=clock.now() + timedelta(days=9))
        session.commit()


def test_a_job_that_runs_again_sends_no_second_letter(world, work):
    invitation = asked(world.alice, world.pat, work)
    with nothing_appears():
        send_survey(invitation.id, due=invitation.due_at.isoformat(), now=clock.now())
        session.commit()


def test_a_delivery_scanned_by_mistake_puts_the_question_off(world, work):
    delivered(world.alice, world.pat)
    work()
    first = invitation_of(world.alice).due_at
    scanned(world.alice, Tracking.in_transit, clock.now() + timedelta(days=1))
    scanned(world.alice, Tracking.delivered, clock.now() + timedelta(days=4))
    work()
    assert invitation_of(world.alice).due_at - world.alice.closed_at == AFTER
    assert invitation_of(world.alice).due_at - first > timedelta(days=3)
    assert work(until=first, task="feedback.send") == 1
    assert letters(world.alice) == []
    assert work(until=first + timedelta(days=4), task="feedback.send") == 1
    assert len(letters(world.alice)) == 1


def test_nobody_is_asked_when_the_parcel_did_not_arrive_after_all(world, work):
    delivered(world.alice, world.pat)
    work()
    scanned(world.alice, Tracking.in_transit, clock.now() + timedelta(days=1))
    assert work(until=invitation_of(world.alice).due_at, task="feedback.send") == 1
    assert letters(world.alice) == []
    assert invitation_of(world.alice).state == "scheduled"


def not_asked(order: Order, work: Callable[..., int], by: object) -> str | None:
    """Why nobody was asked about this order."""
    invitation = asked(order, by, work)  # type: ignore[arg-type]
    assert letters(order) == []
    assert invitation.state == "suppressed"
    assert kinds(order)[-1] == f"survey.not_asked.{invitation.suppressed_because}"
    assert [args for name, args in owed("feedback.expire") if args["invitation_id"] == invitation.id] == []
    return invitation.suppressed_because


def test_it_does_not_ask_who_has_no_address(world, work):
    world.alice.customer.email = None
    assert not_asked(world.alice, work, world.pat) == "no_address"


def test_it_does_not_ask_where_the_shop_turned_it_off(world, work, app, monkeypatch):
    settings = app.config["SETTINGS"]
    monkeypatch.setitem(app.config, "SETTINGS", settings.model_copy(update={"survey_countries_off": ["AT", "DE"]}))
    assert not_asked(world.alice, work, world.pat) == "country"


def test_it_does_not_ask_who_objected(world, work):
    object_to_surveys(world.alice.customer_id, world.alice.id, now=clock.now())
    assert not_asked(world.alice, work, world.pat) == "objected"


def test_an_objection_outlives_the_customers_data_and_holds_no_address(world, work):
    object_to_surveys(world.alice.customer_id, world.alice.id, now=clock.now())
    world.alice.customer.email = None
    session.commit()
    world.bob.customer.email = "ALICE@example.org"
    assert not_asked(world.bob, work, world.pat) == "objected"
    assert b"alice" not in session.scalars(select(SurveyObjection.digest)).one()


@pytest.mark.parametrize(
    ("decision", "goods"), [("requested", "not_expected"), ("approved", "awaited"), ("approved", "lost")]
)
def test_it_does_not_ask_while_something_goes_back(world, work, decision, goods):
    now = clock.now()
    session.add(Return(rma="R1", order_id=world.alice.id, decision=decision, goods=goods, requested_at=now))
    assert not_asked(world.alice, work, world.pat) == "open_return"


def test_it_does_not_ask_while_money_goes_back(world, work):
    payment = world.alice.payment
    session.add(
        Refund(
            order_id=world.alice.id, payment_id=payment.id, amount=100, currency="EUR", uuid="u", idem_key="k",
            requested_at=clock.now(),
        )
    )  # fmt: skip
    reserve(payment, 100)
    assert not_asked(world.alice, work, world.pat) == "open_return"


def test_it_asks_again_when_everything_is_back(world, work):
    now = clock.now()
    session.add(
        Return(
            rma="R1", order_id=world.alice.id, decision="approved", goods="received", requested_at=now, inspected_at=now
        )
    )
    assert asked(world.alice, world.pat, work).state == "sent"


def test_it_does_not_ask_while_a_case_is_open(world, work):
    now = clock.now()
    session.add(Case(order_id=world.alice.id, opened_at=now, due_at=now))
    assert not_asked(world.alice, work, world.pat) == "open_case"


def test_it_asks_a_customer_about_one_order_in_ninety_days(world, work):
    second = another_order_of_alices()
    assert asked(world.alice, world.pat, work).state == "sent"
    assert not_asked(second, work, world.pat) == "asked_lately"
    assert asked(world.bob, world.pat, work).state == "sent"


def test_it_asks_the_same_customer_again_after_ninety_days(world, work):
    asked(world.alice, world.pat, work)
    with clock.moved(timedelta(days=96)):
        second = another_order_of_alices()
        assert asked(second, world.pat, work).state == "sent"


def test_two_workers_ask_one_customer_once(real):
    """Both jobs become due at the same moment; the second one waits for the first and sees it."""
    world = build(now=clock.now())
    ids = []
    for order in (world.alice, another_order_of_alices()):
        delivered(order, world.pat)
        invitation = schedule_survey(order.id, now=clock.now())
        assert invitation is not None
        ids.append((invitation.id, invitation.due_at.isoformat()))
    session.commit()

    def work_one(job: tuple[int, str]) -> None:
        with real.app_context():
            send(*job)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work_one, ids))
    states = session.scalars(select(SurveyInvitation.state).order_by(SurveyInvitation.state)).all()
    assert states == ["sent", "suppressed"]


def test_a_question_that_nobody_answered_ends(world, work):
    invitation = asked(world.alice, world.pat, work)
    work(until=invitation.closes_at, task="feedback.expire")
    assert invitation_of(world.alice).state == "expired"


def test_what_is_late_to_be_known_is_asked_at_once_and_never_in_the_past(world):
    delivered(world.alice, world.pat)
    much_later = datetime(2027, 3, 1, tzinfo=UTC)
    invitation = schedule_survey(world.alice.id, now=much_later)
    assert invitation is not None
    assert invitation.due_at == much_later


@pytest.mark.parametrize("countries", ["Germany", "de", "D", "DE;AT", "D1"])
def test_a_list_of_countries_that_is_none_stops_the_start(countries):
    with pytest.raises(config.BadSettings, match="SURVEY_COUNTRIES_OFF: is not a list of countries"):
        config.read({"SECRET_KEY": "s" * 40, "SURVEY_COUNTRIES_OFF": countries})


def test_a_list_of_countries_is_divided_by_commas():
    settings = config.read({"SECRET_KEY": "s" * 40, "SURVEY_COUNTRIES_OFF": "DE, AT,"})
    assert settings.survey_countries_off == ["DE", "AT"]
