"""The desk's door to absences: everybody enters their own, managers everybody's."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff import absences, departments
from portal.staff.forms import AbsenceForm
from portal.staff.guards import current_staff
from portal.staff.models import Staff, StaffAbsence

bp = Blueprint("desk_absences", __name__, url_prefix="/desk/absences")


@bp.get("")
@requires("desk.see")
def index() -> ResponseReturnValue:
    return _page(_form())


def _form() -> AbsenceForm:
    form, me = AbsenceForm(), current_staff()
    others = departments.candidates() if me.may("cases.set") else [me]
    form.person.choices = [(person.id, person.name) for person in others]
    if not form.is_submitted():
        form.person.data = me.id
    return form


def _page(form: AbsenceForm) -> str:
    today = shop_day(clock.now())
    return render_template("desk/staff/absences.html", form=form, absences=absences.to_come(today), today=today)


@bp.post("")
@requires("desk.see")
def make() -> ResponseReturnValue:
    form = _form()
    if not form.validate():
        return _page(form), 422
    person = session.get_one(Staff, form.person.data)
    try:
        absences.go_away(person, form.first.data, form.last.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form = _form()
        form.form_errors.append(refused.message)
        return _page(form), 409
    flash(_("Noted. What is to be done goes to the deputy for these days."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/<int:id>/end")
@requires("desk.see")
def end(id: int) -> ResponseReturnValue:
    """Here after all: one's own, or anybody's for a manager."""
    me, absence = current_staff(), session.get(StaffAbsence, id)
    if absence is None or not (absence.staff_id == me.id or me.may("cases.set")):
        abort(404)
    absences.come_back(id, by=me, now=clock.now())
    flash(_("Taken off the list."), "good")
    return redirect(url_for(".index"), 303)
