"""Both descriptions tell the truth to whoever builds on them: what fits is taken, what does not is refused, as told.

Bodies are made from the descriptions, the same ones every time; `make hostile` makes hundreds of them.
"""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.db import session
from portal.inbox.models import InboxMessage
from portal.inbox.sources import SOURCES
from portal.lib import clock
from portal.orders.keys import make_key
from portal.orders.models import Order
from tests.conftest import ROOT, nothing_appears
from tests.security.senders import signed

ORDERS, HOOKS = "openapi.json", "openapi-hooks.json"
EACH = int(os.environ.get("DESCRIBED_BODIES", "12"))
FEW = settings(
    max_examples=EACH, derandomize=True, database=None, phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


def described(file: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs" / file).read_text("utf-8")))


@cache
def post_of(file: str) -> Any:
    """The one POST that a description holds, as Schemathesis reads it."""
    import schemathesis

    told = described(file)
    told.pop("security", None)  # else what does not fit would be a key as often as a body
    found = [one.ok() for one in schemathesis.openapi.from_dict(told).get_all_operations()]
    [post] = [one for one in found if one.method.upper() == "POST"]
    return post


@cache
def bodies(file: str, *, fit: bool) -> st.SearchStrategy[Any]:
    """Cases whose bodies fit the description, or cases whose bodies do not."""
    from schemathesis.generation import GenerationMode

    mode = GenerationMode.POSITIVE if fit else GenerationMode.NEGATIVE
    where = {"source": "shopify"} if file == HOOKS else {}
    return post_of(file).as_strategy(mode, headers={}, query={}, path_parameters=where)


def raw_of(case: Any) -> bytes:
    return case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode("utf-8", "surrogatepass")


def known() -> tuple[int, int]:
    session.expire_all()
    orders, messages = (session.scalar(select(func.count()).select_from(table)) for table in (Order, InboxMessage))
    return orders or 0, messages or 0


@pytest.fixture
def send(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Any]:
    monkeypatch.setattr("portal.orders.api.PER_MINUTE", 10_000)
    headers = {"Authorization": f"Bearer {make_key('lantern', 'first', by=None, now=clock.now())}"}
    session.commit()
    return lambda raw: client.post("/api/v1/orders", data=raw, headers=headers, content_type="application/json")


@FEW
@given(data=st.data())
def test_2_2_1_an_order_that_fits_is_answered_as_described(send: Callable[[bytes], Any], data: st.DataObject) -> None:
    post = post_of(ORDERS)
    case = data.draw(bodies(ORDERS, fit=True))
    answer = send(raw_of(case))
    assert answer.status_code in (200, 201, 409, 422)
    assert post.validate_response(answer, case=case) in (True, None)


@FEW
@given(data=st.data())
def test_2_2_1_and_2_2_2_an_order_that_does_not_fit_is_refused_as_described(
    send: Callable[[bytes], Any], data: st.DataObject
) -> None:
    post, before = post_of(ORDERS), known()
    case = data.draw(bodies(ORDERS, fit=False))
    answer = send(raw_of(case))
    assert answer.status_code in (400, 422)
    assert post.validate_response(answer, case=case) in (True, None)
    assert known() == before


def test_every_sender_is_described() -> None:
    [parameter] = described(HOOKS)["paths"]["/hooks/{source}"]["post"]["parameters"]
    assert set(parameter["schema"]["enum"]) == set(SOURCES)


@FEW
@given(data=st.data(), source=st.sampled_from(sorted(SOURCES)), fits=st.booleans())
def test_2_2_1_and_2_2_2_a_message_is_answered_as_described_and_kept_when_it_was_signed(
    client: FlaskClient, data: st.DataObject, source: str, fits: bool
) -> None:
    post = post_of(HOOKS)
    case = data.draw(bodies(HOOKS, fit=fits))
    raw, where = raw_of(case), f"/hooks/{source}"
    with nothing_appears(but={"inbox_refusals"}):
        unsigned = client.post(where, data=raw)
        forged = client.post(where, data=raw, headers=signed(source, raw, "somebody-else"))
    assert (unsigned.status_code in (401, 200), forged.status_code) == (True, 401)
    before = known()
    answer = client.post(where, data=raw, headers=signed(source, raw))
    for one in (unsigned, forged, answer):
        assert post.validate_response(one, case=case) in (True, None)
    assert answer.status_code in (200, 400, 401)
    assert known()[1] - before[1] == (answer.get_json().get("status") == "stored")
