"""Where browsers ask what to sign, and bring it back signed."""

from flask import Blueprint, abort, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import limits
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.staff import actions, browsers, passkeys, sessions
from portal.staff.forms import AppForm, CodeForm, ConfirmForm, PasswordForm, SignInForm
from portal.staff.guards import ask_again, cookie_name, current_session, current_staff, keep, local
from portal.staff.passkeys import Question
from portal.staff.staff.account import page
from portal.staff.staff.door import show_sign_in
from portal.staff.staff.second import ask, set_up
from portal.staff.staff.shown import show_codes

HELD = "passkey"
"""Where the browser's signed cookie keeps its half of the challenge."""

door = Blueprint("passkey_door", __name__, url_prefix="/desk/sign-in/passkey")
second = Blueprint("passkey_second", __name__, url_prefix="/desk/second-factor")
own = Blueprint("passkeys", __name__, url_prefix="/desk/account")


def told(question: Question) -> ResponseReturnValue:
    session[HELD] = question.token
    return question.options


def held() -> str:
    return str(session.pop(HELD, ""))


@door.post("/options")
def sign_in_options() -> ResponseReturnValue:
    if not limits.take("passkey-address", limits.network(request.remote_addr), 60, actions.A_QUARTER, clock.now()):
        abort(429)
    return told(passkeys.ask_for_one("sign-in", None, now=clock.now()))


@door.post("")
def sign_in() -> ResponseReturnValue:
    """A passkey is both factors: something held, and the finger or number that opens it."""
    here = {"address": limits.network(request.remote_addr), "browser": browsers.called(request.user_agent.string)}
    form, target = SignInForm(formdata=None, next=local(request.form.get("next"))), local(request.form.get("next"))
    credential = request.form.get("credential", "")
    try:
        token = actions.sign_in_with_passkey(held(), credential, **here, now=clock.now())
    except Refused as refused:
        return show_sign_in(form, refused.message), 429
    if token is None:
        return show_sign_in(form, _("That passkey does not open this desk.")), 422
    sessions.sign_out(request.cookies.get(cookie_name(), ""))
    return keep(redirect(target or url_for("desk.home"), 303), token)


@second.post("/passkey/options")
def second_options() -> ResponseReturnValue:
    return told(passkeys.ask_for_one("second", current_session().staff, now=clock.now()))


@second.post("/passkey")
def answer() -> ResponseReturnValue:
    target = local(request.form.get("next"))
    try:
        token = actions.show_passkey(current_session(), held(), request.form.get("credential", ""), now=clock.now())
    except Refused as refused:
        return ask(CodeForm(formdata=None, next=target), refused.message), 429
    if token is None:
        return ask(CodeForm(formdata=None, next=target), _("That passkey does not open this desk.")), 422
    return keep(redirect(target or url_for("desk.home"), 303), token)


@second.post("/new-passkey/options")
def first_options() -> ResponseReturnValue:
    _only_without_factor()
    return told(passkeys.ask_for_new(current_session().staff, now=clock.now()))


@second.post("/new-passkey")
def add_first() -> ResponseReturnValue:
    _only_without_factor()
    target, name = local(request.form.get("next")), browsers.called(request.user_agent.string)
    credential = request.form.get("credential", "")
    try:
        begun = actions.begin_with_passkey(current_session(), held(), credential, name=name, now=clock.now())
    except Refused as refused:
        return set_up(AppForm(formdata=None, next=target), refused.message), 429
    if begun is None:
        return set_up(AppForm(formdata=None, next=target), _("That did not work. Please try again.")), 422
    token, made = begun
    return keep(show_codes(made, target or url_for("desk.home")), token)


def _only_without_factor() -> None:
    """With the password alone nobody adds a key to a door that has one."""
    if actions.has_second_factor(current_session().staff):
        abort(403)


@own.post("/freshness")
@requires("desk.see")
@fresh
def freshen() -> ResponseReturnValue:
    """Passkeys are made by a script, which can't take the detour of confirming: this is the detour, before it."""
    return redirect(url_for("account.show", _anchor="passkeys"), 303)


@own.post("/passkeys/options")
@requires("desk.see")
@fresh
def new_options() -> ResponseReturnValue:
    return told(passkeys.ask_for_new(current_staff(), now=clock.now()))


@own.post("/passkeys")
@requires("desk.see")
@fresh
def add() -> ResponseReturnValue:
    name, credential = browsers.called(request.user_agent.string), request.form.get("credential", "")
    row, first = current_session(), not actions.has_second_factor(current_staff())
    try:
        kept = actions.add_passkey(row, held(), credential, name=name, now=clock.now())
    except Refused as refused:
        return page(PasswordForm(formdata=None), refused.message), 429
    if not kept:
        return page(PasswordForm(formdata=None), _("That passkey could not be kept. Please try again.")), 422
    if first:
        return show_codes(actions.make_recovery_codes(row.staff, now=clock.now()), url_for("account.show"))
    flash(_("The passkey is kept. From now on it opens the desk."), "good")
    return redirect(url_for("account.show"), 303)


@own.post("/passkeys/<int:id>/removal")
@requires("desk.see")
@fresh
def remove(id: int) -> ResponseReturnValue:
    if not actions.remove_passkey(current_staff(), id, now=clock.now()):
        abort(404)
    flash(_("The passkey is removed. It no longer opens anything."), "good")
    return redirect(url_for("account.show"), 303)


@own.post("/confirmation/options")
@requires("desk.see")
def confirm_options() -> ResponseReturnValue:
    return told(passkeys.ask_for_one("confirm", current_staff(), now=clock.now()))


@own.post("/confirmation")
@requires("desk.see")
def confirm() -> ResponseReturnValue:
    """A passkey instead of password and code; then the kept form goes on."""
    target = local(request.form.get("confirm-target"))
    if target is None:
        abort(400)
    form, credential = ConfirmForm(formdata=None, prefix="confirm-"), request.form.get("credential", "")
    try:
        token = actions.confirm_with_passkey(current_session(), held(), credential, now=clock.now())
    except Refused as refused:
        return ask_again(form, target, refused.message), 429
    if token is None:
        # an answer, not a Refused: what was used up and counted stays so
        return ask_again(form, target, _("That is not right. Nothing was done yet.")), 422
    return keep(redirect(target, 307), token)
