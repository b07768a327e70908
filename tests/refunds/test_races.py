"""Many at once: one wins, the others are told, and the sums are right."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from portal.adapters.stripe import StripeRefund
from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.demo.stripe.hooks import sign
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.refunds import jobs
from portal.refunds.actions import approve_refund, open_refund, refuse_refund
from portal.refunds.credit import StoreCredit, credit_of, spend
from portal.refunds.facts import apply
from portal.refunds.limits import set_limit
from portal.refunds.models import Refund
from portal.refunds.sending import begin_sending
from portal.returns.models import Return
from portal.staff.models import Staff
from tests.conftest import owed, work_off
from tests.refunds.hands import (
    again,
    approved,
    asked,
    balance,
    letters,
    make_due,
    money_moved,
    paid_at_stripe,
    parts,
    send,
    steps,
)
from tests.standin import KEY, SECRET
from tests.world import ALICES_ORDER, World, build

HUNDRED = replace(
    ALICES_ORDER,
    external_id="A-100",
    number="100",
    total=10_000,
    captured=10_000,
    lines=(replace(ALICES_ORDER.lines[0], quantity=8, unit_price=1250, paid=10_000),),
    payment_intent="pi_hundred",
)


@pytest.fixture
def small_world(real: Flask, stand_in: StandIn) -> World:
    """Alice and the others on a database where commits are commits, with Stripe at hand."""
    address = stand_in.start()
    update = {"stripe_api_key": KEY, "stripe_api_base": address}
    real.config["SETTINGS"] = real.config["SETTINGS"].model_copy(update=update)
    return build(now=clock.now())


@pytest.fixture
def remote(stand_in: StandIn, small_world: World) -> Remote:
    assert stand_in.server is not None
    return Remote(f"http://127.0.0.1:{stand_in.server.server_port}")


def at_once(real: Flask, acts: list[Callable[[], Any]]) -> list[Any]:
    """Each act in a thread and a session of its own, all let go at the same moment; what they returned or were told."""
    session.commit()
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        with real.app_context():
            barrier.wait()
            try:
                result = act()
                session.commit()
                return result
            except Refused as refusal:
                session.rollback()
                return refusal.message

    with ThreadPoolExecutor(len(acts)) as pool:
        outcome = list(pool.map(run, acts))
    session.expire_all()
    return outcome


def loaded(refund_id: int, staff_id: int) -> tuple[Refund, Staff]:
    return session.get_one(Refund, refund_id), session.get_one(Staff, staff_id)


def test_2_3_4_eight_approve_at_once_and_one_wins(real: Flask, small_world: World) -> None:
    refund_id = asked(small_world).id

    def approve(person: int) -> Callable[[], str]:
        def act() -> str:
            row, by = loaded(refund_id, person)
            approve_refund(row, by=by, now=clock.now())
            return "approved"

        return act

    outcome = at_once(real, [approve(small_world.fran.id), approve(small_world.max.id)] * 4)
    too_late = "Somebody else has decided about this money already. Nothing was changed."
    assert sorted(outcome) == [too_late] * 7 + ["approved"]
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund_id})]
    assert balance(small_world.alice) == (8400, 4000, 0)


def test_one_approves_while_another_refuses_and_only_one_of_it_is_true(real: Flask, small_world: World) -> None:
    refund_id, fran, manager = asked(small_world).id, small_world.fran.id, small_world.max.id

    def approve() -> str:
        row, by = loaded(refund_id, fran)
        approve_refund(row, by=by, now=clock.now())
        return "approved"

    def refuse() -> str:
        row, by = loaded(refund_id, manager)
        refuse_refund(row, note="no", by=by, now=clock.now())
        return "rejected_by_us"

    outcome = at_once(real, [approve, refuse])
    state = session.get_one(Refund, refund_id).state
    assert [said for said in outcome if said == state] == [state]
    assert balance(small_world.alice)[1] == (4000 if state == "approved" else 0)
    assert len(owed("refunds.send_refund")) == (1 if state == "approved" else 0)


def test_one_person_in_two_windows_stays_within_their_day(real: Flask, small_world: World) -> None:
    terms = {"role": "finance", "currency": "EUR", "reason": "", "most": None, "per_day": 1500}
    set_limit(**terms, by=small_world.max, now=clock.now())
    refunds, fran = [asked(small_world, 1000).id for _ in range(4)], small_world.fran.id

    def approve(refund_id: int) -> str:
        row, by = loaded(refund_id, fran)
        approve_refund(row, by=by, now=clock.now())
        return "approved"

    outcome = at_once(real, [partial(approve, refund_id) for refund_id in refunds])
    assert sorted(said == "approved" for said in outcome) == [False] * 3 + [True]
    assert len(owed("refunds.send_refund")) == 1


def test_store_credit_is_spent_once_however_many_ask(real: Flask, small_world: World) -> None:
    one = credit_of(approved(small_world, 1000, way="credit"))
    assert one is not None
    credit_id, rita = one.id, small_world.rita.id

    def pay() -> str:
        mine, by = session.get_one(StoreCredit, credit_id), session.get_one(Staff, rita)
        spend(mine, 600, note="order 77", by=by, now=clock.now())
        return "spent"

    outcome = at_once(real, [pay] * 4)
    short = "That is more than what is left of this store credit. Nothing was changed."
    assert sorted(outcome) == [short] * 3 + ["spent"]
    assert session.get_one(StoreCredit, credit_id).left.amount == 400


def test_eight_refunds_of_60_on_100_and_one_wins(real: Flask, small_world: World) -> None:
    order, _ = accept_order(HUNDRED, by="channel", now=clock.now())
    order_id, rita = order.id, small_world.rita.id

    def ask() -> int:
        mine = session.get_one(Order, order_id)
        by = session.get_one(Staff, rita)
        return open_refund(mine, parts(mine, 6000), reason="", by=by, now=clock.now()).id

    outcome = at_once(real, [ask] * 8)
    assert sorted(type(said) is int for said in outcome) == [False] * 7 + [True]
    assert balance(session.get_one(Order, order_id)) == (10_000, 6000, 0)


def test_eight_ask_for_the_same_return_and_one_wins(real: Flask, small_world: World) -> None:
    order, _ = accept_order(HUNDRED, by="channel", now=clock.now())
    ret = Return(rma="RMA-RACE", order_id=order.id, requested_at=clock.now())
    session.add(ret)
    session.flush()
    order_id, return_id, rita = order.id, ret.id, small_world.rita.id

    def ask() -> int:
        mine = session.get_one(Order, order_id)
        by = session.get_one(Staff, rita)
        return open_refund(mine, parts(mine, 100), reason="", by=by, now=clock.now(), return_id=return_id).id

    outcome = at_once(real, [ask] * 8)
    assert sorted(type(said) is int for said in outcome) == [False] * 7 + [True]
    assert balance(session.get_one(Order, order_id))[1] == 100


def test_four_workers_and_one_claim(real: Flask, small_world: World) -> None:
    refund_id = approved(small_world).id
    claims = at_once(real, [lambda: begin_sending(refund_id)] * 4)
    assert [claim is not None for claim in claims].count(True) == 1


def test_four_workers_send_five_refunds_with_five_calls(real: Flask, small_world: World, remote: Remote) -> None:
    paid_at_stripe(remote, small_world.alice)
    ids = [approved(small_world, 700).id for _ in range(5)]

    def work(refund_id: int) -> Callable[[], None]:
        return lambda: jobs.send_refund(refund_id)

    at_once(real, [work(refund_id) for refund_id in ids for _ in range(4)])
    posts = remote.requests("POST /v1/refunds")
    assert len(posts) == len({post["key"] for post in posts}) == 5
    assert {session.get_one(Refund, refund_id).state for refund_id in ids} == {"succeeded"}
    assert balance(small_world.alice) == (8400, 3500, 0)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_claim_taken_while_the_first_call_still_runs_pays_once(
    real: Flask, small_world: World, remote: Remote, moment: str
) -> None:
    """`before`: the key is taken and nothing was done yet, so the thief hears 409; `after`: it finds the refund."""
    paid_at_stripe(remote, small_world.alice)
    refund = approved(small_world)
    refund_id = refund.id
    remote.fault("slow", moment, seconds=2.5 if moment == "before" else 1.0)

    def steal() -> str:
        while not money_moved(remote):
            time.sleep(0.01)
        make_due(loaded(refund_id, small_world.fran.id)[0])
        jobs.send_refund(refund_id)
        return session.get_one(Refund, refund_id).state

    [_, stolen] = at_once(real, [lambda: jobs.send_refund(refund_id), steal])
    assert stolen == ("unknown" if moment == "before" else "succeeded")
    assert [post["key"] for post in money_moved(remote)] == [refund.idem_key] * (2 if moment == "before" else 1)
    assert send(refund).state == "succeeded"
    assert steps(refund).count("succeeded") == 1
    assert letters(small_world.alice) == ["refund-on-its-way"]
    assert balance(small_world.alice) == (8400, 4000, 0)


def test_a_webhook_three_times_at_once_and_again_is_one_transition(
    real: Flask, small_world: World, remote: Remote
) -> None:
    paid_at_stripe(remote, small_world.alice)
    refund = approved(small_world)
    remote.fault("cut", "after")
    jobs.send_refund(refund.id)
    [event] = [event for event in remote.undelivered() if event["type"] == "refund.created"]
    body = json.dumps(event).encode()
    headers = {"Stripe-Signature": sign(body, SECRET, int(time.time()))}

    def tell() -> int:
        return real.test_client().post("/hooks/stripe", data=body, headers=headers).status_code

    assert at_once(real, [tell] * 3) == [200] * 3
    assert len(owed("refunds.work_off_stripe")) == 1
    work_off(task="refunds.work_off_stripe")
    assert tell() == 200
    assert owed("refunds.work_off_stripe") == []
    assert steps(again(refund)) == ["sending", "unknown", "succeeded"]
    assert letters(small_world.alice) == ["refund-on-its-way"]


def test_the_same_word_from_three_sides_is_one_transition(real: Flask, small_world: World) -> None:
    refund = approved(small_world)
    fact = StripeRefund(
        id="re_1", status="succeeded", amount=4000, currency="EUR", payment_intent="pi_alice", our_id=refund.uuid,
        failure_reason="", bank_reference="", created_at=datetime.now(UTC),
    )  # fmt: skip
    now = clock.now()
    at_once(real, [lambda: apply(fact, source="webhook", asked_at=now, now=now) and None] * 3)
    assert steps(refund) == ["succeeded"]
    assert letters(small_world.alice) == ["refund-on-its-way"]


def test_a_dashboard_refund_told_from_three_sides_is_adopted_once(real: Flask, small_world: World) -> None:
    now = clock.now()
    fact = StripeRefund(
        id="re_9", status="succeeded", amount=1000, currency="EUR", payment_intent="pi_alice", our_id="",
        failure_reason="", bank_reference="", created_at=now,
    )  # fmt: skip
    at_once(real, [lambda: apply(fact, source="webhook", asked_at=now, now=now) and None] * 3)
    assert balance(small_world.alice) == (8400, 0, 1000)
    assert session.query(Refund).count() == 1
