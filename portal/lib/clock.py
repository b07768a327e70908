"""The one place that knows what time it is. Tests and the demo's seed move it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset


def ahead() -> timedelta:
    """How far the clock of this process is moved; nothing, but in tests and in the demo's seed."""
    return _offset


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Within this block the clock of this process is ahead by `by` (behind, when negative)."""
    global _offset
    before, _offset = _offset, _offset + by
    try:
        yield
    finally:
        _offset = before
