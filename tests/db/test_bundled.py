"""The bundled PostgreSQL: starts where it may, ends with its last user, says in a sentence why it can't."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from portal.db import bundled

USE = """
import sys, psycopg
from pathlib import Path
from portal.db import bundled
with psycopg.connect(bundled.start(Path(sys.argv[1]))) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
    connection.execute("INSERT INTO visits DEFAULT VALUES")
    print(connection.execute("SELECT count(*) FROM visits").fetchone()[0])
"""


def use(var: Path) -> int:
    """Start the server in a process of its own, write a row, end; how many rows there are."""
    done = subprocess.run([sys.executable, "-c", USE, str(var)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return int(done.stdout)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the server was used once, in a folder that nobody else may look into."""
    private = tmp_path_factory.mktemp("private")
    private.chmod(0o700)
    assert use(private / "var") == 1
    return private / "var"


@pytest.mark.processes
def test_it_keeps_what_it_holds_and_ends_in_peace_with_its_last_user(used: Path) -> None:
    assert use(used) == 2
    folder = used / "postgres"
    assert not (folder / "postmaster.pid").exists()
    said = (folder / "log").read_text()
    assert said.rstrip().endswith("database system is shut down")
    assert "PANIC" not in said


@pytest.mark.processes
def test_what_is_acknowledged_is_on_the_disk(tmp_path: Path) -> None:
    """A test can't cut the power; it can see that the database is told to wait for the disk."""
    with psycopg.connect(bundled.for_application(bundled.start(tmp_path / "var"))) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_the_folders_above_can_be_passed_but_not_listed_by_others(used: Path) -> None:
    assert stat.S_IMODE(used.parent.stat().st_mode) == 0o711


def test_a_path_with_a_blank_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(bundled.NoDatabase, match="can't live in a path with a blank"):
        bundled.start(tmp_path / "my shop")
    assert not (tmp_path / "my shop").exists()


@pytest.mark.processes
def test_data_that_is_broken_is_a_sentence_that_names_the_log(used: Path) -> None:
    """The last to use this folder."""
    (used / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(bundled.NoDatabase, match=r"does not start \(CalledProcessError\)\. Its log is .*/postgres/log"):
        bundled.start(used)
