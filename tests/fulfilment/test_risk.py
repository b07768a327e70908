"""What is to be expected of a parcel, whether the promise breaks, and why it might: no database."""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import pytest

from portal.config import Settings
from portal.fulfilment.risk import Facts, Outlook, Road, look_ahead
from portal.orders import calendar

TERMS = calendar.of(
    Settings(
        secret_key="k" * 32, shop_country="DE", shop_timezone="Europe/Berlin", cutoff=time(14), handling_days=1,
        transit_days=2, transit_days_abroad=4,
    )
)  # fmt: skip
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 11, day) for day in range(23, 28))
PAID = datetime.fromisoformat("2026-11-23T09:00+01:00")
HERE = Facts("to_pick", "unknown", None, "DE", THURSDAY, PAID, None, None, None)
GONE = replace(
    HERE, state="handed_over", tracking="in_transit", courier="dhl",
    handed_over_at=datetime.fromisoformat("2026-11-24T15:00+01:00"),
    heard_at=datetime.fromisoformat("2026-11-24T18:00+01:00"),
)  # fmt: skip


def seen(facts: Facts, at: str, lanes: Any = None) -> tuple[date | None, bool, str | None]:
    outlook = look_ahead(facts, TERMS, lanes or {}, datetime.fromisoformat(at))
    assert isinstance(outlook, Outlook)
    return outlook.expected_on, outlook.breaks, outlook.risk


@pytest.mark.parametrize(
    ("changes", "at", "expected", "breaks", "risk"),
    [
        ({}, "2026-11-23T10:00+01:00", THURSDAY, False, None),
        ({"state": "packed"}, "2026-11-23T10:00+01:00", WEDNESDAY, False, None),
        ({"state": "packed"}, "2026-11-23T14:00+01:00", THURSDAY, False, None),  # after the cut-off
        ({}, "2026-11-24T10:59+01:00", THURSDAY, False, None),
        ({}, "2026-11-24T11:00+01:00", THURSDAY, False, "cut_off"),  # three hours are left
        ({"state": "packed"}, "2026-11-24T13:59+01:00", THURSDAY, False, "cut_off"),
        ({}, "2026-11-24T14:00+01:00", date(2026, 11, 30), True, "late"),  # handled anew from Wednesday on
        ({"state": "packed"}, "2026-11-24T14:00+01:00", FRIDAY, True, "late"),
        ({"lacks": 1}, "2026-11-23T10:00+01:00", None, False, "no_stock"),
        ({"lacks": 1}, "2026-11-24T14:00+01:00", None, True, "late"),
        ({"country": "FR"}, "2026-11-23T10:00+01:00", date(2026, 11, 30), True, "late"),
    ],
)
def test_what_is_still_here(
    changes: dict[str, Any], at: str, expected: date | None, breaks: bool, risk: str | None
) -> None:
    assert seen(replace(HERE, **changes), at) == (expected, breaks, risk)


@pytest.mark.parametrize(
    ("changes", "at", "expected", "breaks", "risk"),
    [
        ({}, "2026-11-25T10:00+01:00", THURSDAY, False, None),
        ({"says_on": WEDNESDAY}, "2026-11-25T10:00+01:00", WEDNESDAY, False, None),
        ({"says_on": FRIDAY}, "2026-11-25T10:00+01:00", FRIDAY, True, "late"),
        ({"says_on": TUESDAY}, "2026-11-25T10:00+01:00", THURSDAY, False, None),  # an estimate that passed says nothing
        ({"tracking": "exception"}, "2026-11-25T10:00+01:00", None, False, "trouble"),
        ({"tracking": "delayed"}, "2026-11-25T10:00+01:00", None, True, "late"),
        ({"tracking": "delayed", "says_on": THURSDAY}, "2026-11-25T10:00+01:00", THURSDAY, False, "trouble"),
        ({"tracking": "returning"}, "2026-11-25T10:00+01:00", None, True, "late"),
        ({}, "2026-11-27T10:00+01:00", None, True, "late"),  # the promised day has passed
        ({"tracking": "attempt_failed"}, "2026-11-27T10:00+01:00", None, False, None),  # nobody was at home
        ({"tracking": "out_for_delivery"}, "2026-11-27T10:00+01:00", None, False, None),
        ({"promised_on": date(2026, 12, 4)}, "2026-11-26T10:00+01:00", THURSDAY, False, None),
        ({"promised_on": date(2026, 12, 4)}, "2026-11-28T18:01+01:00", None, False, "silent"),
    ],
)
def test_what_is_on_its_way(
    changes: dict[str, Any], at: str, expected: date | None, breaks: bool, risk: str | None
) -> None:
    assert seen(replace(GONE, **changes), at) == (expected, breaks, risk)


@pytest.mark.parametrize(
    ("days", "changes", "risk"),
    [(2, {}, None), (3, {}, "slow_lane"), (3, {"says_on": THURSDAY}, None), (3, {"country": "AT"}, "late")],
)
def test_a_lane_that_usually_takes_longer_than_is_left_is_seen(
    days: float, changes: dict[str, Any], risk: str | None
) -> None:
    assert seen(replace(GONE, **changes), "2026-11-25T10:00+01:00", {("dhl", "DE"): Road(days, 12)})[2] == risk


def test_the_lane_of_the_usual_courier_counts_before_anybody_has_it() -> None:
    usual = replace(TERMS, usual={"DE": "dhl"})
    now = datetime.fromisoformat("2026-11-23T10:00+01:00")
    assert look_ahead(HERE, usual, {("dhl", "DE"): Road(2, 12)}, now).risk is None
    assert look_ahead(HERE, usual, {("dhl", "DE"): Road(3, 12)}, now).risk == "slow_lane"
