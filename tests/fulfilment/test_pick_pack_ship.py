"""From a paid order to a parcel that the courier has."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.db import session
from portal.fulfilment import actions
from portal.fulfilment.models import CourierEvent, Parcel, ParcelLine
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders import timeline
from portal.orders.actions import accept_order
from tests.conftest import nothing_appears, owed
from tests.fulfilment.hands import STEPS, brought_to, planned
from tests.world import ALICES_ORDER, World


def the_parcel(order_id: int) -> Parcel:
    return session.scalars(select(Parcel).where(Parcel.order_id == order_id)).one()


def told(world: World) -> list[str]:
    return [entry.kind for entry in timeline.for_staff(world.alice.id)]


def test_a_new_order_becomes_one_parcel_with_all_its_goods(world, work):
    work(task="fulfilment.plan")
    parcel = the_parcel(world.alice.id)
    assert parcel.state == "to_pick"
    assert [(packed.line.sku, packed.quantity, packed.picked) for packed in parcel.lines] == [
        ("MUG-01", 2, 0),
        ("SHIRT-M", 1, 0),
    ]


def test_planning_twice_makes_one_parcel(world, work):
    work(task="fulfilment.plan")
    assert actions.plan_parcels(world.alice.id, now=clock.now()) is None
    assert session.scalar(select(func.count()).select_from(Parcel).where(Parcel.order_id == world.alice.id)) == 1


def test_an_order_with_nothing_to_send_gets_no_parcel(world):
    only_shipping = replace(ALICES_ORDER, external_id="A-9", payment_intent="pi_9", lines=ALICES_ORDER.lines[2:])
    order, _ = accept_order(only_shipping, by="channel", now=world.now)
    assert actions.plan_parcels(order.id, now=world.now) is None


def test_the_whole_way_to_the_courier(world):
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    assert (parcel.state, parcel.courier, parcel.tracking_number) == ("handed_over", "dhl", "00340434161094042557")
    assert (parcel.weight_grams, parcel.packed_at, parcel.handed_over_at) == (1240, world.now, world.now)
    assert {"parcel.picking", "parcel.picked", "parcel.packed", "parcel.handed_over"} <= set(told(world))


def test_handing_over_owes_the_letter_and_the_work_on_what_the_courier_said_before(world):
    brought_to("packed", world.alice, world.pat, world.now)
    assert session.scalars(select(Letter)).all() == []
    parcel = brought_to_courier(world)
    letter = session.scalars(select(Letter)).one()
    assert (letter.kind, letter.to_address, letter.order_id) == ("on-its-way", "alice@example.org", world.alice.id)
    assert ("mail.send_letter", {"letter_id": letter.id}) in owed()
    assert ("fulfilment.work_off_parked", {"parcel_id": parcel.id, "order_id": world.alice.id}) in owed()


def brought_to_courier(world: World) -> Parcel:
    parcel = planned(world.alice, world.now)
    actions.hand_over(parcel, "dhl", " 0034 0434\t161094042557 ", by=world.pat, now=world.now)
    session.commit()
    return parcel


def test_the_number_is_kept_without_blanks(world):
    brought_to("packed", world.alice, world.pat, world.now)
    assert brought_to_courier(world).tracking_number == "00340434161094042557"


def test_without_an_address_to_write_to_the_parcel_still_leaves(world):
    world.alice.customer.email = None
    assert brought_to("handed_over", world.alice, world.pat, world.now).state == "handed_over"
    assert session.scalars(select(Letter)).all() == []


def test_a_stranger_in_the_basket_is_refused(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    for code in ("RUG-07", "", "   ", "MUG", "x" * 5000):
        with nothing_appears(), pytest.raises(Refused):
            actions.line_to_pick(parcel, code)


def test_a_code_is_found_whatever_its_case_and_blanks(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    assert actions.line_to_pick(parcel, " mug-01\n").line.sku == "MUG-01"


def test_of_two_lines_with_one_code_the_one_that_misses_pieces_is_meant(world):
    twice = [replace(line, sku="MUG-01") for line in ALICES_ORDER.lines]
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="A-9", payment_intent="pi_9", lines=tuple(twice)), by="channel", now=world.now
    )
    parcel = brought_to("picking", order, world.cleo, world.now)
    first, second = parcel.lines
    assert actions.line_to_pick(parcel, "MUG-01") is first
    actions.pick(first, first.quantity, by=world.cleo)
    assert actions.line_to_pick(parcel, "MUG-01") is second


def test_one_piece_too_many_is_refused_and_not_counted(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    shirt = parcel.lines[1]
    actions.pick(shirt, 1, by=world.cleo)
    with nothing_appears(), pytest.raises(Refused, match="Too many: Linen shirt is complete with 1"):
        actions.pick(shirt, 1, by=world.cleo)
    assert session.get_one(ParcelLine, shirt.id).picked == 1


def test_a_piece_can_be_taken_back_but_not_below_nothing(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    mug = parcel.lines[0]
    actions.pick(mug, 2, by=world.cleo)
    actions.pick(mug, -1, by=world.cleo)
    assert mug.picked == 1
    with pytest.raises(Refused):
        actions.pick(mug, -2, by=world.cleo)
    assert session.get_one(ParcelLine, mug.id).picked == 1


def test_nobody_picks_in_another_s_basket(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    with nothing_appears(), pytest.raises(Refused, match="Cleo is picking this parcel"):
        actions.pick(parcel.lines[0], 1, by=world.dan)


def test_two_who_start_the_same_parcel_one_wins(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    with nothing_appears(), pytest.raises(Refused):
        actions.start_picking(parcel, by=world.dan, now=world.now)
    assert session.get_one(Parcel, parcel.id).picker_id == world.cleo.id


def test_it_is_not_picked_while_a_piece_is_missing(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    actions.pick(parcel.lines[0], 2, by=world.cleo)
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="One piece is still missing"):
        actions.finish_picking(parcel, by=world.cleo, now=world.now)
    assert session.get_one(Parcel, parcel.id).state == "picking"


def test_put_back_forgets_what_was_counted_and_frees_the_parcel(world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    actions.pick(parcel.lines[0], 2, by=world.cleo)
    actions.put_back(parcel, by=world.dan, now=world.now)
    session.commit()
    session.expire_all()
    assert (parcel.state, parcel.picker_id, [packed.picked for packed in parcel.lines]) == ("to_pick", None, [0, 0])
    actions.start_picking(parcel, by=world.dan, now=world.now)


@pytest.mark.parametrize("grams", [0, -5, 70_001])
def test_a_weight_that_cannot_be_is_refused(world, grams):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused):
        actions.pack(parcel, grams, by=world.pat, now=world.now)


@pytest.mark.parametrize(
    ("step", "verb"),
    [
        ("to_pick", lambda parcel, by, now: actions.finish_picking(parcel, by=by, now=now)),
        ("to_pick", lambda parcel, by, now: actions.pack(parcel, 100, by=by, now=now)),
        ("picking", lambda parcel, by, now: actions.pack(parcel, 100, by=by, now=now)),
        ("picked", lambda parcel, by, now: actions.start_picking(parcel, by=by, now=now)),
        ("picked", lambda parcel, by, now: actions.make_label(parcel, by=by, now=now)),
        ("picked", lambda parcel, by, now: actions.hand_over(parcel, "dhl", "12345", by=by, now=now)),
        ("packed", lambda parcel, by, now: actions.pack(parcel, 100, by=by, now=now)),
        ("handed_over", lambda parcel, by, now: actions.hand_over(parcel, "ups", "12345", by=by, now=now)),
        ("handed_over", lambda parcel, by, now: actions.put_back(parcel, by=by, now=now)),
        ("handed_over", lambda parcel, by, now: actions.make_label(parcel, by=by, now=now)),
    ],
)
def test_no_step_is_skipped_or_done_twice(world, step, verb):
    parcel = brought_to(step, world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused):
        verb(parcel, world.pat, world.now)
    assert session.get_one(Parcel, parcel.id).state == step


@pytest.mark.parametrize(("courier", "number"), [("pigeon", "12345"), ("dhl", "  "), ("own", "AS482137705193")])
def test_it_goes_to_nobody_without_a_courier_and_a_number(world, courier, number):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused):
        actions.hand_over(parcel, courier, number, by=world.pat, now=world.now)


@pytest.mark.parametrize(("state", "words"), [("on_hold", "on hold"), ("cancelled", "cancelled")])
@pytest.mark.parametrize(
    ("step", "verb"),
    [
        ("to_pick", lambda parcel, by, now: actions.start_picking(parcel, by=by, now=now)),
        ("packed", lambda parcel, by, now: actions.hand_over(parcel, "dhl", "12345", by=by, now=now)),
    ],
)
def test_nothing_leaves_for_an_order_that_is_held_or_cancelled(world, state, words, step, verb):
    parcel = brought_to(step, world.alice, world.pat, world.now)
    world.alice.state = state
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match=words):
        verb(parcel, world.pat, world.now)
    assert session.get_one(Parcel, parcel.id).state == step


def test_our_own_label_is_made_once_and_goes_with_our_own_courier(world):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    actions.make_label(parcel, by=world.pat, now=world.now)
    number = parcel.tracking_number
    actions.make_label(parcel, by=world.pat, now=world.now)
    assert (parcel.tracking_number, parcel.tracking_status) == (number, "label_created")
    actions.hand_over(parcel, "own", str(number), by=world.pat, now=world.now + timedelta(minutes=5))
    assert (parcel.state, parcel.courier, parcel.tracking_status) == ("handed_over", "own", "picked_up")


def test_what_our_own_courier_says_moves_the_parcel(world):
    parcel = brought_to("handed_over", world.alice, world.pat, world.now, courier="own")
    later = world.now + timedelta(hours=3)
    actions.say(parcel, actions.Tracking.delivered, "Berlin", by=world.pat, now=later)
    assert (parcel.tracking_status, parcel.delivered_at, world.alice.state) == ("delivered", later, "closed")


def test_nobody_speaks_for_another_courier(world):
    parcel = brought_to("handed_over", world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused):
        actions.say(parcel, actions.Tracking.delivered, "", by=world.pat, now=world.now)
    assert session.scalars(select(CourierEvent)).all() == []


def test_what_does_not_fit_goes_into_a_second_parcel(world):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    mugs, shirt = parcel.lines
    second = actions.split(parcel, {mugs.id: 1, shirt.id: 1}, by=world.pat, now=world.now)
    session.commit()
    session.expire_all()
    assert [(packed.line.sku, packed.quantity, packed.picked) for packed in parcel.lines] == [("MUG-01", 1, 1)]
    assert [(packed.line.sku, packed.quantity, packed.picked) for packed in second.lines] == [
        ("MUG-01", 1, 1),
        ("SHIRT-M", 1, 1),
    ]
    assert second.state == "picked"


@pytest.mark.parametrize("pieces", [(0, 0), (2, 1), (3, 0), (-1, 1)])
def test_a_split_leaves_something_in_both_and_nothing_out_of_thin_air(world, pieces):
    parcel = brought_to("picked", world.alice, world.pat, world.now)
    wanted = dict(zip([packed.id for packed in parcel.lines], pieces, strict=True))
    with nothing_appears(), pytest.raises(Refused):
        actions.split(parcel, wanted, by=world.pat, now=world.now)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "picked"])
def test_only_a_picked_parcel_is_split(world, step):
    parcel = brought_to(step, world.alice, world.pat, world.now)
    with nothing_appears(), pytest.raises(Refused):
        actions.split(parcel, {parcel.lines[0].id: 1}, by=world.pat, now=world.now)
