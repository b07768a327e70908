"""Labels of the shop's own, and where parcels are handed in."""

import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.db import session
from portal.fulfilment import drop_off
from portal.lib import clock
from portal.mail.models import Letter
from portal.returns import actions
from portal.returns.models import Return
from portal.returns.own_labels import OwnLabel
from tests.conftest import nothing_appears
from tests.returns.hands import approved, delivered, page_of, post, requested
from tests.returns.test_asking import path
from tests.uploads import files
from tests.world import open_link, show_code, sign_in

PDF = b"%PDF-1.4 a label\n%%EOF\n"


def given(desk: FlaskClient, ret: Return, **fields: Any) -> TestResponse:
    sent = {name: (io.BytesIO(what), "label") if isinstance(what, bytes) else what for name, what in fields.items()}
    return post(desk, ret, "labels", courier=sent.pop("courier", "dhl"), **sent)


def letters() -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == "return-label")))


def test_a_label_and_a_code_of_the_shop_s_own_reach_the_customer(desk, world):
    ret = approved(world, world.alice)
    assert given(desk, ret, paper=PDF, code=files.with_gps(), number="JJD000111222").status_code == 303
    [parcel] = ret.living
    assert (parcel.source, parcel.courier, parcel.tracking_number) == ("own", "dhl", "JJD000111222")
    [letter] = letters()
    assert "Print it and stick it onto the parcel." in letter.text
    alice = open_link(desk, world.alice)
    page = alice.get(path(world.alice, ret.rma)).text
    assert "Get the label" in page
    assert "with whom you like" not in page
    assert "No printer? Show this code" in page
    label = f"{path(world.alice, ret.rma)}/label"
    assert alice.get(label).status_code == 303, "it shows where she lives"
    show_code(alice, world.alice)
    assert alice.get(label).data == PDF
    code = alice.get(label.replace("label", "drop-off-code"))
    assert (code.mimetype, b"Exif" in code.data) == ("image/jpeg", False)


def test_words_alone_say_how_it_comes_back_and_each_parcel_has_its_own(desk, world):
    ret = approved(world, world.alice)
    given(desk, ret, words="Our driver fetches it on Tuesday.", courier="")
    given(desk, ret, paper=PDF)
    assert len(ret.living) == 2
    assert "Our driver fetches it on Tuesday." in letters()[0].text
    page = open_link(desk, world.alice).get(path(world.alice, ret.rma)).text
    assert "Our driver fetches it on Tuesday." in page
    assert "Your parcels to us" in page
    assert "Our driver fetches it on Tuesday." in page_of(sign_in(desk, world.rita), ret)
    parcel = next(one for one in ret.living if one.id in [row.back_parcel_id for row in rows() if row.paper_kind])
    assert desk.get(f"/desk/returns/{ret.id}/labels/{parcel.id}").data == PDF
    assert desk.get(f"/desk/returns/{ret.id}/labels/{parcel.id}?code=1").status_code == 404


def rows() -> list[OwnLabel]:
    return list(session.scalars(select(OwnLabel)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Give a file, a number, or words"),
        ({"paper": b"MZ not a label"}, "Label (PDF or picture): It is not a picture that we can read."),
        ({"paper": b"%PDF-1.4 cut off"}, "The PDF is not whole."),
        ({"paper": b"%PDF-" + b"x" * 5_000_001}, "more than 5 MB"),
        ({"code": files.png_that_claims(10_000, 10_000)}, "more than 40 megapixels"),
        ({"number": "no!"}, "That is no tracking number."),
        ({"words": "x", "courier": "own"}, "Not a valid choice."),
    ],
)
def test_what_is_no_label_gives_nothing(desk, world, fields, message):
    ret = approved(world, world.alice)
    with nothing_appears():
        answer = given(desk, ret, **fields)
    assert answer.status_code in (409, 422)
    assert message in answer.text


def test_nothing_is_given_before_somebody_accepted_it_and_no_more_than_five(desk, world):
    ret = requested(world.alice)
    with nothing_appears():
        assert given(desk, ret, words="Wait").status_code == 409
    actions.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    for _ in range(5):
        given(desk, ret, words="One more")
    with nothing_appears():
        assert given(desk, ret, words="One more").status_code == 409


# --- where it is handed in ---


def test_customers_read_where_each_courier_takes_parcels(client, world):
    desk = sign_in(client, world.max)
    words = "en: At every kiosk.\nde: An jedem Kiosk."
    fields = {"courier": "dhl", "link": "https://example.com/shops", "words": words}
    assert desk.post("/desk/couriers/drop-offs", data=fields).status_code == 303
    assert "https://example.com/shops" in desk.get("/desk/couriers").text
    delivered(world, world.alice)
    ret = approved(world, world.alice)
    text = session.scalars(select(Letter.text).where(Letter.kind == "return-approved")).one()
    assert "DHL: At every kiosk. https://example.com/shops" in text
    page = open_link(client, world.alice).get(path(world.alice, ret.rma)).text
    assert "At every kiosk." in page
    assert 'href="https://example.com/shops"' in page
    desk.post("/desk/couriers/drop-offs", data={"courier": "dhl", "link": "", "words": ""})
    assert drop_off.rows() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"courier": "dhl", "link": "javascript:alert(1)"}, {"courier": "dhl", "link": "http://example.com"},
        {"courier": "dhl", "link": "https://"}, {"courier": "pigeon", "link": "https://example.com"},
        {"courier": "dhl", "words": "At every kiosk"}, {"courier": "dhl", "words": "xx: Kiosk"},
    ],
)  # fmt: skip
def test_what_is_no_link_and_no_language_is_refused(client, world, fields):
    desk = sign_in(client, world.max)
    with nothing_appears():
        assert desk.post("/desk/couriers/drop-offs", data=fields).status_code == 409


def test_only_who_sets_the_promise_says_where(client, world):
    assert sign_in(client, world.rita).post("/desk/couriers/drop-offs", data={"courier": "dhl"}).status_code == 403
