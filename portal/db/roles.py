"""The application's own role in PostgreSQL: it reads and writes, but to what happened it can only add.

Migrations, copies and restores run as the owner of the tables (`MIGRATION_DATABASE_URL`); web and worker as a role that
owns nothing (`DATABASE_URL`). With one role for both, the triggers still refuse, but who has that role could drop them.
"""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from psycopg import errors, sql
from sqlalchemy import (
    Connection,
    Engine,
    UpdateBase,
    column,
    create_engine,
    delete,
    false,
    func,
    make_url,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import ProgrammingError

from portal.db import engine_options, psycopg_url, session

READ, ADD = sql.SQL("SELECT"), sql.SQL("SELECT, INSERT")
WRITE = sql.SQL("SELECT, INSERT, UPDATE, DELETE")
APPEND_ONLY = text(
    "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'refuse_change' ORDER BY c.relname"
)
"""The tables whose trigger refuses changes: the role is given no way to try."""


def owners_url() -> str:
    """How the owner of the tables connects: the application's own way where there is no other."""
    return str(current_app.config["MIGRATION_DATABASE_URI"])


def owners_engine() -> Engine:
    """For migrations: each connection is closed after use."""
    return create_engine(psycopg_url(owners_url()), **engine_options(pooled=False))


def give(connection: Connection) -> None:
    """Let the application's role do its work, and no more; after each migration, in its transaction."""
    role = make_url(str(current_app.config["SQLALCHEMY_DATABASE_URI"])).username
    owner = connection.scalar(text("SELECT current_user"))
    if not role or role == owner:
        return
    for what in _granted(connection, sql.Identifier(role)):
        connection.exec_driver_sql(what.as_string(_raw(connection)))


def _granted(connection: Connection, role: sql.Identifier) -> list[sql.Composed]:
    tables = sql.SQL("ALL TABLES IN SCHEMA public")
    given = [
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role),
        sql.SQL("REVOKE ALL ON {} FROM {}").format(tables, role),
        sql.SQL("GRANT {} ON {} TO {}").format(WRITE, tables, role),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(role),
    ]
    less = {**dict.fromkeys(connection.scalars(APPEND_ONLY), ADD), "alembic_version": READ}
    for name, may in less.items():
        given += [
            sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.Identifier(name), role),
            sql.SQL("GRANT {} ON {} TO {}").format(may, sql.Identifier(name), role),
        ]
    return given


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection


@dataclass(frozen=True, slots=True)
class Power:
    """What the application's role could do to what happened: `owns` the tables, can `become` their owner, `changes`."""

    role: str
    tables: int
    owns: bool
    becomes: bool
    changes: bool

    @property
    def none(self) -> bool:
        return not (self.owns or self.becomes or self.changes)


def power() -> Power:
    """Read from the catalogue, and tried: the database itself has to refuse."""
    tables = list(session.scalars(APPEND_ONLY))
    owns, becomes = session.execute(OWNERSHIP, {"tables": tables}).one()
    role = str(session.scalar(text("SELECT current_user")))
    return Power(role, len(tables), bool(owns), bool(becomes), not all(map(_refused, tables)))


OWNERSHIP = text(
    "SELECT bool_or(pg_get_userbyid(relowner) = current_user), bool_or(pg_has_role(current_user, relowner, 'MEMBER'))"
    " FROM pg_class WHERE relname = ANY(:tables) AND relkind = 'r'"
)


def _refused(name: str) -> bool:
    """Whether the database refuses each way to change the table; what it does not refuse changes no row."""
    target = table(name, column("id"))
    ways = (update(target).values(id=target.c.id).where(false()), delete(target).where(false()))
    may_empty = select(func.has_table_privilege(name, "TRUNCATE"))
    return all(_is_refused(way) for way in ways) and not session.scalar(may_empty)


def _is_refused(statement: UpdateBase) -> bool:
    try:
        with session.begin_nested():
            session.execute(statement)
    except ProgrammingError as error:
        if isinstance(error.orig, errors.InsufficientPrivilege):
            return True
        raise
    return False
