"""The page that is written: the numbers, what they are numbers of, and how to get one's own."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median

from tests.bench.measure import Result

PAGE = """# How fast things come in

Measured by `make bench` ({pieces} pieces a round, {rounds} rounds, one connection, one process), medians, on {machine}.

| what | portal, per second (least to most of a round) | bare inserts, per second (least to most) | portal : bare |
|---|---|---|---|
{lines}

- An **order** is a signed webhook of Shopify or WooCommerce: `POST /hooks/…` through the whole application, verified,
  kept and committed; then the worker's job in the same process, until the order with its lines, customer, payment and
  timeline is accepted and committed.
- A **courier event** is a signed EasyPost webhook: `POST /hooks/easypost`, kept and committed; then the worker's job,
  until the scan is kept, the parcel's status has moved, its timeline says so, and all of it is committed.
- **Bare inserts** are a psycopg loop that sends the very rows which the portal wrote, one `INSERT` each, with as many
  commits, into tables of the same shape and indexes without foreign keys. It reads, decides and updates nothing: it is
  what the database alone takes.
- Both take turns, portal, bare, portal, bare, in one database and one run, so that the machine's moods hit both. The
  first round of each only warms up.

No HTTP server and no network stand in between, and only one client asks at a time. The numbers tell what one process
of this machine did in this run and nothing more; yours come from the same command.

{versions}
"""


def written(results: Sequence[Result], pieces: int, rounds: int) -> str:
    """The page as Markdown."""
    lines = "\n".join(
        f"| {result.what} | {_spread(result.ours_by_round)} | {_spread(result.bare_by_round)} "
        f"| 1 : {result.bare / result.ours:.1f} |"
        for result in results
    )
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[1]
    kind = f"{platform.machine()}, {platform.system()}"
    machine = f"a machine with {cores} cores ({kind}) whose load average was {load:.1f}"
    names = ("SQLAlchemy", "psycopg", "Flask", "procrastinate")
    parts = [f"Python {platform.python_version()}", f"PostgreSQL {results[0].database}"]
    versions = ", ".join([*parts, *(f"{name} {version(name)}" for name in names)])
    return PAGE.format(pieces=pieces, rounds=rounds, machine=machine, lines=lines, versions=f"Versions: {versions}.")


def _spread(rounds: Sequence[float]) -> str:
    """The median, and how far the rounds lie apart: what is steady and what is not can be seen."""
    return f"{median(rounds):.0f} ({min(rounds):.0f} to {max(rounds):.0f})"
