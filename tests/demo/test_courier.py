"""The demo's courier: it reports as EasyPost does."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask.testing import FlaskClient

from portal.demo.courier import STEPS, Book, Courier, UnderWay, post
from portal.demo.mailbox import Mailbox
from portal.demo.outside import create_outside

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "a-secret-é"
PARCEL = UnderWay("JD0001", "DHL", "label_created", "1001", "Ada", "Köln", "DE")


class Portal(HTTPServer):
    """Takes webhooks, keeps their bytes and signatures, answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ear)
        self.heard: list[tuple[bytes, str]] = []
        self.status = 200


class Ear(BaseHTTPRequestHandler):
    server: Portal

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((body, self.headers["X-Hmac-Signature"]))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def portal() -> Iterator[Portal]:
    server = Portal()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def courier(portal: Portal, tmp_path: Path) -> Courier:
    hook = f"http://127.0.0.1:{portal.server_port}/hooks/easypost"
    return Courier(Book(tmp_path), SECRET, partial(post, hook), lambda: [PARCEL])


@pytest.fixture
def client(courier: Courier, tmp_path: Path) -> FlaskClient:
    nothing: Any = None
    return create_outside(Mailbox(tmp_path), courier, nothing).test_client()


def test_a_report_is_signed_over_its_raw_bytes_with_the_normalised_secret(courier: Courier, portal: Portal) -> None:
    assert courier.report(PARCEL, STEPS["picked-up"], now=NOON) == "200 OK"
    [(body, signature)] = portal.heard
    key = "a-secret-e\N{COMBINING ACUTE ACCENT}".encode()
    assert signature == "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def test_every_report_tells_the_whole_history_and_has_an_id_of_its_own(courier: Courier, portal: Portal) -> None:
    courier.report(PARCEL, STEPS["picked-up"], now=NOON)
    courier.report(PARCEL, STEPS["delivered"], now=NOON + timedelta(hours=3))
    first, second = (json.loads(body) for body, _ in portal.heard)
    assert first["id"] != second["id"]
    assert [step["status"] for step in second["result"]["tracking_details"]] == ["in_transit", "delivered"]
    assert second["previous_attributes"] == {"status": "in_transit"}
    assert second["result"]["status"] == "delivered"
    assert second["result"]["finalized"]


def test_it_has_the_shape_of_a_recorded_one(courier: Courier, portal: Portal, payloads: Callable[[str], bytes]) -> None:
    recorded = json.loads(payloads("easypost-tracker-updated.json"))
    courier.report(PARCEL, STEPS["in-transit"], now=NOON)
    ours = json.loads(portal.heard[0][0])
    assert set(ours) <= set(recorded)
    assert set(ours["result"]) <= set(recorded["result"])
    assert set(ours["result"]["tracking_details"][0]) == set(recorded["result"]["tracking_details"][0])


def test_a_button_reports_and_shows_what_the_portal_answered(client: FlaskClient, portal: Portal) -> None:
    portal.status = 503
    answer = client.post("/courier/JD0001/steps", data={"step": "delayed"}, follow_redirects=True)
    assert "It answered 503" in answer.text
    assert "1 told so far" in answer.text


def test_a_portal_that_is_away_is_said_and_is_no_error(client: FlaskClient, portal: Portal) -> None:
    portal.shutdown()
    portal.server_close()
    answer = client.post("/courier/JD0001/steps", data={"step": "delivered"}, follow_redirects=True)
    assert answer.status_code == 200
    assert "no answer" in answer.text


@pytest.mark.parametrize(("number", "step"), [("JD0001", "eaten"), ("JD0001", ""), ("XX", "delivered")])
def test_an_unknown_parcel_or_step_reports_nothing(client: FlaskClient, portal: Portal, number: str, step: str) -> None:
    assert client.post(f"/courier/{number}/steps", data={"step": step}).status_code == 404
    assert portal.heard == []
