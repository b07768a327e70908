"""The desk's front door: sign in, sign out, take up an invitation."""

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import actions
from portal.staff.forms import PasswordForm, SignInForm
from portal.staff.guards import cookie_name

bp = Blueprint("staff", __name__, url_prefix="/desk")


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    form = SignInForm(formdata=None, next=_local(request.args.get("next")))
    return render_template("desk/staff/sign-in.html", form=form)


@bp.post("/sign-in")
def open_session() -> ResponseReturnValue:
    form, token = SignInForm(), None
    if form.validate():
        try:
            token = actions.sign_in(
                form.email.data, form.password.data, address=request.remote_addr or "", now=clock.now()
            )
        except Refused as refused:
            form.form_errors.append(refused.message)
            return render_template("desk/staff/sign-in.html", form=form), 429
        if token is None:
            form.form_errors.append(_("E-mail and password do not match."))
    if token is None:
        return render_template("desk/staff/sign-in.html", form=form), 422
    actions.sign_out(request.cookies.get(cookie_name(), ""))
    response = redirect(_local(form.next.data) or url_for("desk.home"), 303)
    response.set_cookie(cookie_name(), token, httponly=True, secure=_secure(), samesite="Lax", path="/")
    return response


@bp.post("/sign-out")
def close_session() -> ResponseReturnValue:
    actions.sign_out(request.cookies.get(cookie_name(), ""))
    response: Response = redirect(url_for("staff.sign_in"), 303)
    response.delete_cookie(cookie_name(), path="/", secure=_secure(), httponly=True, samesite="Lax")
    return response


@bp.get("/invitations/<token>")
def invitation(token: str) -> ResponseReturnValue:
    found = actions.find_invitation(token, now=clock.now())
    return render_template("desk/staff/invitation.html", form=PasswordForm(), invitation=found), 200 if found else 404


@bp.post("/invitations/<token>")
def accept_invitation(token: str) -> ResponseReturnValue:
    found, form = actions.find_invitation(token, now=clock.now()), PasswordForm()
    if found and form.validate():
        actions.accept_invitation(found, form.password.data, now=clock.now())
        return redirect(url_for("staff.sign_in"), 303)
    return render_template("desk/staff/invitation.html", form=form, invitation=found), 422 if found else 404


def _local(target: str | None) -> str | None:
    """Only a path of our own desk, so that nobody is sent elsewhere after signing in."""
    return target if target and target.startswith("/desk/") and "\\" not in target and "//" not in target else None


def _secure() -> bool:
    return bool(current_app.config["SETTINGS"].https)
