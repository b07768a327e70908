"""The disk of the database is really full: a small file system of its own, where we may make one (root only)."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal import create_app
from portal.db import db, session
from portal.inbox.models import InboxMessage
from portal.lib import clock
from tests.conftest import AS_TESTS, settings_for
from tests.security.senders import signed
from tests.world import build, open_link

SIZE = "96m"


@pytest.fixture
def small(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 96 MB that PostgreSQL may write to; skips, loudly, where none can be mounted."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("NOT RUN: only root can make a disk small enough to fill")
    place = Path("/run") / f"aftersale-small-{os.getpid()}"
    place.mkdir(mode=0o755)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place], capture_output=True)
    if made.returncode:
        place.rmdir()
        pytest.skip(f"NOT RUN: no file system can be mounted here ({made.stderr.decode().strip()})")
    try:
        with psycopg.connect(server_url, autocommit=True) as connection:
            owner = Path(str(connection.execute("SHOW data_directory").fetchone()[0])).stat()  # type: ignore[index]
        folder = place / "data"
        folder.mkdir()
        os.chown(folder, owner.st_uid, owner.st_gid)
        yield folder
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        place.rmdir()


@pytest.fixture
def cramped(small: Path, server_url: str, template: str) -> Iterator[tuple[Flask, str]]:
    """The portal on a database that lies there, and its owner's address.

    Its files are copied whole: files with holes would fill up later, in whichever test's connection writes them back.
    """
    name = f"small_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{small}'")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {name} STRATEGY FILE_COPY")
        url = server_url.replace("/postgres?", f"/{name}?")
        try:
            app = create_app(settings_for(url, 9), **AS_TESTS)
            with app.app_context():
                yield app, url
                session.remove()
                db.engine.dispose()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"DROP TABLESPACE {name}")


@contextmanager
def full(url: str, small: Path) -> Iterator[None]:
    """Until not a page is left; the owner, who came in before that, makes room again."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE TABLE filler (bytes text)")
        owner.execute("ALTER TABLE filler ALTER bytes SET STORAGE EXTERNAL")
        for size in (1_000_000, 100_000, 8_000, 500):
            with suppress(psycopg.errors.DiskFull):
                for _ in range(100_000):
                    owner.execute("INSERT INTO filler VALUES (repeat('x', %s))", [size])
        keep_newcomers_out(small)
        yield
        owner.execute("DROP TABLE filler")


def keep_newcomers_out(small: Path) -> None:
    """PostgreSQL lets nobody in who would have to write its catalog's digest anew, as after any vacuum of the catalog.

    Those that are in read on. The digest keeps its bytes under another name, so that no room appears.
    """
    for digest in list(small.rglob("pg_internal.init")):
        digest.rename(digest.with_suffix(".kept"))
        rest = os.open(digest.with_suffix(".rest"), os.O_CREAT | os.O_WRONLY)
        with suppress(OSError):
            while True:
                os.write(rest, b"x" * 100)
        os.close(rest)


def told(browser: FlaskClient) -> TestResponse:
    """Shopify tells something long that nothing makes shorter."""
    raw = json.dumps({"id": secrets.token_hex(30_000)}).encode()
    return browser.post("/hooks/shopify", data=raw, headers=signed("shopify", raw))


def test_what_writes_is_to_be_tried_again_what_reads_goes_on_and_room_makes_it_well(
    cramped: tuple[Flask, str], small: Path
) -> None:
    app, url = cramped
    world = build(now=clock.now())
    browser, ref = open_link(app.test_client(), world.alice), world.alice.ref
    session.remove()
    kept = told(browser)
    with full(url, small):
        refused = told(browser)
        assert (kept.status_code, refused.status_code, refused.headers["Retry-After"]) == (200, 503, "30")
        assert browser.get(f"/orders/{ref}").status_code == 200
        assert browser.get("/healthz").status_code == 200
        assert how_many() == 1
    assert told(browser).status_code == 200
    assert how_many() == 2


def how_many() -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(InboxMessage)) or 0
