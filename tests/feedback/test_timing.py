"""Days after the reason to ask, in the customer's morning, on working days if the shop wishes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.feedback.timing import Terms, ask_at, morning_zone

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def due(country: str | None, **held: object) -> str:
    after = held.pop("after", timedelta(days=5))
    terms = Terms(after, **held)  # type: ignore[arg-type]
    return ask_at(FRIDAY, country, terms, shop_country="DE", shop_zone=BERLIN).strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("country", "held", "expected"),
    [
        ("DE", {}, "Thu 26 08:00"),
        (None, {}, "Thu 26 08:00"),
        ("GB", {}, "Thu 26 09:00"),
        ("ES", {}, "Thu 26 09:00"),
        ("US", {}, "Wed 25 19:00"),
        ("DE", {"hour": 18}, "Wed 25 17:00"),
        ("DE", {"after": timedelta(days=1)}, "Sun 22 08:00"),
        ("DE", {"after": timedelta(days=1), "working_days": True}, "Mon 23 08:00"),
        ("JP", {"after": timedelta(days=2), "working_days": True}, "Tue 24 00:00"),
        ("DE", {"after": timedelta(minutes=1)}, "Fri 20 13:01"),
    ],
)
def test_it_is_the_customers_morning(country, held, expected):
    assert due(country, **held) == expected


def test_of_a_countrys_zones_the_shops_own_counts_else_the_last_to_see_the_morning():
    assert morning_zone("ES", ZoneInfo("Europe/Madrid")).key == "Europe/Madrid"
    assert morning_zone("ES", BERLIN).key == "Atlantic/Canary"
    assert morning_zone("XX", BERLIN) is BERLIN
