"""A stage for state machines: the small known world, Stripe without a network, workers that can die, a clock.

What a machine does on it is undone when it ends.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe as sdk
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from requests.structures import CaseInsensitiveDict
from sqlalchemy import text

from portal import jobs
from portal.adapters.errors import Temporary, Unknown
from portal.db import db, session
from portal.demo.stripe import StandIn
from portal.demo.stripe.calls import Call
from portal.demo.stripe.hooks import sign
from portal.demo.stripe.refunds import LIVE
from portal.demo.stripe.routes import read_form
from portal.lib import clock
from portal.lib.errors import Refused
from tests.standin import KEY, SECRET
from tests.world import World, found

ONE_AT_A_TIME = st.integers(0, 50)
"""Which of those there are, counted round."""


class Died(BaseException):
    """The worker's process is gone: no `except` and no `finally` of the portal's may matter."""


class Line:
    """The way from the library to the stand-in's core, without a network; a worker can die on it."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in, self.dies = stand_in, ""

    def request(
        self, _client: Any, method: str, url: str, headers: Any, post_data: Any = None
    ) -> tuple[bytes, int, Any]:
        """In place of the library's HTTP client."""
        parts = urlsplit(url)
        call = Call(method.upper(), parts.path, read_form(post_data or parts.query), dict(headers))
        dies = self._death(call)
        if dies == "before":
            raise Died
        reply = self.stand_in.reply(call)
        if dies == "after":
            raise Died
        if reply is None:
            cut: Any = sdk.APIConnectionError
            raise cut("the line was cut", should_retry=False)
        raw = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return raw.encode(), reply.status, CaseInsensitiveDict(reply.headers)

    def _death(self, call: Call) -> str:
        if call.method != "POST":
            return ""
        dies, self.dies = self.dies, ""
        return dies


class Stage(RuleBasedStateMachine):
    """Set up and struck for each run. `works` names the jobs that its workers know, as SQL's LIKE does."""

    works: tuple[str, ...] = ("refunds.%",)

    def __init__(self, app: Flask, stand_in: StandIn, line: Line) -> None:
        super().__init__()
        self.line, self.stand_in, self.control = line, stand_in, stand_in.control
        self.client = app.test_client()
        self.undo = ExitStack()
        session.remove()
        connection: Any = db.engine
        nested = connection.begin_nested()
        self.undo.callback(nested.rollback)
        self.undo.callback(session.remove)
        self.world: World = found()
        self._forget_stripe()

    def _forget_stripe(self) -> None:
        self.stand_in.faults.forget()
        self.line.dies = ""
        for kept in self.stand_in.book.data.values():
            if not isinstance(kept, float):
                kept.clear()
        self.stand_in.book.data["ahead"] = 0.0

    def _try(self, act: Any) -> None:
        """A person acts; a refusal leaves everything as it was."""
        try:
            with session.begin_nested():
                act()
        except Refused:
            session.rollback()
        session.commit()

    def _due(self) -> list[Any]:
        due = text(
            "SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo' AND task_name LIKE ANY(:works)"
            " AND coalesce(scheduled_at, :now) <= :now ORDER BY id"
        )
        rows = list(session.execute(due, {"now": clock.now(), "works": list(self.works)}))
        session.commit()
        return rows

    def _work(self, job: Any) -> bool:
        """One job; one that raised stays, one whose worker died is lost."""
        try:
            jobs.app.tasks[job.task_name].func(**job.args)
        except (Temporary, Unknown):
            session.rollback()
            return False
        except Died:
            session.rollback()
        session.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": job.id})
        session.commit()
        return True

    def _work_off(self) -> None:
        stuck: set[int] = set()
        while due := [job for job in self._due() if job.id not in stuck]:
            if not self._work(due[0]):
                stuck.add(due[0].id)

    def _tell(self, event: Any) -> None:
        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": sign(body, SECRET, int(time.time()))}
        session.commit()
        assert self.client.post("/hooks/stripe", data=body, headers=headers).status_code == 200

    def _forward(self, by: timedelta) -> None:
        self.undo.enter_context(clock.moved(by))
        self.control.move_clock({"forward": by.total_seconds()})

    def _at_stripe(self) -> list[Any]:
        return self.stand_in.book.all("refunds")

    def _live_at_stripe(self) -> list[Any]:
        return [made for made in self._at_stripe() if made["status"] in LIVE]


@pytest.fixture
def line(app: Flask, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The portal's key leads to the stand-in's core, not to a network."""
    line = Line(stand_in)
    monkeypatch.setattr(stand_in.book, "_keep", lambda: None)
    monkeypatch.setattr(sdk.RequestsClient, "request", lambda *given: line.request(*given))
    update = {"stripe_api_key": KEY, "stripe_api_base": "http://127.0.0.1:1", "stripe_webhook_secret": SECRET}
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=update))
    return line


def run(machine: Callable[[], Stage], *, examples: int, steps: int) -> None:
    """So many runs of so many steps, the same in each suite; MACHINE_EXAMPLES, MACHINE_STEPS and MACHINE_SHRINK want
    others.
    """
    shrinks = bool(os.environ.get("MACHINE_SHRINK"))
    how = settings(
        max_examples=int(os.environ.get("MACHINE_EXAMPLES", examples)),
        stateful_step_count=int(os.environ.get("MACHINE_STEPS", steps)),
        deadline=timedelta(seconds=60),
        derandomize=not shrinks,
        database=None,
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(machine, settings=how)
