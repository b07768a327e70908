"""Each rule says yes, no, or that a person must look, with a sentence."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import current_app

from portal.adapters.couriers import Tracking
from portal.db import session
from portal.fulfilment import actions as fulfilment
from portal.lib import clock
from portal.orders.flags import tell
from portal.orders.payments import add_external
from portal.refunds.actions import open_refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, bench, rules
from portal.returns.goods import Facts, last_day, read
from portal.returns.rules import Answer, Wish
from tests.fulfilment.hands import brought_to, checked
from tests.returns.hands import approved, delivered, found, inspected, line_of, received, requested, wish
from tests.world import World


def facts_of(world: World, **later: float) -> Facts:
    session.expire_all()
    return read(world.alice, now=clock.now() + timedelta(**later))


def answers(facts: Facts, *wishes: Wish) -> list[tuple[Answer, str]]:
    return [(verdict.answer, verdict.message) for verdict in rules.of_wishes(facts, wishes)]


def test_all_rules_say_yes_to_a_plain_return(world):
    delivered(world, world.alice)
    assert answers(facts_of(world), wish(world.alice, quantity=2)) == []


def test_the_window_ends_with_its_last_day(world):
    delivered(world, world.alice, at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    facts = facts_of(world)
    assert facts.last_day == date(2026, 12, 21), "the 20th is a Sunday"
    assert rules.in_time(replace(facts, today=date(2026, 12, 21))).answer is Answer.yes
    late = rules.in_time(replace(facts, today=date(2026, 12, 22)))
    assert (late.answer, late.message) == (
        Answer.no,
        "The time to send something back ended on Monday, 21 December.",
    )


@pytest.mark.parametrize(
    ("delivered_at", "ends"),
    [
        ("2026-11-23T10:00+00:00", "2026-12-23"),
        ("2026-11-23T23:30+00:00", "2026-12-24"),  # midnight has passed in the shop's zone
        ("2026-11-25T10:00+00:00", "2026-12-28"),  # Christmas, then a weekend
        ("2026-12-02T10:00+00:00", "2027-01-04"),  # New Year's Day and a weekend lie between
    ],
)
def test_the_last_day_is_a_working_day_of_the_shop(app, delivered_at, ends):
    day = last_day(datetime.fromisoformat(delivered_at), current_app.config["SETTINGS"])
    assert day == date.fromisoformat(ends)


def test_the_window_counts_from_the_last_parcel(world):
    parcel = brought_to("picked", world.alice, world.max, world.now)
    fulfilment.split(parcel, {parcel.lines[1].id: 1}, by=world.max, now=world.now)
    checked(parcel, world.max, world.now)
    fulfilment.pack(parcel, 800, by=world.max, now=world.now)
    fulfilment.make_label(parcel, by=world.max, now=world.now)
    fulfilment.hand_over(parcel, "own", parcel.tracking_number or "", by=world.max, now=world.now)
    fulfilment.say(parcel, Tracking.delivered, "", by=world.max, now=world.now)
    facts = facts_of(world, days=90)
    assert facts.last_day is None, "one parcel is still to come"
    assert answers(facts, wish(world.alice)) == []
    assert answers(facts, wish(world.alice, "SHIRT-M")) == [(Answer.no, "Linen shirt has not arrived yet.")]


def test_while_no_courier_says_delivered_the_window_is_open_and_a_person_looks(world):
    brought_to("handed_over", world.alice, world.max, world.now)
    assert answers(facts_of(world, days=13), wish(world.alice))[0][0] is Answer.no
    later = facts_of(world, days=400)
    assert later.last_day is None
    assert answers(later, wish(world.alice)) == [
        (Answer.ask, "No courier told us that Stoneware mug arrived. We look at it before we answer.")
    ]


def test_what_went_back_to_us_did_not_arrive(world):
    parcel = brought_to("handed_over", world.alice, world.max, world.now)
    parcel.tracking_status = "returned"
    session.flush()
    assert answers(facts_of(world, days=60), wish(world.alice))[0][0] is Answer.no


@pytest.mark.parametrize("reason", ["not_as_described", "wrong_item", "damaged", "defective"])
def test_where_something_is_wrong_a_person_looks(world, reason):
    delivered(world, world.alice)
    said = answers(facts_of(world), wish(world.alice, reason=reason))
    assert said == [(Answer.ask, "Something is wrong with Stoneware mug. We look at it before we answer.")]


def test_a_changed_order_and_money_given_back_elsewhere_make_a_person_look(world):
    delivered(world, world.alice)
    tell(world.alice.id, "changed", by="channel", now=clock.now())
    add_external(world.alice.payment, 100)
    session.flush()
    assert [answer for answer, _ in answers(facts_of(world), wish(world.alice))] == [Answer.ask, Answer.ask]


def test_shipping_and_lines_of_others_can_t_come_back(world):
    delivered(world, world.alice)
    facts = facts_of(world)
    shipping = next(line for line in world.alice.lines if line.kind == "shipping")
    assert answers(facts, Wish(shipping.id, 1, "other")) == [(Answer.no, "Standard delivery can't be sent back.")]
    assert answers(facts, wish(world.bob)) == [(Answer.no, "This line is not part of the order.")]


def test_a_line_may_be_named_once(world):
    delivered(world, world.alice)
    said = answers(facts_of(world), wish(world.alice), wish(world.alice))
    assert said == [(Answer.no, "The same line is there twice.")]


def test_nothing_at_all_is_no_return(world):
    delivered(world, world.alice)
    assert answers(facts_of(world)) == [(Answer.no, "Choose what you want to send back.")]


def test_money_that_was_given_back_can_t_be_asked_for_again(world):
    delivered(world, world.alice)
    shirt = line_of(world.alice, "SHIRT-M")
    open_refund(world.alice, [RefundPart(shirt.id, 0, 3900)], reason="goodwill", by=world.sam, now=clock.now())
    said = answers(facts_of(world), wish(world.alice, "SHIRT-M"))
    assert said == [(Answer.no, "The money for Linen shirt was given back before.")]


def left(world: World, sku: str = "MUG-01") -> int:
    goods = facts_of(world).of(line_of(world.alice, sku).id)
    assert goods is not None
    return goods.left


def test_pieces_are_free_again_when_a_return_ends_without_them(world):
    delivered(world, world.alice)
    both = wish(world.alice, quantity=2)
    ret = requested(world.alice, both)
    assert left(world) == 0
    actions.decline_return(ret, note="worn", by=world.rita, now=clock.now())
    assert left(world) == 2
    actions.cancel_return(approved(world, world.alice, both), now=clock.now())
    assert left(world) == 2


def test_what_was_counted_replaces_what_was_announced(world):
    delivered(world, world.alice)
    inspected(world, world.alice, wish(world.alice, quantity=2), counted=1)
    assert left(world) == 1


@pytest.mark.parametrize(
    ("differs", "free"),
    [
        ({}, 1),
        ({"counted": 0}, 2),
        ({"grade": "wrong_item"}, 2),
        ({"disposition": "back_to_customer"}, 2),
        ({"counted": 2}, 0),
    ],
)
def test_only_what_stays_with_us_is_gone_for_the_customer(world, differs, free):
    delivered(world, world.alice)
    inspected(world, world.alice, wish(world.alice, quantity=1), **differs)
    assert left(world) == free


def test_goods_that_are_here_count_though_nobody_accepted_them(world):
    delivered(world, world.alice)
    ret = requested(world.alice, wish(world.alice, quantity=2))
    actions.decline_return(ret, note="worn", by=world.rita, now=clock.now())
    actions.receive_return(ret, by=world.rita, now=clock.now())
    assert left(world) == 0
    bench.inspect_return(ret, found(ret, disposition="back_to_customer"), by=world.rita, now=clock.now())
    assert left(world) == 2


def test_a_received_return_is_still_a_return(world):
    delivered(world, world.alice)
    received(world, world.alice, wish(world.alice, quantity=2))
    assert left(world) == 0
