"""POST /hooks/<source>: verified, stored once, answered; whatever comes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from portal import jobs
from portal.config import Settings
from portal.db import session
from portal.inbox import actions
from portal.inbox.models import InboxMessage
from portal.inbox.sources import SOURCES, Envelope, NotGenuine, NotReady, Unreadable, listen
from portal.jobs import task
from portal.lib import clock
from portal.lib.errors import Refused
from tests.conftest import nothing_appears, owed, statements

handled: list[int] = []


def open_sample(raw: bytes, headers: Mapping[str, str], settings: Settings) -> Envelope:
    """The sender's key is the first word; the second says what is wrong."""
    words = raw.decode("latin-1").split()
    errors = {"forged": NotGenuine, "unset": NotReady, "odd": Unreadable}
    if len(words) > 1 and words[1] in errors:
        raise errors[words[1]]
    return Envelope(words[0], headers.get("X-Topic", ""))


@pytest.fixture(autouse=True)
def sample(app: Flask) -> Any:
    """A source of the tests' own."""

    @listen("sample", open=open_sample)
    @task(queue="tests")
    def work_off_sample(message_id: int) -> None:
        handled.append(message_id)

    handled.clear()
    yield work_off_sample
    del SOURCES["sample"], jobs.app.tasks[work_off_sample.task.name]  # type: ignore[attr-defined]


def send(client: FlaskClient, body: bytes, source: str = "sample", **headers: str) -> TestResponse:
    return client.post(f"/hooks/{source}", data=body, headers=headers, content_type="application/x-www-form-urlencoded")


def stored() -> list[InboxMessage]:
    session.expire_all()
    return list(session.scalars(select(InboxMessage).order_by(InboxMessage.id)))


def test_a_message_is_stored_raw_and_its_job_is_owed_with_it(client: FlaskClient, work: Callable[..., int]) -> None:
    raw = b"evt-1 \xff\x00=&%zz"
    assert (
        send(client, raw, **{"X-Topic": "orders/paid", "X-Forwarded-For": "198.51.100.7", "Cookie": "a=b"}).status_code
        == 200
    )
    [message] = stored()
    assert (message.body, message.external_id, message.topic, message.state) == (
        raw,
        "evt-1",
        "orders/paid",
        "received",
    )
    assert {name.lower() for name in message.headers} == {"x-topic"}
    assert owed() == [("tests.inbox.test_hooks.work_off_sample", {"message_id": message.id})]
    work()
    assert handled == [message.id]


def test_the_same_message_again_is_answered_and_nothing_more(client: FlaskClient) -> None:
    assert send(client, b"evt-1").get_json() == {"status": "stored"}
    with nothing_appears():
        assert send(client, b"evt-1").get_json() == {"status": "known"}


def test_it_is_stored_and_owed_by_one_statement_so_that_a_flood_is_answered(client: FlaskClient) -> None:
    with statements() as seen:
        send(client, b"evt-1")
    assert len(seen) == 1


def test_what_was_taken_is_done_unless_it_is_put_back_to_wait_or_fail(app: Flask) -> None:
    found = message()
    taken = actions.take(found.id, now=clock.now())
    assert taken
    session.refresh(found)
    assert (found.state, actions.take(found.id, now=clock.now())) == ("done", None)
    actions.park(taken, "00340434")
    assert (found.state, found.subject, found.done_at) == ("parked", "00340434", None)
    again = actions.take(found.id, now=clock.now())
    assert again == taken
    session.refresh(found)
    actions.fail(again, "odd")
    assert (found.state, found.error, found.done_at) == ("failed", "odd", None)


def test_the_same_key_from_another_source_is_another_message(client: FlaskClient) -> None:
    send(client, b"evt-1")
    assert actions.receive("elsewhere", "evt-1", b"", now=clock.now()) is not None


@pytest.mark.parametrize(
    ("body", "source", "code"),
    [
        (b"evt-1 forged", "sample", 401),
        (b"evt-1 unset", "sample", 503),
        (b"evt-1 odd", "sample", 400),
        (b"evt-1", "nobody", 404),
        (b"x" * 1_000_001, "sample", 413),
    ],
)
def test_what_is_not_taken_leaves_nothing(client: FlaskClient, body: bytes, source: str, code: int) -> None:
    with nothing_appears():
        answer = send(client, body, source)
        assert (answer.status_code, answer.is_json) == (code, True)


def test_a_source_that_is_not_set_up_is_asked_to_try_again(client: FlaskClient) -> None:
    assert send(client, b"evt-1 unset").headers["Retry-After"] == "300"


@pytest.mark.parametrize("source", ["shopify", "easypost", "stripe"])
@pytest.mark.parametrize("body", [b"", b"{}", b"\x00", b"[" * 10_000, b"\xff" * 100])
def test_without_a_signature_no_source_takes_anything(client: FlaskClient, source: str, body: bytes) -> None:
    with nothing_appears():
        assert send(client, body, source).status_code == 401


def test_hooks_are_posted_to_and_not_read(client: FlaskClient) -> None:
    assert client.get("/hooks/sample").status_code == 405


def message() -> InboxMessage:
    made = actions.receive("sample", "evt-9", b"", now=clock.now())
    assert made is not None
    return session.get_one(InboxMessage, made)


def test_what_waits_for_a_subject_is_found_by_it_oldest_first(app: Flask) -> None:
    waiting = [actions.receive("sample", f"evt-{n}", b"", now=clock.now()) for n in range(3)]
    for n in (2, 0):
        actions.park(session.get_one(InboxMessage, waiting[n]), "00340434")
    assert actions.parked("sample", "00340434") == [waiting[0], waiting[2]]
    assert (actions.parked("sample", "other"), actions.parked("elsewhere", "00340434")) == ([], [])
    actions.finish(session.get_one(InboxMessage, waiting[0]), now=clock.now())
    assert actions.parked("sample", "00340434") == [waiting[2]]


def test_a_message_is_worked_off_once(app: Flask) -> None:
    found = message()
    assert actions.claim(found.id) is found
    actions.finish(found, now=clock.now())
    assert actions.claim(found.id) is None
    with pytest.raises(Refused):
        actions.park(found, "later")


def test_a_message_that_failed_says_why_and_may_be_tried_again(app: Flask) -> None:
    found = message()
    actions.fail(found, "no such currency" + "!" * 5000)
    assert (found.state, len(str(found.error))) == ("failed", 2000)
    assert actions.claim(found.id) is found
    actions.finish(found, now=clock.now())
    assert (found.state, found.error) == ("done", None)


def test_no_message_is_stored_in_a_state_that_does_not_exist(app: Flask) -> None:
    found = message()
    with pytest.raises(Exception, match="ck_inbox_messages_state"):
        session.execute(text("UPDATE inbox_messages SET state = 'lost' WHERE id = :id"), {"id": found.id})
