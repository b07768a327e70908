"""Who sits at the desk, and whether they may."""

from flask import abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.lib import clock
from portal.lib.guards import needed
from portal.staff.actions import find_session
from portal.staff.models import Staff


def cookie_name() -> str:
    return "__Host-desk" if current_app.config["SETTINGS"].https else "desk"


def signed_in() -> ResponseReturnValue | None:
    """The desk's guard: a live session, and the permission the view is marked with."""
    person = find_session(request.cookies.get(cookie_name(), ""), now=clock.now())
    if person is None:
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("staff.sign_in", next=target), 303)
    g.staff = person
    if not person.may(needed("permission")):
        abort(403)
    return None


def current_staff() -> Staff:
    """The person signed in; only behind the desk's guard."""
    person: Staff = g.staff
    return person
