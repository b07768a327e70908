"""Engine, session and base; the commit at the edge; and `move`, the one way a state changes."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, NoReturn

import psycopg
from flask import Flask, Response
from flask_babel import gettext as _
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Update, inspect, update
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Mapped, attributes, mapped_column, scoped_session
from sqlalchemy.orm.util import identity_key
from sqlalchemy.pool import NullPool

from portal.db import bundled
from portal.lib.errors import Refused

Moves = Mapping[str, tuple[tuple[str, ...], str]]
"""A verb, the states it starts from, the state it leads to."""

LIFELINE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""How a connection notices that the network in between dropped it without a word."""
LET_GO = "-c idle_in_transaction_session_timeout=60000"
"""How PostgreSQL frees the rows of a host that was cut off midway; no transaction of ours waits for the world."""
SLEEPS_AFTER = 1.0
"""Seconds without use after which a connection may have been lost."""
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the portal has a bigint `id`; every time is aware."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger, datetime: DateTime(timezone=True)}
    MOVES: ClassVar[Mapping[str, Moves]] = {}

    id: Mapped[int] = mapped_column(Identity(), primary_key=True, sort_order=-1)


db = SQLAlchemy(metadata=Base.metadata, disable_autonaming=True)
session: scoped_session[Session] = db.session


def init_app(app: Flask) -> None:
    """Connect the application; `DATABASE_URL` names the server, without it the bundled one is started under `var/`.

    There the application has a role of its own; elsewhere `MIGRATION_DATABASE_URL` names the owner of the tables.
    """
    settings = app.config["SETTINGS"]
    owner = settings.migration_database_url or settings.database_url or bundled.start(settings.var_dir)
    url = settings.database_url or bundled.for_application(owner)
    app.config["MIGRATION_DATABASE_URI"], app.config["SQLALCHEMY_DATABASE_URI"] = owner, psycopg_url(url)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pooled=app.config.get("DB_POOL", True))
    db.init_app(app)
    app.after_request(commit_at_the_edge)


def psycopg_url(url: str) -> str:
    """The URL with SQLAlchemy's name for psycopg 3, whichever of the usual schemes it came with."""
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def engine_options(pooled: bool) -> dict[str, Any]:
    """Asks what has slept, so that a restart costs no request; no wait is endless, no error quotes values."""
    limits = f"-c statement_timeout=15000 -c lock_timeout=5000 -c timezone=UTC {LET_GO}"
    common = {"connect_args": {"options": limits, "connect_timeout": 5, **LIFELINE}, "hide_parameters": True}
    if not pooled:
        return {"poolclass": NullPool, **common}
    awake = [(_wake, "checkout"), (_sleep, "checkin")]
    return {"pool_events": awake, "pool_size": 8, "max_overflow": 4, "pool_timeout": 5, **common}


def _wake(connection: Any, record: Any, _proxy: Any) -> None:
    """A connection in steady use is not asked each time whether it is still there: that would be a turn per request."""
    if time.monotonic() - record.info.get("asleep_since", time.monotonic()) < SLEEPS_AFTER:
        return
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.Error as gone:
        raise InvalidatePoolError from gone


def _sleep(_connection: Any, record: Any) -> None:
    record.info["asleep_since"] = time.monotonic()


def commit_at_the_edge(response: Response) -> Response:
    """A request that returns commits once, here; one that raises was rolled back by the error handler before."""
    if session.registry.has():
        session.commit()
    return response


@contextmanager
def transaction() -> Iterator[None]:
    """One step of a job: commits when the block ends, rolls back when it raises, and gives the connection back."""
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise


def move(row: Base, column: str, verb: str, **also: Any) -> None:
    """Carry out `verb` on the row's state by one guarded UPDATE that also sets the columns in `also`.

    Raises Refused when the row is no longer in a state from which the model's table of moves allows the verb.
    """
    table = type(row)
    guarded = moving(table, column, verb).where(table.id == row.id).values(also)
    session.flush()
    done: Any = session.execute(guarded.execution_options(synchronize_session=False))
    if done.rowcount != 1:
        _refuse(row, column)
    for name, value in {column: row.MOVES[column][verb][1], **also}.items():
        attributes.set_committed_value(row, name, value)


def moving(table: type[Base], column: str, verb: str) -> Update:
    """The guarded UPDATE that carries out a verb, for a statement that does more in the same breath."""
    origins, target = table.MOVES[column][verb]
    return update(table).where(getattr(table, column).in_(origins)).values({column: target})


def changed(table: type[Base], id: int, names: Collection[str]) -> None:
    """A statement changed these columns past the session: if it has the row, it reads them again when it is asked."""
    held = session.identity_map.get(identity_key(table, id))
    if held is not None:
        session.expire(held, names)


def may(row: Base, column: str, verb: str) -> bool:
    """Whether the verb is allowed from the state the row was read in; `move` decides for good."""
    return getattr(row, column) in row.MOVES[column][verb][0]


def _refuse(row: Base, column: str) -> NoReturn:
    if inspect(row).persistent:
        session.refresh(row, [column])
    raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
