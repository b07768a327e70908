"""EasyPost's webhook: verified, stored once, answered at once, worked off by the worker."""

import hmac
import json
import unicodedata
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select

from portal.db import session
from portal.fulfilment import actions
from portal.fulfilment.jobs import work_off
from portal.fulfilment.models import Parcel
from portal.inbox.models import InboxMessage
from portal.lib import clock
from tests.conftest import nothing_appears, owed
from tests.fulfilment.hands import brought_to

SECRET = "sécret"


def body(status: str = "in_transit", number: str = "00340434161094042557", id: str = "evt_1", **tracker: Any) -> bytes:
    at = (clock.now() + timedelta(minutes=1)).isoformat()
    said = {"status": status, "status_detail": "", "datetime": at, "message": status}
    result = {"tracking_code": number, "carrier": "DHL", "updated_at": at, "tracking_details": [said], **tracker}
    return json.dumps({"id": id, "description": "tracker.updated", "result": result}).encode()


def signature(raw: bytes) -> dict[str, str]:
    key = unicodedata.normalize("NFKD", SECRET).encode()
    return {"X-Hmac-Signature": f"hmac-sha256-hex={hmac.new(key, raw, sha256).hexdigest()}"}


def post(client: Any, raw: bytes, **headers: str) -> Any:
    return client.post("/hooks/easypost", data=raw, headers={**signature(raw), **headers})


@pytest.fixture
def parcel(world: Any) -> Parcel:
    return brought_to("handed_over", world.alice, world.pat, world.now)


def messages() -> list[InboxMessage]:
    session.expire_all()
    return list(session.scalars(select(InboxMessage).order_by(InboxMessage.id)))


def test_a_scan_is_answered_at_once_and_moves_the_parcel_later(client, parcel, work):
    assert post(client, body()).status_code == 200
    session.expire_all()
    assert parcel.tracking_status == "unknown"
    work(task="fulfilment.work_off")
    session.expire_all()
    assert (parcel.tracking_status, [m.state for m in messages()]) == ("in_transit", ["done"])


def test_the_same_event_again_is_known_and_owes_nothing(client, parcel):
    raw = body()
    post(client, raw)
    with nothing_appears():
        answer = post(client, raw)
    assert (answer.status_code, answer.json) == (200, {"status": "known"})


@pytest.mark.parametrize("header", [{"X-Hmac-Signature": "hmac-sha256-hex=00"}, {"X-Hmac-Signature": ""}])
def test_a_wrong_signature_is_refused_and_not_kept(client, parcel, header):
    with nothing_appears():
        assert post(client, body(), **header).status_code == 401


def test_a_body_changed_by_one_byte_is_refused(client, parcel):
    raw = body()
    with nothing_appears():
        assert client.post("/hooks/easypost", data=raw + b" ", headers=signature(raw)).status_code == 401


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[]", b"[" * 50_000])
def test_genuine_nonsense_is_unreadable_and_not_kept(client, parcel, raw):
    with nothing_appears():
        assert post(client, raw).status_code == 400


def test_a_huge_body_is_refused_before_it_is_read(client, parcel):
    with nothing_appears():
        assert client.post("/hooks/easypost", data=b"x" * 1_100_000).status_code == 413


def test_without_a_secret_senders_are_asked_to_come_again(client, app, monkeypatch):
    monkeypatch.setitem(
        app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update={"easypost_webhook_secret": []})
    )
    with nothing_appears():
        assert post(client, body()).status_code == 503


def test_a_number_nobody_knows_yet_is_kept_and_worked_off_when_a_parcel_gets_it(client, world, work):
    parcel = brought_to("packed", world.alice, world.pat, world.now)
    assert post(client, body("out_for_delivery")).status_code == 200
    work(task="fulfilment.work_off")
    assert [(m.state, m.subject) for m in messages()] == [("parked", "00340434161094042557")]

    actions.hand_over(parcel, "dhl", "00340434161094042557", by=world.pat, now=world.now)
    session.commit()
    work(task="fulfilment.work_off_parked")
    work(task="fulfilment.work_off")
    session.expire_all()
    assert (parcel.tracking_status, [m.state for m in messages()]) == ("out_for_delivery", ["done"])


def test_a_stranger_s_number_stays_parked(client, parcel, work):
    post(client, body(number="STRANGER1"))
    work(task="fulfilment.work_off")
    assert [m.state for m in messages()] == ["parked"]
    session.expire_all()
    assert parcel.tracking_status == "unknown"


def test_events_about_anything_else_are_done_with(client, parcel, work):
    post(client, b'{"id": "evt_9", "description": "batch.updated", "result": {"id": "batch_1"}}')
    work(task="fulfilment.work_off")
    assert [m.state for m in messages()] == ["done"]


def test_a_job_that_is_done_twice_changes_nothing(client, parcel, work):
    post(client, body("delivered"))
    work(task="fulfilment.work_off")
    with nothing_appears():
        work_off(messages()[0].id)


def test_the_vendors_own_message_is_taken(client, world, work, payloads):
    raw = payloads("easypost-tracker-updated.json").removesuffix(b"\n")
    assert post(client, raw).status_code == 200
    assert owed("fulfilment.work_off")
    work(task="fulfilment.work_off")
    assert [(m.state, m.subject) for m in messages()] == [("parked", "1")]
