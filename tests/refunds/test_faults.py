"""What can go wrong between us and Stripe, row by row, and under each row the test that shows how the money ends.

the worker dies before its call
    test_killed_worker: test_a_worker_killed_while_stripe_talks_loses_nothing_and_pays_once
the worker dies after Stripe took it, before it is written down
    test_killed_worker: test_a_worker_killed_while_stripe_talks_loses_nothing_and_pays_once
time-out after execution
    test_a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again
the line is cut before execution
    test_a_line_cut_before_anything_happened_is_tried_again_under_the_same_key
a reply lost inside one call
    adapters/test_stripe: test_a_reply_lost_inside_one_call_is_replayed_and_then_looked_at
409, the first call still runs
    test_races: test_a_claim_taken_while_the_first_call_still_runs_pays_once
429
    test_a_429_was_surely_not_executed_and_backs_off_in_the_worker
503 before execution
    test_a_line_cut_before_anything_happened_is_tried_again_under_the_same_key
500 after execution, remembered under the key
    test_a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again
refused with a card's code
    test_a_refusal_with_a_cards_code_is_definite_too
charged back
    test_a_charge_back_between_the_look_and_the_call_is_a_refusal
charged back, seen before the call
    test_a_disputed_payment_is_not_even_tried
the webhook before the reply
    test_webhooks: test_the_webhook_before_the_reply_is_enough_and_the_reply_changes_nothing
a webhook three times at once, and again
    test_races: test_a_webhook_three_times_at_once_and_again_is_one_transition
pending, then events in reverse order
    test_webhooks: test_events_in_reverse_order_end_in_the_truth
it fails late
    test_facts: test_a_refund_that_fails_late_frees_its_money_once_and_corrects_what_we_told
it fails late, a second decision pays
    test_facts: test_what_failed_can_be_proposed_again_as_a_row_of_its_own
it fails late and every webhook is lost
    test_facts: test_a_late_failure_whose_webhook_was_lost_is_found_by_looking
eight approve one refund
    test_races: test_2_3_4_eight_approve_at_once_and_one_wins
eight ask for one return
    test_races: test_eight_ask_for_the_same_return_and_one_wins
eight refunds of 60 on a payment of 100
    test_races: test_eight_refunds_of_60_on_100_and_one_wins
four workers, five refunds
    test_races: test_four_workers_send_five_refunds_with_five_calls
the lease ends while the first worker waits
    test_races: test_a_claim_taken_while_the_first_call_still_runs_pays_once
after 25 hours, key forgotten, the refund exists
    test_after_a_day_it_is_only_looked_up_and_found
after 25 hours, nothing found
    test_after_a_day_and_not_found_a_person_must_look
the key is wrong, then mended
    test_pause: test_a_refused_key_stops_the_queue_and_is_told_once
    test_pause: test_the_queue_goes_on_when_the_key_works
Stripe ends and comes back
    test_a_stripe_that_ended_in_the_middle_and_came_back_pays_once
Stripe comes back knowing nothing
    test_a_stripe_that_forgot_everything_is_a_refusal
a dashboard refund, seen first
    test_facts: test_a_refund_made_in_the_dashboard_is_adopted_and_reduces_what_is_left
a dashboard refund races ours
    test_a_refusal_is_definite_and_frees_the_money
an amount that is none
    adapters/test_stripe: test_an_amount_that_is_none_never_leaves
a webhook too old, forged, unreadable
    test_webhooks: test_what_is_not_stripes_word_changes_nothing
a webhook 290 seconds old, or an hour ahead
    adapters/test_stripe: test_a_fresh_signature_is_believed_and_one_from_the_future_too
a replay after a late failure
    test_a_replay_after_a_late_failure_tells_the_present
"""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.demo.stripe.problems import Problem
from portal.lib import clock
from portal.orders.models import Payment
from portal.orders.timeline import for_staff
from portal.refunds import jobs
from portal.returns.models import Return
from tests.conftest import owed
from tests.refunds.hands import (
    approved,
    asked,
    balance,
    in_the_dashboard,
    letters,
    money_moved,
    send,
    sent_ago,
    steps,
)
from tests.rows import held_by
from tests.standin import SECRET
from tests.world import World

pytestmark = pytest.mark.usefixtures("impatient")


def test_each_row_above_names_a_test_that_is_there() -> None:
    assert len(held_by(__file__)) == 35


@pytest.mark.parametrize("what", ["cut", "timeout", "500", "html"])
def test_a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again(
    world: World, stripe: Remote, what: str
) -> None:
    stripe.fault(what, "after", seconds=2)
    refund = send(approved(world))
    assert refund.state == "unknown"
    assert balance(world.alice) == (8400, 4000, 0), "it keeps its money"
    refund = send(refund)
    assert refund.state == "succeeded"
    assert steps(refund) == ["sending", "unknown", "sending", "succeeded"]
    assert len(money_moved(stripe)) == 1
    assert letters(world.alice) == ["refund-on-its-way"]


@pytest.mark.parametrize("what", ["cut", "timeout", "503", "409"])
def test_a_line_cut_before_anything_happened_is_tried_again_under_the_same_key(
    world: World, stripe: Remote, what: str
) -> None:
    stripe.fault(what, seconds=2)
    refund = send(approved(world))
    assert refund.state == "unknown"
    refund = send(refund)
    assert refund.state == "succeeded"
    posts = money_moved(stripe)
    assert [post["key"] for post in posts] == [refund.idem_key] * 2
    assert [line["path"] for line in stripe.requests("GET /v1/refunds")] == ["/v1/refunds"], (
        "looked before it sent again"
    )


def test_a_429_was_surely_not_executed_and_backs_off_in_the_worker(world: World, stripe: Remote) -> None:
    stripe.fault("429", times=3)
    refund, waits = approved(world), []
    for _ in range(3):
        refund = send(refund)
        assert (refund.state, refund.first_sent_at) == ("approved", None)
        waits.append(round(((refund.next_look_at or clock.now()) - clock.now()).total_seconds()))
    assert waits == [4, 8, 16]
    assert len(money_moved(stripe)) == 3, "the library did not try again by itself"
    assert send(refund).state == "succeeded"
    assert len({post["key"] for post in money_moved(stripe)}) == 1


def test_a_429_after_a_lost_reply_does_not_make_it_known_again(world: World, stripe: Remote) -> None:
    stripe.fault("cut", "after")
    refund = send(approved(world))
    stripe.fault("429", match="GET /v1/refunds")
    refund = send(refund)
    assert refund.state == "unknown"
    assert send(refund).state == "succeeded"
    assert len(money_moved(stripe)) == 1


def test_stripe_away_before_anything_was_sent_leaves_it_approved(world: World, stripe: Remote) -> None:
    stripe.fault("cut", match="GET /v1/payment_intents", times=3)
    refund = approved(world)
    for _ in range(3):
        refund = send(refund)
        assert (refund.state, refund.first_sent_at) == ("approved", None)
    assert send(refund).state == "succeeded"


def test_a_stripe_that_ended_in_the_middle_and_came_back_pays_once(
    world: World, stripe: Remote, stand_in: StandIn, shop: Flask
) -> None:
    stripe.fault("cut", "after")
    refund = send(approved(world))
    assert stand_in.server is not None
    port = stand_in.server.server_port
    stand_in.stop()
    assert send(refund).state == "unknown"
    back = StandIn(stand_in.book.path, secret=SECRET)
    back.start(port)
    refund = send(refund)
    assert refund.state == "succeeded"
    assert back.api.requests()[-1]["method"] == "GET", "it was found, not asked for again"
    back.stop()


def test_a_refusal_is_definite_and_frees_the_money(world: World, stripe: Remote) -> None:
    in_the_dashboard(stripe, 5000)
    refund = send(approved(world, 4000))
    assert (refund.state, refund.settled_at is None) == ("refused_by_stripe", False)
    assert "greater than unrefunded amount" in (refund.failure_reason or "")
    assert balance(world.alice) == (8400, 0, 0)
    assert letters(world.alice) == []
    assert "Stripe refused" in for_staff(world.alice.id)[0].text
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund.id})], "only the first one"


def test_a_refusal_of_what_was_done_before_is_no_refusal(world: World, stripe: Remote) -> None:
    """Stripe made it, the reply was lost, the key was forgotten: "already refunded" is our own refund."""
    stripe.fault("cut", "after")
    refund = send(approved(world, 4000, 3900, 500))
    stripe.forward(25 * 3600)
    stripe.fault("html", match="GET /v1/refunds")
    refund = send(refund)
    assert refund.state == "unknown", "the look itself failed"
    refund = send(refund)
    assert refund.state == "succeeded"
    assert len(money_moved(stripe)) == 1


def test_a_disputed_payment_is_not_even_tried(world: World, stripe: Remote) -> None:
    stripe.dispute("pi_alice")
    refund = send(approved(world))
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "charge_disputed")
    assert money_moved(stripe) == []
    assert balance(world.alice) == (8400, 0, 0)
    assert "disputes this payment" in for_staff(world.alice.id)[0].text


def test_a_payment_in_another_currency_is_not_even_tried(world: World, stripe: Remote) -> None:
    stripe.pay(8400, "cad", id="pi_cad")
    payment = world.alice.payment or Payment()
    payment.payment_intent = "pi_cad"
    refund = send(approved(world))
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "other_currency")
    assert money_moved(stripe) == []


def test_a_payment_that_stripe_does_not_know_is_refused(world: World, stripe: Remote) -> None:
    refund = send(approved(world, 2000, order=world.bob))
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "resource_missing")
    assert money_moved(stripe) == []


def test_after_a_day_it_is_only_looked_up_and_found(world: World, stripe: Remote) -> None:
    stripe.fault("cut", "after")
    refund = send(approved(world))
    stripe.forward(25 * 3600)
    sent_ago(refund, timedelta(hours=25))
    assert send(refund).state == "succeeded"
    assert len(money_moved(stripe)) == 1


def test_after_a_day_and_not_found_a_person_must_look(world: World, stripe: Remote) -> None:
    stripe.fault("cut")
    refund = send(approved(world))
    sent_ago(refund, timedelta(hours=23, minutes=1))
    refund = send(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "too_old")
    assert len(money_moved(stripe)) == 1, "nothing is sent under a key that Stripe may have forgotten"
    assert balance(world.alice) == (8400, 4000, 0), "it may have moved"


def test_a_key_that_was_used_for_something_else_is_for_a_person(world: World, stripe: Remote) -> None:
    refund = approved(world)
    key = refund.idem_key
    session.commit()
    adapter.Account("sk_test_other", stripe.address).create_refund({"payment_intent": "pi_alice", "amount": 1}, key=key)
    refund = send(refund)
    assert (refund.state, refund.failure_reason) == ("needs_review", "key_reused")
    assert balance(world.alice) == (8400, 4000, 0)


def test_a_refusal_with_a_cards_code_is_definite_too(
    world: World, stripe: Remote, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(stand_in, monkeypatch, Problem(402, "card_error", "No.", stored=True, code="expired_card"))
    refund = send(approved(world))
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "expired_card")
    assert stripe.requests("GET /v1/refunds"), "it looked whether it was made all the same"
    assert balance(world.alice) == (8400, 0, 0)


def refuse(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, problem: Problem) -> None:
    """Stripe refuses each refund so."""
    admit = stand_in.api._admit

    def admitted(call: object) -> object:
        work = admit(call)  # type: ignore[arg-type]

        def answer() -> object:
            if getattr(call, "method", "") == "POST":
                raise problem
            return work()

        return answer

    monkeypatch.setattr(stand_in.api, "_admit", admitted)


def test_a_charge_back_between_the_look_and_the_call_is_a_refusal(
    world: World, stripe: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = jobs._check_payment

    def then_disputed(*seen: object) -> None:
        look(*seen)  # type: ignore[arg-type]
        stripe.dispute("pi_alice")

    monkeypatch.setattr(jobs, "_check_payment", then_disputed)
    refund = send(approved(world))
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "charge_disputed")
    assert len(money_moved(stripe)) == 1
    assert balance(world.alice) == (8400, 0, 0)


def test_a_stripe_that_forgot_everything_is_a_refusal(world: World, stripe: Remote, stand_in: StandIn) -> None:
    stripe.fault("cut")
    refund = send(approved(world))
    for kept in ("payment_intents", "charges", "keys"):
        stand_in.book.data[kept].clear()
    refund = send(refund)
    assert (refund.state, refund.failure_reason) == ("refused_by_stripe", "resource_missing")
    assert balance(world.alice) == (8400, 0, 0)


def test_a_replay_after_a_late_failure_tells_the_present(world: World, stripe: Remote) -> None:
    refund = send(approved(world))
    stripe.change_refund(refund.stripe_refund_id or "", status="failed", failure_reason="declined")
    params, key = dict(refund.params or {}), refund.idem_key
    session.commit()
    found = adapter.account().create_refund(params, key=key)
    assert [post["replayed"] for post in money_moved(stripe)] == [False, True]
    assert (found.id, found.status) == (refund.stripe_refund_id, "failed")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("approved_by_id = requested_by_id", "four_eyes"),
        ("amount = 0", "amount"),
        ("amount = 3999", "frozen"),
        ("approved_by_id = NULL", "approved"),
        ("state = 'succeeded'", "stripe_id"),
        ("state = 'sent'", "state"),
    ],
)
def test_the_database_itself_refuses(world: World, change: str, constraint: str) -> None:
    refund = approved(world)
    with pytest.raises(IntegrityError, match=f"ck_refunds_{constraint}"):
        session.execute(text(f"UPDATE refunds SET {change} WHERE id = :id"), {"id": refund.id})
    session.rollback()


def test_the_database_knows_each_decision_of_a_return_once(world: World) -> None:
    ret = Return(rma="RMA-TWICE", order_id=world.alice.id, requested_at=clock.now())
    session.add(ret)
    session.commit()
    first, second = asked(world, 100), asked(world, 100)
    first.return_id = second.return_id = ret.id
    with pytest.raises(IntegrityError, match="uq_refunds_return_id_decision_no"):
        session.commit()
    session.rollback()
