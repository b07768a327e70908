"""Work is offered, taken over or sent back; it never lacks an owner, and who answers for it hears of it."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from portal.db import session
from portal.fulfilment import actions, handoff_lists, handoffs
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.jobs import watch_handoffs
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.staff.absences import go_away
from portal.staff.actions import disable_staff
from portal.staff.models import Department
from tests.conftest import nothing_appears, statements
from tests.fulfilment.hands import brought_to, checked, planned
from tests.world import World, sign_in

HOUR = timedelta(hours=1)


def here(parcel: Parcel) -> HandOff:
    found = handoffs.open_handoff(parcel.id)
    assert found is not None
    return found


def told() -> list[tuple[str, str]]:
    """To whom letters about hand-offs went, and their subjects."""
    session.expire_all()
    found = select(Letter).where(Letter.kind == "handed-to-you").order_by(Letter.id)
    return [(letter.to_address.partition("@")[0], letter.subject) for letter in session.scalars(found)]


@pytest.fixture
def at_work(world: World) -> World:
    """Cleo answers for picking, Sam for packing, Pat for shipping, Max deputises; all have signed in before."""
    session.execute(update(Department).where(Department.code == "packing").values(responsible_id=world.sam.id))
    for person in (world.cleo, world.pat, world.sam, world.max):
        person.password_hash = "none"
    world.sam.role = "packer"
    session.commit()
    return world


def test_a_parcel_goes_from_hand_to_hand_and_each_span_is_measured(world):
    start = clock.now()
    parcel = planned(world.alice, start)
    assert (here(parcel).department, here(parcel).state, here(parcel).owner.name) == ("picking", "offered", "Cleo")
    actions.start_picking(parcel, by=world.dan, now=start + HOUR)
    for packed in parcel.lines:
        actions.pick(packed, packed.quantity, by=world.dan)
    actions.finish_picking(parcel, by=world.dan, now=start + 3 * HOUR)
    assert (here(parcel).department, here(parcel).owner.name) == ("packing", "Dan"), "who offers has it until then"
    handoffs.accept(here(parcel), by=world.pat, now=start + 4 * HOUR)
    assert here(parcel).owner.name == "Pat"
    checked(parcel, world.pat, start + 6 * HOUR)
    actions.pack(parcel, 900, by=world.pat, now=start + 6 * HOUR)
    actions.hand_over(parcel, "dhl", "00340434161094042557", by=world.pat, now=start + 9 * HOUR)
    assert handoffs.open_handoff(parcel.id) is None
    spans = [
        (one.department, one.waited(start) / HOUR, one.worked(start) / HOUR) for one in handoffs.history(parcel.id)
    ]
    assert spans == [("picking", 1, 2), ("packing", 1, 2), ("shipping", 3, 0)]
    figures = handoff_lists.measures(now=start + 10 * HOUR)
    assert (figures["packing"].wait, figures["packing"].work, figures["packing"].done) == (HOUR, 2 * HOUR, 1)


def test_packing_sends_back_with_a_reason_and_everything_is_scanned_again(world):
    parcel = brought_to("picked", world.alice, world.cleo, world.now)
    handoffs.refuse(here(parcel), "wrong_goods", "A blue mug", by=world.pat, now=clock.now())
    session.commit()
    assert (parcel.state, [packed.picked for packed in parcel.lines]) == ("to_pick", [0, 0])
    now = here(parcel)
    assert (now.department, now.owner.name, now.came_back) == ("picking", "Cleo", True)
    assert [(one.state, one.reason, one.note) for one in handoffs.history(parcel.id)][1] == (
        "refused", "wrong_goods", "A blue mug",
    )  # fmt: skip


def test_shipping_sends_back_and_it_is_packed_again(world):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    handoffs.refuse(here(parcel), "wrong_weight", "", by=world.pat, now=clock.now())
    assert (parcel.state, parcel.weight_grams, parcel.packed_at) == ("picked", None, None)
    assert here(parcel).department == "packing"
    checked(parcel, world.pat, clock.now())
    actions.pack(parcel, 1100, by=world.pat, now=clock.now())
    assert (parcel.state, here(parcel).department) == ("packed", "shipping")


@pytest.mark.parametrize(
    ("step", "reason", "note", "who", "says"),
    [
        ("to_pick", "other", "no", "cleo", "no department to send it back to"),
        ("picked", "badly_packed", "", "pat", "Say why"),
        ("picked", "other", " ", "pat", "Say why"),
        ("picked", "", "", "pat", "Say why"),
        ("picked", "wrong_goods", "", "cleo", "another department"),
        ("packed", "wrong_weight", "", "cleo", "another department"),
    ],
)
def test_what_can_not_be_sent_back_stays(world, step, reason, note, who, says):
    parcel = brought_to(step, world.alice, world.pat if step == "packed" else world.cleo, world.now)
    with nothing_appears(), pytest.raises(Refused, match=says):
        handoffs.refuse(here(parcel), reason, note, by=getattr(world, who), now=clock.now())
    assert session.get_one(Parcel, parcel.id).state == step


def test_a_parcel_with_a_label_is_not_sent_back(world):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    actions.make_label(parcel, by=world.pat, now=clock.now())
    with nothing_appears(), pytest.raises(Refused, match="label"):
        handoffs.refuse(here(parcel), "badly_packed", "", by=world.pat, now=clock.now())


def test_only_one_takes_it_over(world):
    parcel = brought_to("picked", world.alice, world.cleo, world.now)
    first = here(parcel)
    handoffs.accept(first, by=world.pat, now=clock.now())
    with nothing_appears(), pytest.raises(Refused):
        handoffs.accept(first, by=world.max, now=clock.now())
    assert here(parcel).owner.name == "Pat"


def test_what_is_put_back_is_offered_again_and_a_second_parcel_too(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    actions.put_back(parcel, by=world.cleo, now=clock.now())
    assert (here(parcel).department, here(parcel).state) == ("picking", "offered")
    brought_to("picked", world.alice, world.cleo, world.now)
    second = actions.split(parcel, {parcel.lines[0].id: 1}, by=world.pat, now=clock.now())
    assert (here(second).department, here(second).owner.name) == ("packing", "Pat")


def test_what_somebody_has_who_is_away_goes_to_the_deputy(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    go_away(world.cleo, shop_day(clock.now()), shop_day(clock.now()), by=world.cleo, now=clock.now())
    assert handoffs.mend(now=clock.now()) == 1
    assert (here(parcel).owner, here(parcel).state) == (world.max, "accepted")
    assert handoffs.mend(now=clock.now()) == 0, "it stays where it is"


def test_nothing_is_ever_without_an_owner(world):
    """What others moved, what was here before hand-offs were counted, and what people had who left."""
    alice = brought_to("picked", world.alice, world.cleo, world.now)
    bob = brought_to("picking", world.bob, world.dan, world.now)
    session.execute(delete(HandOff).where(HandOff.parcel_id == alice.id))
    disable_staff(world.dan, now=clock.now())
    session.commit()
    watch_handoffs()
    session.expire_all()
    assert (here(alice).department, here(alice).owner.name) == ("packing", "Pat")
    assert (here(bob).department, here(bob).state, here(bob).owner.name) == ("picking", "accepted", "Cleo")
    assert handoffs.mend(now=clock.now()) == 0


def test_what_left_in_another_way_has_no_owner_any_more(world):
    parcel = planned(world.alice, world.now)
    session.execute(update(Parcel).where(Parcel.id == parcel.id).values({"state": "cancelled"}))
    session.commit()
    watch_handoffs()
    session.expire_all()
    assert handoffs.open_handoff(parcel.id) is None


def test_who_answers_for_it_and_the_deputy_are_told_once_for_all_that_waits(at_work):
    for order in (at_work.alice, at_work.bob):
        planned(order, clock.now())
    session.commit()
    watch_handoffs()
    assert told() == [], "what is taken over at once needs no letter"
    with clock.moved(timedelta(minutes=20)):
        watch_handoffs()
        watch_handoffs()
    assert told() == [("cleo", "Picking: 2 parcels wait"), ("max", "Picking: 2 parcels wait")]
    with clock.moved(5 * HOUR):
        watch_handoffs()
        watch_handoffs()
    assert len(told()) == 4, "once more when it waits too long"
    late = session.scalars(select(Letter).order_by(Letter.id.desc())).first()
    assert "2 of them have been waiting for more than four hours" in late.text


def test_what_was_sent_back_is_told_at_once_with_its_reason(at_work):
    parcel = brought_to("picked", at_work.alice, at_work.dan, at_work.now)
    handoffs.refuse(here(parcel), "damaged_goods", "", by=at_work.sam, now=clock.now())
    session.commit()
    watch_handoffs()
    assert [name for name, _ in told()] == ["cleo", "max"]
    assert "Damaged goods" in session.scalars(select(Letter.text)).first()


def test_nobody_is_told_of_what_they_offered_themselves(at_work):
    session.execute(update(Department).where(Department.code == "packing").values(deputy_id=None))
    brought_to("picked", at_work.alice, at_work.sam, clock.now())
    with clock.moved(timedelta(minutes=20)):
        watch_handoffs()
    assert told() == []


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    return sign_in(client, world.pat)


def test_the_desk_shows_what_waits_takes_it_over_and_sends_it_back(desk, world):
    parcel = brought_to("picked", world.alice, world.cleo, world.now)
    page = desk.get("/desk/handoffs?department=packing").text
    assert "1001" in page and "Cleo" in page and "Take over all that waits" in page  # noqa: PT018
    one = here(parcel).id
    assert desk.post("/desk/handoffs/acceptances", data={"department": "packing", "id": [one]}).status_code == 303
    session.expire_all()
    assert here(parcel).owner.name == "Pat"
    shown = desk.get(f"/desk/parcels/{parcel.id}").text
    assert "Something is wrong with it" in shown
    sent = {"reason": "goods_missing", "note": "one mug"}
    assert desk.post(f"/desk/handoffs/{one}/refusal", data=sent).status_code == 303
    assert desk.post(f"/desk/handoffs/{one}/refusal", data=sent).status_code == 409
    shown = desk.get(f"/desk/parcels/{parcel.id}").text
    assert "Goods are missing" in shown and "one mug" in shown  # noqa: PT018


def test_an_empty_list_says_so(desk):
    assert "Nothing waits here" in desk.get("/desk/handoffs?department=packing").text
    assert desk.get("/desk/handoffs?department=nonsense").status_code == 404


def test_the_rail_counts_what_waits_for_me(desk, world):
    planned(world.alice, world.now)
    session.commit()
    assert session.scalar(handoff_lists.for_me(world.cleo.id)) == 1
    assert session.scalar(handoff_lists.for_me(world.max.id)) == 1, "the deputy too"
    assert session.scalar(handoff_lists.for_me(world.pat.id)) == 0


def test_a_long_list_takes_as_many_statements_as_a_short_one(desk, world):
    planned(world.alice, world.now)
    session.commit()
    desk.get("/desk/handoffs?department=picking")
    with statements() as short:
        desk.get("/desk/handoffs?department=picking")
    planned(world.bob, world.now)
    session.commit()
    with statements() as long:
        desk.get("/desk/handoffs?department=picking")
    assert len(long) == len(short)
    assert "1001" in desk.get("/desk/handoffs?department=picking").text


def test_admins_say_who_answers_for_a_department(client: Any, world: World):
    world.max.role = "admin"
    session.commit()
    admin = sign_in(client, world.max)
    assert "Answers for it" in admin.get("/desk/people/departments").text
    given = {"responsible": world.dan.id, "deputy": world.cleo.id}
    assert admin.post("/desk/people/departments/picking", data=given).status_code == 303
    session.expire_all()
    row = session.scalars(select(Department).where(Department.code == "picking")).one()
    assert (row.responsible_id, row.deputy_id) == (world.dan.id, world.cleo.id)
    for wrong in ({"responsible": world.dan.id, "deputy": world.dan.id}, {"responsible": "0"}, {}):
        assert admin.post("/desk/people/departments/picking", data=wrong).status_code == 409
    assert admin.post("/desk/people/departments/nonsense", data=given).status_code == 404
