"""Pictures beside a form, given to what it made, swept, seen again elsewhere."""

import io
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage, MultiDict
from wtforms import Form

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.pictures import actions
from portal.pictures.forms import PicturesField
from portal.pictures.jobs import sweep_drafts
from portal.pictures.models import Picture, drafts, pictures_of, used_before
from portal.pictures.reading import read
from tests.conftest import nothing_appears
from tests.uploads import files
from tests.uploads.hands import draft, sent, uploader
from tests.world import World


class PhotoForm(Form):
    photos = PicturesField()


def filled(*raws: bytes, name: str = "IMG_1.jpg") -> PhotoForm:
    return PhotoForm(MultiDict([("photos", FileStorage(io.BytesIO(raw), filename=name)) for raw in raws]))


def taken_in(order: Order, form: PhotoForm, who: actions.Uploader | None = None, forget: int | None = None) -> bool:
    fine = form.photos.take_in(who or uploader(order), forget=forget, now=clock.now())
    session.commit()
    return fine


def how_many() -> int:
    return session.scalar(select(func.count()).select_from(Picture)) or 0


def test_what_is_a_picture_is_kept_and_what_is_none_is_named(world: World) -> None:
    form, who = filled(files.photo(), b"a letter"), uploader(world.alice)
    assert not taken_in(world.alice, form, who)
    assert form.photos.errors == ["IMG_1.jpg: It is not a picture that we can read. Please send JPEG, PNG or WebP."]
    assert len(form.photos.drafts) == len(drafts(world.alice.id, who.key)) == 1


def test_5_3_2_a_name_that_leads_elsewhere_is_nobodys_name(world: World) -> None:
    form = filled(b"no", name="../../etc/\u202epass\0wd" + "x" * 200)
    taken_in(world.alice, form)
    [said] = form.photos.errors
    assert "\u202e" not in said
    assert "\0" not in said
    assert len(said) < 200
    assert sent(world.alice, "return:1").name.startswith("picture-")


def test_a_form_without_a_file_is_fine(world: World) -> None:
    form = PhotoForm(MultiDict([("photos", FileStorage(io.BytesIO(b""), filename=""))]))
    with nothing_appears():
        assert taken_in(world.alice, form)


def test_the_form_that_comes_back_has_its_pictures_and_one_can_be_taken_away(world: World) -> None:
    who = uploader(world.alice)
    taken_in(world.alice, filled(files.photo(), files.photo(5)), who)
    again = PhotoForm(MultiDict())
    assert taken_in(world.alice, again, who)
    first, second = again.photos.drafts
    taken_in(world.alice, again, who, forget=first.id)
    assert [picture.id for picture in again.photos.drafts] == [second.id]


def test_nobody_takes_away_what_is_of_another_form_or_was_sent(world: World) -> None:
    theirs, gone = draft(world.bob), sent(world.alice, "return:1")
    with nothing_appears():
        actions.drop_draft(theirs.id, uploader(world.alice))
        actions.drop_draft(gone.id, actions.Uploader(world.alice.id, gone.form_key))
        session.commit()


def test_the_same_file_twice_is_one_picture(world: World) -> None:
    who = uploader(world.alice)
    taken_in(world.alice, filled(files.photo(), files.photo()), who)
    with nothing_appears():
        assert taken_in(world.alice, filled(files.photo()), who)


def test_it_refuses_a_seventh(world: World) -> None:
    who = uploader(world.alice)
    assert taken_in(world.alice, filled(*(files.photo(turn) for turn in range(6))), who)
    with nothing_appears():
        form = filled(files.photo(6))
        assert not taken_in(world.alice, form, who)
    assert form.photos.errors == ["IMG_1.jpg: No more than 6 pictures, please."]


def test_2_4_1_an_order_takes_so_many_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_A_DAY", 2)
    draft(world.alice, 1)
    draft(world.alice, 2)
    with nothing_appears(but={"buckets"}), pytest.raises(Refused, match="many pictures today"):
        draft(world.alice, 3)
    draft(world.bob, 3)
    with clock.moved(timedelta(days=1)):
        draft(world.alice, 3)


def test_sent_they_belong_to_what_the_form_made(world: World) -> None:
    mine, other = draft(world.alice), draft(world.alice, 5)
    assert actions.attach(world.alice.id, mine.form_key, "return:7") == 1
    assert actions.attach(world.alice.id, mine.form_key, "return:8") == 0
    assert actions.attach(world.bob.id, other.form_key, "return:7") == 0
    assert [picture.id for picture in pictures_of(["return:7", "return:8"])["return:7"]] == [mine.id]


def test_what_nobody_sends_is_swept_after_a_day(world: World) -> None:
    draft(world.alice)
    kept = sent(world.alice, "return:1", turn=5)
    with clock.moved(timedelta(hours=23)):
        sweep_drafts()
    assert how_many() == 2
    with clock.moved(timedelta(hours=25)):
        sweep_drafts()
    assert session.scalars(select(Picture.id)).all() == [kept.id]


def test_a_picture_that_another_order_used_is_found_even_when_it_was_saved_anew(world: World) -> None:
    first, unlike = sent(world.bob, "return:1"), sent(world.bob, "return:2", turn=5)
    own = sent(world.alice, "return:3", turn=5)
    again = sent(world.alice, "return:4")
    session.execute(Picture.__table__.update().where(Picture.id == again.id).values(digest=b"saved anew"))  # type: ignore[attr-defined]
    session.refresh(again)
    assert [picture.id for picture in used_before(again)] == [first.id]
    assert [picture.id for picture in used_before(own)] == [unlike.id]
    assert used_before(first) == []


def test_two_walls_are_no_sign(world: World) -> None:
    for order, white in ((world.alice, "white"), (world.bob, (250, 250, 250))):
        wall = read(files.saved(files.Image.new("RGB", (40, 40), white)))
        who = uploader(order)
        actions.keep_draft(wall, who, now=clock.now())
        actions.attach(order.id, who.key, "return:1")
    last = session.scalars(select(Picture).order_by(Picture.id.desc())).first()
    assert last is not None
    assert used_before(last) == []
