"""Each customer is asked once, at the right time, and not when it would be wrong."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, select

from portal import config
from portal.adapters.couriers import Tracking
from portal.db import session
from portal.feedback.actions import give_answer, object_to_surveys
from portal.feedback.asking import remind, schedule_survey, send_survey
from portal.feedback.case_models import Case
from portal.feedback.grounds import CONSENT, SurveyConsent, SurveyGround, choose_ground, give_consent, ground_in
from portal.feedback.jobs import send
from portal.feedback.models import SurveyInvitation, SurveyObjection
from portal.feedback.timing import set_terms
from portal.lib import clock
from portal.lib.errors import Refused
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

BERLIN = ZoneInfo("Europe/Berlin")


def letters(order: Order) -> list[Letter]:
    found = select(Letter).where(Letter.order_id == order.id, Letter.kind == "how-was-it")
    return list(session.scalars(found))


def test_it_asks_some_days_after_the_last_parcel_arrived(world, work, mails):
    delivered(world.alice, world.pat)
    work()
    invitation = invitation_of(world.alice)
    assert (invitation.state, invitation.version.kind, invitation.version.number) == ("scheduled", "csat", 1)
    assert AFTER <= invitation.due_at - world.alice.closed_at < AFTER + timedelta(days=1)
    assert invitation.due_at.astimezone(BERLIN).time() == time(9)
    with clock.moved(AFTER + timedelta(days=1, hours=2)):
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
    assert AFTER <= invitation_of(world.alice).due_at - world.alice.closed_at < AFTER + timedelta(days=1)
    assert invitation_of(world.alice).due_at - first >= timedelta(days=3)
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


def test_it_does_not_ask_where_the_shop_turned_it_off(world, work):
    choose_ground("DE", "off", "", by=world.max, now=clock.now())
    assert not_asked(world.alice, work, world.pat) == "country"


def test_nobody_in_germany_is_asked_until_the_shop_chooses(world, work):
    session.execute(delete(SurveyGround))
    assert ground_in("FR") == ("existing_customer", None)
    assert not_asked(world.alice, work, world.pat) == "country"


def test_where_consent_is_needed_only_who_said_yes_is_asked(world, work):
    choice = choose_ground("DE", "consent", "The box under the survey.", by=world.max, now=clock.now())
    give_consent(world.alice.id, now=clock.now())
    assert not_asked(world.bob, work, world.pat) == "no_consent"
    invitation = asked(world.alice, world.pat, work)
    assert (invitation.state, invitation.ground, invitation.ground_id) == ("sent", "consent", choice.id)
    proof = session.get_one(SurveyConsent, invitation.consent_id)
    assert (proof.order_id, proof.words) == (world.alice.id, str(CONSENT))


def test_a_question_keeps_the_ground_on_which_it_was_asked(world, work):
    invitation = asked(world.alice, world.pat, work)
    choose_ground("DE", "off", "", by=world.max, now=clock.now())
    assert invitation.ground == "existing_customer"
    assert session.get_one(SurveyGround, invitation.ground_id).proof == "Told beside the e-mail field."


@pytest.mark.parametrize("ground", ["consent", "existing_customer"])
def test_a_ground_without_proof_is_refused(world, ground):
    with nothing_appears(), pytest.raises(Refused, match="it is your proof"):
        choose_ground("DE", ground, "so what", by=world.max, now=clock.now())


def test_who_objected_is_not_asked_even_after_a_yes(world, work):
    choose_ground("DE", "consent", "The box under the survey.", by=world.max, now=clock.now())
    give_consent(world.alice.id, now=clock.now())
    object_to_surveys(world.alice.customer_id, world.alice.id, now=clock.now())
    assert not_asked(world.alice, work, world.pat) == "objected"


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


def test_the_shop_sets_how_many_days_are_quiet(world, work):
    set_terms(after_days=5, hour=9, working_days=False, remind_days=0, quiet_days=30)
    asked(world.alice, world.pat, work)
    with clock.moved(timedelta(days=38)):
        assert asked(another_order_of_alices(), world.pat, work).state == "sent"


def test_the_better_reason_wins(world, work):
    second = another_order_of_alices()
    delivered(second, world.pat)
    schedule_survey(second.id, now=clock.now() + timedelta(days=3), reason="return_settled")
    assert not_asked(world.alice, work, world.pat) == "better_reason"
    later = invitation_of(second)
    assert send_survey(later.id, due=later.due_at.isoformat(), now=later.due_at) is later


def test_what_an_open_return_kept_us_from_is_asked_when_it_is_settled(world, work):
    now = clock.now()
    ret = Return(rma="R1", order_id=world.alice.id, decision="requested", requested_at=now)
    session.add(ret)
    assert not_asked(world.alice, work, world.pat) == "open_return"
    ret.decision = "declined"
    later = now + timedelta(days=20)
    invitation = schedule_survey(world.alice.id, now=later, reason="return_settled")
    assert invitation is not None
    assert (invitation.state, invitation.suppressed_because, invitation.reason) == ("scheduled", None, "return_settled")
    assert later + AFTER <= invitation.due_at < later + AFTER + timedelta(days=1)


def test_who_objected_is_not_asked_after_a_return_either(world, work):
    object_to_surveys(world.alice.customer_id, world.alice.id, now=clock.now())
    not_asked(world.alice, work, world.pat)
    with nothing_appears():
        assert schedule_survey(world.alice.id, now=clock.now() + timedelta(days=9), reason="case_closed") is None
        session.commit()


def reminded(invitation: SurveyInvitation, work: Callable[..., int]) -> list[str]:
    """The letters about this survey, when the reminder's day has come."""
    work(until=invitation.sent_at + timedelta(days=5), task="feedback.remind")
    about = select(Letter.kind).where(Letter.about == f"survey:{invitation.id}").order_by(Letter.id)
    return list(session.scalars(about))


def test_who_does_not_answer_is_reminded_once(world, work):
    invitation = asked(world.alice, world.pat, work)
    assert reminded(invitation, work) == ["how-was-it", "how-was-it-again"]
    with nothing_appears():
        assert not remind(invitation.id, now=clock.now() + timedelta(days=12))
        session.commit()


def test_who_answered_is_not_reminded(world, work):
    invitation = asked(world.alice, world.pat, work)
    give_answer(world.alice.id, 4, "", now=clock.now() + timedelta(days=7))
    assert reminded(invitation, work) == ["how-was-it"]


def test_who_objected_is_not_reminded(world, work):
    invitation = asked(world.alice, world.pat, work)
    object_to_surveys(world.alice.customer_id, world.alice.id, now=clock.now())
    assert reminded(invitation, work) == ["how-was-it"]


def test_nobody_is_reminded_where_something_is_open_meanwhile(world, work):
    invitation = asked(world.alice, world.pat, work)
    session.add(Case(order_id=world.alice.id, opened_at=clock.now(), due_at=clock.now()))
    assert reminded(invitation, work) == ["how-was-it"]


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
