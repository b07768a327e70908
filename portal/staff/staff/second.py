"""Between the password and the desk: the second factor, or setting one up."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff import actions, passkeys
from portal.staff.forms import AppForm, CodeForm
from portal.staff.guards import current_session, keep, local
from portal.staff.staff.shown import drawn, show_codes

bp = Blueprint("second_factor", __name__, url_prefix="/desk/second-factor")


@bp.get("")
def show() -> ResponseReturnValue:
    """Asks for it; who has none sets one up here, first of all."""
    person, target = current_session().staff, local(request.args.get("next"))
    if actions.has_second_factor(person):
        return ask(CodeForm(formdata=None, next=target))
    return set_up(AppForm(formdata=None, next=target))


def ask(form: CodeForm, *mistakes: str) -> str:
    form.form_errors.extend(mistakes)
    person = current_session().staff
    here = {"person": person, "has_passkey": passkeys.has_any(person)}
    return render_template("desk/staff/second-factor.html", form=form, **here)


def set_up(form: AppForm, *mistakes: str) -> str:
    form.form_errors.extend(mistakes)
    return render_template("desk/staff/set-up.html", form=form, **drawn(form, current_session().staff))


@bp.post("")
def answer() -> ResponseReturnValue:
    form = CodeForm()
    if not form.validate():
        return ask(form), 422
    try:
        token = actions.show_second_factor(current_session(), form.code.data, now=clock.now())
    except Refused as refused:
        return ask(form, refused.message), 429
    if token is None:
        return ask(form, _("That code is not right, or was used already.")), 422
    return keep(redirect(local(form.next.data) or url_for("desk.home"), 303), token)


@bp.post("/app")
def add_app() -> ResponseReturnValue:
    """Only for who has no second factor yet: with the password alone nobody changes one."""
    form, row = AppForm(), current_session()
    if actions.has_second_factor(row.staff):
        return redirect(url_for(".show"), 303)
    if not form.validate():
        return set_up(form), 422
    try:
        begun = actions.begin_with_app(row, form.secret(row.staff), form.code.data, now=clock.now())
    except Refused as refused:
        return set_up(form, refused.message), 429
    if begun is None:
        return set_up(form, _("That code is not right. Wait for the next one and try again.")), 422
    token, made = begun
    return keep(show_codes(made, local(form.next.data) or url_for("desk.home")), token)
