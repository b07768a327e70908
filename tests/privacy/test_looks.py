"""Who of the staff looked at a customer's order: noted once a day, told to who may ask, and let go after a year."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from portal.db import session
from portal.feedback.case_models import Case
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.looks import Look, looked_at
from portal.orders.models import Order
from portal.privacy import retention
from portal.privacy.copy import packed
from portal.privacy.models import orders_of
from portal.refunds.models import Refund
from portal.returns.models import Return
from tests.privacy.test_copy import unpacked
from tests.world import World, sign_in


def looks() -> list[tuple[int, str]]:
    return [(look.order_id, look.role) for look in session.scalars(select(Look).order_by(Look.id))]


def test_every_page_about_a_customer_notes_who_looked(client: FlaskClient, walked: World) -> None:
    world = walked
    sign_in(client, world.max)
    order = world.alice.id
    ids = {model: session.scalar(select(model.id).where(model.order_id == order)) for model in (Parcel, Return, Refund)}
    pages = [
        f"/desk/orders/{order}", f"/desk/parcels/{ids[Parcel]}", f"/desk/returns/{ids[Return]}",
        f"/desk/refunds/{ids[Refund]}", f"/desk/cases/{session.scalar(select(Case.id).where(Case.order_id == order))}",
        f"/desk/orders/{order}/evidence.json",
    ]  # fmt: skip
    for page in pages:
        session.query(Look).delete()
        session.commit()
        assert client.get(page).status_code == 200
        assert looks() == [(order, "manager")], page


def test_a_second_look_on_the_same_day_is_no_news(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    for _ in range(2):
        client.get(f"/desk/orders/{world.alice.id}")
    assert looks() == [(world.alice.id, "support")]
    looked_at(world.alice.id, by=world.sam, now=clock.now() + timedelta(days=1))
    assert len(looks()) == 2


@pytest.mark.parametrize("path", ["/desk/orders/{}", "/desk/orders/999999"])
def test_who_is_shown_nothing_has_not_looked(client: FlaskClient, world: World, path: str) -> None:
    sign_in(client, world.cleo if path.endswith("{}") else world.sam)
    assert client.get(path.format(world.alice.id)).status_code in (403, 404)
    assert looks() == []


def test_the_customers_copy_tells_roles_and_times_and_no_name(world: World) -> None:
    looked_at(world.alice.id, by=world.sam, now=clock.now())
    looked_at(world.bob.id, by=world.rita, now=clock.now())
    data, page = unpacked(packed(orders_of(world.alice.customer_id), now=clock.now()))
    [told] = data["looks"]
    assert {*told} == {"at", "role"}
    assert told["role"] == "support"
    assert "Who of our staff looked at your orders" in page
    assert "Sam" not in page


def test_a_manager_reads_who_looked(client: FlaskClient, world: World) -> None:
    looked_at(world.alice.id, by=world.sam, now=clock.now())
    page = sign_in(client, world.max).get("/desk/privacy?email=alice@example.org").text
    assert "Who looked" in page
    assert "Sam" in page


def test_after_a_year_nobody_knows_it_any_more(world: World) -> None:
    looked_at(world.alice.id, by=world.sam, now=clock.now())
    looked_at(world.alice.id, by=world.rita, now=clock.now())
    session.execute(update(Look).where(Look.role == "support").values(at=clock.now() - timedelta(days=366)))
    assert retention.due("looks", now=clock.now()) == {"": 1}
    retention.apply("looks", now=clock.now())
    assert [role for _, role in looks()] == ["returns"]
    assert session.scalar(select(func.count()).select_from(Order)) >= 2
