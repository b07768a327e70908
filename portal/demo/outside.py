"""The world outside, for the demo: everybody's mailbox and the courier, one program on loopback.

It models what the portal sees of them: SMTP that takes every mail, and signed courier webhooks. It does not model mail
that bounces, a slow mail server, or a courier that calls twice or in disorder.
"""

import argparse
import secrets
from functools import partial
from pathlib import Path

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from waitress import serve

from portal.demo import courier, mailbox


def create_outside(folder: Path, hook: str, secret: str, database: str) -> Flask:
    """The pages of the mailbox and the courier; their files live in `folder`."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_hex(),
        SESSION_COOKIE_NAME="outside",
        MAILBOX=mailbox.Mailbox(folder / "mail"),
        COURIER=courier.Courier(courier.Book(folder / "courier"), hook, secret, partial(courier.under_way, database)),
    )
    app.register_blueprint(mailbox.bp)
    app.register_blueprint(courier.bp)
    app.add_url_rule("/", "home", home)
    return app


def home() -> ResponseReturnValue:
    return redirect(url_for("mailbox.index"))


def main() -> None:
    options = parse()
    app = create_outside(options.folder, options.hook, options.secret, options.database)
    mailbox.smtp_server(app.config["MAILBOX"], options.smtp_port).start()
    serve(app, host="127.0.0.1", port=options.port, threads=4, ident=None)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where mails and the courier's book are kept")
    parser.add_argument("--port", type=int, required=True, help="of the pages")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--hook", required=True, help="the portal's address for EasyPost's webhooks")
    parser.add_argument("--secret", required=True, help="that signs them")
    parser.add_argument("--database", required=True, help="where to look for parcels that were handed over")
    return parser.parse_args()


if __name__ == "__main__":
    main()
