"""The stand-in for Stripe: what the portal's tests rely on. What Stripe itself must agree with is in the contract."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
import stripe as sdk

from portal.demo.stripe import Remote, StandIn
from tests.standin import SECRET

DAY = 24 * 3600


def ask(
    address: str, path: str, key: str = "", token: str = "sk_test_x", **params: Any
) -> tuple[int, Any, dict[str, str]]:
    """One plain request: status, body, headers."""
    headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
    body = urlencode(params).encode() if params else None
    try:
        with urlopen(Request(address + path, body, headers), timeout=10) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def refund(
    stripe: Remote, payment: str, amount: int = 2500, key: str = "", **more: Any
) -> tuple[int, Any, dict[str, str]]:
    return ask(stripe.address, "/v1/refunds", key=key, payment_intent=payment, amount=amount, **more)


@pytest.fixture
def payment(stripe: Remote) -> str:
    return stripe.pay(10_000, id="pi_alice")


@pytest.fixture
def ear() -> Iterator["Ear"]:
    server = Ear()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Ear(ThreadingHTTPServer):
    """Takes webhooks, keeps their bytes and signatures, answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.heard: list[tuple[bytes, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/stripe"

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.heard]


class Listener(BaseHTTPRequestHandler):
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((body, self.headers["Stripe-Signature"]))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def wait_for(what: Callable[[], Any]) -> None:
    until = time.monotonic() + 8
    while not what():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def test_a_payment_asked_for_twice_under_its_id_is_there_once(stripe: Remote, payment: str) -> None:
    assert stripe.pay(10_000, id=payment) == payment
    assert len(ask(stripe.address, "/v1/payment_intents")[1]["data"]) == 1


def test_a_refund_has_the_shape_of_a_recorded_one(
    stripe: Remote, payment: str, payloads: Callable[[str], bytes]
) -> None:
    recorded = json.loads(payloads("stripe-refund.json"))
    ours = refund(stripe, payment)[1]
    assert set(ours) <= set(recorded)
    assert {name: type(ours[name]) for name in ("id", "amount", "created", "status", "metadata")} == {
        name: type(recorded[name]) for name in ("id", "amount", "created", "status", "metadata")
    }
    assert "failure_reason" not in ours, "what is not set is absent"


def test_a_pending_refund_is_not_counted_on_the_charge_and_yet_uses_up_what_is_left(stripe: Remote) -> None:
    payment = stripe.pay(10_000, payment_method="pm_card_pendingRefund")
    made = refund(stripe, payment, 6000)[1]
    charge = ask(stripe.address, f"/v1/charges/{made['charge']}")[1]
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    status, body, _ = refund(stripe, payment, 4001)
    assert (status, body["error"]["param"], body["error"].get("code")) == (400, "amount", None)
    stripe.forward(31)
    assert ask(stripe.address, f"/v1/charges/{made['charge']}")[1]["amount_refunded"] == 6000


def test_what_is_wrong_has_stripes_shape(stripe: Remote, payment: str) -> None:
    def error(path: str = "/v1/refunds", token: str = "sk_test_x", **params: Any) -> tuple[int, str, str, str]:
        status, body, headers = ask(stripe.address, path, token=token, **params)
        assert headers["Request-Id"].startswith("req_")
        said = body["error"]
        return status, said["type"], said.get("code", ""), said.get("param", "")

    invalid, integer = "invalid_request_error", "parameter_invalid_integer"
    assert error(payment_intent=payment, amount=0) == (400, invalid, integer, "amount")
    assert error(payment_intent=payment, amount=-5) == (400, invalid, integer, "amount")
    assert error(payment_intent=payment, amount="10.5") == (400, invalid, integer, "amount")
    assert error(payment_intent=payment, reason="bored") == (400, invalid, "", "reason")
    assert error(payment_intent="pi_x", amount=1) == (404, invalid, "resource_missing", "payment_intent")
    assert error(charge="ch_x", amount=1) == (404, invalid, "resource_missing", "charge")
    assert error(amount=1) == (400, invalid, "", "")
    assert error(payment_intent=payment, amount=1, idempotency_key="k") == (
        400, invalid, "parameter_unknown", "idempotency_key",
    )  # fmt: skip
    assert error(token="", payment_intent=payment) == (401, invalid, "", "")
    assert error(token="sk_live_x", payment_intent=payment) == (401, invalid, "", "")
    assert error("/v1/accounts", x=1)[0] == 404
    assert ask(stripe.address, "/v1/refunds")[1]["data"] == []


def test_a_key_replays_its_first_answer_even_when_the_world_has_changed(stripe: Remote) -> None:
    payment = stripe.pay(10_000, payment_method="pm_card_refundFail")
    first = refund(stripe, payment, key="k")
    stripe.forward(61)
    again = refund(stripe, payment, key="k")
    assert again[:2] == first[:2]
    assert ("Idempotent-Replayed" in first[2], again[2]["Idempotent-Replayed"]) == (False, "true")
    assert ask(stripe.address, f"/v1/refunds/{first[1]['id']}")[1]["status"] == "failed"


def test_a_key_is_forgotten_after_a_day_of_its_own_clock(stripe: Remote, payment: str) -> None:
    first = refund(stripe, payment, key="k")[1]["id"]
    stripe.forward(DAY - 60)
    assert refund(stripe, payment, key="k")[1]["id"] == first
    stripe.forward(120)
    assert refund(stripe, payment, key="k")[1]["id"] != first


def test_another_request_under_a_used_key_is_an_error(stripe: Remote, payment: str) -> None:
    refund(stripe, payment, 100, key="k")
    status, body, _ = refund(stripe, payment, 200, key="k")
    assert (status, body["error"]["type"], body["error"].get("code")) == (400, "idempotency_error", None)


def test_wrong_parameters_do_not_use_up_a_key(stripe: Remote, payment: str) -> None:
    assert refund(stripe, payment, 0, key="k")[0] == 400
    assert refund(stripe, payment, 100, key="k")[0] == 200


def test_a_second_request_while_the_first_runs_is_in_flight(stripe: Remote, payment: str) -> None:
    stripe.fault("slow", seconds=0.6)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(refund, stripe, payment, key="k")
        wait_for(lambda: stripe.requests("POST"))
        time.sleep(0.1)
        status, body, _ = refund(stripe, payment, key="k")
        assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
        assert first.result()[0] == 200
    assert len(ask(stripe.address, "/v1/refunds")[1]["data"]) == 1


def test_a_500_after_execution_is_what_the_key_remembers(stripe: Remote, payment: str) -> None:
    stripe.fault("500", "after")
    assert refund(stripe, payment, key="k")[0] == 500
    status, _, headers = refund(stripe, payment, key="k")
    assert (status, headers["Stripe-Should-Retry"]) == (500, "false")
    assert len(ask(stripe.address, "/v1/refunds")[1]["data"]) == 1


@pytest.mark.parametrize("what", ["409", "429", "500", "503"])
def test_trouble_before_execution_leaves_nothing_behind(stripe: Remote, payment: str, what: str) -> None:
    stripe.fault(what)
    assert refund(stripe, payment, key="k")[0] == int(what)
    assert ask(stripe.address, "/v1/refunds")[1]["data"] == []
    assert refund(stripe, payment, key="k")[0] == 200


def test_faults_come_as_often_as_ordered_and_only_where(stripe: Remote, payment: str) -> None:
    stripe.fault("503", match="GET /v1/refunds", times=2)
    assert [ask(stripe.address, "/v1/refunds")[0] for _ in range(3)] == [503, 503, 200]
    stripe.fault("503")
    stripe.forget_faults()
    assert refund(stripe, payment)[0] == 200


def test_an_unknown_fault_is_not_ordered(stripe: Remote) -> None:
    with pytest.raises(HTTPError, match="400"):
        stripe.fault("meteor")


def test_only_what_requires_action_can_be_cancelled_or_expire(stripe: Remote, payment: str) -> None:
    done = refund(stripe, payment)[1]["id"]
    status, body, _ = ask(stripe.address, f"/v1/refunds/{done}/cancel", expand="")
    assert (status, body["error"]["message"]) == (400, "Canceling this refund is unsupported.")
    by_bank = stripe.pay(5000, payment_method="pm_bank_transfer")
    first, second = (refund(stripe, by_bank, 1000)[1] for _ in range(2))
    assert first["status"] == "requires_action"
    cancelled = ask(stripe.address, f"/v1/refunds/{first['id']}/cancel", expand="")[1]
    assert (cancelled["status"], cancelled["failure_reason"]) == ("canceled", "merchant_request")
    assert ask(stripe.address, f"/v1/test_helpers/refunds/{second['id']}/expire", expand="")[1]["status"] == "failed"
    assert refund(stripe, by_bank, 5000)[0] == 200, "their money can be given back again"


def test_pages_of_a_list_are_newest_first(stripe: Remote, payment: str) -> None:
    made = [refund(stripe, payment, 1)[1]["id"] for _ in range(5)]
    first = ask(stripe.address, f"/v1/refunds?limit=3&payment_intent={payment}")[1]
    assert [one["id"] for one in first["data"]] == made[:1:-1]
    rest = ask(stripe.address, f"/v1/refunds?limit=3&payment_intent={payment}&starting_after={made[2]}")[1]
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (made[1::-1], False)
    assert ask(stripe.address, "/v1/refunds?payment_intent=pi_other")[1]["data"] == []


def test_events_are_told_signed_over_their_raw_bytes(stripe: Remote, ear: Ear, payment: str) -> None:
    stripe.webhooks(url=ear.url)
    made = refund(stripe, payment)[1]
    wait_for(lambda: "charge.refunded" in ear.types)
    assert ear.types == ["charge.succeeded", "payment_intent.succeeded", "refund.created", "charge.refunded"]
    for body, signature in ear.heard:
        assert sdk.WebhookSignature.verify_header(body.decode(), signature, SECRET, tolerance=300)
    assert json.loads(ear.heard[2][0])["data"]["object"]["id"] == made["id"]
    wait_for(lambda: not stripe.undelivered())


@pytest.mark.parametrize(
    ("card", "types"),
    [
        ("pm_card_pendingRefund", ["refund.created", "refund.updated", "charge.refunded"]),
        ("pm_card_refundFail", ["refund.created", "charge.refunded", "refund.updated", "refund.failed"]),
    ],
)
def test_what_changes_later_is_told_later(stripe: Remote, card: str, types: list[str]) -> None:
    refund(stripe, stripe.pay(5000, payment_method=card))
    stripe.forward(61)
    assert [event["type"] for event in stripe.undelivered()][2:] == types


def test_a_refund_that_failed_does_not_come_alive_when_its_time_comes(stripe: Remote) -> None:
    made = refund(stripe, stripe.pay(5000, payment_method="pm_card_pendingRefund"))[1]
    stripe.change_refund(made["id"], status="failed", failure_reason="declined")
    stripe.forward(61)
    assert ask(stripe.address, f"/v1/refunds/{made['id']}")[1]["status"] == "failed"


@pytest.mark.parametrize("status", [301, 400, 503])
def test_an_event_that_is_not_taken_is_told_again(stripe: Remote, ear: Ear, status: int) -> None:
    ear.status = status
    stripe.webhooks(url=ear.url)
    stripe.pay(100)
    wait_for(lambda: len(ear.heard) >= 2)
    assert len(stripe.undelivered()) == 2
    ear.status = 204
    wait_for(lambda: not stripe.undelivered())
    assert set(ear.types) == {"charge.succeeded", "payment_intent.succeeded"}


def test_held_events_are_told_in_any_order_and_number(stripe: Remote, ear: Ear, payment: str) -> None:
    stripe.webhooks(url=ear.url, hold=True)
    refund(stripe, payment)
    assert stripe.deliver(types=["refund.created", "charge.refunded"], reverse=True) == [200, 200]
    assert ear.types == ["charge.refunded", "refund.created"]
    assert stripe.deliver(types=["refund.created"], times=3, at_once=True) == [200, 200, 200]
    assert len(ear.heard) == 5
    assert {event["type"] for event in stripe.undelivered()} == {"charge.succeeded", "payment_intent.succeeded"}


def test_undelivered_events_can_be_listed(stripe: Remote, ear: Ear, payment: str) -> None:
    stripe.webhooks(url=ear.url, hold=True)
    refund(stripe, payment)
    stripe.deliver(types=["refund.created"])
    missed = ask(stripe.address, "/v1/events?delivery_success=false&types[]=refund.created&types[]=charge.refunded")[1]
    assert [event["type"] for event in missed["data"]] == ["charge.refunded"]


def test_a_dispute_is_told_and_an_inquiry_can_still_be_refunded(stripe: Remote, payment: str) -> None:
    stripe.dispute(payment, status="warning_needs_response")
    assert refund(stripe, payment, 100)[0] == 200
    stripe.dispute(payment)
    assert refund(stripe, payment, 100)[1]["error"]["code"] == "charge_disputed"
    disputes = [event["type"] for event in stripe.undelivered() if "dispute" in event["type"]]
    assert disputes == ["charge.dispute.created", "charge.dispute.created", "charge.dispute.funds_withdrawn"]


def test_the_log_counts_what_was_asked_under_a_key(stripe: Remote, payment: str) -> None:
    for _ in range(3):
        refund(stripe, payment, key="k")
    lines = [line for line in stripe.requests("POST /v1/refunds") if line["key"] == "k"]
    assert [line["replayed"] for line in lines] == [False, True, True]


@pytest.mark.processes
def test_killed_in_the_middle_it_knows_everything_when_it_comes_back(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port, state = free_port(), tmp_path / "stripe.json"
    program = start(port, state)
    stripe = Remote(f"http://127.0.0.1:{port}")
    payment = stripe.pay(10_000)
    first = refund(stripe, payment, key="k")[1]
    stripe.forward(3600)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program = start(port, state)
    try:
        again = refund(stripe, payment, key="k")
        assert (again[1]["id"], again[2]["Idempotent-Replayed"]) == (first["id"], "true")
        assert refund(stripe, payment)[1]["created"] >= first["created"] + 3600, "its clock is still ahead"
        assert "refund.created" in [event["type"] for event in stripe.undelivered()]
    finally:
        program.terminate()
        assert program.wait(10) == 0


def start(port: int, state: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "portal.demo.stripe", "--port", str(port), "--state", str(state)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)
    assert program.stdout is not None
    assert b"listens" in program.stdout.readline()
    return program


def test_a_state_that_was_half_written_is_not_read(tmp_path: Path) -> None:
    first = StandIn(tmp_path / "stripe.json")
    payment = Remote(first.start()).pay(100)
    first.stop()
    (tmp_path / "stripe.half").write_text('{"ahead": 0, "payment_int')
    second = StandIn(tmp_path / "stripe.json")
    assert ask(second.start(), f"/v1/payment_intents/{payment}")[0] == 200
    second.stop()
