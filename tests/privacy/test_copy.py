"""The customer's copy holds what we know of them, for people and programs, and nobody else's."""

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from portal.lib import clock
from portal.privacy.copy import packed, spelled
from portal.privacy.models import orders_of
from tests.uploads import hands as pictures
from tests.world import World, open_link, show_code, sign_in


def unpacked(file: bytes) -> tuple[dict[str, list[dict[str, object]]], str]:
    with zipfile.ZipFile(io.BytesIO(file)) as opened:
        assert opened.namelist()[:2] == ["data.json", "data.html"]
        return json.loads(opened.read("data.json")), opened.read("data.html").decode()


def test_it_holds_all_that_is_known_of_the_customer(walked: World) -> None:
    data, page = unpacked(packed(orders_of(walked.alice.customer_id), now=clock.now()))
    [alice] = data["customers"]
    assert alice == {"email": "alice@example.org", "name": "Alice Ångström", "phone": None, "locale": "en"}
    assert {"orders", "order_lines", "parcels", "courier_events", "returns", "refunds", "answers", "letters"} <= {*data}
    assert "Alice Ångström" in page
    assert "Lindenstraße 7" in page
    assert "bob@example.org" not in json.dumps(data) + page
    assert [name for name in ("Rita", "Fran", "Cleo") if name in json.dumps(data) + page] == []


def test_it_holds_the_pictures_themselves_and_no_drafts(world: World) -> None:
    mine = pictures.sent(world.alice, "return:1")
    pictures.draft(world.alice, turn=5)
    pictures.sent(world.bob, "return:2")
    with zipfile.ZipFile(io.BytesIO(packed([world.alice.id], now=clock.now()))) as opened:
        assert opened.namelist()[2:] == [f"pictures/picture-{mine.id}.jpg"]
        assert opened.read(f"pictures/picture-{mine.id}.jpg") == mine.content


def test_what_customers_wrote_is_no_markup_in_it(world: World) -> None:
    world.alice.customer.name = "<script>alert(1)</script>"
    _, page = unpacked(packed([world.alice.id], now=clock.now()))
    assert "<script>" not in page


def test_8_2_2_behind_the_code_is_the_own_copy_and_nobody_elses(client: FlaskClient, world: World) -> None:
    world.bob.customer.name = "Bob Brun"
    answer = show_code(client, world.alice).get(f"/orders/{world.alice.ref}/copy.zip")
    data, page = unpacked(answer.data)
    assert [order["number"] for order in data["orders"]] == ["1001"]
    assert [fact for fact in ("1002", "Bob Brun", "bob@example.org", "pi_bob") if fact in json.dumps(data) + page] == []
    assert client.get(f"/orders/{world.bob.ref}/copy.zip").status_code == 404


def test_a_link_alone_gets_no_copy(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    assert client.get(f"/orders/{world.alice.ref}/copy.zip").status_code == 303


def test_managers_hand_it_to_who_writes_a_letter(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    answer = client.get(f"/desk/privacy/customers/{world.alice.customer_id}/copy.zip")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert client.get("/desk/privacy/customers/999999/copy.zip").status_code == 404


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ({"street": "A 1", "company": "", "city": "B"}, "A 1, B"),
        ([{"field": "address", "old": "x"}], "address, x"),
        (datetime(2026, 11, 23, 9, 5, tzinfo=UTC), "2026-11-23 09:05+00:00"),
        (7, "7"),
    ],
)
def test_values_are_spelled_for_people(value: object, text: str) -> None:
    assert spelled(value) == text
