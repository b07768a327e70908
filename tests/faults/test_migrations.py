"""Migrations that break off, are run twice, or by two at once: all of it or nothing, and one after the other."""

import shutil
from pathlib import Path
from threading import Thread

import flask_migrate
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, text

from portal.db import db
from tests.conftest import ROOT
from tests.running import until

BREAKS_OFF = """
from alembic import op
import sqlalchemy as sa
revision, down_revision = "9999", "{head}"
def upgrade():
    op.create_table("half", sa.Column("id", sa.BigInteger()))
    op.add_column("orders", sa.Column("half", sa.Text()))
    {ends}
def downgrade():
    pass
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def version() -> str:
    with db.engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def migrations(folder: Path, ends: str) -> str:
    """Ours and one more."""
    shutil.copytree(ROOT / "migrations", folder, dirs_exist_ok=True)
    head = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    (folder / "versions" / "9999_half.py").write_text(BREAKS_OFF.format(head=head, ends=ends))
    return str(folder)


def test_one_that_breaks_off_leaves_nothing_and_can_be_run_again(real: Flask, tmp_path: Path) -> None:
    before = version()
    with pytest.raises(ZeroDivisionError):
        flask_migrate.upgrade(directory=migrations(tmp_path / "breaks", "1 / 0"))
    assert (version(), inspect(db.engine).has_table("half")) == (before, False)
    for _ in range(2):
        flask_migrate.upgrade(directory=migrations(tmp_path / "mended", "pass"))
        assert (version(), inspect(db.engine).has_table("half")) == ("9999", True)


def test_who_comes_second_waits_for_the_first(real: Flask, tmp_path: Path) -> None:
    folder = migrations(tmp_path / "both", "pass")

    def migrate() -> None:
        with real.app_context():
            flask_migrate.upgrade(directory=folder)

    second = Thread(target=migrate)
    with db.engine.connect() as first:
        first.execute(text("SELECT pg_advisory_lock(7231001)"))
        second.start()
        until(lambda: first.execute(text(WAITS)).scalar_one() == 1, 20)
        assert version() != "9999"
        first.execute(text("SELECT pg_advisory_unlock(7231001)"))
    second.join(timeout=30)
    assert version() == "9999"
