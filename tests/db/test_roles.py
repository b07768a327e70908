"""The application's role adds to what happened and changes none of it: the database refuses, whatever the code does."""

from collections.abc import Iterator

import flask_migrate
import psycopg
import pytest
from flask import Flask
from psycopg import sql
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from portal import checks, create_app
from portal.db import Base, roles, session
from portal.lib import clock
from portal.orders.models import TimelineEntry
from portal.orders.timeline import record
from tests.conftest import AS_TESTS, ROOT, settings_for
from tests.world import World, build

NEVER_CHANGED = {
    "timeline",
    "staff_events",
    "seals",
    "refund_attempts",
    "stock_moves",
    "credit_entries",
    "credit_notes",
}
POWERS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER")


def powers(table: str) -> set[str]:
    asked = text("SELECT has_table_privilege(CAST(:table AS text), CAST(:power AS text))")
    return {power for power in POWERS if session.scalar(asked, {"table": table, "power": power})}


def test_the_suite_works_in_the_role_that_a_shop_has(app: Flask) -> None:
    assert session.scalar(text("SELECT current_user")) == "aftersale_app"
    owner = text("SELECT tableowner FROM pg_tables WHERE tablename = 'timeline'")
    assert session.scalar(owner) == "postgres"


def test_what_happened_is_added_to_and_everything_else_is_worked_with(app: Flask) -> None:
    found = {name: powers(name) for name in [*Base.metadata.tables, "procrastinate_jobs", "alembic_version"]}
    adds = {name for name, may in found.items() if may == {"SELECT", "INSERT"}}
    assert adds == set(session.scalars(roles.APPEND_ONLY)) >= NEVER_CHANGED
    assert found.pop("alembic_version") == {"SELECT"}
    works = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert {name for name, may in found.items() if may != works} == adds


@pytest.mark.parametrize(
    "meddling",
    [
        "ALTER TABLE timeline DISABLE TRIGGER ALL",
        "DROP TRIGGER timeline_append_only ON timeline",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SET session_replication_role = replica",
        "DROP TABLE timeline",
    ],
)
def test_the_role_can_not_make_itself_a_way(world: World, meddling: str) -> None:
    record(world.alice.id, "order.accepted", by="system", now=clock.now())
    newest = select(TimelineEntry.id).order_by(TimelineEntry.id.desc()).limit(1)
    before = session.scalar(newest)
    with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"), session.begin_nested():
        session.execute(text(meddling))
    assert powers("timeline") == {"SELECT", "INSERT"}
    assert session.scalar(newest) == before


def test_the_role_gives_itself_nothing(app: Flask) -> None:
    """PostgreSQL only warns."""
    session.execute(text("GRANT UPDATE, DELETE, TRUNCATE ON timeline TO aftersale_app"))
    assert powers("timeline") == {"SELECT", "INSERT"}


@pytest.fixture
def plain(real: Flask) -> Iterator[tuple[str, str]]:
    """A role as a shop makes it, on the shop's own server; with the owner's address."""
    owner = str(real.config["MIGRATION_DATABASE_URI"])
    name = sql.Identifier(role := f"shop_{owner.rpartition('real_')[2].partition('?')[0]}")
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        yield owner, role
        connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


def portal_as(owner: str, role: str) -> Flask:
    url = owner.replace("postgres:@", f"{role}@").replace("postgres@", f"{role}@")
    return create_app(
        settings_for(owner, 9, DATABASE_URL=url, BASE_URL="https://orders.example"), **AS_TESTS, DB_POOL=False
    )


def said(settings: object) -> list[tuple[str, str]]:
    return [(finding.level, finding.words) for finding in checks.role(settings)]  # type: ignore[arg-type]


def test_check_proves_that_the_role_can_not_change_what_happened(plain: tuple[str, str]) -> None:
    owner, role = plain
    app = portal_as(owner, role)
    with app.app_context():
        with pytest.raises(ProgrammingError, match="permission denied"):
            session.execute(text("SELECT count(*) FROM orders"))
        session.rollback()
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        build(now=clock.now())
        [(level, words)] = said(app.config["SETTINGS"])
        assert (level, words.startswith(f"the role {role} can add to what happened and change none")) == ("ok", True)
        session.remove()


@pytest.mark.parametrize(
    ("given", "said_of_it"),
    [
        ("GRANT UPDATE ON seals TO {}", "may change them"),
        ("GRANT DELETE ON timeline TO {}", "may change them"),
        ("GRANT TRUNCATE ON staff_events TO {}", "may change them"),
        ("GRANT postgres TO {} WITH INHERIT FALSE", "can become their owner"),
        ("ALTER TABLE timeline OWNER TO {}", "owns the tables"),
    ],
)
def test_check_says_what_a_role_can_that_should_not(plain: tuple[str, str], given: str, said_of_it: str) -> None:
    owner, role = plain
    app = portal_as(owner, role)
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(sql.SQL(given).format(sql.Identifier(role)))
        [(level, words)] = said(app.config["SETTINGS"])
        assert (level, said_of_it in words) == ("wrong", True)
        session.remove()
