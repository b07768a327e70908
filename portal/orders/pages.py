"""GET /l/<token>: a link is exchanged for a cookie and an address without the secret."""

import re

from flask import Blueprint, current_app, redirect, request
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.lib import clock, tokens
from portal.orders import links
from portal.orders.guards import cookie_name, no_link
from portal.orders.models import Link, Order

bp = Blueprint("links", __name__)

LEADS_TO = {
    "track": "/orders/{ref}",
    "return": "/orders/{ref}/returns",
    "survey": "/orders/{ref}/survey",
    "case": "/orders/{ref}/cases/{subject}",
    "trap": "/orders/{ref}/survey",
}

CHOOSES = {"v": re.compile(r"10|[0-9]"), "a": re.compile(r"[0-9]{1,12}")}
"""What a link in a letter may choose on the page it leads to: a score, and the article that it is about."""


@bp.get("/l/<token>")
def exchange(token: str) -> ResponseReturnValue:
    """303 to the clean address; the same 404 for unknown, expired and revoked links. HEAD and prefetch get no grant."""
    link = links.find(token, now=clock.now())
    if link is None or link.purpose not in LEADS_TO:
        return no_link()
    if request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return "", 204
    known = request.cookies.get(cookie_name(), "")
    browser = known if len(known) == tokens.LINK_LENGTH else tokens.mint()
    links.grant(link, browser, now=clock.now())
    response = redirect(_target(link), 303)
    https = current_app.config["SETTINGS"].https
    response.set_cookie(
        cookie_name(), browser, max_age=links.GRANT_LASTS, httponly=True, secure=https, samesite="Lax", path="/"
    )
    return response


def _target(link: Link) -> str:
    path = LEADS_TO[link.purpose].format(ref=session.get_one(Order, link.order_id).ref, subject=link.subject)
    chosen = [(name, request.args.get(name, ""), shape) for name, shape in CHOOSES.items()]
    plain = [f"{name}={number}" for name, number, shape in chosen if shape.fullmatch(number)]
    return f"{path}?{'&'.join(plain)}" if plain else path
