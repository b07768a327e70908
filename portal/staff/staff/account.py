"""One's own keys: password, second factor, the browsers that are signed in."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import limits
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.staff import actions, codes, journal, passkeys, sessions
from portal.staff.forms import AppForm, ConfirmForm, PasswordForm
from portal.staff.guards import ask_again, current_session, current_staff, keep, local
from portal.staff.staff.shown import drawn, show_codes

bp = Blueprint("account", __name__, url_prefix="/desk")


@bp.post("/confirmation")
@requires("desk.see")
def confirm() -> ResponseReturnValue:
    """Both factors once more; then the browser sends the kept form where it was going, by itself."""
    form, target = ConfirmForm(prefix="confirm-"), local(request.form.get("confirm-target"))
    if target is None:
        abort(400)
    if not form.validate():
        return ask_again(form, target), 422
    try:
        token = actions.confirm(current_session(), form.password.data, form.code.data or "", now=clock.now())
    except Refused as refused:
        return ask_again(form, target, refused.message), 429
    if token is None:
        return ask_again(form, target, _("That is not right. Nothing was done yet.")), 422
    return keep(redirect(target, 307), token)


@bp.get("/account")
@requires("desk.see")
def show() -> ResponseReturnValue:
    return page(PasswordForm(formdata=None))


def page(form: PasswordForm, refusal: str = "") -> str:
    person, now = current_staff(), clock.now()
    return render_template(
        "desk/staff/account.html",
        form=form,
        person=person,
        here=current_session(),
        sessions=sessions.sessions_of(person, now=now),
        passkeys=passkeys.passkeys_of(person),
        fresh=sessions.is_fresh(current_session(), now=now),
        codes_left=codes.recovery_codes_left(person),
        events=journal.page_of(None, person.id)[0][:10],
        kinds=journal.KINDS,
        refusal=refusal,
    )


@bp.post("/account/password")
@requires("desk.see")
@fresh
def change_password() -> ResponseReturnValue:
    form = PasswordForm()
    if not form.validate():
        return page(form), 422
    if not limits.take("new-password", str(current_staff().id), actions.TRIES, actions.A_QUARTER, clock.now()):
        return page(form, _("Too many tries. Please wait a quarter of an hour.")), 429
    try:
        actions.change_password(current_staff(), form.password.data, here=current_session(), now=clock.now())
    except Refused as refused:
        form.password.errors = [refused.message]
        return page(form), 422
    flash(_("Your password is changed. Every other browser is signed out."), "good")
    return redirect(url_for(".show"), 303)


@bp.get("/account/app")
@requires("desk.see")
def show_app() -> ResponseReturnValue:
    return app_page(AppForm(formdata=None))


def app_page(form: AppForm, *mistakes: str) -> str:
    form.form_errors.extend(mistakes)
    return render_template("desk/staff/app.html", form=form, **drawn(form, current_staff()))


@bp.post("/account/app")
@requires("desk.see")
@fresh
def add_app() -> ResponseReturnValue:
    form, row = AppForm(), current_session()
    if not form.validate():
        return app_page(form), 422
    try:
        made = actions.set_up_app(row, form.secret(row.staff), form.code.data, now=clock.now())
    except Refused as refused:
        return app_page(form, refused.message), 429
    if made is None:
        return app_page(form, _("That code is not right. Wait for the next one and try again.")), 422
    return show_codes(made, url_for(".show"))


@bp.post("/account/app/removal")
@requires("desk.see")
@fresh
def remove_app() -> ResponseReturnValue:
    actions.remove_app(current_staff(), now=clock.now())
    flash(_("The app is removed. Its codes no longer open anything."), "good")
    return redirect(url_for(".show"), 303)


@bp.post("/account/recovery-codes")
@requires("desk.see")
@fresh
def make_codes() -> ResponseReturnValue:
    if not actions.has_second_factor(current_staff()):
        raise Refused(_("Recovery codes stand in for a second factor. Set one up first."))
    return show_codes(actions.make_recovery_codes(current_staff(), now=clock.now()), url_for(".show"))


@bp.post("/account/sessions/<int:id>/closure")
@requires("desk.see")
def end_session(id: int) -> ResponseReturnValue:
    if not sessions.end_session(current_staff(), id):
        abort(404)
    journal.note("session_ended", current_staff().id, now=clock.now())
    flash(_("That browser is signed out."), "good")
    return redirect(url_for(".show"), 303)


@bp.post("/account/sessions/closure")
@requires("desk.see")
def end_others() -> ResponseReturnValue:
    sessions.end_sessions(current_staff(), but=current_session())
    journal.note("sessions_ended", current_staff().id, now=clock.now())
    flash(_("Every other browser is signed out."), "good")
    return redirect(url_for(".show"), 303)
