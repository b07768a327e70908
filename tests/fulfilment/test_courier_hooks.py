"""Every courier's webhook through the real route: stored once when genuine, never when not, lost never."""

import json
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


def test_odd_encodings_are_refused(client, parcel):
    raw = json.dumps({"id": "1"}).encode("utf-16")
    with nothing_appears():
        assert post(client, "aftership", raw) == 400
