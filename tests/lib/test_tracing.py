"""Each line of the log says which request or job it belongs to."""

import json
import logging
from typing import Any

import pytest

from portal.lib import logs
from portal.lib.tracing import HEADER, Traced


def asked(client: Any, number: str = "") -> str:
    return str(client.get("/healthz", headers={HEADER: number} if number else {}).headers[HEADER])


def test_every_answer_has_a_number_of_its_own(client: Any) -> None:
    first, second = asked(client), asked(client)
    assert first != second
    assert len(first) == 16
    assert client.get("/nothing/here").headers[HEADER]


def test_a_number_from_outside_counts_only_behind_a_proxy_of_ours(app: Any, client: Any) -> None:
    assert asked(client, "from-outside") != "from-outside"
    app.wsgi_app = Traced(app.wsgi_app, behind_proxy=True)
    try:
        for number in ("from-a-proxy", "x" * 64):
            assert number in client.get("/healthz", headers={HEADER: number}).headers.getlist(HEADER)
        for number in ("short", "x" * 65, "a b c d e f"):
            assert number not in client.get("/healthz", headers={HEADER: number}).headers.getlist(HEADER)
    finally:
        app.wsgi_app = app.wsgi_app.application


def test_l17_a_request_is_one_line_without_secrets(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "portal.access"):
        client.get("/l/abcdefghijklmnopqrstuvwxyz23")
    [said] = [record.getMessage() for record in caplog.records if record.name == "portal.access"]
    assert said.startswith("GET /l/abcdef… 404 ")
    assert said.endswith(" ms")


@pytest.mark.parametrize("style", ["text", "json"])
def test_l17_lines_say_what_they_are_about_and_hide_tokens(
    style: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.to_stderr(style)
    with logs.about(job="7"):
        logging.getLogger("portal.mail").warning("opened /l/abcdefghijklmnopqrstuvwxyz23")
    said = capsys.readouterr().err.strip()
    if style == "text":
        assert said.endswith("WARNING portal.mail: opened /l/abcdef… [job 7]")
    else:
        line = json.loads(said)
        assert (line["level"], line["message"], line["job"]) == ("WARNING", "opened /l/abcdef…", "7")


def test_our_mistake_names_its_number_so_that_it_can_be_found(app: Any, client: Any) -> None:
    def broken() -> str:
        raise RuntimeError("broken")

    before = app.view_functions["finding.find"]
    app.view_functions["finding.find"] = broken
    try:
        answer = client.get("/find")
    finally:
        app.view_functions["finding.find"] = before
    assert answer.status_code == 500
    assert answer.headers[HEADER] in answer.text
