"""What a page asks all the time: written out once, prepared once per connection, with no transaction around it."""

from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import BindParameter, Connection, Select, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.visitors import replacement_traverse

from portal.db import db

Row = tuple[Any, ...]
AS_IT_IS = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
"""Writes PostgreSQL's own SQL, in which a per cent sign is only that."""


class Prepared:
    """A statement that brings one row or none; `names` are the bindparams in it that are given each time.

    It goes past the session, because to build, run and end what the session needs costs more than the row: nothing that
    is still to be flushed is seen, and nothing may be changed by it.
    """

    def __init__(self, statement: Select[Any], *names: str) -> None:
        self.statement, self.names = statement, names

    @cached_property
    def sql(self) -> str:
        """With $1, $2 … for the names, and all else as literals: PostgreSQL plans with them."""
        places: dict[Any, Any] = {name: literal_column(f"${number}") for number, name in enumerate(self.names, start=1)}

        def placed(element: Any, **_: Any) -> Any:
            return places.get(element.key) if isinstance(element, BindParameter) else None

        written: Any = replacement_traverse(self.statement, {}, placed)
        return str(written.compile(dialect=AS_IT_IS, compile_kwargs={"literal_binds": True}))

    def row(self, **values: Any) -> Row | None:
        """Raises SQLAlchemy's OperationalError and TimeoutError, as a session would."""
        bind, given = db.engine, [values[name] for name in self.names]
        if isinstance(bind, Connection):  # somebody holds the transaction, and what it has not committed counts
            return self._asked(bind.connection.driver_connection, given)
        lent = None
        try:
            lent = bind.raw_connection()
            return self._alone(lent.driver_connection, given)
        except psycopg.OperationalError as gone:
            if lent is not None:
                lent.invalidate(gone)
            raise OperationalError(None, None, gone, hide_parameters=True) from gone
        finally:
            if lent is not None:
                lent.close()

    def _alone(self, connection: Any, values: list[Any]) -> Row | None:
        connection.autocommit = True
        try:
            return self._asked(connection, values)
        finally:
            if not connection.closed:
                connection.autocommit = False

    def _asked(self, connection: Any, values: list[Any]) -> Row | None:
        return psycopg.RawCursor(connection).execute(self.sql, values, prepare=True).fetchone()
