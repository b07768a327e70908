"""Credit notes: a number for each, none left out, the same paper for ever; and the table for the books."""

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage
from threading import Barrier
from typing import Any

import pypdfium2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from portal.config import LANGUAGES
from portal.db import session
from portal.lib import clock
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.refunds import credit
from portal.refunds.books import HEAD, amount
from portal.refunds.credit_note_paper import credit_note
from portal.refunds.credit_notes import CreditNote, NumberSeries, find_note, issue_note
from portal.refunds.facts import apply
from portal.refunds.models import Refund
from tests.conftest import nothing_appears
from tests.house.road import as_stripe_has_it
from tests.orders.test_codes import ask, mailed, typed
from tests.refunds.hands import approved, asked
from tests.refunds.test_ways import credited, proven
from tests.world import World, build, open_link, sign_in


def says(refund: Refund, status: str) -> Refund:
    """Stripe says so of it."""
    apply(as_stripe_has_it(refund, status), source="webhook", asked_at=clock.now(), now=clock.now())
    session.commit()
    return refund


def notes() -> list[CreditNote]:
    session.expire_all()
    return list(session.scalars(select(CreditNote).order_by(CreditNote.number)))


def pages(paper: bytes) -> list[str]:
    """What stands on each page, with plain blanks."""
    found = pypdfium2.PdfDocument(io.BytesIO(paper))
    return [str(page.get_textpage().get_text_range()).replace("\xa0", " ") for page in found]


def test_money_that_went_back_has_a_paper_and_the_letter_names_it(world: World) -> None:
    says(says(approved(world, 4000, 0, 250), "pending"), "succeeded")
    [note] = notes()
    assert (note.called, note.money, note.issued_on) == ("CN-000001", Money(4250, "EUR"), clock.now().date())
    letter = session.scalars(select(Letter).where(Letter.kind == "refund-on-its-way")).one()
    assert "Credit note CN-000001" in letter.text
    assert "Credit note CN-000001" in letter.html


@pytest.mark.parametrize("statuses", [["succeeded", "succeeded"], ["succeeded", "pending", "succeeded"]])
def test_the_same_money_has_one_paper_however_often_stripe_says_so(world: World, statuses: list[str]) -> None:
    refund = approved(world)
    for status in statuses:
        says(refund, status)
    assert [note.called for note in notes()] == ["CN-000001"]


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_money_that_did_not_go_back_has_none(world: World, status: str) -> None:
    says(approved(world), status)
    assert notes() == []
    assert session.scalars(select(NumberSeries)).all() == []


def test_money_that_came_back_is_taken_back_by_a_paper_of_its_own(world: World) -> None:
    refund = says(says(approved(world), "succeeded"), "failed")
    says(refund, "failed")
    first, second = notes()
    assert (first.cancels, second.cancels, second.called) == (None, first, "CN-000002")
    letter = session.scalars(select(Letter).where(Letter.kind == "refund-corrected")).one()
    assert "Credit note CN-000002 takes the first one back" in letter.text


def test_every_way_has_its_paper(world: World) -> None:
    proven(approved(world, 1000, way="hand"), world)
    of = credited(world, 900)
    credit.take_back(of, note="They want the money.", by=world.fran, now=clock.now())
    by_hand, given, taken = notes()
    assert "The store credit was taken back, so CN-000002" in pages(credit_note(taken))[0]
    assert [note.amount for note in (by_hand, given, taken)] == [1000, 900, 900]
    assert (taken.cancels, [note.content["way"] for note in (by_hand, given)]) == (given, ["hand", "credit"])
    written = session.scalars(select(Letter).where(Letter.kind.in_(("refund-by-hand", "store-credit"))))
    assert [letter.text.count("Credit note CN-00000") for letter in written] == [1, 1]


def test_what_was_given_back_in_stripes_dashboard_has_none(world: World) -> None:
    refund = approved(world)
    refund.source = "external"
    with nothing_appears():
        assert issue_note(refund, now=clock.now()) is None


def test_a_number_that_is_rolled_back_is_given_again(world: World) -> None:
    refund, other = approved(world, 1000), approved(world, 0, 1000)
    undone = session.begin_nested()
    issue_note(refund, now=clock.now())
    undone.rollback()
    issue_note(other, now=clock.now())
    assert [(note.number, note.refund_id) for note in notes()] == [(1, other.id)]


@pytest.mark.parametrize("change", ["UPDATE credit_notes SET amount = 1", "DELETE FROM credit_notes"])
def test_the_database_keeps_it_as_it_was_written(world: World, change: str) -> None:
    says(approved(world), "succeeded")
    with pytest.raises(DBAPIError), session.begin_nested():
        session.execute(text(change))


def test_the_paper_stays_what_it_was_when_the_order_changes(world: World) -> None:
    says(approved(world), "succeeded")
    before = credit_note(notes()[0])
    world.alice.customer.name = world.alice.lines[0].title = "Somebody else"
    session.commit()
    assert credit_note(notes()[0]) == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_in_the_customers_language_and_adds_up(world: World, language: str) -> None:
    world.alice.locale = language
    says(says(approved(world, 4000, 0, 250), "succeeded"), "failed")
    title = {
        "en": "Credit note", "de": "Rechnungskorrektur", "fr": "Avoir", "es": "Factura rectificativa",
        "nl": "Creditnota", "hu": "Jóváíró számla",
    }[language]  # fmt: skip
    note, taken_back = ("\n".join(pages(credit_note(note))) for note in notes())
    for words in (title, "CN-000001", "1001", "Alice Ångström", "Stoneware mug", Money(4250, "EUR").format(language)):
        assert words.replace("\xa0", " ").replace("\u202f", " ") in note.replace("\u202f", " ")
    assert "CN-000002" in taken_back
    assert Money(-4250, "EUR").format(language).replace("\xa0", " ").lstrip("-") in taken_back


def test_many_lines_go_over_several_pages_with_one_total(world: World) -> None:
    says(approved(world, 4000), "succeeded")
    note = notes()[0]
    assert note.cancels is None
    session.expunge(note)
    note.content = {**note.content, "rows": [[f"Thing {n}", 100] for n in range(40)]}
    told = pages(credit_note(note))
    assert len(told) == 3
    assert ["Total" in page for page in told] == [False, False, True]
    assert all(f"Thing {n}" in "\n".join(told) for n in range(40))


def test_the_customer_opens_theirs_with_a_code_and_nobody_elses(
    client: FlaskClient, world: World, work: Callable[..., int], mails: list[EmailMessage]
) -> None:
    says(approved(world), "succeeded")
    path = f"/orders/{world.alice.ref}/credit-notes/1.pdf"
    mine = open_link(client, world.alice)
    assert mine.get(path).status_code == 303
    assert ask(mine, world) == 303
    work()
    assert typed(mine, world, mailed(mails)) == 303
    assert "Credit note CN-000001" in mine.get(f"/orders/{world.alice.ref}/details").text
    paper = mine.get(path)
    assert (paper.mimetype, "Alice Ångström" in pages(paper.data)[0]) == ("application/pdf", True)
    assert mine.get(path.replace("1.pdf", "2.pdf")).status_code == 404
    assert find_note(1, world.bob.id) is None


def test_the_desk_lists_and_opens_them(client: FlaskClient, world: World) -> None:
    desk = sign_in(client, world.fran)
    assert "No credit notes yet" in desk.get("/desk/credit-notes").text
    refund = says(says(approved(world), "succeeded"), "failed")
    page = desk.get("/desk/credit-notes").text
    assert "CN-000001" in page
    assert "Cancels CN-000001" in page
    assert "CN-000002" in desk.get(f"/desk/refunds/{refund.id}").text
    assert pages(desk.get("/desk/credit-notes/2.pdf").data)[0].startswith("Lantern & Loom")
    assert desk.get("/desk/credit-notes/3.pdf").status_code == 404


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_books_have_a_row_for_all_money_that_ended_in_these_days(client: FlaskClient, world: World) -> None:
    says(says(approved(world, 1000), "succeeded"), "failed")
    proven(approved(world, 0, 800, way="hand"), world, reference="=cmd|' /C calc'!A0")
    asked(world, 500)
    today = clock.now().date()
    desk = sign_in(client, world.fran)
    failed, by_hand = table(desk.get(f"/desk/credit-notes/money-back.csv?first={today}&last={today}"))
    assert tuple(failed) == HEAD
    assert (failed["state"], failed["amount"], failed["currency"]) == ("failed", "10.00", "EUR")
    assert (failed["credit_note"], failed["cancelled_by_note"]) == ("CN-000001", "CN-000002")
    assert (by_hand["how"], by_hand["amount"], by_hand["asked_by"]) == ("hand", "8.00", "Rita")
    assert by_hand["reference"] == "'=cmd|' /C calc'!A0"
    tomorrow = today + timedelta(days=1)
    assert table(desk.get(f"/desk/credit-notes/money-back.csv?first={tomorrow}&last={tomorrow}")) == []


@pytest.mark.parametrize("days", ["first=2026-02-01&last=2026-01-01", "first=2025-01-01&last=2026-11-01", "first=x"])
def test_days_that_make_no_sense_are_asked_again(client: FlaskClient, world: World, days: str) -> None:
    assert sign_in(client, world.fran).get(f"/desk/credit-notes/money-back.csv?{days}").status_code == 422


@pytest.mark.parametrize(
    ("money", "told"),
    [
        (Money(1933, "JPY"), "1933"), (Money(3330, "KWD"), "3.330"), (Money(33300, "ISK"), "333.00"),
        (Money(1_666_600, "UGX"), "16666.00"), (Money(333_333, "HUF"), "3333.33"),
    ],
)  # fmt: skip
def test_the_books_write_amounts_with_the_currencys_decimals(money: Money, told: str) -> None:
    assert amount(money) == told


def test_papers_written_at_once_have_numbers_without_a_gap(real: Flask) -> None:
    """Eight people prove eight refunds in the same moment, and two of them change their mind."""
    people = build(clock.now())
    refunds = [approved(people, 500, way="hand").id for _ in range(8)]
    gate = Barrier(8)

    def write(refund_id: int) -> None:
        with real.app_context():
            refund = session.get_one(Refund, refund_id)
            gate.wait()
            issue_note(refund, now=clock.now())
            session.rollback() if refund_id in refunds[:2] else session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, refunds))
    assert [note.number for note in notes()] == [1, 2, 3, 4, 5, 6]
