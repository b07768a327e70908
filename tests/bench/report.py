"""The page that is written: each row with what is wanted and what was reached, and how to get one's own numbers."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.reasons import REASONS

PAGE = Path(__file__).with_name("report.md").read_text("utf-8")


@dataclass(frozen=True)
class Row:
    """A line of the table. `higher` says whether a higher ratio is the better one."""

    work: str
    beside: str
    ratio: float
    wanted: float
    higher: bool = True

    @property
    def reached(self) -> bool:
        return self.ratio >= self.wanted if self.higher else self.ratio <= self.wanted

    def told(self) -> str:
        wanted = f"{'at least' if self.higher else 'at most'} {self.wanted:.2f}"
        return f"| {self.work} | {self.beside} | {self.ratio:.2f} | {wanted} | {'yes' if self.reached else '**no**'} |"


NAMED = ("SQLAlchemy", "psycopg", "Flask", "Jinja2", "waitress", "procrastinate")
Both = tuple[str, float, float]
"""A page of the desk, and its seconds in the small and in the big shop."""


def written(
    rows: Sequence[Row], desk: Sequence[Both], facts: Sequence[str], *, command: str, load: float, server: str
) -> str:
    """The page as Markdown."""
    versions = [f"{name} {version(name)}" for name in NAMED]
    parts = [f"Python {platform.python_version()}", f"PostgreSQL {server}", *versions]
    listed = [f"| {name} | {small * 1000:.0f} | {big * 1000:.0f} | {big / small:.2f} |" for name, small, big in desk]
    return PAGE.format(
        command=command,
        cores=len(os.sched_getaffinity(0)),
        kind=f"{platform.machine()}, {platform.system()}",
        load=load,
        rows="\n".join(row.told() for row in rows),
        reasons="\n".join(_why(row) for row in rows if not row.reached) or "Everything is reached.",
        desk="\n".join(["| page | small shop | big shop | ratio |", "|---|---|---|---|", *listed]),
        facts="\n".join(f"- {fact}" for fact in facts),
        versions=", ".join(parts) + ".",
    )


def _why(row: Row) -> str:
    known = (reason for begins, reason in REASONS.items() if row.work.startswith(begins))
    return f"- **{row.work}**: {next(known, 'not looked into yet.')}"
