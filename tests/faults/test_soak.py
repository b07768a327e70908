"""Minutes of a shop at work: neither web nor worker grows. Only by `make soak`, which says how long."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener, urlopen

import psutil
import pytest
from flask import Flask
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.orders import codes, links
from portal.orders.keys import make_key
from portal.orders.models import Order
from tests.conftest import ROOT, SECRETS, Catcher
from tests.orders.test_api import ORDER
from tests.running import until
from tests.security.senders import MESSAGES, signed
from tests.world import build

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
MAY_GROW = 1.10
"""By a tenth: of memory between the second quarter and the last, once everything was used once."""
FILES_MORE = 5
PAUSE = 0.2  # seconds between turns
pytestmark = pytest.mark.skipif(not MINUTES, reason="NOT RUN: hours of work; `make soak` runs it")


@dataclass
class Watched:
    """One of our programs with all its processes."""

    name: str
    process: subprocess.Popen[bytes]
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self) -> None:
        whole = psutil.Process(self.process.pid)
        all_of_it = [whole, *whole.children(recursive=True)]
        self.memory.append(sum(one.memory_info().rss for one in all_of_it))
        self.files.append(sum(one.num_fds() for one in all_of_it))

    def told(self) -> tuple[str, float, int]:
        """Its name, how much its memory grew, and how many more files are open."""
        quarter = len(self.memory) // 4
        early, late = slice(quarter, 2 * quarter), slice(3 * quarter, None)
        grown = median(self.memory[late]) / median(self.memory[early])
        return self.name, grown, round(median(self.files[late]) - median(self.files[early]))


@pytest.fixture
def watched(
    real: Flask, smtp_server: tuple[Catcher, int], free_port: object, tmp_path: object
) -> Iterator[tuple[str, list[Watched]]]:
    """Web and worker as a shop runs them, on a database of their own."""
    port = free_port()  # type: ignore[operator]
    settings = {
        "SECRET_KEY": "tests-" * 8,
        "DATABASE_URL": str(real.config["SQLALCHEMY_DATABASE_URI"]),
        "MIGRATION_DATABASE_URL": str(real.config["MIGRATION_DATABASE_URI"]),
        "MAIL_PORT": str(smtp_server[1]),
        "PORT": str(port),
        "VAR_DIR": str(tmp_path),
        **SECRETS,
    }
    quiet = {"env": {**os.environ, **settings}, "cwd": ROOT, "stderr": subprocess.DEVNULL}
    run = [sys.executable, "-m", "portal.cli"]
    web = Watched("web", subprocess.Popen([*run, "web", "--processes", "2"], **quiet))  # type: ignore[call-overload]
    worker = Watched("worker", subprocess.Popen([*run, "worker"], **quiet))  # type: ignore[call-overload]
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60)
        yield f"http://127.0.0.1:{port}", [web, worker]
    finally:
        for one in (web, worker):
            one.process.terminate()
            one.process.wait(30)


def answers(address: str) -> bool:
    try:
        return bool(urlopen(address, timeout=2).status == 200)
    except OSError:
        return False


def test_neither_web_nor_worker_grows_at_work(
    watched: tuple[str, list[Watched]], smtp_server: tuple[Catcher, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders, their letters, customers' pages, webhooks, links that are none, until the time is over."""
    shop, programs = watched
    world = build(now=clock.now())
    key = make_key("lantern", "soak", by=None, now=clock.now())
    link = links.mint(world.alice.id, "track", None, clock.now())
    session.commit()
    customer = build_opener(HTTPCookieProcessor())
    customer.open(f"{shop}/l/{link}")
    said: dict[int, int] = {}
    mailed = 0
    end = time.monotonic() + 60 * MINUTES
    for turn in count():
        for asked in one_turn(shop, key, world.alice.ref, turn):
            code = status(customer, asked)
            said[code] = said.get(code, 0) + 1
        owe_a_letter(turn)
        for program in programs:
            program.look()
        mailed += len(smtp_server[0].mails)
        smtp_server[0].mails.clear()
        if time.monotonic() > end:
            break
        time.sleep(PAUSE)
    told = [program.told() for program in programs]
    with capsys.disabled():
        print(f"\n{MINUTES:g} minutes, {sum(said.values())} requests {dict(sorted(said.items()))}, {mailed} letters")
        for program, (name, grown, files) in zip(programs, told, strict=True):
            print(
                f"{name}: {program.memory[-1] / 1e6:.0f} MB ({grown - 1:+.1%}), {program.files[-1]} files ({files:+d})"
            )
    assert [code for code in said if code >= 500] == []
    assert {name: grown for name, grown, _files in told if grown > MAY_GROW} == {}
    assert {name: files for name, _grown, files in told if files > FILES_MORE} == {}
    assert mailed > MINUTES


def owe_a_letter(turn: int) -> None:
    """The customer of the order that came in this turn asks for a code."""
    order = session.scalars(select(Order).where(Order.external_id == f"S-{turn}")).one_or_none()
    if order is not None:
        codes.ask(order, "soak", now=clock.now())
    session.commit()


def one_turn(shop: str, key: str, ref: str, turn: int) -> Iterator[Request]:
    """What comes in within a moment of a busy day."""
    paid = {**ORDER["payment"], "payment_intent": f"pi_3NxSoak{turn:06}"}
    order = {**ORDER, "external_id": f"S-{turn}", "number": f"S{turn}", "payment": paid}
    ours = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    yield Request(f"{shop}/api/v1/orders", json.dumps(order).encode(), ours)
    raw = MESSAGES["shopify"]
    yield Request(f"{shop}/hooks/shopify", raw, signed("shopify", raw))
    yield Request(f"{shop}/hooks/easypost", b'{"id": "forged"}', {"X-Hmac-Signature": "no"})
    for path in (f"/orders/{ref}", f"/orders/{ref}/returns", "/find", "/desk/sign-in", "/l/none"):
        yield Request(shop + path)


def status(customer: OpenerDirector, asked: Request) -> int:
    try:
        with customer.open(asked, timeout=30) as answer:
            answer.read()
            return int(answer.status)
    except HTTPError as error:
        return error.code
