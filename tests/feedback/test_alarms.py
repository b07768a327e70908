"""A score that fell is told once to managers, with what to look at; it ends by itself; few answers alarm nobody."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.db import session
from portal.feedback import alarms
from portal.feedback.alarms import ScoreAlarm
from portal.feedback.tallies import Tally
from portal.lib import clock
from portal.mail.models import Letter
from tests.conftest import nothing_appears
from tests.feedback.scenes import tallied
from tests.world import sign_in

LONG_AGO, LATELY = timedelta(days=60), timedelta(days=10)


@pytest.fixture(autouse=True)
def max_works_here(world):
    world.max.password_hash = "none"
    session.commit()


def answers(days, n, good, dimension="product", value="MUG-01", **within):
    tallied("csat", dimension, value, n, good, n - good, (clock.now() - days).date(), **within)
    session.commit()


def watched(after=timedelta()):
    new = alarms.watch(now=clock.now() + after)
    session.commit()
    return new


def letters():
    return list(session.scalars(select(Letter).where(Letter.kind == "score-alarm").order_by(Letter.id)))


def test_what_fell_is_told_once_with_its_figures_and_where_to_look(world):
    answers(LONG_AGO, 200, 180)
    answers(LATELY, 100, 50)
    answers(LATELY, 50, 15, "product", "MUG-01", within="courier", within_value="dhl")
    assert watched() == 1
    [letter] = letters()
    assert letter.to_address == world.max.email
    assert "Stoneware mug: 50 in the last four weeks (between 40 and 60, 100 answers), after 90" in letter.text
    assert "Look here first: DHL (30)" in letter.text
    assert watched() == 0
    assert len(letters()) == 1


@pytest.mark.parametrize(
    ("before", "now"),
    [((200, 180), (60, 50)), ((200, 180), (29, 5)), ((29, 29), (60, 10)), ((200, 100), (60, 58)), ((200, 180), None)],
)
def test_what_may_be_chance_and_what_rose_alarms_nobody(world, before, now):
    answers(LONG_AGO, *before)
    if now:
        answers(LATELY, *now)
    with nothing_appears():
        assert watched() == 0


def test_what_has_recovered_is_no_alarm_any_more_and_may_fall_again(world):
    answers(LONG_AGO, 200, 180)
    answers(LATELY, 60, 30)
    watched()
    session.execute(update(Tally).where(Tally.n == 60).values(good=54, bad=6))
    assert watched() == 0
    assert session.scalars(select(ScoreAlarm.closed_at)).one() is not None
    session.execute(update(Tally).where(Tally.n == 60).values(good=30, bad=30))
    assert watched() == 1
    assert len(letters()) == 2


def test_the_page_and_the_queue_show_it(client, world):
    answers(LONG_AGO, 200, 180, "courier", "dhl")
    answers(LATELY, 60, 30, "courier", "dhl")
    watched()
    page = sign_in(client, world.max).get("/desk/insight/satisfaction").text
    assert "What fell" in page
    assert "50 (between 38 and 62), after 90 in the thirteen weeks before" in page
    assert 'Satisfaction <span class="count bad">1</span>' in page
