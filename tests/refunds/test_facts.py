"""What Stripe says of a refund, late, twice, in disorder, or of one that we never made."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from portal.adapters import stripe as adapter
from portal.adapters.stripe import StripeRefund
from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.timeline import for_customer, for_staff
from portal.refunds import actions, jobs
from portal.refunds.facts import WATCHED, apply
from portal.refunds.models import Refund
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import again, approved, asked, balance, in_the_dashboard, letters, make_due, paid_at_stripe
from tests.world import World

Work = Callable[..., int]


@pytest.fixture(autouse=True)
def shop_at_stripe(shop: Flask) -> Flask:
    return shop


def sent(world: World, stripe: Remote, *amounts: int, card: str = "pm_card_visa") -> Refund:
    """A refund that Stripe has taken."""
    paid_at_stripe(stripe, world.alice, card)
    refund = approved(world, *amounts)
    jobs.send_refund(refund.id)
    return again(refund)


def look(refund: Refund) -> Refund:
    jobs.look_at_refund(refund.id)
    return again(refund)


def said(refund: Refund, status: str, **more: object) -> StripeRefund:
    """What Stripe might say of it."""
    fact = StripeRefund(
        id=refund.stripe_refund_id or "re_1", status=status, amount=refund.amount, currency=refund.currency,
        payment_intent="pi_alice", our_id=refund.uuid, failure_reason="", bank_reference="",
        created_at=datetime.now(UTC),
    )  # fmt: skip
    return replace(fact, **more)  # type: ignore[arg-type]


def hear(fact: StripeRefund, *, ago: timedelta = timedelta()) -> Refund | None:
    """It was asked so long ago, and is written down now."""
    found = apply(fact, source="test", asked_at=clock.now() - ago, now=clock.now())
    session.commit()
    return found


def at_stripe(refund_id: str) -> StripeRefund:
    session.commit()
    return adapter.account().get_refund(refund_id)


def test_a_pending_refund_is_said_to_wait_and_then_to_be_done(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe, card="pm_card_pendingRefund")
    assert (refund.state, refund.settled_at) == ("pending", None)
    assert letters(world.alice) == []
    assert balance(world.alice) == (8400, 4000, 0)
    stripe.forward(31)
    refund = look(refund)
    assert (refund.state, letters(world.alice)) == ("succeeded", ["refund-on-its-way"])
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund.id})], "sent only once"


def test_a_refund_that_fails_late_frees_its_money_once_and_corrects_what_we_told(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe, card="pm_card_refundFail")
    assert refund.state == "succeeded"
    stripe.forward(61)
    for _ in range(3):
        refund = look(refund)
    assert (refund.state, refund.failure_reason) == ("failed", "expired_or_canceled_card")
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == ["refund-on-its-way", "refund-corrected"]
    assert "could not take €40.00" in for_customer(world.alice.id)[0].text
    assert "the card has expired" in for_staff(world.alice.id)[0].text


def test_a_refund_cancelled_in_the_dashboard_has_failed(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe, card="pm_card_pendingRefund")
    stripe.change_refund(refund.stripe_refund_id or "", status="canceled")
    refund = look(refund)
    assert (refund.state, refund.failure_reason) == ("failed", "merchant_request")
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == [], "nobody was told that it had gone"


def test_a_bank_that_returns_the_money_takes_the_refund_back_to_pending(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    stripe.change_refund(refund.stripe_refund_id or "", status="requires_action")
    refund = look(refund)
    assert (refund.state, refund.stripe_status, refund.settled_at) == ("pending", "requires_action", None)
    assert balance(world.alice) == (8400, 4000, 0)


def test_a_late_failure_whose_webhook_was_lost_is_found_by_looking(world: World, stripe: Remote, work: Work) -> None:
    refund = sent(world, stripe, card="pm_card_refundFail")
    first_look = refund.next_look_at
    assert first_look is not None
    assert timedelta(hours=23) < first_look - clock.now() < timedelta(hours=25)
    stripe.forward(24 * 3600)
    make_due(refund)
    jobs.sweep()
    work(task="refunds.look_at_refund")
    assert again(refund).state == "failed"


def test_it_is_watched_for_35_days_and_then_left_alone(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    looks = 0
    while refund.next_look_at is not None:
        looks += 1
        with clock.moved(refund.next_look_at - clock.now() + timedelta(seconds=1)):
            refund = look(refund)
    assert looks == len(WATCHED)
    assert refund.state == "succeeded"


def test_the_banks_reference_comes_later(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    stripe.change_refund(refund.stripe_refund_id or "", reference="74737160001")
    assert look(refund).bank_reference == "74737160001"
    assert letters(world.alice) == ["refund-on-its-way"]


def test_an_older_word_never_undoes_a_later_one(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    hear(said(refund, "failed", failure_reason="declined"))
    assert again(refund).state == "failed"
    hear(said(refund, "succeeded"), ago=timedelta(seconds=1))
    hear(said(refund, "pending"), ago=timedelta(seconds=2))
    assert again(refund).state == "failed"
    assert balance(world.alice) == (8400, 0, 0)


def test_a_failed_refund_that_lives_again_is_for_a_person_and_holds_its_money(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    hear(said(refund, "failed", failure_reason="declined"))
    hear(said(refund, "succeeded"))
    refund = again(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "alive_again")
    assert balance(world.alice) == (8400, 4000, 0)


def test_what_was_refused_and_is_there_after_all_is_for_a_person_and_holds_its_money(
    world: World, stripe: Remote
) -> None:
    paid_at_stripe(stripe, world.alice)
    in_the_dashboard(stripe, 5000)
    refund = approved(world)
    session.commit()
    jobs.send_refund(refund.id)
    assert again(refund).state == "refused_by_stripe"
    hear(said(refund, "failed", failure_reason="declined"))
    assert again(refund).state == "refused_by_stripe", "that nothing moved is no news"
    hear(said(refund, "succeeded"))
    assert (again(refund).state, again(refund).failure_reason) == ("needs_review", "alive_again")
    assert balance(world.alice) == (8400, 4000, 0)


def test_what_was_taken_care_of_comes_back_when_it_lives_again(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    hear(said(refund, "failed", failure_reason="declined"))
    actions.close_failure(again(refund), note="by bank transfer", by=world.fran, now=clock.now())
    session.commit()
    hear(said(refund, "succeeded"))
    assert again(refund).waits_for_a_person


def test_a_refund_that_stripe_does_not_know_any_more_is_for_a_person(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    refund.stripe_refund_id = "re_gone"
    session.commit()
    refund = look(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "vanished")
    assert balance(world.alice) == (8400, 4000, 0)


def test_a_failed_refund_that_lives_again_after_its_money_was_given_otherwise_takes_nothing_from_others(
    world: World, stripe: Remote
) -> None:
    refund = sent(world, stripe, 4000, 3900, 500)
    hear(said(refund, "failed", failure_reason="declined"))
    asked(world, 4000)
    hear(said(refund, "succeeded"))
    refund = again(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "spent_twice")
    assert balance(world.alice) == (8400, 4000, 0)
    actions.drop_refund(refund, note="Stripe support says no", by=world.max, now=clock.now())
    session.commit()
    assert balance(world.alice) == (8400, 4000, 0), "what the other one holds is not freed"


@pytest.mark.parametrize(
    ("difference", "code"),
    [
        ({"amount": 3999}, "differs"),
        ({"currency": "USD"}, "differs"),
        ({"payment_intent": "pi_other"}, "differs"),
        ({"status": "vanished"}, "unknown_status"),
    ],
)
def test_what_is_not_what_we_asked_for_is_for_a_person_and_keeps_its_id(
    world: World, difference: dict[str, object], code: str
) -> None:
    refund = approved(world)
    hear(said(refund, **{"status": "succeeded", "id": "re_9", **difference}))  # type: ignore[arg-type]
    refund = again(refund)
    assert (refund.state, refund.failure_reason, refund.stripe_refund_id) == ("needs_review", code, "re_9")
    assert balance(world.alice) == (8400, 4000, 0)
    assert letters(world.alice) == []


def test_a_second_refund_under_one_id_is_for_a_person(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    hear(said(refund, "succeeded", id="re_twin"))
    refund = again(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "second_refund")
    assert refund.stripe_refund_id != "re_twin"


def test_a_refund_made_in_the_dashboard_is_adopted_and_reduces_what_is_left(world: World, stripe: Remote) -> None:
    paid_at_stripe(stripe, world.alice)
    made = at_stripe(in_the_dashboard(stripe, 5000))
    for _ in range(3):
        adopted = hear(made)
        assert adopted is not None
        assert (adopted.source, adopted.state, adopted.amount) == ("external", "succeeded", 5000)
    assert balance(world.alice) == (8400, 0, 5000)
    assert letters(world.alice) == []
    assert [entry.kind for entry in for_staff(world.alice.id)].count("refund.external") == 1
    with nothing_appears(), pytest.raises(Refused, match="more than what is left"):
        asked(world, 3401)
    assert asked(world, 3400).amount == 3400


def test_a_dashboard_refund_that_fails_frees_what_it_took(world: World, stripe: Remote) -> None:
    paid_at_stripe(stripe, world.alice)
    made = in_the_dashboard(stripe, 5000)
    hear(at_stripe(made))
    stripe.change_refund(made, status="failed", failure_reason="declined")
    for _ in range(2):
        hear(at_stripe(made))
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == []


def test_a_dashboard_refund_that_had_failed_before_we_heard_takes_nothing(world: World, stripe: Remote) -> None:
    paid_at_stripe(stripe, world.alice)
    made = in_the_dashboard(stripe, 5000)
    stripe.change_refund(made, status="failed", failure_reason="declined")
    adopted = hear(at_stripe(made))
    assert adopted is not None
    assert adopted.state == "failed"
    assert balance(world.alice) == (8400, 0, 0)


def test_more_than_everything_may_be_given_back_elsewhere_and_is_recorded(world: World, stripe: Remote) -> None:
    """Ours waits for approval while somebody gives all of it back in the dashboard."""
    paid_at_stripe(stripe, world.alice)
    refund = approved(world, 4000)
    hear(at_stripe(in_the_dashboard(stripe, 8400)))
    assert balance(world.alice) == (8400, 4000, 8400)
    jobs.send_refund(refund.id)
    assert again(refund).failure_reason == "charge_already_refunded"
    assert balance(world.alice) == (8400, 0, 8400)


def test_a_refund_of_a_payment_that_is_not_ours_is_nobodys_business(world: World, stripe: Remote) -> None:
    stripe.pay(5000, id="pi_elsewhere")
    made = at_stripe(in_the_dashboard(stripe, 100, "pi_elsewhere"))
    with nothing_appears():
        assert hear(made) is None


def proposed_again(world: World, stripe: Remote) -> tuple[Refund, Refund]:
    refund = sent(world, stripe)
    hear(said(refund, "failed", failure_reason="declined"))
    second = actions.repeat_refund(again(refund), by=world.rita, now=clock.now())
    session.commit()
    return again(refund), second


def test_what_failed_can_be_proposed_again_as_a_row_of_its_own(world: World, stripe: Remote) -> None:
    first, second = proposed_again(world, stripe)
    assert (first.state, first.handled_by_id) == ("failed", world.rita.id)
    assert (second.state, second.amount, second.idem_key != first.idem_key) == ("requested", 4000, True)
    assert [(line.order_line_id, line.amount) for line in second.lines] == [(world.alice.lines[0].id, 4000)]
    actions.approve_refund(second, by=world.fran, now=clock.now())
    session.commit()
    jobs.send_refund(second.id)
    assert again(second).state == "succeeded"
    assert letters(world.alice) == ["refund-on-its-way", "refund-corrected", "refund-on-its-way"]


def test_what_was_taken_care_of_can_not_be_taken_care_of_again(world: World, stripe: Remote) -> None:
    first, _ = proposed_again(world, stripe)
    with nothing_appears(), pytest.raises(Refused, match="already"):
        actions.repeat_refund(first, by=world.rita, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="already"):
        actions.close_failure(first, note="by bank transfer", by=world.fran, now=clock.now())


def test_money_paid_another_way_is_written_down_with_how(world: World, stripe: Remote) -> None:
    refund = sent(world, stripe)
    hear(said(refund, "failed", failure_reason="declined"))
    actions.close_failure(again(refund), note="by bank transfer", by=world.fran, now=clock.now())
    session.commit()
    refund = again(refund)
    assert (refund.state, refund.handled_note) == ("failed", "by bank transfer")
    assert "by bank transfer" in for_staff(world.alice.id)[0].text


def test_nobody_proposes_again_what_may_have_moved(world: World) -> None:
    refund = approved(world)
    hear(said(refund, "succeeded", amount=1))
    with nothing_appears(), pytest.raises(Refused, match="Look at Stripe first"):
        actions.repeat_refund(again(refund), by=world.rita, now=clock.now())


def test_a_person_who_looked_frees_what_did_not_move(world: World) -> None:
    refund = approved(world)
    hear(said(refund, "succeeded", amount=1))
    actions.drop_refund(again(refund), note="not in Stripe's list", by=world.fran, now=clock.now())
    session.commit()
    assert (again(refund).state, again(refund).failure_reason) == ("refused_by_stripe", "not_moved")
    assert balance(world.alice) == (8400, 0, 0)


@pytest.mark.parametrize("state", ["requested", "approved", "succeeded"])
def test_what_did_not_go_wrong_needs_no_care(world: World, stripe: Remote, state: str) -> None:
    refund = {
        "requested": lambda: asked(world),
        "approved": lambda: approved(world),
        "succeeded": lambda: sent(world, stripe),
    }[state]()
    for act in (actions.close_failure, actions.drop_refund):
        with nothing_appears(), pytest.raises(Refused):
            act(refund, note="x", by=world.fran, now=clock.now())
    with nothing_appears(), pytest.raises(Refused):
        actions.repeat_refund(refund, by=world.fran, now=clock.now())
