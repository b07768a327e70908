"""What a shop sets is what it promises by."""

from dataclasses import replace
from datetime import date, datetime, time

import pytest

from portal.db import session
from portal.lib.errors import Refused
from portal.orders import calendar
from portal.orders.actions import accept_order
from portal.orders.promise import promise
from tests.conftest import nothing_appears, statements
from tests.world import ALICES_ORDER, World

MONDAY = datetime.fromisoformat("2026-11-23T09:00:00+00:00")


def test_the_environment_counts_until_somebody_sets_it(world: World) -> None:
    with statements() as seen:
        assert promise(MONDAY, "DE") == date(2026, 11, 26)
    assert len(seen) == 1


def test_what_is_set_counts_for_what_is_promised_from_then_on(world: World) -> None:
    before = world.alice.promised_on
    calendar.set_hours("DE", "BY", [0, 1, 2, 3], time(9), 2)
    calendar.close_on(date(2026, 11, 25), "Stocktaking")
    assert promise(MONDAY, "DE") == date(2026, 12, 2)  # after nine; not on the 25th, not on Fridays
    assert world.alice.promised_on == before


def test_a_day_off_can_be_taken_back(world: World) -> None:
    calendar.close_on(date(2026, 11, 25), "")
    calendar.close_on(date(2026, 11, 25), "Stocktaking")
    (closed,) = calendar.closed_days(date(2026, 11, 1))
    assert (closed.why, promise(MONDAY, "DE")) == ("Stocktaking", date(2026, 11, 27))
    calendar.open_on(closed.id)
    assert promise(MONDAY, "DE") == date(2026, 11, 26)


@pytest.mark.parametrize(
    ("courier", "country", "days"),
    [
        ("dhl", "FR", 3),  # the row that says most
        ("ups", "FR", 4),
        ("dhl", "IT", 5),
        ("ups", "IT", 6),
        (None, "FR", 4),
        (None, "NL", 2),  # its usual courier
        (None, None, 6),
    ],
)
def test_the_row_that_says_most_counts(world: World, courier: str | None, country: str | None, days: int) -> None:
    rows = (("dhl", "FR", 3), ("", "FR", 4), ("dhl", "", 5), ("", "", 6))
    for by, to, count in rows:
        calendar.set_transit(by, to, count, usual=False)
    calendar.set_transit("dpd", "NL", 1, usual=True)
    calendar.set_transit("postnl", "NL", 2, usual=True)
    assert calendar.terms().transit_days(courier, country) == days
    assert [row.courier for row in calendar.transit_times() if row.usual] == ["postnl"]


def test_without_a_row_home_and_abroad_differ(world: World) -> None:
    now = calendar.terms()
    assert (now.transit_days("dhl", "DE"), now.transit_days("dhl", "FR"), now.transit_days(None, None)) == (2, 4, 2)


def test_a_forgotten_row_no_longer_counts(world: World) -> None:
    calendar.set_transit("", "FR", 9, usual=True)
    (row,) = calendar.transit_times()
    assert not row.usual
    calendar.forget_transit(row.id)
    assert calendar.terms().transit_days(None, "FR") == 4


@pytest.mark.parametrize(("region", "weekdays"), [("", []), ("", [7]), ("XX", [0])])
def test_what_is_no_working_week_is_refused(world: World, region: str, weekdays: list[int]) -> None:
    with nothing_appears(), pytest.raises(Refused):
        calendar.set_hours("DE", region, weekdays, time(14), 1)


def test_the_last_day_to_ship_is_counted_back_from_the_promise(world: World) -> None:
    assert calendar.ship_by(date(2026, 11, 26), "dhl", "DE", calendar.terms()) == date(2026, 11, 24)


def test_an_order_is_promised_with_the_courier_that_usually_goes_there(world: World) -> None:
    calendar.set_transit("dpd", "DE", 7, usual=True)
    incoming = replace(ALICES_ORDER, external_id="N", number="N", payment_intent=None)
    order, _ = accept_order(incoming, by="channel", now=world.now)
    session.flush()
    assert (world.alice.promised_on, order.promised_on) == (date(2026, 11, 25), date(2026, 12, 2))
