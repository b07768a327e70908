"""Letters in every language, and the slip that a scanner reads."""

import io
import re
from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from flask_babel import force_locale, gettext
from sqlalchemy import select

from portal.config import LANGUAGES
from portal.db import session
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from portal.returns import actions
from portal.returns.slip import return_slip
from tests.returns.hands import approved, delivered, inspected, requested, wish
from tests.world import ALICES_ORDER, World, open_link

KINDS = {"requested", "approved", "received", "declined", "cancelled", "closed"}


def letters_of(world: World) -> dict[str, Letter]:
    """Every kind of letter about a return, in the language of Alice's order."""
    delivered(world, world.alice)
    inspected(world, world.alice, counted=0)
    closed = inspected(world, world.alice, counted=0)
    actions.close_return(closed, note="Nothing <b>was</b> in it.", by=world.rita, now=clock.now())
    declined = requested(world.alice)
    actions.decline_return(declined, note="Made for you.", by=world.rita, now=clock.now())
    actions.call_off_return(approved(world, world.alice), note="It never came.", by=world.rita, now=clock.now())
    session.commit()
    found = session.scalars(select(Letter).where(Letter.kind.like("return-%")))
    return {letter.kind.removeprefix("return-"): letter for letter in found}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_renders_in_every_language(world, language):
    world.alice.locale = language
    letters = letters_of(world)
    assert set(letters) == KINDS
    for letter in letters.values():
        assert letter.locale == language
        assert letter.subject
        for body in (letter.html, letter.text):
            assert "Stoneware mug, Moss" in body
            assert ".return~" in body
        assert "{" not in letter.text
    assert "Nothing &lt;b&gt;was&lt;/b&gt; in it." in letters["closed"].html


def test_the_letter_about_money_in_the_channel_says_where_it_comes_from(world):
    delivered(world, world.alice)
    ret = inspected(world, world.alice)
    session.delete(world.alice.payment)
    session.commit()
    session.expire_all()
    actions.close_return(ret, note="Done there.", by=world.rita, now=clock.now())
    letter = session.scalars(select(Letter).where(Letter.kind == "return-closed")).one()
    assert "it gives the money back to you" in letter.text
    assert "No money goes back" not in letter.text


def scanned(paper: bytes) -> set[tuple[str, str]]:
    page = pypdfium2.PdfDocument(io.BytesIO(paper))[0].render(scale=3).to_pil()
    return {(str(code.format).rsplit(".", 1)[-1], code.text) for code in zxingcpp.read_barcodes(page)}


def text_of(paper: bytes) -> str:
    pages = pypdfium2.PdfDocument(io.BytesIO(paper))
    assert len(pages) == 1
    return str(pages[0].get_textpage().get_text_range())


def test_a_scanner_reads_the_number_from_both_halves_of_the_slip(app, world):
    delivered(world, world.alice)
    ret = approved(world, world.alice)
    codes = scanned(return_slip(ret, app.config["SETTINGS"]))
    assert {text for _, text in codes} == {ret.rma}
    assert len(codes) == 2


def test_the_slip_says_what_goes_where_and_not_where_the_customer_lives(app, world):
    delivered(world, world.alice)
    ret = approved(world, world.alice, wish(world.alice, quantity=2, words="secret words"))
    settings = app.config["SETTINGS"].model_copy(update={"return_address": "Returns, Hafenweg 3, 20457 Hamburg"})
    text = text_of(return_slip(ret, settings))
    for said in ("Lantern & Loom", "Hafenweg 3", "20457 Hamburg", "2 ×", "Stoneware mug, Moss", "I changed my mind"):
        assert said in text
    for private in ("Alice", "Lindenstraße 7", "secret words"):
        assert private not in text


def test_a_slip_of_many_and_long_names_stays_one_page(app, world):
    lines = tuple(
        replace(ALICES_ORDER.lines[0], external_id=f"L{n}", sku=f"S{n}", title=f"{n} {'Überlanger Name ' * 20}")
        for n in range(12)
    )
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="LONG", number="9" * 60, lines=lines, payment_intent="pi_long", locale="hu"),
        by="channel", now=clock.now(),
    )  # fmt: skip
    delivered(world, order)
    ret = approved(world, order, *(wish(order, line.sku) for line in order.lines))
    settings = app.config["SETTINGS"].model_copy(
        update={"return_address": ", ".join(["A very long street name " * 6] * 5)}
    )
    slip = text_of(return_slip(ret, settings))
    with force_locale("hu"):
        assert gettext("and %(n)s more lines", n=12 - len(re.findall(r"\d Überlang", slip))) in slip


def test_the_slip_is_there_while_it_is_needed(client, world):
    delivered(world, world.alice)
    open_link(client, world.alice)
    ret = requested(world.alice)
    address = f"/orders/{world.alice.ref}/returns/{ret.rma}"
    assert client.get(f"{address}/slip.pdf").location == address
    actions.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    slip = client.get(f"{address}/slip.pdf")
    assert (slip.status_code, slip.mimetype) == (200, "application/pdf")
    actions.receive_return(ret, by=world.rita, now=clock.now())
    session.commit()
    assert client.get(f"{address}/slip.pdf").location == address
