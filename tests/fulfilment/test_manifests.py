"""A courier's scan form for the parcels of a list: made once, whatever the line does, or said why there is none."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import session
from portal.demo.easypost import Book
from portal.fulfilment import actions, buying, closing, manifests
from portal.fulfilment.jobs import sweep_labels
from portal.fulfilment.manifests import Manifest
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears, owed
from tests.fulfilment.hands import brought_to
from tests.world import World, sign_in

HOUR = timedelta(hours=1)


def handed_over(world: World, order: Any, carrier: str, work: Any) -> None:
    """With a label bought from this carrier."""
    parcel = brought_to("packed", order, world.pat, world.now)
    purchase = buying.ask_for_rates(parcel, by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.fetch_rates")
    session.refresh(purchase)
    offer = next(one for one in purchase.offers if one.carrier == carrier)
    buying.choose_rate(purchase, offer.id, by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.buy_label")
    session.refresh(parcel)
    actions.hand_over(parcel, str(parcel.courier), str(parcel.tracking_number), by=world.pat, now=clock.now())
    session.commit()


@pytest.fixture
def closed(selling: Any, world: World, work: Any) -> Manifest:
    """Alice's and Bob's parcels went with DHL, and its day is closed."""
    for order in (world.alice, world.bob):
        handed_over(world, order, "DHL", work)
    closing.close_day("dhl", by=world.pat, now=clock.now())
    session.commit()
    return session.scalars(select(Manifest)).one()


def fresh(form: Manifest) -> Manifest:
    session.expire_all()
    return form


def later(work: Any) -> None:
    with clock.moved(HOUR):
        sweep_labels()
        work(task="fulfilment.make_manifest")


def test_the_form_is_made_and_kept(selling, closed, work, client, world):
    work(task="fulfilment.make_manifest")
    [made] = selling.book.data["forms"].values()
    assert (fresh(closed).state, closed.remote_id, len(made["tracking_codes"])) == ("made", made["id"], 2)
    sign_in(client, world.pat)
    assert "Scan form of DHL" in client.get("/desk/couriers").text
    paper = client.get(f"/desk/couriers/manifests/{closed.id}/paper")
    assert (paper.mimetype, paper.data[:4]) == ("application/pdf", b"%PDF")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["cut", "500", "429", "lie"])
@pytest.mark.parametrize("match", ["POST /v2/scan_forms", "GET /forms/"])
def test_it_is_made_once_whatever_the_line_does(selling, closed, work, what, when, match):
    selling.fault(what, when, match=match)
    work(task="fulfilment.make_manifest")
    assert (fresh(closed).state, bool(closed.trouble)) == ("sent", True)
    later(work)
    assert (fresh(closed).state, len(selling.book.data["forms"])) == ("made", 1)


def test_one_that_is_still_being_made_is_looked_at_again(selling, closed, work, monkeypatch):
    keep = Book.keep

    def slowly(book: Book, kind: str, thing: dict[str, Any]) -> dict[str, Any]:
        return keep(book, kind, {**thing, "status": "creating", "form_url": None} if kind == "forms" else thing)

    monkeypatch.setattr(Book, "keep", slowly)
    work(task="fulfilment.make_manifest")
    [form] = selling.book.data["forms"].values()
    assert (fresh(closed).state, closed.remote_id) == ("sent", form["id"])
    form |= {"status": "created", "form_url": f"{selling.address.removesuffix('/v2')}/forms/{form['id']}.pdf"}
    later(work)
    assert (fresh(closed).state, len(selling.book.data["forms"])) == ("made", 1)


def test_a_carrier_without_forms_says_so_and_our_list_is_there_all_the_same(selling, world, work, client):
    handed_over(world, world.alice, "GLS", work)
    closing.close_day("gls", by=world.pat, now=clock.now())
    session.commit()
    work(task="fulfilment.make_manifest")
    form = session.scalars(select(Manifest)).one()
    assert (form.state, form.trouble) == ("failed", "This carrier has no scan forms.")
    page = sign_in(client, world.pat).get("/desk/couriers").text
    assert "This carrier has no scan forms." in page
    assert "/list.pdf" in page
    assert client.post(f"/desk/couriers/manifests/{form.id}/renewal").status_code == 303
    assert owed("fulfilment.make_manifest")


def test_it_is_not_asked_for_again_while_it_is_there(selling, closed, work, client, world):
    work(task="fulfilment.make_manifest")
    sign_in(client, world.pat)
    with nothing_appears():
        assert client.post(f"/desk/couriers/manifests/{closed.id}/renewal").status_code == 409
        with pytest.raises(Refused):
            manifests.ask_again(fresh(closed), now=clock.now())
    assert client.get("/desk/couriers/manifests/9999/paper").status_code == 404


def test_after_an_hour_of_silence_a_person_is_told(selling, closed, work):
    selling.fault("500", match="POST /v2/scan_forms", times=99)
    closed.tries = manifests.MOST_TRIES
    session.commit()
    work(task="fulfilment.make_manifest")
    assert (fresh(closed).state, bool(closed.trouble)) == ("failed", True)


def test_labels_that_were_bought_elsewhere_have_no_form(world: World, work: Any) -> None:
    brought_to("handed_over", world.alice, world.pat, clock.now())
    closing.close_day("dhl", by=world.pat, now=clock.now())
    session.commit()
    assert session.scalars(select(Manifest)).all() == []
