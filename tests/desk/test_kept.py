"""How often a promise was kept, and who kept it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from portal.db import session
from portal.desk import kept
from portal.desk.kept import Share
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.actions import accept_order
from tests.conftest import statements
from tests.world import ALICES_ORDER, World, sign_in


def sent(number: int, *, promised_in: int, took: int | None, courier: str = "dhl", left_in: int = 0) -> None:
    """A parcel promised for that many days from 20 days ago, and when it left and arrived."""
    begin = clock.now() - timedelta(days=20)
    incoming = replace(ALICES_ORDER, external_id=f"K{number}", number=f"K{number}", payment_intent=None)
    order, _ = accept_order(incoming, by="channel", now=begin)
    order.promised_on = (begin + timedelta(days=promised_in)).date()
    left = begin + timedelta(days=left_in)
    session.add(
        Parcel(
            order_id=order.id, ref=f"K{number}", state="handed_over", courier=courier, tracking_number=f"K{number}",
            created_at=begin, packed_at=begin, handed_over_at=left,
            delivered_at=None if took is None else begin + timedelta(days=took),
        )
    )  # fmt: skip
    session.commit()


def test_parcels_are_counted_by_courier_country_channel_and_department(world: World) -> None:
    sent(1, promised_in=10, took=10)
    sent(2, promised_in=10, took=11)
    sent(3, promised_in=10, took=None, courier="dpd")  # never arrived
    sent(4, promised_in=40, took=None)  # still in time
    sent(5, promised_in=10, took=3, courier="dpd", left_in=9)
    found = kept.tables(now=clock.now())
    assert [(s.kept, s.total) for s in found["all"]] == [(2, 4)]
    assert {s.name: (s.kept, s.total) for s in found["courier"]} == {"DHL": (1, 2), "DPD": (1, 2)}
    assert {s.name: (s.kept, s.total) for s in found["country"]} == {"Germany": (2, 4)}
    assert {s.name: (s.kept, s.total) for s in found["channel"]} == {"shop": (2, 4)}
    assert [(s.name, s.kept, s.total) for s in found["department"]] == [
        ("Picked and packed in time to leave", 5, 5),
        ("Handed over in time", 4, 5),
    ]


def test_few_parcels_are_shown_in_grey() -> None:
    assert Share("dhl", 29, 29).few
    assert not Share("dhl", 30, 30).few
    assert Share("dhl", 0, 0).percent == 0


@pytest.mark.parametrize("path", ["/desk/insight/promise", "/desk/insight/promise.csv"])
def test_the_page_takes_as_many_statements_for_many_parcels(client: FlaskClient, world: World, path: str) -> None:
    sign_in(client, world.max)

    def counted() -> int:
        with statements() as seen:
            assert client.get(path).status_code == 200
        return len(seen)

    sent(1, promised_in=10, took=10)
    few = counted()
    for number in range(2, 8):
        sent(number, promised_in=10, took=number + 5, courier="dpd" if number % 2 else "ups")
    assert counted() == few


def test_the_file_has_plain_numbers_and_no_formulas() -> None:
    sheet = kept.sheet({"channel": [Share("=1+1", 1, 2)]})
    assert sheet.splitlines()[1] == "channel,'=1+1,1,2,50.0,9.5,90.5"


def test_before_the_first_parcel_the_page_says_what_will_be_here(client: FlaskClient, world: World) -> None:
    assert "Nothing to count yet" in sign_in(client, world.max).get("/desk/insight/promise").text
    assert sign_in(client, world.cleo).get("/desk/insight/promise").status_code == 403
