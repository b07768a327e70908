"""The fences around Stripe's library: what never leaves, what an answer means, whose words are believed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stripe as sdk
from flask import Flask

from portal import config
from portal.adapters import stripe as adapter
from portal.adapters.errors import Malformed, Permanent, Temporary, Unknown
from portal.adapters.stripe import Account, BadSignature, Declined, KeyReused, Locked, read_event, verify_webhook
from portal.demo.stripe import Remote, StandIn
from portal.demo.stripe.hooks import sign
from portal.lib import stripe_key
from tests.standin import SECRET

IMPATIENT = (1.0, 0.3)


@pytest.fixture
def account(stripe: Remote) -> Account:
    return Account("sk_test_traps", stripe.address, timeout=IMPATIENT)


@pytest.fixture
def payment(stripe: Remote) -> str:
    return stripe.pay(10_000)


def params(payment: str, amount: Any = 2500, **more: Any) -> dict[str, Any]:
    return {"payment_intent": payment, "amount": amount, "metadata": {"rf": "row-1"}, **more}


@pytest.mark.parametrize("amount", [None, 0, -1, 10.5, "3000", True, [100]])
def test_an_amount_that_is_none_never_leaves(account: Account, stripe: Remote, payment: str, amount: Any) -> None:
    with pytest.raises(Declined) as refusal:
        account.create_refund(params(payment, amount), key="k")
    assert refusal.value.param == "amount"
    assert stripe.requests() == []


def test_a_forgotten_amount_never_leaves(account: Account, stripe: Remote, payment: str) -> None:
    with pytest.raises(Declined):
        account.create_refund({"payment_intent": payment}, key="k")
    assert stripe.requests() == []


@pytest.mark.parametrize("given", ["", None])
def test_a_payment_that_is_none_never_leaves(account: Account, stripe: Remote, given: Any) -> None:
    with pytest.raises(Declined):
        account.create_refund(params(given), key="k")
    with pytest.raises(Declined):
        account.refunds_of(given)
    assert stripe.requests() == []


@pytest.mark.parametrize("key", ["", "refund:é", "k" * 256, "a\nb"])
def test_a_key_that_no_header_can_carry_never_leaves(account: Account, stripe: Remote, payment: str, key: str) -> None:
    with pytest.raises(Permanent):
        account.create_refund(params(payment), key=key)
    assert stripe.requests() == []


def test_the_key_is_a_header_and_the_amount_a_parameter(account: Account, stripe: Remote, payment: str) -> None:
    account.create_refund(params(payment, api_version="2026-10-28.endive"), key="refund:row-1")
    [post] = stripe.requests("POST /v1/refunds")
    assert post["key"] == "refund:row-1"
    assert post["params"] == {"payment_intent": payment, "amount": "2500", "metadata": {"rf": "row-1"}}


def test_a_second_try_speaks_the_version_of_the_first(account: Account, stripe: Remote, payment: str) -> None:
    account.create_refund(params(payment, api_version="2025-03-31.basil"), key="k")
    account.get_refund(account.refunds_of(payment)[0].id)
    versions = [line["version"] for line in stripe.requests()]
    assert versions == ["2025-03-31.basil", adapter.API_VERSION, adapter.API_VERSION]


def test_it_says_who_calls_and_nothing_of_the_machine(
    account: Account, stripe: Remote, payment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("OPENCODE", "1")  # the library would tell by whose tool it runs
    for n in range(2):
        account.create_refund(params(payment, 100 + n), key=f"k{n}")
    assert {(line["user_agent"], line["client"]) for line in stripe.requests()} == {("Aftersale", "")}
    assert not list(tmp_path.rglob("telemetry*"))


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("401", Locked),
        ("403", Locked),
        ("429", Temporary),
        ("409", Unknown),
        ("500", Unknown),
        ("503", Unknown),
        ("html", Unknown),
        ("garbage", Unknown),
        ("list", Unknown),
        ("empty", Unknown),
        ("cut", Unknown),
        ("timeout", Unknown),
    ],
)
def test_each_trouble_has_its_meaning(
    account: Account, stripe: Remote, payment: str, what: str, error: type[Exception]
) -> None:
    stripe.fault(what, seconds=2)
    with pytest.raises(error) as raised:
        account.create_refund(params(payment), key="k")
    assert not isinstance(raised.value, Permanent)
    assert isinstance(raised.value, Temporary) == (error in (Temporary, Locked))
    assert len(stripe.requests("POST")) == 1, "one call is one try"
    assert account.refunds_of(payment) == []


@pytest.mark.parametrize("what", ["cut", "timeout", "500", "html"])
def test_trouble_after_the_money_moved_is_unknown_and_a_look_finds_it(
    account: Account, stripe: Remote, payment: str, what: str
) -> None:
    stripe.fault(what, "after", seconds=1)
    with pytest.raises(Unknown):
        account.create_refund(params(payment), key="k")
    found = account.find_refund(payment, "row-1")
    assert found is not None
    assert (found.amount, found.status) == (2500, "succeeded")


def test_a_reply_lost_inside_one_call_is_replayed_and_then_looked_at(stripe: Remote, payment: str) -> None:
    stripe.fault("cut", "after")
    made = Account("sk_test_traps", stripe.address, retries=2).create_refund(params(payment), key="k")
    assert made.status == "succeeded"
    lines = [(line["method"], line["key"], line["replayed"]) for line in stripe.requests()]
    assert lines == [("POST", "k", False), ("POST", "k", True), ("GET", "", False)]


def test_trouble_with_the_look_after_a_replay_is_unknown(account: Account, stripe: Remote, payment: str) -> None:
    account.create_refund(params(payment), key="k")
    stripe.fault("503", match="GET /v1/refunds/")
    with pytest.raises(Unknown):
        account.create_refund(params(payment), key="k")


def test_a_used_key_is_not_a_refusal(account: Account, payment: str) -> None:
    account.create_refund(params(payment, 100), key="k")
    with pytest.raises(KeyReused) as raised:
        account.create_refund(params(payment, 200), key="k")
    assert isinstance(raised.value, Unknown)


def test_it_looks_through_all_pages(account: Account, stripe: Remote, payment: str) -> None:
    for n in range(103):
        account.create_refund(params(payment, 1, metadata={"rf": f"row-{n}"}), key=f"k{n}")
    found = account.find_refund(payment, "row-0")
    assert found is not None
    assert len(stripe.requests("GET /v1/refunds")) == 2


def test_a_failed_refund_is_found_too(account: Account, stripe: Remote, payment: str) -> None:
    made = account.create_refund(params(payment), key="k")
    stripe.change_refund(made.id, status="failed", failure_reason="declined")
    found = account.find_refund(payment, "row-1")
    assert found is not None
    assert (found.status, found.failure_reason) == ("failed", "declined")


def test_the_reference_for_the_customers_bank_is_read_when_there_is_one(
    account: Account, stripe: Remote, payment: str
) -> None:
    made = account.create_refund(params(payment), key="k")
    assert made.bank_reference == ""
    stripe.change_refund(made.id, reference="74737160001")
    assert account.get_refund(made.id).bank_reference == "74737160001"


def test_no_call_is_made_without_a_key(app: Flask) -> None:
    with pytest.raises(Locked, match="STRIPE_API_KEY"):
        adapter.account()


def test_the_shops_key_and_address_are_used(shop: Flask, stripe: Remote) -> None:
    adapter.account().prove()
    assert [line["path"] for line in stripe.requests()] == ["/v1/refunds", "/v1/payment_intents"]


def test_a_key_that_stripe_does_not_know_locks_us_out(account: Account, stripe: Remote) -> None:
    stripe.fault("401", match="GET")
    with pytest.raises(Locked, match="401"):
        account.prove()


LOOPBACK = "http://127.0.0.1:8003"


@pytest.mark.parametrize(
    ("key", "base"),
    [
        ("", stripe_key.STRIPE),
        ("pk_test_abc", stripe_key.STRIPE),
        ("sk_test_", stripe_key.STRIPE),
        ("sk_prod_abc", stripe_key.STRIPE),
        ("sk_test_é", stripe_key.STRIPE),
        ("sk_test_a b", stripe_key.STRIPE),
        ("whsec_abc", stripe_key.STRIPE),
        ("sk_test_abc", "https://api.stripe.com.example.org"),
        ("sk_test_abc", "http://api.stripe.com"),
        ("sk_test_abc", "http://192.168.0.7:8003"),
        ("rk_live_abc", LOOPBACK),
        ("sk_live_abc", "http://localhost:8003"),
    ],
)
def test_a_wrong_key_or_a_strangers_address_is_refused_before_any_call(key: str, base: str) -> None:
    with pytest.raises(ValueError, match=r"is |would be"):
        Account(key, base)


@pytest.mark.parametrize(
    ("key", "base", "mode"),
    [
        ("rk_live_abc", stripe_key.STRIPE, "live"),
        ("sk_test_abc", stripe_key.STRIPE + "/", "test"),
        ("rk_test_abc", LOOPBACK, "test"),
        ("sk_test_abc", "http://[::1]:8003", "test"),
    ],
)
def test_a_key_tells_its_mode(key: str, base: str, mode: str) -> None:
    assert Account(key, base).mode == mode


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"STRIPE_API_KEY": "pk_test_abc"}, "STRIPE_API_KEY is no secret key of Stripe"),
        ({"STRIPE_API_KEY": "sk_live_abc", "STRIPE_API_BASE": LOOPBACK}, "STRIPE_API_KEY is a live key"),
        ({"STRIPE_API_KEY": "sk_test_abc", "STRIPE_API_BASE": "http://10.0.0.1"}, "STRIPE_API_KEY would be sent to"),
    ],
)
def test_a_wrong_key_stops_the_start_with_a_sentence_that_does_not_tell_it(
    setting: dict[str, str], sentence: str
) -> None:
    with pytest.raises(config.BadSettings, match=sentence) as bad:
        config.read({"SECRET_KEY": "tests-" * 8, **setting})
    assert setting["STRIPE_API_KEY"] not in str(bad.value)


EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "refund.updated",
    "data": {"object": {"id": "re_1", "object": "refund", "payment_intent": "pi_1", "metadata": {"rf": "row-1"}}},
}


def raw(event: Any = EVENT) -> bytes:
    return json.dumps(event).encode()


def signed(body: bytes, ago: float = 0, secret: str = SECRET) -> str:
    return sign(body, secret, int(time.time() - ago))


def test_a_webhook_tells_what_it_is_about() -> None:
    event = verify_webhook(raw(), signed(raw()), SECRET)
    assert (event.id, event.type, event.object_id, event.object_kind) == ("evt_1", "refund.updated", "re_1", "refund")
    assert (event.payment_intent, event.metadata) == ("pi_1", {"rf": "row-1"})


def test_an_expanded_payment_is_read_too() -> None:
    about = {"id": "re_1", "object": "refund", "payment_intent": {"id": "pi_1", "object": "payment_intent"}}
    assert read_event(raw(EVENT | {"data": {"object": about}})).payment_intent == "pi_1"


@pytest.mark.parametrize("ago", [0, 290, -3600])
def test_a_fresh_signature_is_believed_and_one_from_the_future_too(ago: int) -> None:
    assert verify_webhook(raw(), signed(raw(), ago), SECRET).id == "evt_1"


def test_one_of_two_signatures_is_enough_while_a_secret_is_rolled() -> None:
    other = signed(raw(), secret="whsec_old").partition(",")[2]
    assert verify_webhook(raw(), f"{signed(raw())},{other}", SECRET).id == "evt_1"


HEADERS: dict[str, Callable[[bytes], str]] = {
    "none": lambda body: "",
    "junk": lambda body: "v1",
    "of another secret": lambda body: signed(body, secret="whsec_other"),
    "too old": lambda body: signed(body, ago=310),
    "of another scheme": lambda body: signed(body).replace("v1=", "v0="),
    "of other bytes": lambda body: signed(body + b" "),
    "without a time": lambda body: signed(body).partition(",")[2],
    "with a time that is none": lambda body: f"t=noon,{signed(body).partition(',')[2]}",
    "not ASCII": lambda body: "t=1,v1=é",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_signature_that_is_not_ours_is_refused(header: Callable[[bytes], str]) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(raw(), header(raw()), SECRET)


@pytest.mark.parametrize("secret", ["", " "])
def test_without_a_secret_nothing_is_believed(secret: str) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(raw(), signed(raw(), secret=secret), secret)


@pytest.mark.parametrize("position", range(0, len(raw()), 7))
def test_every_byte_counts(position: int) -> None:
    body = bytearray(raw())
    header = signed(raw())
    body[position] ^= 1
    with pytest.raises(BadSignature):
        verify_webhook(bytes(body), header, SECRET)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadSignature):
        verify_webhook(b"\xff\xfe", signed(b"\xff\xfe"), SECRET)


NONSENSE = {
    "no JSON": b"hello",
    "an array": b"[]",
    "a number": b"1",
    "no type": raw({k: v for k, v in EVENT.items() if k != "type"}),
    "no data": raw({k: v for k, v in EVENT.items() if k != "data"}),
    "no id": raw({k: v for k, v in EVENT.items() if k != "id"}),
    "an object without an id": raw(EVENT | {"data": {"object": {"object": "refund"}}}),
    "data that is a list": raw(EVENT | {"data": []}),
    "a thin event": raw(
        {"id": "evt_2", "object": "v2.core.event", "type": "v1.refund.updated", "related_object": {"id": "re_1"}}
    ),
    "a refund and no event": raw(EVENT["data"]["object"]),  # type: ignore[index]
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
def test_what_is_signed_and_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        verify_webhook(body, signed(body), SECRET)


def test_the_library_reports_nothing_to_its_makers() -> None:
    assert sdk.enable_telemetry is False


def test_the_stand_in_signs_as_the_library_does() -> None:
    at = int(time.time())
    digest = sdk.WebhookSignature._compute_signature(f"{at}.{raw().decode()}", SECRET)
    assert sign(raw(), SECRET, at) == f"t={at},v1={digest}"


def test_a_stopped_stripe_is_unknown(stand_in: StandIn, account: Account, payment: str) -> None:
    stand_in.stop()
    with pytest.raises(Unknown):
        account.create_refund(params(payment), key="k")
