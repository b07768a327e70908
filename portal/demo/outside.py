"""The world outside, for the demo: a web shop, the courier and everybody's mailbox, one program on loopback.

It models what the portal sees of them: orders by its API, signed courier webhooks, SMTP that takes every mail. It does
not model mail that bounces, a slow mail server, or a courier that calls twice or in disorder.
"""

import secrets

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from waitress import serve as serve_pages

from portal.demo import courier, easypost, mailbox, provider, shops, webshop


def create_outside(
    mails: mailbox.Mailbox, parcels: courier.Courier, shop: webshop.WebShop, labels: easypost.EasyPost | None = None,
    others: shops.Shops | None = None, vouches: provider.Provider | None = None,
) -> Flask:  # fmt: skip
    """The pages of all three, where labels are sold, two other shops that can be asked, and who vouches for staff."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secrets.token_hex(), SESSION_COOKIE_NAME="outside", MAILBOX=mails, COURIER=parcels, WEB_SHOP=shop
    )
    app.register_blueprint(mailbox.bp)
    app.register_blueprint(courier.bp)
    app.register_blueprint(webshop.bp)
    app.config["EASYPOST"] = labels
    app.register_blueprint(easypost.bp)
    app.config["SHOPS"] = others or shops.Shops()
    app.register_blueprint(shops.bp)
    app.config["PROVIDER"] = vouches or provider.Provider("http://127.0.0.1", ())
    app.register_blueprint(provider.bp)
    app.add_url_rule("/", "home", home)
    return app


def home() -> ResponseReturnValue:
    return redirect(url_for("mailbox.index"))


def serve(app: Flask, port: int, smtp_port: int, door: int) -> None:
    """Take mail and show pages until told to end; what customers answer goes to the portal's door for mails."""
    app.config["MAIL_DOOR"] = door
    mailbox.smtp_server(app.config["MAILBOX"], smtp_port).start()
    serve_pages(app, host="127.0.0.1", port=port, threads=4, ident=None)
