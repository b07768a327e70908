"""What the customer is told about money, in whole and true sentences."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.config import LANGUAGES
from portal.db import session
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.mail.rendering import render
from portal.refunds import jobs
from tests.refunds.hands import approved, paid_at_stripe
from tests.standin import Remote
from tests.world import World

ABOUT: dict[str, Any] = {
    "number": "1001",
    "amount": Money(4250, "EUR"),
    "rows": [("2 × Stoneware mug", "€40.00"), ("Standard delivery", "€2.50")],
    "reference": None,
}


def sent(world: World, stripe: Remote) -> Letter:
    """The letter about Alice's money, which Stripe has taken."""
    paid_at_stripe(stripe, world.alice)
    jobs.send_refund(approved(world, 4000, 0, 250).id)
    return session.scalars(select(Letter).where(Letter.kind == "refund-on-its-way")).one()


def test_it_says_how_much_for_what_and_how_long_it_takes(shop: Flask, world: World, stripe: Remote) -> None:
    letter = sent(world, stripe)
    assert letter.subject == "Your money is on its way back: €42.50, order 1001"
    assert (letter.to_address, letter.about is None) == ("alice@example.org", False)
    for words in (
        "We sent you €42.50",
        "Stoneware mug: €40.00",
        "Standard delivery: €2.50",
        "five to ten working days",
    ):
        assert words in letter.text
    assert "~track~" in letter.text.replace(".", "~")


@pytest.mark.parametrize("locale", ["de", "fr", "hu"])
def test_it_is_in_the_orders_language_and_writes_money_so(
    shop: Flask, world: World, stripe: Remote, locale: str
) -> None:
    world.alice.locale = locale
    session.commit()
    letter = sent(world, stripe)
    assert letter.locale == locale
    assert "42,50" in letter.subject


def test_a_customer_without_an_address_gets_no_letter_and_the_money_all_the_same(
    shop: Flask, world: World, stripe: Remote
) -> None:
    world.alice.customer.email = None
    session.commit()
    paid_at_stripe(stripe, world.alice)
    refund = approved(world, 4000)
    jobs.send_refund(refund.id)
    assert session.scalars(select(Letter.id)).all() == []
    assert refund.state == "succeeded"


def test_the_banks_reference_is_told_when_there_is_one(app: Flask) -> None:
    assert "reference" not in render("refund-on-its-way", "en", ABOUT, "mark").text
    told = render("refund-on-its-way", "en", {**ABOUT, "reference": "74737160001"}, "mark")
    assert "74737160001" in told.text
    assert "74737160001" in told.html


def test_a_correction_takes_back_what_was_said_and_asks_for_no_card_number(app: Flask) -> None:
    letter = render("refund-corrected", "en", ABOUT, "mark")
    assert letter.subject == "Your money came back to us: €42.50, order 1001"
    assert "your bank has sent it back to us" in letter.text
    assert "We are looking for another way and will write to you" in letter.text
    assert "Please never send us card numbers" in letter.text


@pytest.mark.parametrize("kind", ["refund-on-its-way", "refund-corrected"])
@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_name_that_looks_like_markup_stays_a_name(app: Flask, kind: str, locale: str) -> None:
    letter = render(kind, locale, {**ABOUT, "rows": [("<script>alert(1)</script>", "€1.00")]}, "mark")
    assert "<script>alert" not in letter.html
    assert "&lt;script&gt;" in letter.html
