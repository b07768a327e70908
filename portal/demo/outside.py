"""The world outside, for the demo: everybody's mailbox and the courier, one program on loopback.

It models what the portal sees of them: SMTP that takes every mail, and signed courier webhooks. It does not model mail
that bounces, a slow mail server, or a courier that calls twice or in disorder.
"""

import secrets
from functools import partial
from pathlib import Path

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from waitress import serve as serve_pages

from portal.demo import courier, mailbox


def create_outside(folder: Path, hook: str, secret: str, database: str) -> Flask:
    """The pages of the mailbox and the courier; their files live in `folder`."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="outside",
        MAILBOX=mailbox.Mailbox(folder / "mail"),
        COURIER=courier.Courier(
            courier.Book(folder / "courier"), secret, partial(courier.post, hook), partial(courier.under_way, database)
        ),
    )
    app.register_blueprint(mailbox.bp)
    app.register_blueprint(courier.bp)
    app.add_url_rule("/", "home", home)
    return app


def home() -> ResponseReturnValue:
    return redirect(url_for("mailbox.index"))


def serve(app: Flask, port: int, smtp_port: int) -> None:
    """Take mail and show pages until told to end."""
    mailbox.smtp_server(app.config["MAILBOX"], smtp_port).start()
    serve_pages(app, host="127.0.0.1", port=port, threads=4, ident=None)
