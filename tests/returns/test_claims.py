"""The customer's third door: something is wrong."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.pictures.models import Picture
from portal.returns import claims, claims_pages
from portal.returns.claims_models import Claim
from portal.returns.withdrawal_rules import right_of
from tests.conftest import nothing_appears, statements
from tests.returns.claim_hands import claimed, the_claim, wrong
from tests.returns.hands import delivered, inspected, line_of, requested, wish
from tests.uploads import files
from tests.world import World, open_link, show_code

Work = Callable[..., int]
KEY = "k" * 28


@pytest.fixture
def alice(client: FlaskClient, at_home: World) -> FlaskClient:
    """Alice has her parcel and came through the link to her order."""
    return open_link(client, at_home.alice)


def step(alice: FlaskClient, order: Order, filled: str, **fields: Any) -> TestResponse:
    """One step of the form, with all that was filled in before it."""
    known = {f"line_{line_of(order, 'MUG-01').id}": "1", "key": KEY, "filled": filled}
    return alice.post(f"/orders/{order.ref}/claims/new", data={**known, **fields}, content_type="multipart/form-data")


def filled_in(order: Order, **differs: str) -> dict[str, str]:
    line = f"line_{line_of(order, 'MUG-01').id}"
    return {line: "1", "key": KEY, "fault": "damaged", "words": "", "wish": "replacement", **differs}


def sent(alice: FlaskClient, order: Order, **differs: str) -> TestResponse:
    answer = alice.post(f"/orders/{order.ref}/claims", data=filled_in(order, **differs))
    session.expire_all()
    return answer


def only() -> Claim:
    return the_claim(session.scalars(select(Claim.return_id)).one())


def test_the_order_s_page_leads_to_it_and_looking_writes_nothing(alice: FlaskClient, world: World) -> None:
    with nothing_appears():
        assert f"/orders/{world.alice.ref}/claims/new" in alice.get(f"/orders/{world.alice.ref}").text
        page = alice.get(f"/orders/{world.alice.ref}/claims/new").text
    assert "Stoneware mug" in page
    assert "Standard delivery" not in page
    assert "Your guarantee lasts until" in page


def test_one_thing_is_asked_per_step_and_what_was_said_travels_along(alice: FlaskClient, world: World) -> None:
    with nothing_appears():
        assert "What is wrong?" in step(alice, world.alice, "lines").text
        assert (
            "Can you show it to us?" in step(alice, world.alice, "fault", fault="defective", words="it <b> hums").text
        )
        page = step(alice, world.alice, "photos", fault="defective", words="it <b> hums").text
        assert "What would you like?" in page
        assert 'name="words" value="it &lt;b&gt; hums"' in page
        assert [*re.findall(r'name="wish"[^>]*value="(\w+)"', page)] == ["repair", "replacement", "part_money", "money"]
        page = step(alice, world.alice, "wish", fault="defective", words="it hums", wish="repair").text
    assert "Is this right?" in page
    assert "Repair it" in page


def test_back_leads_to_the_step_before_with_what_was_said(alice: FlaskClient, world: World) -> None:
    page = step(alice, world.alice, "wish", fault="damaged", words="cracked", to="fault")
    assert page.status_code == 200
    assert "cracked</textarea>" in page.text


@pytest.mark.parametrize(
    ("filled", "fields", "said"),
    [
        ("lines", {"line": "0"}, "Choose what is wrong."),
        ("lines", {"line": "3"}, "Only 2 pieces are left."),
        ("lines", {"line": "x"}, "What is it about?"),
        ("fault", {}, "Choose what is wrong."),
        ("fault", {"fault": "never_arrived"}, "Choose what is wrong."),
        ("fault", {"fault": "damaged", "words": "x" * 1001}, "That is too long."),
        ("wish", {"fault": "damaged"}, "Choose what you would like."),
        ("wish", {"fault": "wrong_item", "wish": "repair"}, "Choose what you would like."),
        ("wish", {"wish": "money"}, "What is wrong?"),
    ],
)
def test_a_step_that_is_not_filled_in_says_so(
    alice: FlaskClient, world: World, filled: str, fields: dict[str, str], said: str
) -> None:
    line = {f"line_{line_of(world.alice, 'MUG-01').id}": fields.pop("line")} if "line" in fields else {}
    with nothing_appears():
        answer = step(alice, world.alice, filled, **line, **fields)
    assert answer.status_code == 422
    assert said in unescape(answer.text)


def test_2_3_1_no_step_is_skipped_by_sending_the_last(alice: FlaskClient, world: World) -> None:
    for missing in ({"fault": ""}, {"wish": ""}, {f"line_{line_of(world.alice, 'MUG-01').id}": "0"}):
        with nothing_appears():
            assert sent(alice, world.alice, **missing).status_code == 422


def test_a_claim_is_a_return_of_its_own_kind_an_entry_and_a_letter(
    alice: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    answer = sent(alice, world.alice, words=" The handle is off. ")
    claim = only()
    ret = claim.ret
    assert (answer.status_code, answer.location) == (303, f"/orders/{world.alice.ref}/claims/{ret.rma}")
    assert (ret.kind, ret.decision, ret.goods, claim.fault, claim.wish) == (
        *("claim", "requested", "not_expected", "damaged", "replacement"),
    )
    assert [(row.line.sku, row.quantity, row.words) for row in ret.lines] == [("MUG-01", 1, "The handle is off.")]
    work()
    assert mails[-1]["Subject"] == "We have your message: order 1001"
    assert "We are looking into it" in alice.get(answer.location).text


def test_the_letter_s_link_leads_to_the_claim(
    alice: FlaskClient, client: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    sent(alice, world.alice)
    work()
    text = str(mails[-1].get_body(("plain",)))
    address = re.search(r"http\S+(/l/\S+)", text)
    assert address
    there = client.application.test_client().get(address[1], follow_redirects=True)
    assert there.request.path == f"/orders/{world.alice.ref}/claims/{only().ret.rma}"


def test_the_same_form_sent_twice_is_one_claim(alice: FlaskClient, world: World) -> None:
    first = sent(alice, world.alice)
    with nothing_appears():
        assert sent(alice, world.alice).location == first.location


# --- pictures ---


def photo(raw: bytes) -> tuple[io.BytesIO, str]:
    return io.BytesIO(raw), "IMG_1.jpg"


def test_pictures_come_along_with_the_claim_and_are_shown_with_the_code_only(alice: FlaskClient, world: World) -> None:
    page = step(alice, world.alice, "photos", fault="damaged", photos=[photo(files.with_gps()), photo(files.photo(5))])
    assert page.status_code == 200
    sent(alice, world.alice, words="Look at this")
    pictures = session.scalars(select(Picture).order_by(Picture.id)).all()
    assert [picture.about for picture in pictures] == [f"return:{only().return_id}"] * 2
    assert not any(b"Exif" in picture.content for picture in pictures)
    here = f"/orders/{world.alice.ref}/claims/{only().ret.rma}"
    page = alice.get(here)
    assert "Look at this" not in page.text
    assert f"/pictures/{pictures[0].id}" not in page.text
    show_code(alice, world.alice)
    page = alice.get(here)
    assert "Look at this" in page.text
    assert f"/pictures/{pictures[0].id}/thumbnail" in page.text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"just words", "not a picture that we can read"),
        (files.png_that_claims(10_000, 10_000), "more than 40 megapixels"),
        (files.photo()[:4000], "not whole"),
    ],
)
def test_a_photo_that_is_none_or_a_bomb_is_refused_and_the_others_stay(
    alice: FlaskClient, world: World, raw: bytes, said: str
) -> None:
    answer = step(
        alice, world.alice, "photos", fault="damaged", words="cracked", photos=[photo(files.photo()), photo(raw)]
    )
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    kept = session.scalars(select(Picture)).one()
    assert f"/orders/{world.alice.ref}/drafts/{kept.id}" in answer.text
    assert 'name="words" value="cracked"' in answer.text
    assert alice.get(f"/orders/{world.alice.ref}/drafts/{kept.id}").status_code == 200
    page = step(alice, world.alice, "photos", fault="damaged", forget=str(kept.id))
    assert page.status_code == 200
    assert session.scalars(select(Picture)).all() == []


def test_no_pictures_are_fine(alice: FlaskClient, world: World) -> None:
    assert "What would you like?" in step(alice, world.alice, "photos", fault="damaged").text


# --- what the rules say ---


def test_l6_an_old_forwarded_link_starts_no_claim(
    alice: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = alice.application.config["SETTINGS"].model_copy(update={"link_acts_days": 0})
    monkeypatch.setitem(alice.application.config, "SETTINGS", old)
    with nothing_appears():
        for way in (alice.get, alice.post):
            answer = way(f"/orders/{world.alice.ref}/claims/new")
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, f"/orders/{world.alice.ref}/code")
        assert sent(alice, world.alice).status_code == 303
    show_code(alice, world.alice)
    assert sent(alice, world.alice).location.startswith(f"/orders/{world.alice.ref}/claims/")


def test_it_refuses_a_claim_after_a_return_of_the_same_line(alice: FlaskClient, world: World) -> None:
    requested(world.alice, wish(world.alice, quantity=2))
    with nothing_appears():
        answer = sent(alice, world.alice)
    assert answer.status_code == 422
    assert "Stoneware mug is in a return already." in answer.text


def test_it_refuses_a_claim_for_what_the_money_was_given_back_for(alice: FlaskClient, world: World) -> None:
    ret = inspected(world, world.alice, wish(world.alice, "SHIRT-M"))
    assert ret.decision == "approved"
    with nothing_appears(), pytest.raises(Refused, match="in a return already"):
        claims.open_claim(world.alice.id, wrong(world.alice, "SHIRT-M"), key=KEY, by="customer", now=clock.now())


def test_it_refuses_the_same_piece_in_two_claims(alice: FlaskClient, world: World) -> None:
    claimed(world.alice, pieces=2)
    with nothing_appears():
        answer = sent(alice, world.alice)
    assert "We are looking into Stoneware mug already." in answer.text


def test_it_refuses_what_has_not_arrived(client: FlaskClient, world: World) -> None:
    with nothing_appears(), pytest.raises(Refused, match="has not arrived yet"):
        claims.open_claim(world.alice.id, wrong(world.alice), key=KEY, by="customer", now=clock.now())


def test_the_guarantee_ends_after_two_years_to_the_day(alice: FlaskClient, world: World) -> None:
    with clock.moved(timedelta(days=730)):
        claimed(world.alice, pieces=1)
    with clock.moved(timedelta(days=732)), nothing_appears(), pytest.raises(Refused, match="The guarantee ended on"):
        claimed(world.alice, pieces=1)
    with clock.moved(timedelta(days=732)):
        assert "Write to us" in open_link(alice, world.alice).get(f"/orders/{world.alice.ref}/claims/new").text


def test_an_open_claim_keeps_nobody_from_withdrawing(alice: FlaskClient, world: World) -> None:
    claimed(world.alice, pieces=2)
    right = right_of(world.alice, now=clock.now())
    assert right.everything()[line_of(world.alice, "MUG-01").id] == 2


def test_2_4_1_so_many_claims_a_day(alice: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_pages, "MOST_A_DAY", 1)
    sent(alice, world.alice)
    with nothing_appears(but={"buckets"}):
        answer = sent(alice, world.alice, key=tokens.mint())
    assert (answer.status_code, "That was often today." in answer.text) == (409, True)


def test_the_customer_calls_it_off(alice: FlaskClient, world: World) -> None:
    sent(alice, world.alice)
    rma = only().ret.rma
    alice.post(f"/orders/{world.alice.ref}/returns/{rma}/cancellation")
    session.expire_all()
    assert only().ret.decision == "cancelled"
    assert "called off" in alice.get(f"/orders/{world.alice.ref}/claims/{rma}").text


def test_8_2_2_nobody_sees_or_answers_another_s_claim(alice: FlaskClient, world: World) -> None:
    delivered(world, world.bob)
    rma = claimed(world.bob).ret.rma
    show_code(alice, world.alice)
    for path in (f"claims/{rma}", f"claims/{rma}/answers"):
        assert alice.get(f"/orders/{world.alice.ref}/{path}").status_code == 404
    with nothing_appears():
        assert alice.post(f"/orders/{world.alice.ref}/claims/{rma}/answers", data={"key": KEY}).status_code == 404


def test_the_pages_ask_the_database_little(alice: FlaskClient, world: World) -> None:
    sent(alice, world.alice)
    for path, most in (("claims/new", 20), (f"claims/{only().ret.rma}", 16)):
        session.expire_all()
        with statements() as seen:
            assert alice.get(f"/orders/{world.alice.ref}/{path}").status_code == 200
        assert len(seen) <= most, seen
