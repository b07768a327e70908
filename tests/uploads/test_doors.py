"""Who is shown which picture, as what; and how large a request may be."""

import io
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.lib import clock
from portal.lib.tokens import digest
from portal.pictures.forms import ONE_REQUEST
from tests.uploads.hands import draft, sent, uploader
from tests.world import World, open_link, show_code, sign_in


def address(world: World, picture_id: int, rest: str = "") -> str:
    return f"/orders/{world.alice.ref}/pictures/{picture_id}{rest}"


def test_l6_pictures_are_shown_with_the_code_only(client: FlaskClient, world: World) -> None:
    mine = sent(world.alice, "return:1")
    open_link(client, world.alice)
    for rest in ("", "/thumbnail"):
        answer = client.get(address(world, mine.id, rest))
        assert (answer.status_code, answer.location.partition("?")[0]) == (303, f"/orders/{world.alice.ref}/code")
    show_code(client, world.alice)
    for rest in ("", "/thumbnail"):
        answer = client.get(address(world, mine.id, rest))
        assert (answer.status_code, answer.data[:3]) == (200, b"\xff\xd8\xff")


def test_8_2_2_nobody_is_shown_pictures_of_another_order_of_staff_or_drafts(client: FlaskClient, world: World) -> None:
    show_code(client, world.alice)
    bobs, staffs = sent(world.bob, "return:1"), sent(world.alice, "inspection:1", staff=world.rita)
    for picture in (bobs, staffs, draft(world.alice)):
        assert client.get(address(world, picture.id)).status_code == 404


def test_3_2_1_and_5_4_1_and_5_4_2_a_picture_is_a_file_and_never_a_page(client: FlaskClient, world: World) -> None:
    mine = sent(world.alice, "return:1")
    show_code(sign_in(client, world.rita), world.alice)
    for path in (address(world, mine.id), f"/desk/pictures/{mine.id}/content", f"/desk/pictures/{mine.id}/thumbnail"):
        said = client.get(path).headers
        assert said["Content-Type"] == "image/jpeg"
        assert said["Content-Disposition"] == f'attachment; filename="picture-{mine.id}.jpg"'
        assert said["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert said["X-Content-Type-Options"] == "nosniff"
        assert said["Cache-Control"] == "no-store, private"


def test_a_draft_is_shown_in_the_browser_that_brought_it_and_in_no_other(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    cookie = client.get_cookie("c")
    assert cookie
    mine, others = draft(world.alice, 0, uploader(world.alice, digest(cookie.value))), draft(world.alice, 5)
    drafts = f"/orders/{world.alice.ref}/drafts"
    assert client.get(f"{drafts}/{mine.id}").status_code == 200
    assert client.get(f"{drafts}/{others.id}").status_code == 404
    with clock.moved(timedelta(days=31)):  # an old link looks, and does not act
        open_link(client, world.bob)
        assert client.get(f"{drafts}/{mine.id}").status_code == 404


def test_staff_see_what_was_sent_where_it_comes_from_and_where_it_was_used(client: FlaskClient, world: World) -> None:
    before, again = sent(world.bob, "return:1"), sent(world.alice, "return:2")
    page = sign_in(client, world.rita).get(f"/desk/pictures/{again.id}").text
    assert "the customer" in page
    assert f"/desk/pictures/{before.id}/thumbnail" in page
    assert "Looks like" not in client.get(f"/desk/pictures/{before.id}").text
    assert "Rita" in client.get(f"/desk/pictures/{sent(world.bob, 'inspection:1', 5, world.rita).id}").text


def test_a_person_s_own_draft_is_shown_to_them_only(client: FlaskClient, world: World) -> None:
    ritas = draft(world.alice, 0, uploader(world.alice, None, world.rita))
    assert sign_in(client, world.rita).get(f"/desk/pictures/drafts/{ritas.id}").status_code == 200
    assert client.get(f"/desk/pictures/{ritas.id}").status_code == 404
    assert sign_in(client, world.max).get(f"/desk/pictures/drafts/{ritas.id}").status_code == 404


def test_pickers_see_no_pictures(client: FlaskClient, world: World) -> None:
    assert sign_in(client, world.dan).get(f"/desk/pictures/{sent(world.alice, 'return:1').id}").status_code == 403


# --- how much is read at all ---


@pytest.fixture
def large(client: FlaskClient, world: World, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A browser before a form of Alice's that takes pictures."""
    view = client.application.view_functions["codes.confirm"]
    monkeypatch.setattr(view, "most_bytes", ONE_REQUEST, raising=False)
    return client


def sends(client: FlaskClient, world: World, size: int) -> TestResponse:
    return client.post(f"/orders/{world.alice.ref}/code", data={"photo": (io.BytesIO(b"x" * size), "a.jpg")})


def test_5_2_1_a_form_with_pictures_may_be_larger_but_not_without_end(large: FlaskClient, world: World) -> None:
    open_link(large, world.alice)
    assert sends(large, world, 3_000_000).status_code == 422
    answer = sends(large, world, ONE_REQUEST + 1)
    assert (answer.status_code, "send fewer at once" in answer.text) == (413, True)


def test_5_2_1_a_stranger_sends_nothing_large(large: FlaskClient, world: World) -> None:
    assert sends(large, world, 3_000_000).status_code == 404


def test_5_2_1_other_forms_stay_small(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    assert sends(client, world, 3_000_000).status_code == 413
