"""EasyPost's events: the signature over the very bytes, and scans in our vocabulary."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given

from portal.adapters.couriers import Tracking, easypost
from portal.adapters.errors import Malformed
from tests.adapters.values import any_json, mutated

SECRET = "sécret"
VENDORS_SIGNATURE = "hmac-sha256-hex=38f3f53c103713df81616a0a186d77141957323ec21d5fe9363db93840f527db"


def scan(status: str, at: str = "2026-11-20T10:00:00Z", detail: str = "", **more: Any) -> dict[str, Any]:
    return {"status": status, "status_detail": detail, "datetime": at, "message": status, **more}


def event(*scans: Any, **tracker: Any) -> bytes:
    result = {
        "object": "Tracker",
        "tracking_code": "ez 42",
        "carrier": "DHL",
        "updated_at": "2026-11-21T10:00:00Z",
        **tracker,
    }
    body = {"id": "evt_42", "description": "tracker.updated", "result": {**result, "tracking_details": list(scans)}}
    return json.dumps(body).encode()


def one(body: bytes) -> Any:
    [update] = easypost.parse(body)
    return update


def test_it_accepts_the_vendors_own_body_and_signature(payloads: Any) -> None:
    raw = payloads("easypost-tracker-updated.json").removesuffix(b"\n")
    assert easypost.verify(raw, {"X-Hmac-Signature": VENDORS_SIGNATURE}, [SECRET])
    assert not easypost.verify(raw + b"\n", {"X-Hmac-Signature": VENDORS_SIGNATURE}, [SECRET])


def test_it_normalises_the_secret_before_signing() -> None:
    signature = "hmac-sha256-hex=" + easypost.hmac_sha256("se\u0301cret", b"{}").hex()
    assert easypost.verify(b"{}", {"x-hmac-signature": signature}, ["s\u00e9cret"])


@pytest.mark.parametrize("place", range(16, 80, 9))
def test_it_refuses_a_signature_with_one_wrong_digit(payloads: Any, place: int) -> None:
    raw = payloads("easypost-tracker-updated.json").removesuffix(b"\n")
    wrong = (
        VENDORS_SIGNATURE[:place] + ("0" if VENDORS_SIGNATURE[place] != "0" else "1") + VENDORS_SIGNATURE[place + 1 :]
    )
    assert not easypost.verify(raw, {"X-Hmac-Signature": wrong}, [SECRET])


@pytest.mark.parametrize("headers", [{}, {"X-Hmac-Signature": ""}, {"X-Hmac-Signature": "é\ud800"}, {"X-Other": "1"}])
@pytest.mark.parametrize("secrets", [[], [""], [SECRET]])
def test_it_refuses_what_is_not_signed_or_cannot_be_verified(headers: dict[str, str], secrets: list[str]) -> None:
    assert not easypost.verify(b"{}", headers, secrets)


def test_it_accepts_the_older_of_two_secrets_while_they_are_changed() -> None:
    signature = "hmac-sha256-hex=" + easypost.hmac_sha256("old", b"{}").hex()
    assert easypost.verify(b"{}", {"X-Hmac-Signature": signature}, ["new", "old"])


def test_it_reads_the_vendors_tracker(payloads: Any) -> None:
    update = one(payloads("easypost-tracker-updated.json"))
    assert (update.number, update.carrier, update.estimate_on) == ("1", "FedEx", date(2024, 8, 5))
    assert [e.status for e in update.events] == [Tracking.label_created] + [Tracking.in_transit] * 6
    assert update.events[1].place == "ORLANDO, FL, US"
    assert update.events[0].at == datetime(2024, 7, 31, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "detail", "ours"),
    [
        ("pre_transit", "label_created", "label_created"),
        ("in_transit", "departed_facility", "in_transit"),
        ("in_transit", "delivery_exception", "attempt_failed"),
        ("failure", "delivery_exception", "attempt_failed"),
        ("in_transit", "weather_delay", "delayed"),
        ("in_transit", "arrived_at_pickup_location", "ready_for_pickup"),
        ("in_transit", "held", "exception"),
        ("failure", "lost", "exception"),
        ("failure", "refused", "returning"),
        ("out_for_delivery", "out_for_delivery", "out_for_delivery"),
        ("available_for_pickup", "", "ready_for_pickup"),
        ("delivered", "arrived_at_destination", "delivered"),
        ("return_to_sender", "return", "returning"),
        ("error", "", "exception"),
        ("cancelled", "cancelled", "cancelled"),
        ("unknown", "expired", "expired"),
        ("a_status_of_tomorrow", "", "unknown"),
    ],
)
def test_it_translates_each_status(status: str, detail: str, ours: str) -> None:
    assert one(event(scan(status, detail=detail))).events[0].status == ours


def test_a_parcel_that_came_back_is_returned_not_delivered() -> None:
    assert one(event(scan("delivered"), is_return=True)).events[0].status is Tracking.returned


def test_the_number_is_read_without_blanks_and_in_capitals() -> None:
    assert one(event(scan("in_transit"))).number == "EZ42"


def test_a_tracker_without_scans_speaks_for_itself() -> None:
    [said] = one(event(status="pre_transit")).events
    assert (said.status, said.at) == (Tracking.label_created, datetime(2026, 11, 21, 10, 0, tzinfo=UTC))


def test_a_time_without_an_offset_is_kept_as_written_and_marked() -> None:
    [said] = one(event(scan("in_transit", at="2026-11-20T10:00:00"))).events
    assert (said.offset_assumed, said.at_raw, said.at) == (
        True,
        "2026-11-20T10:00:00",
        datetime(2026, 11, 20, 10, tzinfo=UTC),
    )


def test_the_courier_s_day_at_the_destination_beats_its_time_stamp() -> None:
    given = event(est_delivery_date="2026-11-25T00:00:00Z", carrier_detail={"est_delivery_date_local": "2026-11-24"})
    assert one(given).estimate_on == date(2026, 11, 24)


def test_events_about_anything_else_say_nothing() -> None:
    assert easypost.parse(b'{"description": "batch.updated", "result": {"id": "batch_1"}}') == []


def test_it_names_a_message_by_its_id_and_by_its_bytes_without_one() -> None:
    assert easypost.identify(event()) == ("evt_42", "tracker.updated")
    assert len(easypost.identify(b'{"description": "tracker.updated"}')[0]) == 64


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"nonsense", b'{"a":NaN}', b"\xff", b"1" * 5000, b"[" * 100_000, event(tracking_code=" ")]
)
def test_it_calls_malformed_what_is_no_tracker(raw: bytes) -> None:
    with pytest.raises(Malformed):
        easypost.parse(raw)


@given(any_json())
def test_no_json_crashes_it(value: Any) -> None:
    _parse_or_malformed(json.dumps(value).encode("utf-8", "surrogatepass"))


@given(mutated(event(scan("in_transit", carrier_code="AR", tracking_location={"city": "Köln"}), scan("delivered"))))
def test_no_mutation_of_a_tracker_crashes_it_or_reads_what_cannot_be_stored(raw: bytes) -> None:
    for update in _parse_or_malformed(raw):
        for seen in update.events:
            assert seen.at.utcoffset() is not None
            assert not {"\x00", "\n"} & set(seen.place + seen.message + seen.code)
            (seen.place + seen.message + seen.code + update.number).encode()


def _parse_or_malformed(raw: bytes) -> list[Any]:
    try:
        return list(easypost.parse(raw))
    except Malformed:
        return []
