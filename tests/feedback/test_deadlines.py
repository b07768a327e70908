"""A case's hours stand still on weekends and holidays, in the shop's own time."""

from datetime import UTC, datetime

import pytest

from portal import config
from portal.feedback.rules import deadline


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}:00+00:00")


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-23T09:00", 48, "2026-11-25T09:00"),  # Monday to Wednesday
        ("2026-11-20T15:00", 48, "2026-11-24T15:00"),  # Friday to Tuesday
        ("2026-11-20T15:00", 10, "2026-11-23T01:00"),  # Friday 16:00 in Berlin and ten hours: Monday 02:00 in Berlin
        ("2026-11-21T12:00", 24, "2026-11-23T23:00"),  # Saturday: the clock starts with Monday
        ("2026-12-23T10:00", 48, "2026-12-28T10:00"),  # Christmas on a Friday and a Saturday: the weekend after it
        ("2026-12-30T10:00", 48, "2027-01-04T10:00"),  # New Year on a Friday
        ("2026-11-22T22:30", 1, "2026-11-23T00:00"),  # Sunday 23:30 in Berlin: Monday 01:00 there
        ("2026-03-27T11:00", 48, "2026-03-31T10:00"),  # the clocks go forward on that Sunday
        ("2026-11-23T09:00", 1, "2026-11-23T10:00"),
    ],
)
def test_a_deadline_counts_working_time(start: str, hours: int, due: str) -> None:
    settings = config.read({"SECRET_KEY": "s" * 40, "CASE_DEADLINE_HOURS": str(hours)})
    assert deadline(at(start), settings) == at(due)
    assert deadline(at(start), settings).tzinfo is UTC
