"""Counts that stop: nobody needs to know whether twelve or thirteen thousand things wait."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select

from portal.db.prepared import Prepared

MOST = 1000
"""What is more than this is shown as "999+"."""


def bounded(found: Select[Any]) -> ScalarSelect[int]:
    """How many rows there are, counted no further than MOST."""
    return select(func.count()).select_from(found.limit(MOST).subquery()).scalar_subquery()


class Counts:
    """Several counts in one statement, which is built once; `names` are the bindparams in it."""

    def __init__(self, counted: Mapping[str, ScalarSelect[Any]], *names: str) -> None:
        self.labels, self.statement = tuple(counted), Prepared(select(*counted.values()), *names)

    def run(self, **values: Any) -> dict[str, int]:
        """How many of each there are, in the session's transaction."""
        return dict(zip(self.labels, self.statement.run(**values).fetchone() or (), strict=True))


def told(count: int) -> str:
    return f"{MOST - 1}+" if count >= MOST else str(count)
