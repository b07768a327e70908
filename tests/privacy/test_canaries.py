"""After an erasure no file, no log, no page and no export holds what was forgotten (the tables: test_erasure.py)."""

import io
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib import clock
from portal.privacy import actions, ledger
from portal.privacy.jobs import erase
from portal.privacy.models import orders_of
from tests.guards import OTHERS
from tests.house.test_routes import rules, values_for
from tests.privacy.test_erasure import plant, rare
from tests.returns import hands
from tests.world import World, sign_in

Work = Callable[..., int]


@pytest.fixture
def folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this portal writes files."""
    places = {"erasure_ledger": tmp_path / "erasures.jsonl", "var_dir": tmp_path}
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update=places))
    return tmp_path


def told(answer: TestResponse) -> str:
    """All that an answer says: a page, the papers of a PDF, the files of a ZIP."""
    if answer.mimetype == "application/pdf" and len(answer.data) > 100:  # some stand for a paper only
        return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(answer.data))
    if answer.mimetype == "application/zip":
        with zipfile.ZipFile(io.BytesIO(answer.data)) as packed:
            return "".join(packed.read(name).decode("utf-8", "replace") for name in packed.namelist())
    return answer.data.decode("utf-8", "replace")


def test_thirty_canaries_are_gone_from_every_page_export_file_and_log(
    client: FlaskClient, walked: World, work: Work, mails: object, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = walked
    rare(world)
    ids = [*orders_of(world.alice.customer_id), world.bob.id]
    canaries = plant(ids)
    session.commit()
    assert len(canaries) >= 30
    world.max.role = "admin"
    sign_in(client, world.max)
    paths = exports(client, world)
    shown = {path: told(client.get(path)) for path in paths}
    assert len([canary for canary in canaries if any(canary in said for said in shown.values())]) >= 10
    caplog.clear()
    with caplog.at_level(logging.INFO):
        actions.forget(ids, now=clock.now())
        session.commit()
        after = {path: told(client.get(path)) for path in paths}
    found = {canary: [path for path, said in after.items() if canary in said] for canary in canaries}
    assert {canary: where for canary, where in found.items() if where} == {}
    assert [canary for canary in canaries if canary in logged(caplog)] == []


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """What the portal's own log says; the mail server on loopback has one too."""
    return "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(OTHERS))


def exports(client: FlaskClient, world: World) -> list[str]:
    """Every page and every export at the desk, with the customer's copy and the order's evidence."""
    bound, paths = client.application.url_map.bind("localhost"), []
    for rule in rules(client.application):
        if "GET" in (rule.methods or set()) and rule.rule.startswith("/desk"):
            filled = {name: value or 1 for name, value in values_for(rule, world).items()}
            paths.append(bound.build(rule.endpoint, filled))
    assert {end for end in ENDS if any(end in path for path in paths)} == set(ENDS)
    return paths


ENDS = ("/evidence.json", "/evidence.pdf", "/copy.zip", ".csv")


def test_the_ledger_and_every_other_file_name_nobody(
    world: World, work: Work, mails: object, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hands.delivered(world, world.alice)
    work()
    asked = actions.ask(world.alice.customer_id, by=None, now=clock.now())
    session.commit()
    with caplog.at_level(logging.INFO):
        erase(asked.id)
    assert ledger.refs(folder / "erasures.jsonl") == [world.alice.ref]
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert world.alice.ref.encode() in written
    names = ("alice@example.org", "Ångström", "Lindenstraße")
    assert [name for name in names if name.encode() in written or name in logged(caplog)] == []
