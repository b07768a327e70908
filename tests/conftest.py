"""Real parts: the bundled PostgreSQL, mail over SMTP on loopback, jobs in the database.

`app` gives each test the whole portal on one connection whose outer transaction is rolled back, so tests share a server
and leave nothing behind; its clock stands at `TODAY`. `real` gives a database of its own where commits are commits, for
threads and processes.
"""

import gc
import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

import flask_migrate
import hypothesis
import psycopg
import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Connection, Engine, create_engine, event, text

from portal import config, create_app, jobs
from portal.db import Base, bundled, db, session
from portal.db.prepared import Prepared
from portal.lib import clock
from tests.browser import chromium, desktop, old_phone, phone, served  # noqa: F401
from tests.emptied import Emptied
from tests.feedback.scenes import asked
from tests.guards import logs_hold_no_secrets, nothing_open_while_the_world_talks  # noqa: F401
from tests.house.road import walk
from tests.returns.hands import delivered
from tests.running import demo, opened_once  # noqa: F401
from tests.world import World, build, found

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # how fast a machine is, is none of a test's business
ROOT = Path(__file__).parent.parent
PAYLOADS = ROOT.parent / "shared" / "payloads"
SECRETS = {
    "STRIPE_WEBHOOK_SECRET": "whsec_tests",
    "SHOPIFY_WEBHOOK_SECRET": "shopify-secret",
    "WOOCOMMERCE_WEBHOOK_SECRET": "woocommerce-secret",
    "CHECKOUT_WEBHOOK_SECRET": "whsec_checkout",
    "EASYPOST_WEBHOOK_SECRET": "sécret",
    "AFTERSHIP_WEBHOOK_SECRET": "aftership-secret",
    "SHIPPO_WEBHOOK_SECRET": "shippo-secret",
    "SENDCLOUD_WEBHOOK_SECRET": "sendcloud-secret",
    "SEVENTEENTRACK_WEBHOOK_SECRET": "seventeentrack-key",
}
AS_TESTS = {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "MAIL_SUPPRESS_SEND": False}
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
TODAY = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
"""When the small known world's tests live, whatever day it is outside: a Tuesday, before Alice's promise."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every fifth file starts processes as long as there are some: they wait, others compute, and none is the last."""
    waiting = {item.path: 0 for item in items if set(item.keywords) & {"processes", "browser"}}
    computing = {item.path: 0 for item in items if item.path not in waiting}
    place = {path: 5 * n for n, path in enumerate(waiting)} | {path: 1.25 * n + 1 for n, path in enumerate(computing)}
    items.sort(key=lambda item: place[item.path])


def pytest_collection_finish() -> None:
    gc.freeze()  # of thousands of tests none is ever garbage


class Catcher:
    """A mail server on loopback that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.senders: list[str] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, smtp: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.senders.append(envelope.mail_from)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return self.answer


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture(scope="session")
def smtp_server(free_port: Callable[[], int]) -> Iterator[tuple[Catcher, int]]:
    catcher, port = Catcher(), free_port()
    controller = Controller(catcher, hostname="127.0.0.1", port=port)
    controller.start()
    yield catcher, port
    controller.stop()


@pytest.fixture(scope="session")
def server_url() -> str:
    """The bundled server under var/tests; databases on it are made and dropped by the fixtures.

    Here alone, the application's role may become the owner (`as_owner`), so that tests can do what only owners can, and
    nothing waits for the disk: what a test writes need not survive a power cut.
    """
    url = bundled.start(ROOT / "var" / "tests", database="postgres")
    bundled.for_application(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"GRANT postgres TO {bundled.APPLICATION} WITH INHERIT FALSE, SET TRUE")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
    return url


@contextmanager
def scratch_database(server_url: str, name: str, template: str = "template1") -> Iterator[str]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield server_url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def template(server_url: str, smtp_server: tuple[Catcher, int]) -> Iterator[str]:
    """The name of a migrated, empty database that others are copied from."""
    name = f"template_{os.getpid()}"
    with scratch_database(server_url, name) as url:
        app = create_app(settings_for(url, smtp_server[1]), DB_POOL=False, TESTING=True)
        with app.app_context():
            flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        yield name


def settings_for(url: str, smtp_port: int, **more: str) -> config.Settings:
    """As a shop has it: web and worker come in a role of their own, migrations as the owner."""
    environ = {
        "SECRET_KEY": "tests-" * 8,
        "DATABASE_URL": bundled.for_application(url),
        "MIGRATION_DATABASE_URL": url,
        "MAIL_PORT": str(smtp_port),
        "SHOP_NAME": "Lantern & Loom",
    }
    return config.read({**environ, **SECRETS, **more})


@pytest.fixture(scope="session")
def portal_at(smtp_server: tuple[Catcher, int]) -> Callable[[str], Flask]:
    """The portal on a database, made once; a template is compiled once for all processes, until it changes."""
    compiled = ROOT / "var" / "tests" / "templates"
    compiled.mkdir(parents=True, exist_ok=True)

    @cache
    def make(url: str) -> Flask:
        app = create_app(settings_for(url, smtp_server[1]), **AS_TESTS)
        app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(compiled))
        return app

    return make


@pytest.fixture(scope="session")
def shared_app(server_url: str, template: str, portal_at: Callable[[str], Flask]) -> Iterator[Flask]:
    with scratch_database(server_url, f"shared_{os.getpid()}", template) as url:
        app = portal_at(url)
        yield app
        with app.app_context():
            db.engine.dispose()


@dataclass(frozen=True)
class Scenery:
    """A database in which something stands or has happened already, until `now`."""

    database: str
    engine: Engine
    now: datetime


SCENES: dict[str, Callable[[World], object]] = {
    "at_home": lambda world: delivered(world, world.alice),
    "surveyed": lambda world: asked(world.alice, world.pat, work_off),
    "walked": lambda world: walk(world, work_off),
}
"""What many tests begin with, in the small known world; each is a fixture too."""


@pytest.fixture(scope="session")
def scenery(
    server_url: str, template: str, shared_app: Flask, smtp_server: tuple[Catcher, int]
) -> Iterator[Callable[[str], Scenery]]:
    """Gives the scenery of a scene, or of the bare "world": to make it for each test costs more than most tests."""
    with ExitStack() as standing:

        @cache
        def set_up(scene: str) -> Scenery:
            name, bare = f"{scene}_{os.getpid()}", None if scene == "world" else set_up("world")
            if bare:
                bare.engine.dispose()  # nobody may look on while it is copied
            url = standing.enter_context(scratch_database(server_url, name, bare.database if bare else template))
            mine = bundled.for_application(url).replace("postgresql://", "postgresql+psycopg://")
            engine = create_engine(mine, pool_pre_ping=True)
            standing.callback(engine.dispose)
            smtp_server[0].answer = "250 OK"
            with on(shared_app, engine), today():
                SCENES[scene](found()) if bare else build(now=clock.now())
                session.remove()
                smtp_server[0].mails.clear()
                return Scenery(name, engine, clock.now())

        yield set_up


def today(now: datetime = TODAY) -> AbstractContextManager[None]:
    """The clock stands at `TODAY`, or at this time of it, and goes on from there."""
    return clock.moved(now - clock.now())


@contextmanager
def on(app: Flask, bind: Engine | Connection) -> Iterator[None]:
    """The portal's sessions use this engine or connection instead of its own."""
    engine = db.engine
    db._app_engines[app][None] = bind  # type: ignore[assignment]
    try:
        yield
    finally:
        db._app_engines[app][None] = engine


@pytest.fixture
def app(request: pytest.FixtureRequest, shared_app: Flask) -> Iterator[Flask]:
    """The portal; everything the test writes is rolled back."""
    jobs.init_app(shared_app)
    with shared_app.app_context():
        scene = next((name for name in (*SCENES, "world") if name in request.fixturenames), None)
        here = request.getfixturevalue("scenery")(scene) if scene else Scenery("", db.engine, TODAY)
        with today(here.now), here.engine.connect() as connection:
            outer = connection.begin()
            session.session_factory.kw["join_transaction_mode"] = "create_savepoint"
            try:
                with on(shared_app, connection):
                    yield shared_app
                    session.remove()
            finally:
                session.remove()
                outer.rollback()
                del session.session_factory.kw["join_transaction_mode"]


@pytest.fixture(scope="session")
def migrated(server_url: str, template: str) -> Iterator[Callable[[], str]]:
    """Gives the one database on which tests commit, as the migrations left it."""
    with ExitStack() as standing:
        given: list[Emptied] = []

        def give() -> str:
            if not given or not given[-1].again():
                standing.close()
                url = standing.enter_context(scratch_database(server_url, f"real_{os.getpid()}", template))
                given.append(Emptied(url))
            return given[-1].url

        yield give


@pytest.fixture
def real(migrated: Callable[[], str], portal_at: Callable[[str], Flask]) -> Iterator[Flask]:
    """The portal on a database of its own, where commits are commits."""
    app = portal_at(migrated())
    jobs.init_app(app)
    settings = dict(app.config)
    with app.app_context():
        yield app
        session.remove()
        db.engine.dispose()
    app.config.clear()
    app.config.update(settings)


@contextmanager
def as_owner() -> Iterator[None]:
    """Within this block the test's session may do what only the owner of the tables can: past the triggers."""
    session.execute(text("SET LOCAL ROLE postgres"))
    session.execute(text("SET LOCAL session_replication_role = replica"))
    yield
    session.execute(text("SET LOCAL session_replication_role = origin"))
    session.execute(text("RESET ROLE"))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that came from nowhere: no link, not signed in. Forms need no token in tests unless they test that."""
    app.config["WTF_CSRF_ENABLED"] = False
    return app.test_client()


@pytest.fixture
def world(app: Flask) -> World:
    """Alice bought, Bob did not, Cleo picks, Dan may not approve (tests/world.py)."""
    return found()


@pytest.fixture
def at_home(world: World) -> World:
    """Alice's parcel is with her."""
    return world


@pytest.fixture
def surveyed(world: World) -> World:
    """Alice's parcel arrived, and she was asked how it was."""
    return world


@pytest.fixture
def walked(world: World) -> World:
    """The whole road was walked, so that every table has rows (tests/house/road.py)."""
    return world


@pytest.fixture
def mails(smtp_server: tuple[Catcher, int]) -> list[EmailMessage]:
    """What the mail server on loopback got in this test."""
    catcher = smtp_server[0]
    catcher.mails.clear()
    catcher.answer = "250 OK"
    return catcher.mails


@pytest.fixture
def work(app: Flask) -> Callable[..., int]:
    """Do the jobs that are due, and those they owe, in this process; `until` says what time it is for them."""
    return work_off


def work_off(until: datetime | None = None, task: str | None = None) -> int:
    """How many jobs were done, on the test's own connection; a job that raises stays and its error is the test's."""
    done = 0
    while row := _next_job(until or clock.now(), task):
        session.commit()
        jobs.app.tasks[row.task_name].func(**row.args)
        session.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": row.id})
        session.commit()
        done += 1
    return done


def _next_job(until: datetime, task: str | None) -> Any:
    due = text(
        "SELECT id, task_name, args FROM procrastinate_jobs WHERE status = 'todo'"
        " AND coalesce(scheduled_at, :until) <= :until AND task_name = coalesce(CAST(:task AS text), task_name)"
        " ORDER BY id LIMIT 1"
    )
    return session.execute(due, {"until": until, "task": task}).first()


def owed(task: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The jobs that wait, with their arguments."""
    rows = session.execute(text("SELECT task_name, args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"))
    return [(row.task_name, row.args) for row in rows if task in (None, row.task_name)]


COMES_AND_GOES = {"buckets", "staff_sessions", "grants", "job_failures", "looks"}


def census() -> dict[str, int]:
    """Rows per table, jobs included: for `nothing appeared` beside every refusal."""
    session.expire_all()
    names = [*(Base.metadata.tables.keys() - COMES_AND_GOES), "procrastinate_jobs"]
    counts = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in names)
    return {row.name: row.n for row in session.execute(text(counts))}


@contextmanager
def nothing_appears(but: Collection[str] = ()) -> Iterator[None]:
    """Within this block no row, no letter and no job may come or go, `but` in these tables."""
    session.commit()
    before = census()
    yield
    session.rollback()
    now = census()
    assert {name: n for name, n in now.items() if name not in but} == {
        name: n for name, n in before.items() if name not in but
    }


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements sent within this block, savepoints left out."""
    seen: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            seen.append(statement)

    def asked(self: Prepared, connection: Any, values: list[Any]) -> Any:
        seen.append(self.sql)
        return ask(self, connection, values)

    target, ask = db.engine if not hasattr(db.engine, "engine") else db.engine.engine, Prepared._asked
    event.listen(target, "before_cursor_execute", note)
    Prepared._asked = asked  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        event.remove(target, "before_cursor_execute", note)
        Prepared._asked = ask  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def payloads() -> Callable[[str], bytes]:
    """Real bodies that others wrote; a clone without them skips, loudly."""

    def read(name: str) -> bytes:
        path = PAYLOADS / name
        if not path.exists():
            pytest.skip(f"NOT RUN: the folder of recorded payloads is missing here ({name})")
        return path.read_bytes()

    return read
