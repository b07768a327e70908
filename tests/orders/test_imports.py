"""Orders from a CSV file."""

from io import StringIO

import pytest
from sqlalchemy import select

from portal.adapters.channels.sheet import BadSheet
from portal.db import session
from portal.lib import clock
from portal.orders.imports import Outcome, Report, import_orders
from portal.orders.models import Order
from tests.conftest import nothing_appears, owed
from tests.world import World

HEAD = "number,placed_at,currency,title,quantity,unit_price,payment_intent\n"
MUG = "1,2026-11-20 09:30,EUR,Mug,2,12.50,\n"


def take_in(text: str) -> Report:
    report = import_orders(StringIO(HEAD + text), "csv", now=clock.now())
    session.commit()
    return report


def test_each_order_is_accepted_once(world: World) -> None:
    assert take_in(MUG).outcomes == [Outcome(2, "1", "accepted")]
    order = session.scalars(select(Order).where(Order.channel == "csv")).one()
    assert (order.total, order.external_id) == (2500, "1")
    assert ("fulfilment.plan", {"order_id": order.id}) in owed()
    with nothing_appears():
        assert take_in(MUG).outcomes == [Outcome(2, "1", "known")]


def test_a_mistake_is_told_with_its_row_and_the_others_come_in(world: World) -> None:
    report = take_in(MUG + "2,yesterday,EUR,Mug,1,5,\n3,2026-11-20,EUR,Rug,1,99,\n")
    assert report.of("refused") == [
        Outcome(3, "2", "refused", ("placed_at: 'yesterday' is no time; write it like 2026-11-23 14:30",))
    ]
    assert [outcome.number for outcome in report.of("accepted")] == ["1", "3"]


def test_a_payment_of_another_order_is_refused_and_leaves_nothing(world: World) -> None:
    with nothing_appears():
        [outcome] = take_in("4,2026-11-20,EUR,Mug,1,5,pi_alice\n").outcomes
        assert outcome == Outcome(2, "4", "refused", ("The payment pi_alice belongs to another order.",))


def test_a_file_with_other_columns_is_refused_as_a_whole(world: World) -> None:
    with nothing_appears(), pytest.raises(BadSheet, match="These columns are missing: number"):
        import_orders(StringIO("order;when\n1;2\n"), "csv", now=clock.now())
