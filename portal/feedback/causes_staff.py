"""The desk's door to causes."""

from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from portal.db import session
from portal.feedback import cause_measures, cause_models, causes
from portal.feedback.cause_forms import CauseForm, ChangeForm, MemberForm
from portal.feedback.cause_models import Cause
from portal.feedback.cause_suggestions import LOOKED_AT, suggestions
from portal.feedback.forms import OwnerForm
from portal.feedback.replying_staff import cause_form, find, people
from portal.feedback.rules import SCORES
from portal.fulfilment.rules import COURIERS, courier_name
from portal.lib import clock, sheets
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.returns.reasons import all_reasons
from portal.staff.guards import current_staff
from portal.staff.models import Staff
from portal.staff.rules import DEPARTMENTS
from portal.staff.words import DEPARTMENT

bp = Blueprint("desk_causes", __name__, url_prefix="/desk")
VIEWS = ("open", "closed")


@bp.get("/causes")
@requires("cases.see")
def index() -> ResponseReturnValue:
    view = request.args.get("state", "open")
    if view not in VIEWS:
        abort(404)
    return _list(CauseForm(formdata=None), view)


def _list(form: CauseForm, view: str = "open") -> str:
    """With what could be taken up; a closed cause that is there again may be suggested anew."""
    listed = cause_models.listed_causes(view)
    names = cause_models.names_of([cause for cause, _n in listed])
    taken = [cause.about for cause, _n in listed]
    suggested = suggestions(taken, today=_today()) if view == "open" else []
    return render_template(
        "desk/insight/causes.html", rows=list(zip(listed, names, strict=True)), view=view, suggested=suggested,
        form=_offer(form), looked_at=LOOKED_AT,
    )  # fmt: skip


def _today() -> date:
    return shop_day(clock.now())


def _offer(form: CauseForm) -> CauseForm:
    nothing = SelectChoice("", "–")
    form.courier.choices = [nothing, *(SelectChoice(code, courier_name(code)) for code in COURIERS)]
    form.department.choices = [nothing, *(SelectChoice(code, DEPARTMENT[code]) for code in DEPARTMENTS)]
    reasons = [SelectChoice(one.code, one.label) for one in all_reasons().values() if one.group]
    form.reason.choices = [nothing, *reasons]
    return form


@bp.post("/causes")
@requires("cases.work")
def take_up() -> ResponseReturnValue:
    """One press on what was suggested, or a form filled in by hand."""
    form = CauseForm()
    if not form.validate():
        return _list(form), 422
    try:
        cause = causes.take_up(form.about(), by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _list(form), 409
    return _to(cause)


def _to(cause: Cause) -> ResponseReturnValue:
    return redirect(url_for(".show", id=cause.id), 303)


@bp.get("/causes/<int:id>")
@requires("cases.see")
def show(id: int) -> ResponseReturnValue:
    return _page(_find(id))


def _find(id: int) -> Cause:
    return cause_models.find_cause(id) or abort(404)


def _page(cause: Cause, change: ChangeForm | None = None, member: MemberForm | None = None) -> str:
    owner = OwnerForm(formdata=None, owner=cause.owner_id, instead_of=cause.owner_id)
    owner.owner.choices = people()
    return render_template(
        "desk/insight/cause.html", cause=cause, name=cause_models.names_of([cause])[0], scores=SCORES,
        measures=_measured(cause), counted=cause_measures, owner=owner,
        page=cause_models.members_of(cause, request.args.get("page", "")),
        many=cause_models.count_members(cause), change=change or ChangeForm(formdata=None, changed_on=_today()),
        member=member or MemberForm(formdata=None),
    )  # fmt: skip


def _measured(cause: Cause) -> list[cause_measures.Measure]:
    return cause_measures.measures_of(cause.about, cause_measures.stretches_of(cause.changes, _today()))


@bp.get("/causes/<int:id>.csv")
@requires("cases.see")
def as_csv(id: int) -> ResponseReturnValue:
    return sheets.sent(cause_measures.sheet(_measured(_find(id))), f"cause-{id}")


@bp.post("/causes/<int:id>/changes")
@requires("cases.work")
def note_change(id: int) -> ResponseReturnValue:
    cause, form = _find(id), ChangeForm()
    if not form.validate():
        return _page(cause, change=form), 422
    try:
        causes.note_change(cause, form.changed_on.data, form.note.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _page(_find(id), change=form), 409
    flash(_("Noted. The picture compares what was before with what came after."), "good")
    return _to(cause)


@bp.post("/causes/<int:id>/changes/<int:change_id>/removal")
@requires("cases.work")
def remove_change(id: int, change_id: int) -> ResponseReturnValue:
    cause = _find(id)
    causes.remove_change(cause, change_id)
    flash(_("Removed."), "good")
    return _to(cause)


@bp.post("/causes/<int:id>/members")
@requires("cases.work")
def put(id: int) -> ResponseReturnValue:
    """The cases of an order, or its answer, come of this."""
    cause, form = _find(id), MemberForm()
    if not form.validate():
        return _page(cause, member=form), 422
    try:
        causes.put(cause, form.number.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _page(_find(id), member=form), 409
    flash(_("It belongs to this cause now."), "good")
    return _to(cause)


@bp.post("/causes/<int:id>/members/<int:member_id>/removal")
@requires("cases.work")
def take_out(id: int, member_id: int) -> ResponseReturnValue:
    cause = _find(id)
    causes.take_out(cause, member_id, by=current_staff(), now=clock.now())
    flash(_("It no longer belongs to this cause."), "good")
    return _to(cause)


@bp.post("/cases/<int:id>/cause")
@requires("cases.work")
def put_case(id: int) -> ResponseReturnValue:
    """At the case itself: what it came of, or nothing that is known."""
    case, form = find(id), cause_form()
    if not form.validate():
        abort(422)
    cause = session.get(Cause, form.cause.data) if form.cause.data else None
    causes.put_case(case, cause, by=current_staff(), now=clock.now())
    flash(_("It belongs to this cause now.") if cause else _("It belongs to no cause now."), "good")
    return redirect(url_for("desk_cases.show", id=id), 303)


@bp.post("/causes/<int:id>/owner")
@requires("cases.work")
def give(id: int) -> ResponseReturnValue:
    cause, form = _find(id), OwnerForm()
    form.owner.choices = people()
    if not form.validate():
        abort(422)
    to = session.get_one(Staff, form.owner.data)
    causes.give(cause, to, instead_of=form.instead_of.data)
    flash(_("%(name)s looks after it now.", name=to.name), "good")
    return _to(cause)


@bp.post("/causes/<int:id>/closing")
@requires("cases.work")
def close(id: int) -> ResponseReturnValue:
    cause = _find(id)
    causes.close(cause, now=clock.now())
    flash(_("Closed. It stays here with all that was counted."), "good")
    return _to(cause)


@bp.post("/causes/<int:id>/reopening")
@requires("cases.work")
def reopen(id: int) -> ResponseReturnValue:
    cause = _find(id)
    causes.reopen(cause)
    flash(_("It is open again."), "good")
    return _to(cause)
