"""A real web process, killed without a warning around the commit: an order and the job it owes, both or neither."""

import json
import signal
import time
from collections.abc import Callable
from random import Random
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from sqlalchemy import select, text

from portal.db import db, session
from portal.lib import clock
from portal.orders.keys import make_key
from portal.orders.models import Order
from tests.jobs.conftest import Start, wait_for
from tests.orders.test_api import ORDER

pytestmark = pytest.mark.processes


class Shop:
    """Sends orders to the portal and remembers which it was told are accepted."""

    def __init__(self, port: int, key: str) -> None:
        self.address, self.key = f"http://127.0.0.1:{port}", key
        self.accepted: set[str] = set()

    def send(self, external_id: str) -> bool:
        body = json.dumps({**ORDER, "external_id": external_id, "payment": {"captured": 8400}}).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            with urlopen(Request(f"{self.address}/api/v1/orders", body, headers), timeout=20) as answer:
                self.accepted |= {external_id} if answer.status in (200, 201) else set()
        except (URLError, OSError):
            return False
        return True

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.address}/healthz", timeout=5):
                return True
        except (URLError, OSError):
            return False


@pytest.fixture
def shop(real: Flask, free_port: Callable[[], int]) -> Shop:
    key = make_key("lantern", "first", by=None, now=clock.now())
    session.commit()
    return Shop(free_port(), key)


def begin(start: Start, shop: Shop) -> Any:
    process = start("-m", "portal.cli", "web", "--port", shop.address.rpartition(":")[2], "--processes", "1")
    wait_for(shop.answers)
    return process


def orders_and_jobs() -> tuple[dict[str, int], list[int]]:
    session.rollback()
    orders = {row.external_id: row.id for row in session.execute(select(Order.external_id, Order.id))}
    planned = "SELECT (args->>'order_id')::bigint FROM procrastinate_jobs WHERE task_name = 'fulfilment.plan'"
    return orders, list(session.scalars(text(planned)))


def others_working() -> int:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    busy = f"SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND {others}"
    return int(session.execute(text(busy)).scalar_one())


def test_a_web_process_killed_before_the_commit_leaves_neither_order_nor_job(start: Start, shop: Shop) -> None:
    process = begin(start, shop)
    with db.engine.connect() as gate:
        gate.execute(text("LOCK TABLE procrastinate_jobs IN SHARE MODE"))  # the order is written, its job has to wait
        sending = Thread(target=shop.send, args=["A-1"])
        sending.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        wait_for(lambda: session.execute(text(waiting)).scalar_one())
        process.send_signal(signal.SIGKILL)
        process.wait()
        sending.join()
    wait_for(lambda: others_working() == 0)
    assert orders_and_jobs() == ({}, [])
    begin(start, shop)
    assert shop.send("A-1")
    orders, jobs = orders_and_jobs()
    assert (list(orders), list(orders.values())) == (["A-1"], jobs)


def test_2_3_3_whenever_a_web_process_is_killed_no_order_is_without_its_job(start: Start, shop: Shop) -> None:
    chance = Random(7)
    for life in range(3):
        process = begin(start, shop)
        senders = [Thread(target=send_until_dead, args=[shop, f"{life}-{n}"]) for n in range(4)]
        for sender in senders:
            sender.start()
        wait_for(lambda: len(shop.accepted) > 2 * (life + 1))  # noqa: B023
        time.sleep(chance.random() / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for sender in senders:
            sender.join()
    wait_for(lambda: others_working() == 0)
    orders, jobs = orders_and_jobs()
    assert sorted(orders.values()) == sorted(jobs), "every order has its one job, every job its order"
    assert shop.accepted <= set(orders), "what was answered is there"


def send_until_dead(shop: Shop, name: str) -> None:
    n = 0
    while shop.send(f"{name}-{n}"):
        n += 1
