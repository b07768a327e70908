"""Real programs of the portal, started as a shop starts them and ended with the test."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from portal.db import session
from tests.conftest import ROOT

Start = Callable[..., subprocess.Popen[bytes]]
PATIENCE = 60.0
WORKER = """
from portal import create_app
from portal.jobs import worker
from portal.lib import logs
logs.to_stderr("text")
worker.run(create_app(), concurrency=1, stalled_after=1.5)
"""
"""`portal worker`, but quicker to take another worker for dead."""


@pytest.fixture
def start(real: Flask) -> Iterator[Start]:
    """Start Python with these arguments and the settings of `real`, or others."""
    settings, started = real.config["SETTINGS"], []
    given = {
        "SECRET_KEY": settings.secret_key,
        "DATABASE_URL": settings.database_url,
        "MAIL_PORT": str(settings.mail_port),
        "PYTHONUTF8": "1",
    }

    def run(*arguments: str, **more: str) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if name not in ("TZ", "PORT")} | given | more
        process = subprocess.Popen([sys.executable, *arguments], env=environ, cwd=ROOT, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for(what: Callable[[], object]) -> None:
    """Until this is so."""
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it did not happen"
        session.rollback()
        time.sleep(0.05)
