"""What is asked all the time: written out once, prepared once per connection, past the session's way to rows."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import BindParameter, Connection, SelectBase, UpdateBase, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.visitors import replacement_traverse

from portal.db import db, session

Row = tuple[Any, ...]
Cursor = psycopg.RawCursor[Row]
AS_IT_IS = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
"""Writes PostgreSQL's own SQL, in which a per cent sign is only that."""


class Prepared:
    """A statement; `names` are the bindparams in it that are given each time, as psycopg takes them (a JSON as Jsonb).

    To build a statement, look up what it was compiled to and make objects of its rows costs more than the rows.
    """

    def __init__(self, statement: SelectBase | UpdateBase, *names: str) -> None:
        self.statement, self.names = statement, names

    @cached_property
    def sql(self) -> str:
        """With $1, $2 … for the names, and all else as literals: PostgreSQL plans with them."""
        places: dict[Any, Any] = {name: literal_column(f"${number}") for number, name in enumerate(self.names, start=1)}

        def placed(element: Any, **_: Any) -> Any:
            return places.get(element.key) if isinstance(element, BindParameter) else None

        written: Any = replacement_traverse(self.statement, {}, placed)
        return str(written.compile(dialect=AS_IT_IS, compile_kwargs={"literal_binds": True}))

    def run(self, **values: Any) -> Cursor:
        """In the session's transaction, after what is still to be flushed. Raises SQLAlchemy's errors, as it would."""
        mine = session()
        mine.flush()
        held = mine.connection()
        connection: Any = held.connection.driver_connection
        try:
            return self._asked(connection, values)
        except psycopg.Error as error:
            gone = connection.closed
            if gone:
                held.invalidate(error)
            raise self._told(error, gone) from error

    def row(self, **values: Any) -> Row | None:
        """One row or none, alone: a transaction of its own, which ends with it. It sees nothing of the session's, nor
        waits for one.

        Raises SQLAlchemy's errors, as a session would.
        """
        bind, lent = db.engine, None
        held: Any = None
        try:
            if isinstance(bind, Connection):  # somebody holds the transaction, and what it has not committed counts
                return self._asked(bind.connection.driver_connection, values).fetchone()
            lent = bind.raw_connection()
            held = lent.driver_connection
            return self._alone(held, values).fetchone()
        except psycopg.Error as error:
            if lent is not None and held.closed:
                lent.invalidate(error)
            raise self._told(error, False) from error
        finally:
            if lent is not None:
                lent.close()

    def _alone(self, connection: Any, values: Mapping[str, Any]) -> Cursor:
        connection.autocommit = True
        try:
            return self._asked(connection, values)
        finally:
            if not connection.closed:
                connection.autocommit = False

    def _asked(self, connection: Any, values: Mapping[str, Any]) -> Cursor:
        return psycopg.RawCursor(connection).execute(self.sql, [values[name] for name in self.names], prepare=True)

    def _told(self, error: psycopg.Error, gone: bool) -> BaseException:
        """What the session would raise, without the values."""
        told: BaseException = DBAPIError.instance(
            self.sql, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=gone
        )
        return told
