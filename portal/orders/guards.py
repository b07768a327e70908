"""The customer's browser came through a link of this order; the machine has a key."""

from datetime import timedelta

from flask import abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.db import limits
from portal.lib import clock
from portal.lib.guards import needed
from portal.orders.keys import channel_of
from portal.orders.links import Brings, Opened, opened_order
from portal.orders.models import Channel


def cookie_name() -> str:
    return "__Host-c" if current_app.config["SETTINGS"].https else "c"


def has_link() -> ResponseReturnValue | None:
    """The guard of customers' pages: the same 404 for no such order, not yours, expired and revoked.

    A page that shows more than this browser may see leads to the code; what was sent to it is not carried out.
    """
    found = opened_here((request.view_args or {}).get("ref", ""), needed("purpose"), needed("brings"))
    if found is None:
        abort(404, "link")
    g.opened, g.locale = found, found.locale
    if found.tier < needed("tier"):
        back = request.path if request.method == "GET" else None
        return redirect(url_for("codes.show", ref=found.ref, then=back), 303)
    return None


def no_link() -> ResponseReturnValue:
    """The page of a link that has ended, or never was one; who asks for it all the time is guessing."""
    if limits.is_guessing(request.remote_addr, now=clock.now()):
        abort(429)
    return render_template("errors/link.html"), 404


def opened_here(ref: str, purpose: str, brings: Brings | None = None) -> Opened | None:
    """The order as this browser may see it through links that open `purpose`."""
    acts_for = timedelta(days=current_app.config["SETTINGS"].link_acts_days)
    return opened_order(ref, this_browser(), purpose, now=clock.now(), acts_for=acts_for, brings=brings)


def this_browser() -> str:
    """The secret of the customer's cookie; empty without one."""
    return request.cookies.get(cookie_name(), "")


def opened() -> Opened:
    """The order that the link opened; only behind `has_link`."""
    found: Opened = g.opened
    return found


def has_api_key() -> ResponseReturnValue | None:
    """The guard of the API: `Authorization: Bearer <key>`, one that was not taken back, of a channel not disabled.

    Who tries one after the other is told to wait.
    """
    sent = request.authorization
    key = sent.token if sent and sent.type == "bearer" and sent.token else ""
    channel = channel_of(key, now=clock.now())
    if channel is None and limits.is_guessing(request.remote_addr, now=clock.now()):
        return {"error": "Too many wrong keys", "message": "Wait a minute."}, 429, {"Retry-After": "60"}
    if channel is None:
        words = {"error": "No valid key", "message": "Send your key as 'Authorization: Bearer <key>'."}
        return words, 401, {"WWW-Authenticate": "Bearer"}
    g.channel = channel
    return None


def calling_channel() -> Channel:
    """The channel whose key was used; only behind `has_api_key`."""
    channel: Channel = g.channel
    return channel
