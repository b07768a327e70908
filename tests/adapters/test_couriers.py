"""What all couriers' adapters keep to: signatures over the very bytes, one vocabulary, any bytes read or refused."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.adapters.couriers import Tracking, aftership, code_of, sendcloud, seventeentrack, shippo
from portal.adapters.couriers.known import LISTENED
from portal.adapters.errors import Malformed
from portal.config import Settings
from tests.adapters.values import any_json, mutated
from tests.fulfilment.courier_mail import FILES, MESSAGES, signed

T = Tracking


def statuses(source: str, raw: bytes) -> list[str]:
    return [str(event.status) for update in LISTENED[source].parse(raw) for event in update.events]


def test_every_courier_that_is_listened_to_has_its_secret() -> None:
    assert {f"{source}_webhook_secret" for source in LISTENED} <= Settings.model_fields.keys()


def test_sendcloud_s_own_example_of_a_signature() -> None:
    digest = hmac.new(b"secretkey", b'{"key": "value"}', hashlib.sha256).hexdigest()
    assert digest.startswith("1eed4b3d")
    assert sendcloud.verify(b'{"key": "value"}', {"sendcloud-signature": digest}, ["secretkey"])


def test_aftership_signs_in_base64() -> None:
    signature = base64.b64encode(hmac.new(b"k", b"{}", hashlib.sha256).digest()).decode()
    assert aftership.verify(b"{}", {"AFTERSHIP-HMAC-SHA256": signature}, ["k"])


def test_17track_hashes_the_body_and_the_key() -> None:
    assert seventeentrack.verify(b"{}", {"sign": hashlib.sha256(b"{}/key").hexdigest()}, ["other", "key"])


@pytest.mark.parametrize("age", [-301, 301])
def test_shippo_s_signature_grows_old(age: int) -> None:
    def header(at: float) -> dict[str, str]:
        digest = hmac.new(b"k", f"{int(at)}.{{}}".encode(), hashlib.sha256).hexdigest()
        return {"Shippo-Auth-Signature": f"t={int(at)},v1={digest}"}

    assert shippo.verify(b"{}", header(time.time()), ["k"])
    assert not shippo.verify(b"{}", header(time.time() + age), ["k"])


@pytest.mark.parametrize("source", LISTENED)
def test_a_signature_holds_for_its_own_bytes_only(source: str) -> None:
    raw, adapter = MESSAGES[source], LISTENED[source]
    headers = signed(source, raw, "secret")
    assert adapter.verify(raw, headers, ["new", "secret"])
    assert adapter.verify(raw, {name.upper(): value for name, value in headers.items()}, ["secret"])
    assert not adapter.verify(raw + b"\n", headers, ["secret"])
    assert not adapter.verify(raw, headers, ["Secret"])
    assert not adapter.verify(raw, headers, [])
    assert not adapter.verify(raw, signed(source, raw, ""), [""])
    for bad in ({}, dict.fromkeys(headers, ""), dict.fromkeys(headers, "é\ud800"), dict.fromkeys(headers, "t=²,v1=x")):
        assert not adapter.verify(raw, bad, ["secret"])


def test_aftership_s_checkpoints_are_read(payloads: Any) -> None:
    [said] = aftership.parse(payloads(FILES["aftership"]))
    assert (said.number, said.carrier, said.estimate_on) == ("9405516902697649303570", "usps", date(2021, 5, 17))
    assert [str(event.status) for event in said.events] == ["label_created", "picked_up", *["in_transit"] * 5]
    assert said.events[0].offset_assumed, "a checkpoint without an offset is marked"
    assert (said.events[0].at_raw, said.events[0].code) == ("2021-05-13T13:04:00", "GX:InfoReceived_001")
    assert aftership.identify(payloads(FILES["aftership"]))[0] == "bca2a741-8613-4694-bfb4-2ceb0016ee4f"


def test_shippo_s_history_is_read(payloads: Any) -> None:
    [said] = shippo.parse(payloads(FILES["shippo"]))
    assert (said.number, said.carrier, said.estimate_on) == ("9205590164917312751089", "usps", date(2019, 8, 24))
    assert [event.status for event in said.events] == [T.delivered], "the newest status stands in the history too"
    assert said.events[0].at == datetime(2016, 7, 23, tzinfo=UTC)


def test_sendcloud_s_status_is_read(payloads: Any) -> None:
    raw = json.loads(payloads(FILES["sendcloud"]))
    assert sendcloud.parse(json.dumps(raw).encode())[0].events == (), "123 is none of our times"
    raw |= {"timestamp": 1_764_000_000_000, "carrier_status_change_timestamp": 1_764_000_000}
    [said] = sendcloud.parse(json.dumps(raw).encode())
    assert (said.number, statuses("sendcloud", json.dumps(raw).encode())) == ("3SYZXG132912330", ["label_created"])
    assert said.as_of == said.events[0].at == datetime.fromtimestamp(1_764_000_000, UTC)


def test_17track_s_events_are_read(payloads: Any) -> None:
    [said] = seventeentrack.parse(payloads(FILES["seventeentrack"]))
    assert (said.carrier, code_of(said.carrier)) == ("UPS", "ups")
    assert [str(event.status) for event in said.events] == [
        "delivered", "out_for_delivery", "in_transit", "in_transit", "label_created",
    ]  # fmt: skip
    assert said.events[0].at == datetime(2022, 4, 4, 23, 35, 22, tzinfo=UTC)
    assert not said.events[0].offset_assumed


def aftership_says(tag: str, subtag: str = "", words: str = "", **more: Any) -> bytes:
    point = {"tag": tag, "subtag": subtag, "subtag_message": words, "message": words or tag,
             "checkpoint_time": "2026-11-20T10:00:00Z"}  # fmt: skip
    return json.dumps(
        {"event": "tracking_update", "msg": {"tracking_number": "1", "checkpoints": [point], **more}}
    ).encode()


def shippo_says(status: str, code: str = "", words: str = "x") -> bytes:
    now = {
        "status": status,
        "substatus": {"code": code},
        "status_details": words,
        "status_date": "2026-11-20T10:00:00Z",
    }
    return json.dumps({"event": "track_updated", "data": {"tracking_number": "1", "tracking_status": now}}).encode()


def sendcloud_says(number: int, words: str = "x") -> bytes:
    parcel = {"id": 1, "tracking_number": "1", "status": {"id": number, "message": words}}
    return json.dumps({"action": "parcel_status_changed", "timestamp": 1_764_000_000, "parcel": parcel}).encode()


def seventeentrack_says(stage: str | None, sub: str | None = None, words: str = "x") -> bytes:
    scan = {"stage": stage, "sub_status": sub, "description": words, "time_utc": "2026-11-20T10:00:00Z"}
    return json.dumps(
        {"data": {"number": "1", "track_info": {"tracking": {"providers": [{"events": [scan]}]}}}}
    ).encode()


@pytest.mark.parametrize(
    ("source", "raw", "ours"),
    [
        ("aftership", aftership_says("OutForDelivery"), "out_for_delivery"),
        ("aftership", aftership_says("AttemptFail"), "attempt_failed"),
        ("aftership", aftership_says("AvailableForPickup"), "ready_for_pickup"),
        ("aftership", aftership_says("Delivered", "Delivered_003"), "delivered"),
        ("aftership", aftership_says("Delivered", return_to_sender=True), "returned"),
        ("aftership", aftership_says("Delivered", words="Delivered, ready for pick-up"), "ready_for_pickup"),
        ("aftership", aftership_says("Exception", "Exception_003"), "returning"),
        ("aftership", aftership_says("Exception", "Exception_005"), "delayed"),
        ("aftership", aftership_says("Exception", "Exception_099", "Returning to sender"), "returning"),
        ("aftership", aftership_says("Exception", "Exception_099", "Returned to sender"), "returned"),
        ("aftership", aftership_says("Exception"), "exception"),
        ("aftership", aftership_says("Expired"), "expired"),
        ("aftership", aftership_says("A tag of tomorrow"), "unknown"),
        ("shippo", shippo_says("PRE_TRANSIT", "information_received"), "label_created"),
        ("shippo", shippo_says("TRANSIT"), "in_transit"),
        ("shippo", shippo_says("TRANSIT", "out_for_delivery"), "out_for_delivery"),
        ("shippo", shippo_says("TRANSIT", "pickup_available"), "ready_for_pickup"),
        ("shippo", shippo_says("TRANSIT", "notice_left"), "attempt_failed"),
        ("shippo", shippo_says("TRANSIT", "package_damaged"), "exception"),
        ("shippo", shippo_says("DELIVERED", "delayed"), "delivered"),
        ("shippo", shippo_says("DELIVERED", words="Zur Abholung bereit"), "ready_for_pickup"),
        ("shippo", shippo_says("RETURNED", "package_unclaimed"), "returning"),
        ("shippo", shippo_says("FAILURE", "package_lost"), "exception"),
        ("shippo", shippo_says("UNKNOWN"), "unknown"),
        ("sendcloud", sendcloud_says(22), "picked_up"),
        ("sendcloud", sendcloud_says(12), "ready_for_pickup"),
        ("sendcloud", sendcloud_says(93), "delivered"),
        ("sendcloud", sendcloud_says(11, "Delivered: awaiting customer pickup"), "ready_for_pickup"),
        ("sendcloud", sendcloud_says(8), "attempt_failed"),
        ("sendcloud", sendcloud_says(62991), "returning"),
        ("sendcloud", sendcloud_says(62992), "returned"),
        ("sendcloud", sendcloud_says(2000), "cancelled"),
        ("sendcloud", sendcloud_says(4711, "Driver en route"), "out_for_delivery"),
        ("sendcloud", sendcloud_says(4711, "Something new"), "unknown"),
        ("seventeentrack", seventeentrack_says("PickedUp"), "picked_up"),
        ("seventeentrack", seventeentrack_says("Delivered", "Delivered_Other"), "delivered"),
        ("seventeentrack", seventeentrack_says(None, "DeliveryFailure_NoBody"), "attempt_failed"),
        ("seventeentrack", seventeentrack_says("Exception", "Exception_Returning"), "returning"),
        ("seventeentrack", seventeentrack_says("Returned"), "returned"),
        ("seventeentrack", seventeentrack_says(None), "in_transit"),
        ("seventeentrack", seventeentrack_says("Tomorrow's"), "unknown"),
    ],
)  # fmt: skip
def test_each_word_of_theirs_becomes_one_of_ours(source: str, raw: bytes, ours: str) -> None:
    assert statuses(source, raw) == [ours]


def test_after_it_arrived_a_scan_of_17track_that_says_nothing_is_an_afterthought() -> None:
    scans = [
        {"stage": None, "description": "Proof of delivery", "time_utc": "2026-11-20T12:00:00Z"},
        {"stage": "Delivered", "description": "Delivered", "time_utc": "2026-11-20T10:00:00Z"},
        {"stage": None, "description": "Departed", "time_utc": "2026-11-19T10:00:00Z"},
    ]
    told = {"data": {"number": "1", "track_info": {"tracking": {"providers": [{"events": scans}]}}}}
    assert statuses("seventeentrack", json.dumps(told).encode()) == ["unknown", "delivered", "in_transit"]


@pytest.mark.parametrize("source", LISTENED)
@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"nonsense", b'{"a":NaN}', b"\xff\xfe{}", b"1" * 5000, b"[" * 100_000, b'{"a":1,"a":2}', b"9" * 9],
)  # fmt: skip
def test_what_is_no_message_is_malformed(source: str, raw: bytes) -> None:
    for read in (LISTENED[source].parse, LISTENED[source].identify):
        with pytest.raises(Malformed):
            read(raw)


@pytest.mark.parametrize("source", LISTENED)
def test_a_message_about_anything_else_says_nothing(source: str) -> None:
    assert LISTENED[source].parse(b'{"event": "ping", "action": "ping", "description": "ping"}') == []


@settings(max_examples=60)
@given(st.sampled_from(sorted(LISTENED)), any_json())
def test_no_json_crashes_a_courier(source: str, value: Any) -> None:
    read_all(source, json.dumps(value).encode("utf-8", "surrogatepass"))


@settings(max_examples=150)
@given(st.data())
def test_no_mutation_crashes_a_courier_or_reads_what_cannot_be_stored(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(LISTENED)))
    for update in read_all(source, data.draw(mutated(MESSAGES[source]))):
        for event in update.events:
            assert event.at.utcoffset() is not None
            said = event.place + event.message + event.code + event.at_raw + update.number + update.carrier
            assert not {"\x00", "\n"} & set(said)
            said.encode()


def read_all(source: str, raw: bytes) -> list[Any]:
    adapter = LISTENED[source]
    try:
        assert all(adapter.identify(raw)[0:1])
        return adapter.parse(raw)
    except Malformed:
        return []
