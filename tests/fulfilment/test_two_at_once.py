"""Two people, or a person and a courier, at the same moment: real commits on real connections."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from portal.db import session, transaction
from portal.fulfilment import actions, changes, jobs
from portal.fulfilment.models import Parcel
from portal.inbox import actions as inbox
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.actions import accept_order
from portal.orders.flags import problems
from portal.orders.timeline import record
from portal.staff.models import Staff
from tests.conftest import work_off
from tests.fulfilment.hands import brought_to
from tests.fulfilment.test_easypost_hook import body
from tests.world import ALICES_ORDER, build, lately


@pytest.fixture
def world(real: Flask) -> Any:
    return build(now=clock.now())


def at_once(app: Flask, *deeds: Callable[[], Any]) -> list[str]:
    """Each in its own thread and transaction, started together: "done" or the reason why not."""
    start = Barrier(len(deeds))

    def act(deed: Callable[[], Any]) -> str:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    deed()
                return "done"
            except Refused as refused:
                return refused.message
            finally:
                session.remove()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(act, deeds))


def test_of_four_who_start_the_same_parcel_one_wins(real, world):
    parcel_id = brought_to("to_pick", world.alice, world.cleo, world.now).id
    people = [person.id for person in (world.cleo, world.dan, world.pat, world.max)]

    def start(person_id: int) -> Callable[[], None]:
        return lambda: actions.start_picking(
            session.get_one(Parcel, parcel_id), by=session.get_one(Staff, person_id), now=clock.now()
        )

    answers = at_once(real, *map(start, people))
    assert sorted(answers)[:3] == ["This was already done, or somebody else was quicker. Nothing was changed."] * 3
    assert answers.count("done") == 1
    session.expire_all()
    assert session.get_one(Parcel, parcel_id).picker_id == people[answers.index("done")]


def test_two_scans_of_the_last_piece_count_once(real, world):
    parcel = brought_to("picking", world.alice, world.cleo, world.now)
    line_id, cleo = parcel.lines[1].id, world.cleo.id

    def scan() -> None:
        actions.pick(session.get_one(actions.ParcelLine, line_id), 1, by=session.get_one(Staff, cleo))

    assert sorted(at_once(real, scan, scan)) == ["Too many: Linen shirt is complete with 1.", "done"]


@pytest.mark.parametrize("round", range(4))
def test_no_scan_falls_between_handing_over_and_the_courier_s_message(real, world, round):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    parcel_id, pat = parcel.id, world.pat.id
    message = inbox.receive("easypost", "evt_1", body("out_for_delivery"), now=clock.now())
    session.commit()

    def hand_over() -> None:
        mine, person = session.get_one(Parcel, parcel_id), session.get_one(Staff, pat)
        actions.hand_over(mine, "dhl", "00340434161094042557", by=person, now=clock.now())

    assert at_once(real, hand_over, lambda: jobs.work_off(message)) == ["done", "done"]
    work_off(task="fulfilment.work_off_parked")
    work_off(task="fulfilment.work_off")
    session.expire_all()
    assert session.get_one(Parcel, parcel_id).tracking_status == "out_for_delivery"
    assert session.scalars(select(InboxMessage.state)).all() == ["done"]


def test_a_change_of_the_channel_waits_for_who_begins_to_pick_and_then_asks(real, world, monkeypatch):
    """Locks in two orders would end in a deadlock, and one of the two in an error."""
    parcel_id = brought_to("to_pick", world.alice, world.cleo, world.now).id
    mine = lately(ALICES_ORDER, world.now)
    lines = (replace(mine.lines[0], quantity=1), *mine.lines[1:])
    newer = replace(mine, lines=lines, updated_at=mine.updated_at + timedelta(hours=1))
    accept_order(newer, by="channel", now=clock.now())
    session.commit()
    order_id, cleo, picked = world.alice.id, world.cleo.id, Event()

    def record_later(*args: Any, **facts: Any) -> None:
        picked.set()
        until(somebody_waits)
        record(*args, **facts)

    def change() -> None:
        picked.wait(5)
        changes.take_over(order_id, now=clock.now())

    monkeypatch.setattr(actions, "record", record_later)
    start = partial(actions.start_picking, now=clock.now())
    begin = lambda: start(session.get_one(Parcel, parcel_id), by=session.get_one(Staff, cleo))  # noqa: E731
    assert at_once(real, begin, change) == ["done", "done"]
    assert problems(order_id) == ["changed"]


def somebody_waits() -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(session.scalar(text(waiting)))


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
