"""What is kept counted is what is so: after every answer, every change of mind, every return, every forgetting."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from portal.db import session
from portal.feedback import rollups
from portal.feedback.actions import Said, answer, give_answer
from portal.feedback.jobs import count_by_night
from portal.feedback.models import Answer
from portal.feedback.tallies import Tally, WordTally
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.models import Order
from portal.returns.actions import cancel_return
from tests.feedback.scenes import invited
from tests.returns import hands
from tests.world import build

WEEKS = {"grain": "week"}


def tallied(measure: str, **where: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    """By dimension and value: how many, good, bad; of weeks, and within nothing."""
    at = {"within": "", "within_value": "", **WEEKS, **where}
    found = select(Tally).where(Tally.measure == measure).filter_by(**at)
    return {(one.dimension, one.value): (one.n, one.good, one.bad) for one in session.scalars(found) if one.n}


def said() -> dict[str, int]:
    found = select(WordTally).where(WordTally.about == "", WordTally.n > 0, WordTally.stem != "")
    return {one.stem: one.n for one in session.scalars(found)}


def proven() -> bool:
    """Nothing is counted wrongly."""
    everything = [order_id for batch in rollups.batches() for order_id in batch]
    return not rollups.stale(everything) and not rollups.wrong_sums()


@pytest.fixture
def alice(surveyed):
    return surveyed.alice


def test_who_was_asked_is_counted_and_when_it_arrived(alice):
    assert tallied("asked")["all", "all"] == (1, 0, 0)
    assert tallied("arrived")["promise", "on_time"] == (1, 1, 0)
    assert proven()


def test_an_answer_is_counted_by_all_that_is_known_of_its_order(alice):
    give_answer(alice.id, 5, "The mug is lovely", now=clock.now())
    good = (1, 1, 0)
    assert tallied("csat") == {
        ("all", "all"): good, ("promise", "on_time"): good, ("back", "kept"): good, ("courier", "dhl"): good,
        ("country", "DE"): good, ("channel", "api:shop"): good, ("language", "en"): good,
        ("product", "MUG-01"): good, ("product", "SHIRT-M"): good,
    }  # fmt: skip
    assert tallied("csat", within="courier", within_value="dhl")["product", "MUG-01"] == good
    assert tallied("asked")["all", "all"] == (1, 1, 0)
    assert proven()


def test_a_change_of_mind_takes_the_first_answer_out(alice):
    give_answer(alice.id, 5, "The mug is lovely", now=clock.now())
    give_answer(alice.id, 1, "The handle broke", now=clock.now())
    assert tallied("csat")["all", "all"] == (1, 0, 1)
    assert said() == {"handl": 1, "broke": 1}
    assert proven()


def test_a_machines_answer_counts_only_as_one(alice):
    give_answer(alice.id, 1, "click", now=clock.now(), doubt="trap")
    assert tallied("csat") == {}
    assert tallied("asked")["all", "all"] == (1, 0, 1)
    give_answer(alice.id, 4, "It was me", now=clock.now())
    assert (tallied("csat")["all", "all"], tallied("asked")["all", "all"]) == ((1, 1, 0), (1, 1, 0))
    assert proven()


@pytest.mark.parametrize(
    ("locale", "words", "stem"),
    [
        ("en", "The handles were broken", "handl"),
        ("de", "Die Henkel waren zerbrochen", "henkel"),
        ("nl", "De handvatten waren gebroken", "handvat"),
        ("fr", "Les anses étaient cassées", "cass"),
        ("es", "Las asas estaban rotas", "rot"),
        ("hu", "A bögrék eltörtek", "eltört"),
    ],
)
def test_words_are_grouped_by_their_stems_in_each_language(alice, locale, words, stem):
    alice.locale = locale
    give_answer(alice.id, 1, words, now=clock.now())
    assert stem in said()
    assert not {"the", "die", "waren", "les", "las", "were"} & said().keys()


def test_addresses_and_numbers_are_no_words(alice):
    give_answer(alice.id, 1, "Write to bob@example.org or 0171 5551234, www.example.org", now=clock.now())
    assert said() == {"write": 1}


def test_what_was_changed_behind_our_back_is_found_and_mended(alice):
    give_answer(alice.id, 5, "Lovely", now=clock.now())
    session.execute(update(Answer).values(score=1, mood="bad"))
    session.execute(text("UPDATE tallies SET n = n + 7 WHERE dimension = 'courier' AND measure = 'csat'"))
    session.execute(text("DELETE FROM word_tallies"))
    assert rollups.stale([alice.id]) == [alice.id]
    assert {wrong.n for wrong in rollups.wrong_sums()} == {-7, 1}, "sums, and words of all and of each product"
    rollups.count_again(rollups.stale([alice.id]))
    rollups.mend_sums()
    assert proven()
    assert tallied("csat")["all", "all"] == (1, 0, 1)


def test_stars_are_counted_for_each_article(world):
    hands.delivered(world, world.alice)
    invited(world.alice, code="stars")
    mug, shirt = (line for line in world.alice.lines if line.kind == "item")
    answer(world.alice.id, Said(stars={mug.id: 2, shirt.id: 5}), now=clock.now())
    stars = tallied("stars")
    assert (stars["product", "MUG-01"], stars["product", "SHIRT-M"]) == ((1, 0, 1), (1, 1, 0))
    assert stars["all", "all"] == (2, 1, 1)
    assert proven()


def test_an_answer_without_a_name_is_counted_without_its_order(world):
    invited(world.alice, anonymous=True)
    give_answer(world.alice.id, 1, "The handle broke", now=clock.now())
    assert tallied("csat") == {("all", "all"): (1, 0, 1), ("language", "en"): (1, 0, 1)}
    assert tallied("asked")["all", "all"] == (1, 1, 0)
    assert said() == {"handl": 1, "broke": 1}
    assert proven()


def test_a_return_that_is_asked_for_called_off_and_found_moves_the_numbers(world, work):
    hands.delivered(world, world.alice)
    ret = hands.requested(world.alice, hands.wish(world.alice, reason="damaged"))
    work(task="feedback.count")
    assert tallied("back.damaged")["product", "MUG-01"] == (1, 0, 0)
    assert ("back", "returned") in tallied("arrived")
    cancel_return(ret, now=clock.now())
    work(task="feedback.count")
    assert tallied("back.damaged") == {}
    assert ("back", "kept") in tallied("arrived")
    hands.inspected(world, world.alice, hands.wish(world.alice, reason="defective"), grade="worn")
    work(task="feedback.count")
    assert tallied("grade.defective.worn")["product", "MUG-01"] == (1, 0, 0)
    assert proven()


def test_what_nobody_told_is_found_by_night(alice):
    parcel = session.scalars(select(Parcel).where(Parcel.order_id == alice.id)).one()
    earlier = parcel.delivered_at.date() - timedelta(days=1)
    session.execute(update(Order).where(Order.id == alice.id).values(promised_on=earlier))
    count_by_night()
    assert tallied("arrived")["promise", "late"] == (1, 0, 1)
    assert ("promise", "on_time") not in tallied("arrived")


def test_two_who_count_the_same_order_at_once_count_it_once(real):
    world = build(now=clock.now())
    invited(world.alice)
    give_answer(world.alice.id, 5, "", now=clock.now())
    session.execute(text("DELETE FROM counted"))
    session.execute(text("DELETE FROM tallies"))
    session.commit()

    def count() -> None:
        with real.app_context():
            rollups.count_again([world_alice])
            session.commit()
            session.remove()

    world_alice = world.alice.id
    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda _: count(), range(8)))
    assert tallied("csat")["all", "all"] == (1, 1, 0)
    assert proven()
