"""The desk's front door: sign in, sign out, take up an invitation."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import limits
from portal.jobs import defer
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import actions, browsers, journal, sessions
from portal.staff.forms import PasswordForm, ResetForm, SignInForm
from portal.staff.guards import cookie_name, drop, keep, local
from portal.staff.jobs import send_reset
from portal.staff.models import StaffInvitation
from portal.staff.rules import SHORTEST_PASSWORD

bp = Blueprint("staff", __name__, url_prefix="/desk")


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    return show_sign_in(SignInForm(formdata=None, next=local(request.args.get("next"))))


def show_sign_in(form: SignInForm, *mistakes: str) -> str:
    form.form_errors.extend(mistakes)
    return render_template("desk/staff/sign-in.html", form=form)


@bp.post("/sign-in")
def open_session() -> ResponseReturnValue:
    form = SignInForm()
    if not form.validate():
        return show_sign_in(form), 422
    here = {"address": limits.network(request.remote_addr), "browser": browsers.called(request.user_agent.string)}
    try:
        token = actions.sign_in(form.email.data, form.password.data, **here, now=clock.now())
    except Refused as refused:
        return show_sign_in(form, refused.message), 429
    if token is None:
        return show_sign_in(form, _("E-mail and password do not match.")), 422
    sessions.sign_out(request.cookies.get(cookie_name(), ""))
    return keep(redirect(local(form.next.data) or url_for("desk.home"), 303), token)


@bp.post("/sign-out")
def close_session() -> ResponseReturnValue:
    who = sessions.sign_out(request.cookies.get(cookie_name(), ""))
    if who is not None:
        journal.note("signed_out", who, now=clock.now())
    return drop(redirect(url_for("staff.sign_in"), 303))


@bp.get("/password-reset")
def show_reset() -> ResponseReturnValue:
    return render_template("desk/staff/reset.html", form=ResetForm(formdata=None), asked=False)


@bp.post("/password-reset")
def ask_reset() -> ResponseReturnValue:
    """The same answer to everybody; the worker decides whether a letter goes out."""
    form = ResetForm()
    if not form.validate():
        return render_template("desk/staff/reset.html", form=form, asked=False), 422
    if not limits.take("reset-address", limits.network(request.remote_addr), 10, actions.A_QUARTER, clock.now()):
        form.form_errors.append(_("Too many tries. Please wait a quarter of an hour."))
        return render_template("desk/staff/reset.html", form=form, asked=False), 429
    defer(send_reset, email=form.email.data)
    return render_template("desk/staff/reset.html", form=form, asked=True)


@bp.get("/invitations/<token>")
def invitation(token: str) -> ResponseReturnValue:
    found = _invitation(token)
    return show_invitation(found, PasswordForm()), 200 if found else 404


def _invitation(token: str) -> StaffInvitation | None:
    """Who shows one after the other that opens nothing is told to wait."""
    found = actions.find_invitation(token, now=clock.now())
    if found is None and limits.is_guessing(request.remote_addr, now=clock.now()):
        abort(429)
    return found


@bp.post("/invitations/<token>")
def accept_invitation(token: str) -> ResponseReturnValue:
    found, form = _invitation(token), PasswordForm()
    if found and form.validate() and _is_taken_up(found, form):
        flash(_("Your password is kept. Sign in with it."), "good")
        return redirect(url_for("staff.sign_in"), 303)
    return show_invitation(found, form), 422 if found else 404


def _is_taken_up(found: StaffInvitation, form: PasswordForm) -> bool:
    try:
        actions.accept_invitation(found, form.password.data, now=clock.now())
    except Refused as refused:
        form.password.errors = [refused.message]
        return False
    return True


def show_invitation(found: StaffInvitation | None, form: PasswordForm) -> str:
    return render_template("desk/staff/invitation.html", form=form, invitation=found, shortest=SHORTEST_PASSWORD)
