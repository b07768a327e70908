"""Real worker processes, killed without a warning, or told to stop, in the middle of a mail."""

import asyncio
import signal
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from sqlalchemy import func, select, text

from portal.db import session
from portal.jobs.failures import JobFailure
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Link
from portal.tracking.actions import send_new_link
from tests.conftest import census
from tests.jobs.conftest import WORKER, Start, wait_for
from tests.world import build

pytestmark = pytest.mark.processes


class SlowServer:
    """A mail server that takes a mail and says so only when it is told to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers = False
        self.goodbyes = 0

    async def handle_DATA(self, server: Any, smtp: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        while not self.answers:
            await asyncio.sleep(0.02)
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.goodbyes += 1
        return "221 Bye"


@pytest.fixture
def slow(free_port: Any) -> Iterator[tuple[SlowServer, str]]:
    server, port = SlowServer(), free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    yield server, str(port)
    server.answers = True
    controller.stop()


@pytest.fixture
def letter(real: Flask) -> int:
    """A letter that is owed to Alice, and nothing else."""
    build(now=clock.now())
    session.execute(text("DELETE FROM procrastinate_jobs"))
    send_new_link("1001", "alice@example.org", now=clock.now())
    session.commit()
    return session.scalars(select(Letter.id)).one()


def state(letter: int) -> str:
    return str(session.scalar(select(Letter.state).where(Letter.id == letter)))


def jobs_left() -> int:
    return int(
        session.execute(
            text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'mail.send_letter'")
        ).scalar_one()
    )


def test_a_mail_whose_worker_is_killed_is_sent_by_the_next_under_the_same_name(
    letter: int, slow: tuple[SlowServer, str], start: Start
) -> None:
    server, port = slow
    first = start("-c", WORKER, MAIL_PORT=port)
    wait_for(lambda: server.mails)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert state(letter) == "sending"

    server.answers = True
    start("-c", WORKER, MAIL_PORT=port)
    wait_for(lambda: state(letter) == "sent")
    wait_for(lambda: jobs_left() == 0)
    assert len({mail["Message-ID"] for mail in server.mails}) == 1
    assert len(server.mails) == 2, "once by each worker: the first one's was taken and not written down"
    assert session.get_one(Letter, letter).attempts == 2
    assert (census()["letters"], session.scalar(select(func.count()).select_from(Link))) == (1, 2)


def test_a_worker_that_is_told_to_stop_ends_its_mail_first(
    letter: int, slow: tuple[SlowServer, str], start: Start
) -> None:
    server, port = slow
    worker = start("-c", WORKER, MAIL_PORT=port)
    wait_for(lambda: server.mails)
    worker.send_signal(signal.SIGTERM)
    server.answers = True
    _, said = worker.communicate(timeout=30)
    assert worker.returncode == 0
    assert (state(letter), jobs_left(), len(server.mails)) == ("sent", 0, 1)
    wait_for(lambda: server.goodbyes == 1)
    assert b"alice@example.org" not in said
    assert b"Traceback" not in said
    assert session.scalar(select(func.count()).select_from(JobFailure)) == 0


def test_a_worker_outlives_its_database_connections(letter: int, slow: tuple[SlowServer, str], start: Start) -> None:
    server, port = slow
    server.answers = True
    worker = start("-c", WORKER, MAIL_PORT=port)
    wait_for(lambda: state(letter) == "sent")
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    session.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    session.commit()
    send_new_link("1002", "bob@example.org", now=clock.now())
    session.commit()
    wait_for(lambda: len(server.mails) == 2)
    assert worker.poll() is None
