"""A database that tests share one after the other: each gets it as the migrations left it.

To copy a database means to make a thousand files and to remove them, which takes longer than most tests.
"""

import psycopg
from psycopg import sql

CATALOG = ("namespace", "class", "attribute", "constraint", "trigger", "proc", "type", "db_role_setting")
SHAPE = " UNION ALL ".join(
    f"SELECT md5(string_agg(t.ctid::text || t.xmin::text, ',' ORDER BY t.ctid)) FROM pg_{name} t" for name in CATALOG
)
NUMBERS = "SELECT seqrelid, coalesce(pg_sequence_last_value(seqrelid), seqstart) AS n, pg_sequence_last_value(seqrelid)"
ALONE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


class Emptied:
    """Remembers what stands in a database, to put it back."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            self.shape = connection.execute(SHAPE).fetchall()
            self.numbers = connection.execute(f"{NUMBERS} IS NOT NULL FROM pg_sequence").fetchall()
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            self.rows = {name: _read(connection, name) for (name,) in names}

    def again(self) -> bool:
        """Whether all is as it was: it can't be when somebody changed the tables themselves."""
        with psycopg.connect(self.url) as connection:
            connection.execute(ALONE)
            if connection.execute(SHAPE).fetchall() != self.shape:
                return False
            connection.execute("SET session_replication_role = replica")  # no trigger, no foreign key is in the way
            connection.execute(sql.SQL(";").join(sql.SQL("DELETE FROM {}").format(_name(each)) for each in self.rows))
            for name, rows in self.rows.items():
                _write(connection, name, rows)
            connection.cursor().executemany("SELECT setval(%s::regclass, %s, %s)", self.numbers)
        return True


def _name(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)


def _read(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(_name(table))) as copy:
        return b"".join(copy)


def _write(connection: psycopg.Connection, table: str, rows: bytes) -> None:
    if rows:
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(_name(table))) as copy:
            copy.write(rows)
