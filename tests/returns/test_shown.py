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
from portal.returns.models import Return
from portal.returns.overrides import ReturnOverride
from tests.conftest import nothing_appears
from tests.returns.hands import at_the_bench, page_of, post, received, requested, saved, wish
from tests.returns.test_asking import filled_in, path, the_return
from tests.returns.test_reasons import changed
from tests.uploads import files
from tests.world import World, open_link, show_code, sign_in


@pytest.fixture
def alice(client: FlaskClient, at_home: World) -> FlaskClient:
    changed("too_small", photo="required")
    changed("too_large", photo="optional")
    return open_link(client, at_home.alice)


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
    saved(world, accepts_itself=False)
    to(alice, world.alice, "preview", **photos(world.alice, files.photo()))
    alice.post(path(world.alice), data=filled_in(world.alice))
    [one], ret = kept(), the_return()
    assert f"pictures/{one.id}" not in alice.get(path(world.alice, ret.rma)).text
    show_code(alice, world.alice)
    assert f"{path(world.alice, ret.rma)}/pictures/{one.id}/thumbnail" in alice.get(path(world.alice, ret.rma)).text
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


# --- what the bench shows ---


@pytest.fixture
def desk(client: FlaskClient, at_home: World) -> FlaskClient:
    """Rita sits at the returns desk; Alice's parcel arrived."""
    return sign_in(client, at_home.rita)


def taken(ret: Return, *raw: bytes, state: int = 1, **differs: Any) -> dict[str, Any]:
    """The bench's form with pictures of the first line."""
    place = f"row_{ret.lines[0].id}" + (f"_{state}" if state > 1 else "")
    files_sent = [(io.BytesIO(each), "IMG_2.jpg") for each in raw]
    return {**at_the_bench(ret, **differs), "key": "k" * 28, f"{place}-photos": files_sent}


WORN = {"grade": "worn", "deduction": "5", "note": "The handle is chipped"}


def test_the_bench_takes_pictures_which_stand_beside_the_deduction(desk, world):
    ret = received(world, world.alice)
    assert post(desk, ret, "inspection", **taken(ret, files.with_gps(), **WORN)).status_code == 303
    [one] = kept()
    assert (one.about, one.staff_id) == (f"inspection:{ret.lines[0].inspections[0].id}", world.rita.id)
    assert b"Exif" not in one.content
    assert f"/desk/pictures/{one.id}/thumbnail" in page_of(desk, ret)
    open_link(desk, world.alice)
    page = desk.get(path(world.alice, ret.rma)).text
    assert "See our pictures" in page
    show_code(desk, world.alice)
    seen = f"{path(world.alice, ret.rma)}/pictures/{one.id}"
    assert f"{seen}/thumbnail" in desk.get(path(world.alice, ret.rma)).text
    assert desk.get(seen).data[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize("hidden", ["by the shop", "without a deduction", "of another order"])
def test_the_customer_sees_no_other_pictures_of_the_bench(desk, world, monkeypatch, hidden):
    ret = received(world, world.alice)
    differs = {} if hidden == "without a deduction" else WORN
    post(desk, ret, "inspection", **taken(ret, files.photo(), **differs))
    settings = desk.application.config["SETTINGS"]
    told = settings.model_copy(update={"show_inspection_pictures": hidden != "by the shop"})
    monkeypatch.setitem(desk.application.config, "SETTINGS", told)
    order = world.bob if hidden == "of another order" else world.alice
    show_code(desk, order)
    assert desk.get(f"{path(order, ret.rma)}/pictures/{kept()[0].id}").status_code == 404
    if order is world.alice:
        assert "pictures/" not in desk.get(path(order, ret.rma)).text


def test_at_the_bench_a_file_that_is_no_picture_loses_nothing_and_counts_nothing(desk, world):
    ret = received(world, world.alice)
    answer = post(desk, ret, "inspection", **taken(ret, files.photo(), b"no", **WORN))
    assert (answer.status_code, ret.inspected_at) == (422, None)
    assert "not a picture that we can read" in unescape(answer.text)
    assert "The handle is chipped" in answer.text
    [one] = kept()
    assert f"/desk/pictures/drafts/{one.id}" in answer.text
    assert post(desk, ret, "inspection", **taken(ret, **WORN)).status_code == 303
    assert kept()[0].about == f"inspection:{ret.lines[0].inspections[0].id}"


def test_pictures_stay_when_it_is_counted_again_and_can_be_taken_away_until_money_is_proposed(desk, world):
    ret = received(world, world.alice, wish(world.alice, quantity=2))
    second = f"row_{ret.lines[0].id}_2"
    worn = {f"{second}-{name}": value for name, value in {"counted": "1", "disposition": "discard", **WORN}.items()}
    post(desk, ret, "inspection", **{**taken(ret, files.photo(), state=2, counted="1"), **worn})
    first, other = ret.lines[0].inspections
    assert kept()[0].about == f"inspection:{other.id}"
    post(desk, ret, "inspection", **at_the_bench(ret, counted="2"), **{f"{second}-counted": "0"})
    assert (len(ret.lines[0].inspections), kept()[0].about) == (1, f"inspection:{first.id}")
    assert post(desk, ret, f"pictures/{kept()[0].id}/removal").status_code == 303
    assert kept() == []
    post(desk, ret, "inspection", **taken(ret, files.photo(), counted="2"))
    post(desk, ret, "refund", amount=4000)
    assert post(desk, ret, f"pictures/{kept()[0].id}/removal").status_code == 409
    assert len(kept()) == 1
