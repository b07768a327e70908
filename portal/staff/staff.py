"""The desk's front door: sign in, sign out, take up an invitation."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.db import limits
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import actions
from portal.staff.forms import PasswordForm, SignInForm
from portal.staff.guards import cookie_name
from portal.staff.models import StaffInvitation
from portal.staff.rules import SHORTEST_PASSWORD

bp = Blueprint("staff", __name__, url_prefix="/desk")


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return show_sign_in(SignInForm(formdata=None, next=_local(request.args.get("next"))))


def show_sign_in(form: SignInForm, *mistakes: str) -> str:
    form.form_errors.extend(mistakes)
    return render_template("desk/staff/sign-in.html", form=form)


@bp.post("/sign-in")
def open_session() -> ResponseReturnValue:
    form = SignInForm()
    if not form.validate():
        return show_sign_in(form), 422
    address = limits.network(request.remote_addr)
    try:
        token = actions.sign_in(form.email.data, form.password.data, address=address, now=clock.now())
    except Refused as refused:
        return show_sign_in(form, refused.message), 429
    if token is None:
        return show_sign_in(form, _("E-mail and password do not match.")), 422
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
    return show_invitation(found, PasswordForm()), 200 if found else 404


@bp.post("/invitations/<token>")
def accept_invitation(token: str) -> ResponseReturnValue:
    found, form = actions.find_invitation(token, now=clock.now()), PasswordForm()
    if found and form.validate():
        actions.accept_invitation(found, form.password.data, now=clock.now())
        flash(_("Your password is kept. Sign in with it."), "good")
        return redirect(url_for("staff.sign_in"), 303)
    return show_invitation(found, form), 422 if found else 404


def show_invitation(found: StaffInvitation | None, form: PasswordForm) -> str:
    return render_template("desk/staff/invitation.html", form=form, invitation=found, shortest=SHORTEST_PASSWORD)


def _local(target: str | None) -> str | None:
    """Only a path of our own desk, so that nobody is sent elsewhere after signing in."""
    return target if target and target.startswith("/desk/") and "\\" not in target and "//" not in target else None


def _secure() -> bool:
    return bool(current_app.config["SETTINGS"].https)
