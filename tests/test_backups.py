"""The restore drill: a copy, a busy hour after it, a disaster, and the portal comes back without repeating itself."""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from portal import cli, create_app
from portal.db import bundled, session
from portal.jobs import WITHIN, worker
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.refunds.models import Refund
from tests.conftest import AS_TESTS, scratch_database, settings_for
from tests.fulfilment.hands import brought_to
from tests.fulfilment.test_easypost_hook import body, post
from tests.refunds.hands import approved
from tests.world import build

Portal = Callable[..., Result]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch, real: Flask) -> Callable[..., Result]:
    """The command, on the database that `at` names."""
    monkeypatch.setenv("SECRET_KEY", "tests-" * 8)
    monkeypatch.setenv("MAIL_PORT", str(real.config["MAIL_PORT"]))

    def run(*arguments: str, at: str = "") -> Result:
        owner = at or real.config["SETTINGS"].migration_database_url
        monkeypatch.setenv("MIGRATION_DATABASE_URL", owner)
        monkeypatch.setenv("DATABASE_URL", owner if "nobody" in owner else bundled.for_application(owner))
        return CliRunner().invoke(cli.main, arguments, catch_exceptions=False)

    return run


@pytest.fixture
def empty(server_url: str) -> Iterator[str]:
    """The address of a new database."""
    with scratch_database(server_url, f"restored_{os.getpid()}") as url:
        yield url


@pytest.fixture
def copy(real: Flask, portal: Portal, tmp_path: Path) -> Path:
    """Made while a letter, a parcel's plan and a refund are owed."""
    world = build(now=clock.now())
    brought_to("handed_over", world.alice, world.pat, clock.now())
    approved(world)
    file = tmp_path / "copy.dump"
    assert "holds everything" in portal("backup", str(file)).stdout
    return file


def test_it_comes_back_and_mails_nobody_twice(
    real: Flask, portal: Portal, copy: Path, empty: str, mails: list[EmailMessage]
) -> None:
    worker.run(real, wait=False, queues=(*WITHIN, "mail"))
    assert [mail["To"] for mail in mails] == ["alice@example.org"]
    said = portal("restore", str(copy), at=empty).stdout
    assert "with 2 orders" in said
    assert "under Letters that failed: 1" in said
    assert "whether they were: 1" in said
    back = create_app(settings_for(empty, real.config["MAIL_PORT"]), **AS_TESTS)
    worker.run(back, wait=False, queues=(*WITHIN, "mail"))
    assert len(mails) == 1
    with back.app_context():
        assert session.scalars(select(Order.number).order_by(Order.number)).all() == ["1001", "1002"]
        [letter] = session.scalars(select(Letter))
        assert (letter.kind, letter.state) == ("on-its-way", "dead")
        assert letter.error == "restored from a backup: it may have been sent before"
        session.remove()


def test_a_refund_that_may_have_been_sent_is_looked_up_before_it_is_sent(
    portal: Portal, copy: Path, empty: str, real: Flask
) -> None:
    portal("restore", str(copy), at=empty)
    with create_app(settings_for(empty, real.config["MAIL_PORT"]), **AS_TESTS).app_context():
        [refund] = session.scalars(select(Refund))
        assert refund.state == "approved"
        assert abs((refund.first_sent_at - clock.now()).total_seconds()) < 60
        session.remove()


def test_a_letter_that_an_owed_job_writes_is_held_back_too(
    real: Flask, portal: Portal, empty: str, tmp_path: Path, mails: list[EmailMessage]
) -> None:
    """The courier's message was stored before the copy and worked off, with its letter, after it."""
    world = build(now=clock.now())
    world.alice.promised_on = world.bob.promised_on = clock.now().date() + timedelta(days=9)  # nothing else is told
    brought_to("handed_over", world.alice, world.pat, clock.now())
    worker.run(real, wait=False)
    assert post(real.test_client(), body("delivered")).status_code == 200
    portal("backup", str(tmp_path / "copy.dump"))
    worker.run(real, wait=False)
    assert [str(mail["To"]) for mail in mails].count("alice@example.org") == 2
    assert "under Letters that failed: 1" in portal("restore", str(tmp_path / "copy.dump"), at=empty).stdout


def test_only_its_owner_may_read_a_copy_and_half_a_one_replaces_nothing(
    portal: Portal, copy: Path, tmp_path: Path
) -> None:
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    result = portal("backup", str(copy), at="postgresql://nobody@127.0.0.1:9/nothing")
    assert result.exit_code == 1
    assert copy.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["copy.dump"]
    assert portal("backup", str(tmp_path / "missing" / "copy.dump")).stderr.endswith("No such file or directory.\n")


def test_what_is_no_copy_or_no_empty_database_is_refused(
    portal: Portal, copy: Path, empty: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.dump"
    broken.write_bytes(copy.read_bytes()[:5000])
    nonsense = tmp_path / "nonsense.dump"
    nonsense.write_text("orders")
    for file in (broken, nonsense):
        result = portal("restore", str(file), at=empty)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Traceback" not in result.stderr
    assert "Error: This database is not empty." in portal("restore", str(copy)).stderr
    assert "with 2 orders" in portal("restore", str(copy), at=empty).stdout
