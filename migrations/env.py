"""Alembic's environment: the portal's own engine and tables."""

from alembic import context
from sqlalchemy import text

from portal.db import Base, roles

OURS = set(Base.metadata.tables)
LOCK = 7231001  # any number, the same for everybody who migrates


def ours(_thing: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
    """Procrastinate keeps its own tables."""
    return not (kind == "table" and reflected and name not in OURS)


def run() -> None:
    with roles.owners_engine().connect() as connection:
        connection.execute(text("SET lock_timeout = 0; SET statement_timeout = 0"))
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata, include_object=ours, compare_type=True)
        try:
            with context.begin_transaction():
                context.run_migrations()
                roles.give(connection)
        finally:
            connection.rollback()
            connection.execute(text(f"SELECT pg_advisory_unlock({LOCK})"))


run()
