"""Real `portal worker` processes, killed without a warning in the middle of a refund."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.lib import clock
from portal.refunds.models import Refund
from tests.refunds.hands import approved, balance, letters, money_moved, paid_at_stripe
from tests.standin import KEY, SECRET
from tests.world import World, build

pytestmark = pytest.mark.processes
PATIENCE = 60.0


@pytest.fixture
def stripe(stand_in: StandIn) -> Remote:
    return Remote(stand_in.start())


@pytest.fixture
def start(real: Flask, stripe: Remote) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a worker as a shop does; whoever still runs at the end is ended."""
    settings, started = real.config["SETTINGS"], []
    environ = os.environ | {
        "SECRET_KEY": settings.secret_key,
        "DATABASE_URL": settings.database_url,
        "MAIL_PORT": str(settings.mail_port),
        "STRIPE_API_KEY": KEY,
        "STRIPE_API_BASE": stripe.address,
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }

    def run() -> subprocess.Popen[bytes]:
        worker = subprocess.Popen([sys.executable, "-m", "portal.cli", "worker", "--concurrency", "1"], env=environ)
        started.append(worker)
        return worker

    yield run
    for worker in started:
        worker.kill()
        worker.wait()


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def some_minutes_pass() -> None:
    """Long enough for the dead worker's heartbeat and its claim to run out."""
    past = clock.now() - timedelta(minutes=5)
    session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = :past"), {"past": past})
    session.execute(text("UPDATE refunds SET lease_until = :past, next_look_at = :past"), {"past": past})
    session.commit()


def state(refund_id: int) -> str:
    session.rollback()
    return session.get_one(Refund, refund_id, populate_existing=True).state


@pytest.mark.parametrize("moment", ["not yet", "before", "after"])
def test_a_worker_killed_while_stripe_talks_loses_nothing_and_pays_once(
    real: Flask, stripe: Remote, start: Callable[[], subprocess.Popen[bytes]], moment: str
) -> None:
    """`not yet`: nothing was sent; `before`: it is on its way, not executed; `after`: the money moved, nobody knows."""
    world: World = build(now=clock.now())
    paid_at_stripe(stripe, world.alice)
    refund_id = approved(world).id
    call = "GET /v1/payment_intents" if moment == "not yet" else "POST /v1/refunds"
    stripe.fault("timeout", "after" if moment == "after" else "before", match=call, seconds=PATIENCE)

    worker = start()
    wait_for(lambda: stripe.requests(call))
    time.sleep(0.2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert state(refund_id) == "sending"

    some_minutes_pass()
    start()
    wait_for(lambda: state(refund_id) == "succeeded")
    posts = money_moved(stripe)
    assert len({post["key"] for post in posts}) == 1
    assert len(posts) == (2 if moment == "before" else 1), "what was executed is found, not asked for again"
    assert bool(stripe.requests("GET /v1/refunds")) == (moment != "not yet"), "it looks before it sends again"
    assert balance(world.alice) == (8400, 4000, 0)
    assert letters(world.alice) == ["refund-on-its-way"]


def test_a_worker_told_to_end_writes_down_what_stripe_said(
    real: Flask, stripe: Remote, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    world: World = build(now=clock.now())
    paid_at_stripe(stripe, world.alice)
    refund_id = approved(world).id
    stripe.fault("slow", "after", seconds=1.0)
    worker = start()
    wait_for(lambda: money_moved(stripe))
    worker.terminate()
    worker.wait(PATIENCE)
    assert state(refund_id) == "succeeded"
    assert len(money_moved(stripe)) == 1
