"""Counts that stop: nobody needs to know whether twelve or thirteen thousand things wait."""

from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select

MOST = 1000
"""What is more than this is shown as "999+"."""


def bounded(found: Select[Any]) -> ScalarSelect[int]:
    """How many rows there are, counted no further than MOST."""
    return select(func.count()).select_from(found.limit(MOST).subquery()).scalar_subquery()


def told(count: int) -> str:
    return f"{MOST - 1}+" if count >= MOST else str(count)
