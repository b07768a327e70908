"""An order comes in once, whatever the channel sends again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.orders.payments import reserve
from portal.orders.timeline import for_staff
from tests.conftest import nothing_appears
from tests.world import ALICES_ORDER, BOBS_ORDER, World


def test_an_order_has_lines_a_payment_and_a_promise(world: World) -> None:
    order = world.alice
    assert [line.title for line in order.lines] == ["Stoneware mug", "Linen shirt", "Standard delivery"]
    assert order.payment is not None
    assert order.payment.left.amount == 8400
    assert order.promised_on.isoformat() == "2026-11-25"


def test_the_same_order_twice_is_one_order(world: World) -> None:
    with nothing_appears():
        order, new = accept_order(ALICES_ORDER, by="channel", now=clock.now())
        session.commit()
        assert (order.id, new) == (world.alice.id, False)


def test_an_older_copy_never_overwrites_a_newer_one(world: World) -> None:
    older = replace(ALICES_ORDER, email="old@example.org", updated_at=ALICES_ORDER.updated_at - timedelta(hours=1))
    with nothing_appears():
        accept_order(older, by="channel", now=clock.now())
        session.commit()
        assert session.get_one(Order, world.alice.id).customer.email == "alice@example.org"


def test_a_newer_copy_says_what_was_captured_but_never_less_than_is_promised_back(world: World) -> None:
    payment = world.bob.payment
    assert payment is not None
    reserve(payment, 2000)
    later = replace(BOBS_ORDER, captured=0, updated_at=BOBS_ORDER.updated_at + timedelta(hours=1))
    accept_order(later, by="channel", now=clock.now())
    assert (payment.captured, payment.reserved) == (2000, 2000)
    accept_order(
        replace(later, captured=2500, updated_at=later.updated_at + timedelta(hours=1)), by="channel", now=clock.now()
    )
    assert payment.captured == 2500
    assert for_staff(world.bob.id)[0].text == "The channel corrected: Amount paid"


def test_a_payment_belongs_to_one_order(world: World) -> None:
    with nothing_appears(), pytest.raises(Refused, match="The payment pi_alice belongs to another order"):
        accept_order(
            replace(BOBS_ORDER, external_id="A-1003", payment_intent="pi_alice"), by="channel", now=clock.now()
        )


@pytest.mark.parametrize(
    ("given", "kept"), [("de-AT", "de"), ("fr_CA", "fr"), ("HU", "hu"), ("zh-TW", "en"), ("", "en")]
)
def test_letters_are_in_the_customers_language_or_the_shops(world: World, given: str, kept: str) -> None:
    order, _ = accept_order(
        replace(BOBS_ORDER, external_id="A-1", payment_intent=None, locale=given), by="channel", now=clock.now()
    )
    assert (order.locale, order.customer.locale) == (kept, kept)


def test_one_person_may_buy_twice_and_is_one_customer(world: World) -> None:
    again = replace(ALICES_ORDER, external_id="A-1009", payment_intent=None, email=" Alice@Example.org ")
    order, _ = accept_order(again, by="channel", now=clock.now())
    assert order.customer_id == world.alice.customer_id


def test_its_lines_stay_in_the_order_in_which_they_were_told(world: World) -> None:
    lines = tuple(replace(ALICES_ORDER.lines[0], external_id=f"l{n}", title=f"{n} “Tasse”, 漆") for n in range(40))
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="many", payment_intent=None, lines=lines), by="channel", now=clock.now()
    )
    assert [line.title for line in order.lines] == [line.title for line in lines]
    assert [line.id for line in order.lines] == sorted(line.id for line in order.lines)
