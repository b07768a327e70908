"""The migrations build exactly the tables that the models describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask

from portal.db import Base, db, roles


def differences() -> list[object]:
    ours = set(Base.metadata.tables)
    options = {"include_name": lambda name, kind, parents: kind != "table" or name in ours}
    with db.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def test_the_migrated_database_has_the_tables_of_the_models(real: Flask) -> None:
    assert differences() == []


def test_a_column_that_no_migration_made_is_noticed(real: Flask) -> None:
    with roles.owners_engine().begin() as connection:
        connection.exec_driver_sql("ALTER TABLE letters DROP COLUMN about")
    assert "about" in str(differences())
