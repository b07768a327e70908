"""Who sits at the desk, and whether they may."""

from flask import abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from portal.lib import clock
from portal.lib.guards import needed, needs_freshness
from portal.staff import passkeys
from portal.staff.actions import has_second_factor
from portal.staff.forms import ConfirmForm
from portal.staff.models import Staff, StaffSession
from portal.staff.sessions import find_session, is_fresh

NOT_KEPT = ("confirm-", "csrf_token", "credential")


def cookie_name() -> str:
    return "__Host-desk" if current_app.config["SETTINGS"].https else "desk"


def signed_in() -> ResponseReturnValue | None:
    """The desk's guard: a live session in which both factors were shown, and the permission the view is marked with."""
    row = _session()
    if row is None:
        return redirect(url_for("staff.sign_in", next=_wanted()), 303)
    if row.proven_at is None:
        return redirect(url_for("second_factor.show", next=_wanted()), 303)
    g.staff, g.desk_session = row.staff, row
    if not row.staff.may(needed("permission")):
        abort(403)
    if needs_freshness() and not is_fresh(row, now=clock.now()):
        return ask_again(ConfirmForm(formdata=None, prefix="confirm-"), request.full_path.rstrip("?")), 401
    return None


def ask_again(form: ConfirmForm, target: str, mistake: str = "") -> str:
    """The page that wants both factors once more. What was sent is kept and goes on to `target`."""
    kept = [(name, value) for name, value in request.form.items(multi=True) if not name.startswith(NOT_KEPT)]
    here = {"form": form, "target": target, "kept": kept, "mistake": mistake, "has_passkey": passkeys.has_any(g.staff)}
    return render_template("desk/staff/confirmation.html", with_code=has_second_factor(g.staff), **here)


def password_shown() -> ResponseReturnValue | None:
    """The guard of the second factor's own pages: the password was right, in this browser, minutes ago."""
    row = _session()
    if row is None:
        return redirect(url_for("staff.sign_in"), 303)
    if row.proven_at is not None:
        return redirect(url_for("desk.home"), 303)
    g.desk_session = row
    return None


def _session() -> StaffSession | None:
    return find_session(request.cookies.get(cookie_name(), ""), now=clock.now())


def _wanted() -> str | None:
    return request.full_path.rstrip("?") if request.method == "GET" else None


def current_staff() -> Staff:
    """The person signed in; only behind the desk's guard."""
    person: Staff = g.staff
    return person


def current_session() -> StaffSession:
    """This browser's session; behind the desk's guard and the second factor's."""
    row: StaffSession = g.desk_session
    return row


def keep(response: Response, token: str) -> Response:
    """Give the browser its session's secret, for as long as the browser is open."""
    secure = bool(current_app.config["SETTINGS"].https)
    response.set_cookie(cookie_name(), token, httponly=True, secure=secure, samesite="Lax", path="/")
    return response


def drop(response: Response) -> Response:
    """Take the secret away from the browser."""
    secure = bool(current_app.config["SETTINGS"].https)
    response.delete_cookie(cookie_name(), path="/", secure=secure, httponly=True, samesite="Lax")
    return response


def local(target: str | None) -> str | None:
    """Only a path of our own desk, so that nobody is sent elsewhere after signing in."""
    return target if target and target.startswith("/desk/") and "\\" not in target and "//" not in target else None
