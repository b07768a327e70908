"""A refund on its way to Stripe, and everything that can go wrong there: money moves once, and nothing is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.lib import clock
from portal.orders.models import Payment
from portal.orders.timeline import for_customer, for_staff
from portal.refunds import jobs, sending
from portal.refunds.models import Refund
from tests.conftest import owed
from tests.refunds.hands import (
    again,
    approved,
    balance,
    in_the_dashboard,
    letters,
    make_due,
    money_moved,
    paid_at_stripe,
    sent_ago,
    steps,
)
from tests.standin import SECRET
from tests.world import World

Work = Callable[..., int]


@pytest.fixture(autouse=True)
def paid(shop: Flask, stripe: Remote, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice has paid 84 euros at Stripe, and nobody waits longer than a moment for an answer."""
    paid_at_stripe(stripe, world.alice)
    impatient = adapter.Account(shop.config["SETTINGS"].stripe_api_key, stripe.address, timeout=(1, 0.5))
    monkeypatch.setattr(adapter, "account", lambda: impatient)


def send(refund: Refund) -> Refund:
    """The worker tries, now."""
    make_due(refund)
    jobs.send_refund(refund.id)
    return again(refund)


def test_an_approved_refund_is_sent_once_and_stripe_says_when_it_is_done(
    world: World, stripe: Remote, work: Work
) -> None:
    refund = approved(world, 4000, 0, 500)
    work(task="refunds.send_refund")
    assert (again(refund).state, refund.stripe_status) == ("succeeded", "succeeded")
    assert steps(refund) == ["sending", "succeeded"]
    [post] = money_moved(stripe)
    assert post["key"] == refund.idem_key
    assert post["params"] == {
        "payment_intent": "pi_alice", "amount": "4500", "reason": "requested_by_customer",
        "metadata": {"rf": refund.uuid, "return": ""},
    }  # fmt: skip
    assert balance(world.alice) == (8400, 4500, 0)
    assert letters(world.alice) == ["refund-on-its-way"]
    assert for_customer(world.alice.id)[0].text == "€45.00 sent back to you; your bank takes five to ten days"


def test_nobody_is_told_and_nothing_is_refunded_before_stripe_says_so(world: World, stripe: Remote, work: Work) -> None:
    stripe.fault("503", times=9)
    refund = approved(world)
    work(task="refunds.send_refund")
    assert again(refund).state == "unknown"
    assert letters(world.alice) == []
    assert "sent back" not in " ".join(entry.text for entry in for_customer(world.alice.id))


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


@pytest.mark.parametrize("what", ["429", "401", "403"])
def test_what_was_surely_not_executed_is_approved_as_before(world: World, stripe: Remote, what: str) -> None:
    stripe.fault(what)
    refund = send(approved(world))
    assert (refund.state, refund.first_sent_at) == ("approved", None)
    waits = (refund.next_look_at or clock.now()) - clock.now()
    assert waits > timedelta(minutes=9) if what != "429" else timedelta(0) < waits < timedelta(seconds=10)
    assert len(owed("refunds.send_refund")) == 2, "it tries again by itself"
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


def test_without_a_key_refunds_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked() -> adapter.Account:
        raise adapter.Locked("STRIPE_API_KEY is not set")

    monkeypatch.setattr(adapter, "account", locked)
    assert send(approved(world)).state == "approved"


def test_waits_grow_and_end_at_an_hour(world: World, stripe: Remote) -> None:
    stripe.fault("503", times=99, match="POST")
    refund, waits = approved(world), []
    for _ in range(14):
        refund = send(refund)
        waits.append(round(((refund.next_look_at or clock.now()) - clock.now()).total_seconds()))
    assert waits[:4] == [4, 8, 16, 32]
    assert waits[-1] == 3600


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


def test_a_claim_keeps_others_away_until_it_runs_out(world: World) -> None:
    refund = approved(world)
    first = sending.begin_sending(refund.id)
    assert first is not None
    assert sending.begin_sending(refund.id) is None
    session.commit()
    make_due(refund)
    second = sending.begin_sending(refund.id)
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_worker_that_lost_its_claim_neither_sends_nor_writes(world: World, stripe: Remote) -> None:
    refund = approved(world)
    slow = sending.begin_sending(refund.id)
    assert slow is not None
    session.commit()
    send(refund)
    assert again(refund).state == "succeeded"
    assert not sending.about_to_send(slow)
    assert sending.try_later(slow, "late", executed=True, at_least=timedelta()) is None
    sending.reject(slow, "late", "late", now=clock.now())
    sending.give_to_a_person(slow, "too_old", "late", now=clock.now())
    session.commit()
    assert again(refund).state == "succeeded"
    assert balance(world.alice) == (8400, 4000, 0)


def test_a_thief_of_a_claim_is_not_disturbed_by_the_first(world: World) -> None:
    refund = approved(world)
    first = sending.begin_sending(refund.id)
    session.commit()
    make_due(refund)
    assert sending.begin_sending(refund.id) is not None
    assert first is not None
    assert sending.try_later(first, "late", executed=True, at_least=timedelta()) is None
    assert again(refund).state == "sending"


def test_what_is_settled_is_not_sent_again(world: World, stripe: Remote) -> None:
    refund = send(approved(world))
    for _ in range(3):
        jobs.send_refund(refund.id)
    assert len(money_moved(stripe)) == 1


def test_the_sweep_takes_up_what_a_dead_worker_left(world: World, stripe: Remote, work: Work) -> None:
    stripe.fault("cut", "after")
    refund = approved(world)
    lost = sending.begin_sending(refund.id)
    assert lost is not None
    sending.about_to_send(lost)
    session.commit()
    with pytest.raises(adapter.Unknown):
        adapter.account().create_refund(lost.params, key=lost.key)
    make_due(refund)
    jobs.sweep()
    work(task="refunds.send_refund")
    assert again(refund).state == "succeeded"
    assert len(money_moved(stripe)) == 1


def test_the_sweep_leaves_alone_what_is_not_late_and_does_not_pile_up(world: World) -> None:
    refund = approved(world)
    jobs.sweep()
    assert len(owed("refunds.send_refund")) == 1
    make_due(refund)
    for _ in range(3):
        jobs.sweep()
    assert len(owed("refunds.send_refund")) == 2
