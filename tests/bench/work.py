"""Jobs as the worker does them: letters that leave by SMTP, beside Procrastinate's own job that does nothing."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter, sleep

from flask import Flask
from sqlalchemy import text

from portal import create_app, jobs, mail
from portal.db import db, session
from portal.jobs import worker
from portal.lib import clock
from tests.bench.shop import free_port
from tests.conftest import AS_TESTS, ROOT, settings_for


@jobs.app.task(name="bench.nothing", queue="bench")
def nothing(number: int) -> None:
    """What Procrastinate itself costs."""


@contextmanager
def postbox() -> Iterator[int]:
    """Takes every mail and keeps none, in a process of its own as a mail server is; its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.postbox", str(port)], cwd=ROOT)
    try:
        _until_it_answers(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _until_it_answers(port: int) -> None:
    for _ in range(200):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        sleep(0.1)
    raise RuntimeError("the postbox did not start")


@contextmanager
def worked(url: str) -> Iterator[Flask]:
    with postbox() as port:
        app = create_app(settings_for(url, port), **AS_TESTS)
        with app.app_context():
            yield app
            session.remove()
            db.engine.dispose()


def letters_beside_nothing(url: str, rounds: int, many: int) -> tuple[list[float], list[float]]:
    """Letters and empty jobs per second, one worker with four jobs at a time, in turns; the first round warms up."""
    letters, empty = [], []
    with worked(url) as app:
        for _ in range(rounds + 1):
            _owe_letters(many)
            letters.append(many / _seconds(app, "mail"))
            _owe_nothing(many)
            empty.append(many / _seconds(app, "bench"))
        sent = session.scalar(text("SELECT count(*) FROM letters WHERE state = 'sent' AND about = 'bench'"))
        assert sent == many * (rounds + 1)
    return letters[1:], empty[1:]


def _owe_letters(many: int) -> None:
    """As the tracking page's letters are: rendered before, links minted when they leave."""
    order = session.execute(text("SELECT id, number FROM orders ORDER BY id LIMIT 1")).one()
    for number in range(many):
        mail.queue(
            "new-link", to=f"b{number}@example.org", locale="de", now=clock.now(), order_id=order.id, about="bench",
            number=order.number,
        )  # fmt: skip
    session.commit()


def _owe_nothing(many: int) -> None:
    connection = session.connection().connection.driver_connection
    owed = [nothing.configure().make_new_job(number=number) for number in range(many)]
    jobs.app.job_manager.batch_defer_jobs(jobs=owed, connection=connection)
    session.commit()


def _seconds(app: Flask, queue: str) -> float:
    session.remove()
    begin = perf_counter()
    worker.run(app, concurrency=4, wait=False, queues=[queue])
    return perf_counter() - begin
