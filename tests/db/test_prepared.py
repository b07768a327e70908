"""What is written out once is part of the session's transaction, and fails as a session does."""

import pytest
from flask import Flask
from psycopg.types.json import Jsonb
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError, OperationalError

from portal.db import session
from portal.db.prepared import Prepared
from portal.inbox.models import InboxMessage
from portal.lib import clock
from tests.world import World

ROW = ("source", "external_id", "topic", "headers", "body", "state", "received_at")
WRITE = Prepared(insert(InboxMessage).values({name: bindparam(name) for name in ROW}), *ROW)
COUNT = Prepared(select(func.count(InboxMessage.id)))
GONE = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid())))


def write(key: str) -> None:
    told = {"topic": "", "headers": Jsonb({}), "body": b"", "state": "received", "received_at": clock.now()}
    WRITE.run(source="s", external_id=key, **told)


def count() -> int:
    return int((COUNT.run().fetchone() or (0,))[0])


def test_it_sees_what_is_still_to_be_flushed_and_goes_with_the_transaction(real: Flask) -> None:
    session.add(InboxMessage(source="s", external_id="1", body=b"", received_at=clock.now()))
    write("2")
    assert count() == 2
    session.rollback()
    assert count() == 0


def test_16_2_5_what_the_database_refuses_is_said_as_a_session_does_and_without_values(world: World) -> None:
    write("somebody@example.org")
    with pytest.raises(IntegrityError) as refused, session.begin_nested():
        write("somebody@example.org")
    assert "somebody" not in str(refused.value).partition("DETAIL")[0]
    assert count() == 1


def test_a_connection_that_is_lost_is_a_reason_to_try_again_and_is_not_used_again(real: Flask) -> None:
    with pytest.raises(OperationalError) as lost:
        GONE.run()
    assert lost.value.connection_invalidated
    session.rollback()
    assert session.scalar(text("SELECT 1")) == 1
    session.remove()
    for _ in range(2):
        with pytest.raises(OperationalError):
            GONE.row()
    assert COUNT.row() == (0,)


def test_what_is_written_alone_stays_whatever_becomes_of_the_session(real: Flask) -> None:
    write("with the session")
    told = {"topic": "", "headers": Jsonb({}), "body": b"", "state": "received", "received_at": clock.now()}
    assert WRITE.row(source="s", external_id="alone", **told)
    session.rollback()
    assert session.scalars(select(InboxMessage.external_id)).all() == ["alone"]
    with pytest.raises(IntegrityError):
        WRITE.row(source="s", external_id="alone", **told)
    assert count() == 1
