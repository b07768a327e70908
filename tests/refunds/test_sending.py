"""A refund on its way to Stripe, and everything that can go wrong there: money moves once, and nothing is lost."""

from collections.abc import Callable

import pytest

from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.orders.timeline import for_customer
from portal.refunds import jobs, sending
from tests.conftest import owed
from tests.refunds.hands import (
    again,
    approved,
    balance,
    letters,
    make_due,
    money_moved,
    send,
    steps,
)
from tests.world import World

Work = Callable[..., int]


pytestmark = pytest.mark.usefixtures("impatient")


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
    assert sending.try_later(slow, "late", executed=True) is None
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
    assert sending.try_later(first, "late", executed=True) is None
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
