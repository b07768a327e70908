"""What is measured, as it runs in production: databases of two sizes, `portal web`, and the floor."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import flask_migrate
import psutil
import psycopg

from portal import create_app
from portal.db import bundled, db, session
from portal.feedback.questions import to_be_asked
from portal.lib import clock, tokens
from tests.bench import history
from tests.conftest import AS_TESTS, ROOT, SECRETS, scratch_database, settings_for

FIRST_ANSWER = 60  # seconds


@dataclass(frozen=True)
class Server:
    """A web server that runs: where, on how many orders, how long it took to begin, what it holds."""

    port: int
    orders: int
    process: subprocess.Popen[bytes]
    began: float

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def memory(self) -> list[int]:
        """Bytes that belong to each process alone."""
        first = psutil.Process(self.process.pid)
        return [member.memory_full_info().uss for member in first.children() or [first]]


@contextmanager
def database(orders: int, open_at_least: int = 200) -> Iterator[str]:
    """A database of its own on the bundled server, filled and dropped afterwards."""
    server = bundled.start(ROOT / "var" / "bench", database="postgres")
    with scratch_database(server, f"bench_{orders}_{os.getpid()}") as url:
        _fill(url, orders, open_at_least)
        yield url


def kept_database(orders: int, open_at_least: int) -> str:
    """One that stays for the next time: to fill one with five million orders takes an hour."""
    name = f"kept_{orders}"
    server = bundled.start(ROOT / "var" / "bench", database="postgres")
    url = server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(server, autocommit=True) as db_server:
        filled = db_server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if filled:
        _migrate(url)
        return url
    half_done = f"{name}_half_done"
    with psycopg.connect(server, autocommit=True) as db_server:
        db_server.execute(f'DROP DATABASE IF EXISTS "{half_done}" WITH (FORCE)')
        db_server.execute(f'CREATE DATABASE "{half_done}"')
    _fill(server.replace("/postgres?", f"/{half_done}?"), orders, open_at_least)
    with psycopg.connect(server, autocommit=True) as db_server:
        db_server.execute(f'ALTER DATABASE "{half_done}" RENAME TO "{name}"')
    return url


def _fill(url: str, orders: int, open_at_least: int) -> None:
    _migrate(url)
    if orders:
        history.build(url, orders, open_at_least=open_at_least)


def _migrate(url: str) -> None:
    with create_app(settings_for(url, 1), **AS_TESTS).app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        to_be_asked("delivered", now=clock.now())
        session.commit()
        session.remove()
        db.engine.dispose()


@contextmanager
def portal_web(url: str, orders: int) -> Iterator[Server]:
    with _server(["-m", "portal.cli", "web"], url, orders) as server:
        yield server


@contextmanager
def floor_web(url: str, orders: int) -> Iterator[Server]:
    with _server(["-m", "tests.bench.floor.serve"], url, orders) as server:
        yield server


@contextmanager
def _server(what: list[str], url: str, orders: int) -> Iterator[Server]:
    port = free_port()
    environ = {**os.environ, **SECRETS, "SECRET_KEY": "bench-" * 8, "DATABASE_URL": url}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *what, "--port", str(port)], cwd=ROOT, env=environ, stderr=subprocess.DEVNULL
    )
    try:
        server = Server(port, orders, process, _answers_after(process, port, begin))
        yield server
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers_after(process: subprocess.Popen[bytes], port: int, begin: float) -> float:
    """Seconds from the start to the first answer."""
    while process.poll() is None and time.perf_counter() - begin < FIRST_ANSWER:
        try:
            line = HTTPConnection("127.0.0.1", port, timeout=30)
            line.request("GET", "/healthz")
            line.getresponse().read()
            return time.perf_counter() - begin
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the server on port {port} did not begin")


def version(url: str) -> str:
    """PostgreSQL's."""
    with psycopg.connect(url) as db_server:
        return str(db_server.info.parameter_status("server_version")).split()[0]


def at_the_desk(url: str) -> dict[str, str]:
    """The cookie of the manager, who has just shown both factors."""
    token = tokens.mint()
    with psycopg.connect(url, autocommit=True) as db:
        row: tuple[Any, ...] = (tokens.digest(token), clock.now(), clock.now(), clock.now())
        db.execute(
            "INSERT INTO staff_sessions (digest, staff_id, created_at, seen_at, proven_at, browser)"
            " VALUES (%s, 1, %s, %s, %s, '')",
            row,
        )
    return {"Cookie": f"desk={token}"}


def image_files() -> int:
    """Bytes of what an image holds beside Python: the libraries, and the portal."""
    libraries = Path(psutil.__file__).parents[1]
    ours = [ROOT / name for name in ("portal", "templates", "static", "migrations")]
    files = (path for folder in (libraries, *ours) for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)
