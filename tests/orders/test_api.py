"""POST /api/v1/orders: a key, one order, a clear answer; and the description tells the truth."""

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from portal.adapters.channels.api import OrderBody
from portal.db import session
from portal.lib import clock
from portal.orders import api, flags
from portal.orders.keys import make_key
from portal.orders.models import Channel, ChannelRefund, Order, OrderChange
from tests.conftest import ROOT, nothing_appears, owed
from tests.world import World

DESCRIBED = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
SEND = DESCRIBED["paths"]["/orders"]["post"]
ORDER: dict[str, Any] = SEND["requestBody"]["content"]["application/json"]["example"]
Send = Callable[..., TestResponse]


@pytest.fixture
def key(world: World) -> str:
    made = make_key("lantern", "first", by=None, now=clock.now())
    session.commit()
    return made


@pytest.fixture
def send(client: FlaskClient, key: str) -> Send:
    """Post an order with these changes, or this body, with the key of the channel."""

    def post(
        body: bytes | None = None, *, kind: str = "application/json", by: str = key, **changes: Any
    ) -> TestResponse:
        raw = json.dumps({**ORDER, **changes}).encode() if body is None else body
        headers = {"Authorization": f"Bearer {by}"} if by else {}
        return client.post("/api/v1/orders", data=raw, content_type=kind, headers=headers)

    return post


def refused(answer: TestResponse) -> list[tuple[str, str]]:
    assert answer.status_code == 422
    return [(mistake["pointer"], mistake["message"]) for mistake in answer.get_json()["errors"]]


def orders() -> list[Order]:
    session.expire_all()
    return list(session.scalars(select(Order).where(Order.channel == "api:lantern")))


def test_a_new_order_is_accepted_and_promised(send: Send) -> None:
    answer = send()
    [order] = orders()
    assert (answer.status_code, answer.get_json()["ref"]) == (201, order.ref)
    assert answer.get_json()["promised_on"] == order.promised_on.isoformat()
    assert (order.total, order.customer.email, order.locale) == (8400, "ada@example.org", "de")
    assert [(line.title, line.paid) for line in order.lines] == [
        ("Stoneware mug", 4000),
        ("Linen shirt", 3900),
        ("Standard delivery", 500),
    ]
    assert ("fulfilment.plan", {"order_id": order.id}) in owed()


def test_the_same_order_again_is_known_and_changes_nothing(send: Send) -> None:
    first = send()
    with nothing_appears():
        again = send()
        assert (again.status_code, again.get_json()) == (200, first.get_json())


def test_a_newer_copy_brings_it_up_to_date_and_an_older_one_does_not(send: Send) -> None:
    send(payment={"captured": 0})
    newer = send(updated_at="2026-11-20T10:00:00+01:00", email="new@example.org")
    assert newer.status_code == 200
    send(updated_at="2026-11-20T09:30:00+01:00", email="old@example.org")
    [order] = orders()
    assert order.customer.email == "new@example.org"
    assert order.payment is not None
    assert (order.payment.captured, flags.problems(order.id)) == (8400, [])


def test_8_4_1_the_channel_is_the_keys_and_nobody_elses(send: Send, key: str) -> None:
    other = make_key("thimble", "first", by=None, now=clock.now())
    session.commit()
    assert send(payment={"captured": 8400}).status_code == 201
    assert send(payment={"captured": 8400}, by=other).status_code == 201
    assert refused(send(channel="api:thimble")) == [("/channel", "is not known here")]
    assert len(orders()) == 1


def test_15_3_7_nothing_in_the_address_changes_whose_order_it_is(client: FlaskClient, key: str) -> None:
    make_key("thimble", "first", by=None, now=clock.now())
    session.commit()
    address = "/api/v1/orders?channel=api:thimble&channel=api:lantern&code=api:thimble&state=cancelled"
    answer = client.post(address, json=ORDER, headers={"Authorization": f"Bearer {key}", "X-Channel": "api:thimble"})
    assert answer.status_code == 201
    assert session.scalars(select(Order.channel).where(Order.ref == answer.get_json()["ref"])).all() == ["api:lantern"]


@pytest.mark.parametrize(
    "more", [{"state": "cancelled"}, {"id": 1}, {"ref": "aaaaaaaaaa"}, {"promised_on": "2030-01-01"}]
)
def test_15_3_3_what_is_ours_to_decide_is_not_taken_from_a_shop(send: Send, more: dict[str, Any]) -> None:
    with nothing_appears():
        assert refused(send(**more)) == [(f"/{next(iter(more))}", "is not known here")]


def test_15_3_1_the_answer_holds_what_is_described_and_nothing_else(send: Send) -> None:
    described = {"ref", "external_id", "number", "state", "promised_on", "problems"}
    assert set(send().get_json()) == described


def test_what_a_shop_may_not_know_is_kept_and_flagged(send: Send) -> None:
    line = {"external_id": "1", "title": "Mug", "quantity": 1, "unit_price": 2000}
    answer = send(lines=[line], address={}, email="nobody")
    assert answer.status_code == 201
    assert set(answer.get_json()["problems"]) == {"missing_sku", "missing_address", "bad_email", "totals"}


def test_every_mistake_is_told_at_its_place(send: Send) -> None:
    lines = [{**ORDER["lines"][0], "quantity": 0}, {"title": "Mug"}]
    with nothing_appears():
        assert refused(send(currency="EURO", total=84.0, placed_at="yesterday", lines=lines)) == [
            ("/placed_at", "must be a time with its offset, like 2026-11-23T14:30:00+01:00"),
            ("/currency", "EURO is no currency we know; write its three letters, like EUR"),
            ("/total", "must be a whole number"),
            ("/lines/0/quantity", "must be at least 1"),
            ("/lines/1/external_id", "is missing"),
            ("/lines/1/quantity", "is missing"),
            ("/lines/1/unit_price", "is missing"),
        ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"order"',
        b"{",
        b"\xff\xfe",
        json.dumps(ORDER).encode("utf-16"),
        json.dumps(ORDER, ensure_ascii=False).encode("latin-1"),
        json.dumps(ORDER).encode()[:-1] + b', "total": 1}',
        b'{"total": NaN}',
        b'{"number": "\\ud800"}',
        b'{"total": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
)
def test_what_is_no_json_object_is_refused(send: Send, body: bytes) -> None:
    with nothing_appears():
        answer = send(body)
        assert answer.status_code == 400
        assert answer.get_json()["message"].startswith("The body is not ")


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 10**400},
        {"total": -1},
        {"total": True},
        {"total": "8400"},
        {"external_id": "\u0000"},
        {"external_id": "x" * 201},
        {"external_id": 17},
        {"placed_at": "9999-12-31T23:59:59-23:59"},
        {"placed_at": 1763629200},
        {"currency": "XXX"},
        {"lines": []},
        {"lines": [ORDER["lines"][0]] * 2},
        {"lines": [{**ORDER["lines"][0], "unit_price": 10**14, "quantity": 10**6}]},
        {"lines": [{**ORDER["lines"][0], "kind": "gift"}]},
        {"payment": None},
        {"payment": {"captured": 8401}},
        {"payment": {"captured": 1, "payment_intent": "pi_1'; --"}},
        {"address": {"country": {"code": "DE"}}},
        {"state": "closed"},
    ],
)
def test_what_is_no_order_is_refused_and_nothing_appears(send: Send, changes: dict[str, Any]) -> None:
    with nothing_appears():
        assert refused(send(**changes))


def test_texts_are_kept_without_what_nobody_can_read(send: Send) -> None:
    assert send(name="A\u202eda\u0000 \n Ångström").status_code == 201
    assert orders()[0].customer.name == "Ada Ångström"


def test_a_payment_that_belongs_to_another_order_is_refused(send: Send) -> None:
    assert send().status_code == 201
    with nothing_appears():
        answer = send(external_id="A-1002")
        assert (answer.status_code, answer.get_json()["message"]) == (
            409,
            "The payment pi_3NxAda belongs to another order.",
        )


@pytest.mark.parametrize("sent", ["", "wrong", "a" * 5000, "é"])
def test_without_a_valid_key_nothing_is_read(send: Send, sent: str) -> None:
    with nothing_appears():
        answer = send(by=sent)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_disabled_channel_is_out_with_the_next_order(send: Send) -> None:
    assert send().status_code == 201
    session.scalars(select(Channel)).one().disabled_at = clock.now()
    session.commit()
    with nothing_appears():
        assert send(external_id="A-2").status_code == 401


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
def test_only_json_in_utf_8_is_taken(send: Send, kind: str) -> None:
    with nothing_appears():
        assert send(kind=kind).status_code == 415
    assert send(kind="application/json; charset=UTF-8").status_code == 201


def test_a_body_that_is_too_big_is_refused(send: Send) -> None:
    with nothing_appears():
        assert send(json.dumps({**ORDER, "name": "x" * 1_000_000}).encode()).status_code == 413


def test_each_key_has_its_own_limit(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PER_MINUTE", 2)
    other = make_key("thimble", "first", by=None, now=clock.now())
    session.commit()
    assert [send().status_code for _ in range(3)] == [201, 200, 429]
    assert send(by=other, payment={"captured": 1}).status_code == 201


# --- the description ---


def test_the_described_order_is_the_one_that_is_checked() -> None:
    checked = without_titles(OrderBody.model_json_schema(ref_template="#/components/schemas/{model}"))
    described = DESCRIBED["components"]["schemas"]
    assert {name: described.get(name) for name in checked["$defs"]} == checked.pop("$defs")
    assert described["Order"] == checked


def without_titles(schema: Any) -> Any:
    """Pydantic repeats each name as a title."""
    if isinstance(schema, list):
        return [without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: without_titles(each) for name, each in schema.items() if name != "title" or isinstance(each, dict)}


def test_every_route_is_described_and_every_description_is_a_route(client: FlaskClient) -> None:
    rules = [rule for rule in client.application.url_map.iter_rules() if rule.rule.startswith("/api/")]
    routes = {(rule.rule, method.lower()) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    server = DESCRIBED["servers"][0]["url"]
    assert routes == {(server + path, method) for path, ways in DESCRIBED["paths"].items() for method in ways}


def test_every_described_problem_can_be_flagged_and_the_other_way_round() -> None:
    described = DESCRIBED["components"]["schemas"]["AcceptedOrder"]["properties"]["problems"]["items"]["enum"]
    assert described == list(flags.CODES)


@pytest.mark.parametrize(("intent", "counted"), [(None, [8400]), ("pi_3QWelcome", [])])
def test_a_channel_may_cancel_and_give_back_by_a_newer_copy(send: Send, intent: str | None, counted: list[int]) -> None:
    """What goes back through our own Stripe account is for Stripe to tell."""
    payment = {"captured": 8400, "payment_intent": intent}
    send(payment=payment)
    back = {"external_id": "r-1", "amount": 8400, "given_at": "2026-11-20T10:00:00+01:00"}
    for _ in range(2):
        send(updated_at="2026-11-20T10:00:00+01:00", payment=payment, cancelled=True, refunds=[back])
    [order] = orders()
    assert order.payment is not None
    change = session.scalars(select(OrderChange)).one()
    assert (change.copy["cancelled"], order.payment.external) == (True, sum(counted))
    assert session.scalars(select(ChannelRefund.amount)).all() == counted


def test_a_test_order_is_only_kept(send: Send) -> None:
    answer = send(test=True).get_json()
    assert (answer["state"], answer["promised_on"], answer["problems"]) == ("on_hold", None, ["test"])


def test_every_described_answer_is_given_as_described(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    away = OperationalError("SELECT 1", {}, Exception("gone"))
    given = {
        201: send(),
        200: send(),
        400: send(b"{"),
        401: send(by="wrong"),
        409: send(external_id="A-2"),
        413: send(b" " * 1_000_001),
        415: send(kind="text/plain"),
        422: send(total=-1),
    }
    with patch("portal.orders.api.accept_order", side_effect=away):
        given[503] = send()
    monkeypatch.setattr(api, "PER_MINUTE", 0)
    given[429] = send()
    assert {str(code) for code in given} == set(SEND["responses"])
    for code, answer in given.items():
        check_described(code, answer)


def check_described(code: int, answer: TestResponse) -> None:
    assert answer.status_code == code
    said = SEND["responses"][str(code)]
    schema = DESCRIBED["components"]["schemas"][
        said["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    ]
    assert set(answer.get_json()) == set(schema["properties"]) == set(schema["required"])
    assert set(said.get("headers", {})) == set(answer.headers.keys()) & {"WWW-Authenticate", "Retry-After"}


def test_the_description_is_open_to_anyone(client: FlaskClient) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype, answer.get_json()) == (200, "application/json", DESCRIBED)
