"""Stripe does not let our key in: the queue stops and does not spin, people are told once, and it goes on by itself."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import checks
from portal.adapters import stripe as adapter
from portal.db import session
from portal.demo.stripe import Remote
from portal.refunds import jobs
from portal.refunds.models import MoneyAlarm, Refund
from portal.refunds.pause import paused
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import again, alarms_told, approved, money_moved, open_alarms, send, steps
from tests.refunds.test_desk import text_of
from tests.world import World, sign_in

Work = Callable[..., int]
pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def two(world: World) -> tuple[Refund, Refund]:
    """Two approved refunds; Fran is told of alarms."""
    world.fran.password_hash = "set"
    return approved(world, 1000), approved(world, 500)


@pytest.fixture
def stopped(two: tuple[Refund, Refund], stripe: Remote) -> tuple[Refund, Refund]:
    """The first of them has found the door shut."""
    stripe.fault("401")
    send(two[0])
    return two


@pytest.mark.parametrize("what", ["401", "403"])
def test_a_refused_key_stops_the_queue_and_is_told_once(
    two: tuple[Refund, Refund], world: World, stripe: Remote, what: str
) -> None:
    first, second = two
    stripe.fault(what, times=9)
    assert (send(first).state, send(first).state, send(second).state) == ("approved",) * 3
    assert (first.first_sent_at, steps(first), steps(second)) == (None, ["sending", "approved"], [])
    assert len(money_moved(stripe)) == 1, "nobody knocks again, nobody else knocks"
    [(kind, said)] = open_alarms()
    assert (kind, said[:4]) == ("key_refused", f"{what}:")
    told = "Money needs a look: Stripe does not let our key in: no money is sent"
    assert alarms_told() == [("fran@shop.example", told)]


def test_while_it_is_stopped_nothing_is_owed_and_nothing_is_asked(
    stopped: tuple[Refund, Refund], stripe: Remote, world: World
) -> None:
    asked = len(stripe.requests())
    with nothing_appears():
        jobs.sweep()
        jobs.send_refund(stopped[1].id)
        jobs.fetch_undelivered()
        jobs.reconcile()
        jobs.watch_money()
    assert len(stripe.requests()) == asked


def test_the_queue_goes_on_when_the_key_works(stopped: tuple[Refund, Refund], stripe: Remote, work: Work) -> None:
    jobs.try_key()
    work(task="refunds.send_refund")
    assert [again(refund).state for refund in stopped] == ["succeeded"] * 2
    assert (open_alarms(), paused()) == ([], None)
    assert len({post["key"] for post in money_moved(stripe)}) == 2
    assert len(alarms_told()) == 1, "that it is over is not worth a letter"


def test_a_key_that_may_read_and_not_write_keeps_it_stopped(stopped: tuple[Refund, Refund], stripe: Remote) -> None:
    stripe.fault("403", times=2)
    jobs.try_key()
    jobs.try_key()
    assert len(money_moved(stripe)) == 3, "one refund knocks, once each time"
    assert [kind for kind, _said in open_alarms()] == ["key_refused"]
    assert len(alarms_told()) == 1


def test_a_key_that_may_not_even_read_sends_nothing(stopped: tuple[Refund, Refund], stripe: Remote) -> None:
    stripe.fault("401", match="GET")
    jobs.try_key()
    assert len(money_moved(stripe)) == 1
    assert paused()


def test_trying_the_key_of_a_queue_that_runs_asks_nobody(world: World, stripe: Remote) -> None:
    before = len(stripe.requests())
    with nothing_appears():
        jobs.try_key()
    assert len(stripe.requests()) == before


def test_a_look_that_is_locked_out_stops_the_queue_too(two: tuple[Refund, Refund], stripe: Remote) -> None:
    first = send(two[0])
    stripe.fault("403", match="GET")
    session.commit()
    jobs.look_at_refund(first.id)
    assert again(first).state == "succeeded"
    assert [kind for kind, _said in open_alarms()] == ["key_refused"]


def test_it_ends_also_when_no_refund_waits(two: tuple[Refund, Refund], stripe: Remote) -> None:
    first, second = (send(refund) for refund in two)
    stripe.fault("401", match="GET")
    session.commit()
    jobs.look_at_refund(first.id)
    jobs.try_key()
    assert open_alarms() == []
    assert again(second).state == "succeeded"


def test_what_may_have_been_sent_before_the_key_was_refused_stays_unknown_and_is_looked_up(
    two: tuple[Refund, Refund], stripe: Remote
) -> None:
    stripe.fault("cut", "after")
    assert send(two[0]).state == "unknown"
    stripe.fault("401", match="GET /v1/refunds")
    assert send(two[0]).state == "unknown"
    jobs.try_key()
    assert again(two[0]).state == "succeeded"
    assert len(money_moved(stripe)) == 1


def test_without_any_key_only_a_refund_that_waits_raises_the_alarm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> adapter.Account:
        raise adapter.NoKey("STRIPE_API_KEY is not set")

    monkeypatch.setattr(adapter, "account", locked)
    with nothing_appears():
        jobs.fetch_undelivered()
        jobs.reconcile()
    assert send(approved(world)).state == "approved"
    assert open_alarms() == [("key_refused", "STRIPE_API_KEY is not set")]


def test_the_desk_says_so_and_tries_the_key_when_told_to(
    stopped: tuple[Refund, Refund], client: FlaskClient, world: World
) -> None:
    fran = sign_in(client, world.fran)
    assert "No money is sent: Stripe does not let our key in" in fran.get("/desk/refunds?state=under_way").text
    page = fran.get("/desk/refunds/differences").text
    assert "Stripe says: 401: Invalid API Key provided." in text_of(page)
    assert "explanation" not in page, "nobody can talk it away"
    alarm = session.scalars(select(MoneyAlarm.id)).one()
    data = {"note": "It is fine."}
    assert fran.post(f"/desk/refunds/differences/{alarm}/explanation", data=data).status_code == 409
    assert paused()
    assert fran.post("/desk/refunds/differences/key").status_code == 303
    assert owed("refunds.try_key") == [("refunds.try_key", {})]


def test_who_may_not_approve_does_not_try_the_key(
    stopped: tuple[Refund, Refund], client: FlaskClient, world: World
) -> None:
    sam = sign_in(client, world.sam)
    assert "Try the key now" not in sam.get("/desk/refunds/differences").text
    with nothing_appears():
        assert sam.post("/desk/refunds/differences/key").status_code == 403


def test_the_check_says_so_and_tries_the_key(stopped: tuple[Refund, Refund]) -> None:
    [finding] = checks.refunds()
    assert (finding.level, finding.words.endswith("It is tried again now")) == ("wrong", True)
    assert owed("refunds.try_key") == [("refunds.try_key", {})]
    jobs.try_key()
    assert list(checks.refunds()) == []
