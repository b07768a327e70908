"""Labels for the way back: bought once a return is accepted, exactly once, within limits, and given back unused."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import session
from portal.fulfilment.jobs import sweep_labels
from portal.fulfilment.models import BackParcel, LabelPurchase
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.models import OrderFlag
from portal.returns import actions, labels_back
from portal.returns.models import Return
from tests.conftest import nothing_appears
from tests.couriers import easypost, selling  # noqa: F401
from tests.returns.claim_hands import accepted, claimed
from tests.returns.hands import approved, delivered, requested
from tests.returns.test_dispatch import withdrawn
from tests.world import World, open_link, show_code


@pytest.fixture(autouse=True)
def arrived(app: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gives = {"return_labels": "bought", "return_label_most": ["EUR:6.00"], "return_labels_a_day": 3}
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=gives))
    delivered(world, world.alice, clock.now() - timedelta(days=2))


def bought(work: Any) -> None:
    for task in (
        "returns.order_first_label",
        "fulfilment.fetch_rates",
        "fulfilment.buy_label",
        "fulfilment.fetch_paper",
    ):
        work(task=task)
    work(task="returns.tell_of_label")
    session.expire_all()


def label_of(ret: Return) -> BackParcel:
    [parcel] = ret.living
    return parcel


def test_who_sends_back_what_is_broken_gets_one_too_and_no_fee(selling, world, work):  # noqa: F811
    ret = accepted(world, claimed(world.alice, wish="repair"), "repair").ret
    bought(work)
    assert (label_of(ret).source, [row.fees for row in ret.lines]) == ("bought", [[]])


def test_it_is_bought_when_the_return_is_accepted_and_the_customer_hears_of_it(selling, world, work):  # noqa: F811
    ret = requested(world.alice)
    bought(work)
    assert selling.book.data["shipments"] == {}
    actions.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    bought(work)
    parcel = label_of(ret)
    assert (parcel.source, parcel.courier) == ("bought", "gls")
    assert parcel.tracking_number
    [shipment] = selling.bought()
    assert (shipment["is_return"], shipment["from_address"]["city"]) == (True, "Berlin")
    [letter] = session.scalars(select(Letter).where(Letter.kind == "return-label")).all()
    assert "GLS" in letter.text


def test_a_withdrawal_gets_one_too_and_however_often_it_is_told_it_is_one(selling, world, work):  # noqa: F811
    ret = withdrawn(world)
    bought(work)
    labels_back.first_label(ret.id, now=clock.now())
    session.commit()
    bought(work)
    assert len(selling.bought()) == 1


def test_the_line_that_breaks_buys_no_second_label(selling, world, work):  # noqa: F811
    selling.fault("cut", "after", match="POST /v2/shipments/shp")
    ret = approved(world, world.alice)
    bought(work)
    assert session.scalars(select(LabelPurchase.state)).all() == ["unknown"]
    with clock.moved(timedelta(hours=1)):
        sweep_labels()
        bought(work)
    assert len(selling.bought()) == 1
    assert label_of(ret).tracking_number


def test_what_is_dearer_than_the_shop_allows_is_not_bought(selling, app, world, work, monkeypatch):  # noqa: F811
    cheap = app.config["SETTINGS"].model_copy(update={"return_label_most": ["EUR:1.00"]})
    monkeypatch.setitem(app.config, "SETTINGS", cheap)
    ret = approved(world, world.alice)
    bought(work)
    assert (selling.bought(), ret.living) == ([], [])
    assert session.scalars(select(OrderFlag.code)).all() == ["no_return_label"]


def test_a_flood_buys_no_more_than_the_day_allows(selling, world, work):  # noqa: F811
    ret = approved(world, world.alice)
    bought(work)
    for _ in range(2):
        labels_back.order_label(ret, by="customer", now=clock.now())
        session.commit()
    with nothing_appears(), pytest.raises(Refused, match="all labels"):
        labels_back.order_label(ret, by="customer", now=clock.now())
    session.rollback()
    delivered(world, world.bob)
    approved(world, world.bob)
    bought(work)
    assert len(selling.bought()) == 3
    assert session.scalars(select(OrderFlag.code)).all() == ["no_return_label"]


def test_what_is_not_used_is_given_back(selling, world, work):  # noqa: F811
    ret = approved(world, world.alice)
    bought(work)
    actions.cancel_return(ret, now=clock.now())
    session.commit()
    work(task="returns.give_labels_back")
    work(task="fulfilment.void_label")
    session.expire_all()
    assert session.scalars(select(LabelPurchase.state)).all() == ["voided"]
    assert ret.living == []


def test_the_label_shows_an_address_so_it_wants_the_code_by_mail(selling, client, world, work):  # noqa: F811
    ret = approved(world, world.alice)
    bought(work)
    path = f"/orders/{world.alice.ref}/returns/{ret.rma}"
    stranger = open_link(client, world.alice)
    assert "Get the label" in stranger.get(path).text
    assert "/code" in stranger.get(f"{path}/label").headers["Location"]
    mine = show_code(client, world.alice)
    answer = mine.get(f"{path}/label")
    assert (answer.status_code, answer.mimetype, answer.data[:4]) == (200, "application/pdf", b"%PDF")
    assert mine.get(f"{path}/drop-off-code").mimetype == "image/png"


def test_one_more_parcel_gets_one_more_label(selling, client, world, work):  # noqa: F811
    ret = approved(world, world.alice)
    bought(work)
    path = f"/orders/{world.alice.ref}/returns/{ret.rma}"
    assert open_link(client, world.alice).post(f"{path}/labels").status_code == 303
    bought(work)
    assert len(ret.living) == 2
