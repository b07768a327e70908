"""Pictures of what comes back: asked for by reason, kept while the form is filled in, shown to whom they concern."""

import io
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.db import session
from portal.orders.models import Order
from portal.pictures.models import Picture
from portal.returns import actions
from portal.returns.overrides import ReturnOverride
from tests.conftest import nothing_appears
from tests.returns.hands import delivered, page_of, requested, wish
from tests.returns.test_asking import filled_in, path, the_return
from tests.returns.test_reasons import changed
from tests.uploads import files
from tests.world import World, open_link, show_code, sign_in


@pytest.fixture
def alice(client: FlaskClient, world: World) -> FlaskClient:
    delivered(world, world.alice)
    changed("too_small", photo="required")
    changed("too_large", photo="optional")
    return open_link(client, world.alice)


def to(alice: FlaskClient, order: Order, door: str = "new", reason: str = "too_small", **more: Any) -> TestResponse:
    return alice.post(path(order, door), data={**filled_in(order, reason=reason), **more})


def photos(order: Order, *raw: bytes) -> dict[str, Any]:
    [name] = [key for key in filled_in(order) if key.endswith("-reason")]
    return {name.replace("reason", "photos"): [(io.BytesIO(each), "IMG_1.jpg") for each in raw]}


def kept() -> list[Picture]:
    session.expire_all()
    return list(session.scalars(select(Picture).order_by(Picture.id)))


@pytest.mark.parametrize("reason", ["too_small", "too_large"])
def test_a_step_of_its_own_asks_for_pictures_where_the_reason_does(alice, world, reason):
    page = to(alice, world.alice, reason=reason, step="show").text
    assert "Can you show it to us?" in page
    assert ("Pictures (if you like)" in page) is (reason == "too_large")
    assert 'type="file"' in page


def test_nobody_is_asked_where_the_reason_does_not(alice, world):
    page = to(alice, world.alice, reason="changed_mind", step="show").text
    assert "Is this right?" in page
    assert 'type="file"' not in page


@pytest.mark.parametrize(("door", "fields"), [(("new",), {"step": "how"}), (("preview",), {}), ((), {})])
def test_a_picture_that_is_needed_is_missed_in_words_and_nothing_is_lost(alice, world, door, fields):
    with nothing_appears():
        answer = alice.post(path(world.alice, *door), data={**filled_in(world.alice, words="the seam"), **fields})
    assert answer.status_code == 422
    assert "Please add a picture of Stoneware mug: this reason needs one." in answer.text
    assert 'value="the seam"' in answer.text


def test_pictures_wait_beside_the_form_and_come_along_with_the_line(alice, world):
    page = to(alice, world.alice, "preview", **photos(world.alice, files.with_gps(), files.photo(5)))
    assert (page.status_code, "with 2 pictures" in page.text) == (200, True)
    assert alice.post(path(world.alice), data=filled_in(world.alice)).status_code == 303
    row = the_return().lines[0]
    assert [picture.about for picture in kept()] == [f"return-line:{row.id}"] * 2
    assert not any(b"Exif" in picture.content for picture in kept())


def test_a_file_that_is_no_picture_is_said_and_the_others_stay(alice, world):
    answer = to(alice, world.alice, "preview", **photos(world.alice, files.photo(), b"just words"))
    assert answer.status_code == 422
    assert "not a picture that we can read" in unescape(answer.text)
    [one] = kept()
    assert f"/orders/{world.alice.ref}/drafts/{one.id}" in answer.text
    gone = to(alice, world.alice, "preview", forget=str(one.id))
    assert (gone.status_code, "Can you show it to us?" in gone.text, kept()) == (200, True, [])


def test_they_are_shown_at_the_desk_and_to_the_customer_with_the_code(client, alice, world):
    to(alice, world.alice, "preview", **photos(world.alice, files.photo()))
    alice.post(path(world.alice), data=filled_in(world.alice))
    [one], ret = kept(), the_return()
    assert f"pictures/{one.id}" not in alice.get(path(world.alice, ret.rma)).text
    show_code(alice, world.alice)
    assert f"/orders/{world.alice.ref}/pictures/{one.id}/thumbnail" in alice.get(path(world.alice, ret.rma)).text
    desk = sign_in(client, world.rita)
    assert f"/desk/pictures/{one.id}/thumbnail" in page_of(desk, ret)
    assert "All rules say yes." in page_of(desk, ret)


def test_whoever_says_that_there_are_pictures_has_to_have_brought_them(alice, world):
    """The action counts for itself; those of another line, of another form and of another order do not count."""
    to(alice, world.alice, "preview", key="b" * 28, **photos(world.alice, files.photo()))
    about = wish(world.alice, reason="too_small")
    with nothing_appears(), pytest.raises(actions.Refused):
        requested(world.alice, type(about)(about.line_id, 1, "too_small", pictures=3))


def test_the_desk_may_do_without_where_somebody_says_why(client, alice, world):
    desk, door = sign_in(client, world.sam), f"/desk/orders/{world.alice.id}"
    with nothing_appears():
        assert desk.post(f"{door}/returns", data=filled_in(world.alice)).status_code == 422
    assert desk.post(f"{door}/exceptions", data={**filled_in(world.alice), "because": "She rang."}).status_code == 303
    [override] = session.scalars(select(ReturnOverride)).all()
    assert (override.rule, override.note) == ("pictures", "She rang.")
