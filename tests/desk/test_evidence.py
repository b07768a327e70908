"""One file per order that a bank or a court can be given: everything, in order, with its seals."""

import hashlib
import json

import pypdfium2
import pytest
from flask import current_app
from flask.testing import FlaskClient

from portal.db import session
from portal.desk import evidence
from portal.lib import clock
from portal.orders.models import Order
from portal.pictures import reading
from portal.pictures.models import Picture
from portal.staff import seals
from tests.uploads import files
from tests.world import World, sign_in


def read(paper: bytes) -> tuple[int, str]:
    """How many pages it has, and what they say."""
    pages = list(pypdfium2.PdfDocument(paper))
    return len(pages), "".join(page.get_textpage().get_text_range() for page in pages)


def test_it_holds_the_whole_story_of_an_order_in_words_and_numbers(client: FlaskClient, walked: World) -> None:
    world = walked
    while seals.seal_new(now=clock.now()):
        session.commit()
    sign_in(client, world.fran)
    found = json.loads(client.get(f"/desk/orders/{world.alice.id}/evidence.json").data)
    assert list(found) == ["made_at", *evidence.TITLES]
    assert found["order"][0]["email"] == "alice@example.org"
    assert {refund["asked_by"] for refund in found["refunds"]} >= {"Rita"}
    assert found["attempts"]
    assert [row["contract"] for row in found["statements"]]
    assert [row["score"] for row in found["answers"]] == [1]
    assert [letter["subject"] for letter in found["letters"]]
    assert found["timeline"] == sorted(found["timeline"], key=lambda entry: entry["at"])
    assert all(len(entry["seal"]) == 64 for entry in found["timeline"])
    paper = client.get(f"/desk/orders/{world.alice.id}/evidence.pdf")
    assert paper.mimetype == "application/pdf"
    _, said = read(paper.data)
    for words in ("Order 1001", "Alice Ångström", "What happened", "Money back", found["timeline"][0]["seal"][:20]):
        assert words in said


def test_long_letters_run_over_pages_and_none_of_it_is_lost(world: World) -> None:
    long = [{"text": "\n".join(f"line {n}." for n in range(300))}]
    sections = {**evidence.gathered(world.alice, "en"), "letters": long}
    pages, said = read(evidence.as_paper(sections, current_app.config["SETTINGS"], now=clock.now()))
    assert pages > 4
    assert all(f"line {n}." in said for n in range(300))


def test_pictures_are_on_the_paper_as_they_were_kept(client: FlaskClient, world: World) -> None:
    """A bank can compute again what the file says of each."""
    for turn, about in enumerate(("order:1", "return:7", "inspection:3")):
        clean = reading.read(files.photo(turn, quality=90))
        values = {"width": clean.width, "height": clean.height, "content": clean.content, "thumbnail": clean.thumbnail}
        kept = {"order_id": world.alice.id, "about": about, "form_key": f"k{turn}", "uploaded_at": clock.now()}
        session.add(Picture(**kept, **values, digest=clean.digest))
    session.commit()
    sign_in(client, world.fran)
    paper = pypdfium2.PdfDocument(client.get(f"/desk/orders/{world.alice.id}/evidence.pdf").data)
    shown = [one for page in paper for one in page.get_objects() if isinstance(one, pypdfium2.PdfImage)]
    bytes_of = [hashlib.sha256(bytes(one.get_data(decode_simple=True))).hexdigest() for one in shown]
    told = json.loads(client.get(f"/desk/orders/{world.alice.id}/evidence.json").data)["pictures"]
    assert bytes_of == [row["sha256"] for row in told]
    assert len(bytes_of) == 3
    said = "".join(page.get_textpage().get_text_range() for page in paper)
    assert all(row["sha256"] in said.replace("\r\n", "") for row in told)


@pytest.mark.parametrize("person", ["cleo", "sam"])
def test_others_may_not_take_it(client: FlaskClient, world: World, person: str) -> None:
    sign_in(client, getattr(world, person))
    assert client.get(f"/desk/orders/{world.alice.id}/evidence.pdf").status_code == 403


def test_an_order_that_is_not_there(client: FlaskClient, world: World) -> None:
    sign_in(client, world.fran)
    assert session.get(Order, 10**9) is None
    assert client.get(f"/desk/orders/{10**9}/evidence.json").status_code == 404
