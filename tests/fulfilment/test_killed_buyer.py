"""A real `portal worker`, killed without a warning while a label is being bought."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from portal.db import session
from portal.demo.easypost import StandIn
from portal.fulfilment import buying
from portal.fulfilment.models import LabelPurchase
from portal.lib import clock
from tests.couriers import FROM
from tests.fulfilment.hands import brought_to
from tests.refunds.test_killed_worker import wait_for
from tests.world import build

pytestmark = pytest.mark.processes


@pytest.fixture
def start(real: Flask, easypost: StandIn) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a worker as a shop does; whoever still runs at the end is ended."""
    settings, started = real.config["SETTINGS"], []
    environ = os.environ | {
        "SECRET_KEY": settings.secret_key,
        "DATABASE_URL": settings.database_url,
        "MAIL_PORT": str(settings.mail_port),
        "EASYPOST_API_BASE": easypost.address,
        **{name.upper(): value for name, value in FROM.items()},
    }

    def run() -> subprocess.Popen[bytes]:
        worker = subprocess.Popen([sys.executable, "-m", "portal.cli", "worker", "--concurrency", "1"], env=environ)
        started.append(worker)
        return worker

    yield run
    for worker in started:
        worker.kill()
        worker.wait()


def read(purchase_id: int) -> LabelPurchase:
    session.rollback()
    return session.get_one(LabelPurchase, purchase_id, populate_existing=True)


def test_a_worker_killed_while_the_courier_sells_buys_the_label_once(
    real: Flask, easypost: StandIn, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """The money moved, and the one who could have written it down is dead."""
    world = build(now=clock.now())
    parcel = brought_to("packed", world.alice, world.pat, clock.now())
    purchase = buying.ask_for_rates(parcel, by=world.pat, now=clock.now())
    session.commit()
    easypost.fault("hang", "after", seconds=60)
    worker = start()
    wait_for(lambda: read(purchase.id).state == "quoted")
    buying.choose_rate(read(purchase.id), purchase.rates[0]["id"], by=world.pat, now=clock.now())
    session.commit()
    wait_for(easypost.bought)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert (read(purchase.id).state, purchase.tracking_number) == ("sent", None)

    past = {"past": clock.now() - timedelta(minutes=5)}
    session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = :past"), past)
    session.execute(text("UPDATE label_purchases SET lease_until = :past, next_look_at = :past"), past)
    session.commit()
    start()
    wait_for(lambda: read(purchase.id).paper_digest)
    assert (purchase.state, len(easypost.bought())) == ("bought", 1)
    assert sum(line.endswith("/buy") for line in easypost.requests) == 1, "it was found, not bought again"
