"""Mail as servers take it."""

from email.message import EmailMessage
from typing import Any

from flask import Flask

from portal.adapters import smtp


def test_a_line_longer_than_smtp_allows_arrives_whole(app: Flask, mails: list[EmailMessage]) -> None:
    html = f"<p>{'Lindenstraße ' * 200}</p>"
    smtp.send(to="alice@example.org", subject="Hello", html=html, text="x" * 3000, message_id="<1@shop>", headers={})
    parts: list[Any] = [mails[0].get_body((kind,)) for kind in ("html", "plain")]
    assert [part.get_content().strip() for part in parts] == [html, "x" * 3000]
    assert max(map(len, mails[0].as_bytes().splitlines())) <= 78
