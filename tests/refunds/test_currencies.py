"""Money back in currencies that do not have cents, or have more of them: what Stripe is asked, what people read."""

from csv import DictReader
from dataclasses import dataclass, replace
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdfium2 import PdfDocument
from sqlalchemy import select

from portal.adapters.stripe import Account, Declined
from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.lib.money import share, step, to_minor
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.refunds.books import sheet
from portal.refunds.credit import credit_of
from portal.refunds.credit_note_paper import credit_note
from portal.refunds.credit_notes import notes_of
from portal.refunds.models import Refund
from tests.refunds.hands import again, approved, money_moved, paid_at_stripe, send
from tests.refunds.test_desk import text_of
from tests.world import ALICES_ORDER, World, open_link, sign_in


@dataclass(frozen=True, slots=True)
class Case:
    """Three bowls were bought for `paid`, one came back: `sent` is Stripe's figure, `told` what people read."""

    currency: str
    paid: int
    sent: str
    told: str
    rest: int


CASES = [
    Case("JPY", 5800, "1933", "¥1,933", 1934),
    Case("KWD", 10_000, "3330", "KWD 3.330", 3340),
    Case("ISK", 1_000_00, "33300", "ISK 333", 334_00),
    Case("UGX", 50_000_00, "1666600", "UGX 16,666", 16_667_00),
    Case("HUF", 10_000_00, "333333", "HUF 3,333.33", 333_334),
]


@pytest.fixture(params=CASES, ids=lambda case: case.currency)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def order(case: Case, shop: Flask, world: World, stripe: Remote) -> Order:
    """Paid at Stripe, in this currency."""
    bowls = replace(ALICES_ORDER.lines[0], title="Bowl", quantity=3, unit_price=0, paid=case.paid)
    bought = replace(
        ALICES_ORDER, external_id="A-1003", number="1003", payment_intent="pi_third", currency=case.currency,
        total=case.paid, captured=case.paid, lines=(bowls,),
    )  # fmt: skip
    order, _ = accept_order(bought, by="channel", now=clock.now())
    session.commit()
    paid_at_stripe(stripe, order)
    return order


def read(page: str) -> str:
    """What people read of it; that a number is kept together with its currency they don't see."""
    return text_of(page).replace("\xa0", " ")


def one_of_three(world: World, order: Order, taken: int) -> Refund:
    line = order.lines[0]
    return send(approved(world, share(line.paid, 1, 3, taken, currency=order.currency), order=order))


def test_it_is_asked_for_in_stripes_figures_and_told_in_peoples(
    case: Case, order: Order, world: World, stripe: Remote, client: FlaskClient
) -> None:
    refund = one_of_three(world, order, 0)
    assert (refund.state, money_moved(stripe)[0]["params"]["amount"]) == ("succeeded", case.sent)
    letter = session.scalars(select(Letter).where(Letter.kind == "refund-on-its-way")).one()
    assert f"Your money is on its way back: {case.told}" in letter.subject
    desk = sign_in(client, world.fran).get(f"/desk/refunds/{refund.id}")
    page = open_link(client, order).get(f"/orders/{order.ref}")
    assert f"{case.told} back to Alice" in read(desk.text)
    assert f"Money back: {case.told}." in read(page.text)


def test_three_thirds_are_the_whole_and_nothing_is_left(case: Case, order: Order, world: World, stripe: Remote) -> None:
    thirds = [one_of_three(world, order, taken) for taken in range(3)]
    assert [again(third).state for third in thirds] == ["succeeded"] * 3
    assert thirds[-1].amount == case.rest
    assert thirds[-1].payment.left.amount == 0


def test_the_paper_the_books_and_store_credit_say_the_same(
    case: Case, order: Order, world: World, stripe: Remote, client: FlaskClient
) -> None:
    refund = one_of_three(world, order, 0)
    given = approved(world, share(order.lines[0].paid, 1, 3, 1, currency=order.currency), order=order, way="credit")
    of = credit_of(given)
    assert of is not None
    for note in (notes_of(refund)[0], notes_of(given)[0]):
        page = PdfDocument(credit_note(note))[0].get_textpage().get_text_range()
        assert note.money.format("en").replace("\xa0", " ") in str(page).replace("\xa0", " ")
    assert case.told in str(notes_of(refund)[0].money.format("en")).replace("\xa0", " ")
    today = clock.now().date()
    rows = list(DictReader(StringIO(sheet(today, today, ZoneInfo("UTC")))))
    assert {to_minor(row["amount"], row["currency"]) for row in rows} == {refund.amount, given.amount}
    desk = sign_in(client, world.fran)
    assert of.left.format("en").replace("\xa0", " ") in read(desk.get(f"/desk/credit/{of.id}").text)


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 12_345), ("ISK", 250), ("UGX", 1)])
def test_stripe_refuses_parts_that_do_not_move(stripe: Remote, currency: str, amount: int) -> None:
    payment = stripe.pay(100_000, currency.lower(), id="pi_parts")
    assert amount % step(currency)
    with pytest.raises(Declined) as refused:
        Account("sk_test_any", stripe.address).create_refund({"payment_intent": payment, "amount": amount}, key="k")
    assert refused.value.param == "amount"
