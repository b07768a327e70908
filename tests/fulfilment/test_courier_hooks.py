"""Every courier's webhook through the real route: stored once when genuine, never when not, lost never."""

import json
import re
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.adapters.couriers.known import LISTENED
from portal.db import session
from portal.fulfilment.models import CourierEvent, Parcel
from portal.inbox.models import InboxMessage
from portal.lib import clock
from tests.adapters.values import mutated
from tests.conftest import nothing_appears, owed
from tests.fulfilment.courier_mail import FILES, MESSAGES, message, signed
from tests.fulfilment.hands import brought_to

NO_FIXTURE = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def parcel(world: Any) -> Parcel:
    return brought_to("handed_over", world.alice, world.pat, world.now)


def post(client: Any, source: str, raw: bytes, secret: str | None = None) -> int:
    code: int = client.post(f"/hooks/{source}", data=raw, headers=signed(source, raw, secret)).status_code
    return code


def now() -> str:
    return clock.now().isoformat()


@pytest.mark.parametrize("source", LISTENED)
def test_each_courier_moves_the_parcel(client, parcel, work, source):
    assert post(client, source, message(source, now())) == 200
    work(task="fulfilment.work_off")
    session.expire_all()
    assert parcel.tracking_status == "out_for_delivery"
    assert session.scalars(select(InboxMessage.state)).all() == ["done"]


@pytest.mark.parametrize("source", LISTENED)
def test_the_same_message_again_is_known(client, parcel, source):
    raw = message(source, now())
    assert post(client, source, raw) == 200
    with nothing_appears():
        assert post(client, source, raw) == 200


@pytest.mark.parametrize("source", LISTENED)
def test_what_another_signed_is_not_kept(client, parcel, source):
    with nothing_appears():
        assert post(client, source, MESSAGES[source], secret="another's") == 401
        assert client.post(f"/hooks/{source}", data=MESSAGES[source]).status_code == 401


@pytest.mark.parametrize("source", LISTENED)
def test_without_a_secret_they_are_asked_to_come_again(client, app, parcel, source, monkeypatch):
    none = app.config["SETTINGS"].model_copy(update={f"{source}_webhook_secret": []})
    monkeypatch.setitem(app.config, "SETTINGS", none)
    with nothing_appears():
        assert post(client, source, MESSAGES[source]) == 503


@pytest.mark.parametrize("source", LISTENED)
def test_the_vendors_own_message_waits_for_its_parcel(client, world, work, payloads, source):
    assert post(client, source, payloads(FILES[source])) == 200
    work(task="fulfilment.work_off")
    [kept] = session.scalars(select(InboxMessage)).all()
    assert (kept.state, bool(kept.subject), kept.body) == ("parked", True, payloads(FILES[source]))


def test_what_can_be_verified_and_not_be_read_is_kept_for_a_person(client, parcel, work):
    assert post(client, "easypost", b'{"description":"tracker.updated","result":{"id":"trk_1"}}') == 200
    work(task="fulfilment.work_off")
    [kept] = session.scalars(select(InboxMessage)).all()
    assert (kept.state, kept.error) == ("failed", "a tracker without a number")
    assert owed("fulfilment.work_off") == []


def test_the_same_news_from_five_couriers_is_one_letter(client, parcel, work):
    for source in LISTENED:
        assert post(client, source, message(source, now())) == 200
    work(task="fulfilment.work_off")
    session.expire_all()
    assert parcel.tracking_status == "out_for_delivery"
    assert session.scalar(select(func.count()).select_from(CourierEvent)) >= 4


@settings(max_examples=30, deadline=None, suppress_health_check=NO_FIXTURE)
@given(data=st.data())
def test_whatever_is_sent_is_answered_and_nothing_is_lost(client, parcel, work, payloads, data):
    """Missing keys, wrong types, huge numbers, broken ends, odd encodings: kept and worked off, or refused."""
    source = data.draw(st.sampled_from(sorted(LISTENED)))
    body = data.draw(mutated(data.draw(st.sampled_from([MESSAGES[source], payloads(FILES[source])]))))
    raw = data.draw(
        st.sampled_from([body, body[:-3], body.replace(b"{", b'{"id":1,', 1), body.decode().encode("utf-16")])
    )
    before = session.scalar(select(func.count()).select_from(InboxMessage))
    code = post(client, source, raw)
    after = session.scalar(select(func.count()).select_from(InboxMessage))
    assert code in (200, 400)
    assert after - before == (code == 200) or post(client, source, raw) == 200
    work(task="fulfilment.work_off")
    assert session.scalar(select(func.count()).where(InboxMessage.state == "received")) == 0


def addressed(raw: bytes, number: str, mark: str) -> bytes:
    """The vendor's message, about this number, under a name of its own, on days of the last four weeks."""
    today = clock.now().date()
    told = json.loads(re.sub(rb"20\d\d-\d\d-(\d\d)", lambda day: _lately(today, int(day[1])), raw))
    told |= {name: f"{told[name]}{mark}" for name in ("id", "event_id") if name in told}
    holder = next(told[name] for name in ("result", "msg", "data", "parcel") if name in told)
    holder |= {"id": f"{holder['id']}{ord(mark)}"} if "id" in holder else {}
    holder |= {name: number for name in ("tracking_code", "tracking_number", "number") if name in holder}
    return json.dumps(told).encode()


def _lately(today: date, day: int) -> bytes:
    return str(today - timedelta(days=28 - day % 28)).encode()


@pytest.mark.parametrize("seed", range(4))
def test_the_vendors_messages_end_in_the_same_state_in_any_order(client, world, work, payloads, seed):
    """Alice's number hears them in one order, Bob's in another and some twice."""
    ends, raws = [], {source: [payloads(FILES[source]), message(source, now())] for source in LISTENED}
    for mark, order, number in (("a", world.alice, "00340434161094042557"), ("b", world.bob, "00340434161094042564")):
        parcel = brought_to("handed_over", order, world.pat, world.now, number=number)
        parcel.handed_over_at = parcel.created_at = clock.now() - timedelta(days=30)
        session.commit()
        posts = [(source, addressed(raw, number, mark)) for source, both in raws.items() for raw in both]
        if mark == "b":
            posts = Random(seed).sample(posts * 2, 2 * len(posts))
        for source, raw in posts:
            assert post(client, source, raw) == 200
            work(task="fulfilment.work_off")
        session.refresh(parcel)
        scans = select(CourierEvent.at, CourierEvent.status, CourierEvent.code, CourierEvent.place)
        found = session.execute(scans.where(CourierEvent.parcel_id == parcel.id)).all()
        ends.append((parcel.tracking_status, parcel.delivered_at, parcel.last_event_at, {tuple(one) for one in found}))
    assert ends[0] == ends[1]
    assert len(ends[0][3]) > 5


def test_odd_encodings_are_refused(client, parcel):
    raw = json.dumps({"id": "1"}).encode("utf-16")
    with nothing_appears():
        assert post(client, "aftership", raw) == 400
