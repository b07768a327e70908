"""The desk's door to the offices' work: what waits, taken over, sent back or handed on."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.fulfilment import handoff_lists, handoff_words
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.offices import actions, lists
from portal.offices.kinds import KINDS
from portal.offices.models import OFFICES, OfficeWork
from portal.staff.guards import current_staff
from portal.staff.words import DEPARTMENT

bp = Blueprint("desk_offices", __name__, url_prefix="/desk/offices")


@bp.get("")
@requires("orders.see")
def index() -> ResponseReturnValue:
    """What waits for one office, and who has what."""
    office = request.args.get("office", _theirs())
    if office not in OFFICES:
        abort(404)
    return render_template(
        "desk/offices/list.html",
        office=office,
        page=lists.page_of(office, request.args.get("page", "")),
        now=clock.now(),
        names=DEPARTMENT,
        kinds=KINDS,
        words=handoff_words,
        heads=handoff_lists.heads(),
        measures=lists.measures(now=clock.now()),
        may=current_staff().may(actions.PERMISSION[office]),
    )


def _theirs() -> str:
    """The office in which the person works."""
    role = str(current_staff().role)
    return role if role in OFFICES else "returns"


@bp.get("/<int:id>")
@requires("orders.see")
def show(id: int) -> ResponseReturnValue:
    """Who has one piece of work, how it came there, and where it may go."""
    return _page(_find(id))


@bp.post("/<int:id>/acceptance")
@requires("orders.see")
def accept(id: int) -> ResponseReturnValue:
    """Take it over."""
    return _do(id, lambda work: actions.accept(work, by=current_staff(), now=clock.now()), _("It is yours now."))


@bp.post("/<int:id>/refusal")
@requires("orders.see")
def send_back(id: int) -> ResponseReturnValue:
    """Back to the office that handed it over, with the reason."""
    reason, note = request.form.get("reason", ""), _note()
    told = _("It went back, and who answers there is told.")
    return _do(id, lambda work: actions.send_back(work, reason, note, by=current_staff(), now=clock.now()), told)


@bp.post("/<int:id>/next-office")
@requires("orders.see")
def hand_on(id: int) -> ResponseReturnValue:
    """Another office is asked for the rest."""
    to, note = request.form.get("office", ""), _note()
    told = _("It is handed on, and who answers there is told.")
    return _do(id, lambda work: actions.hand_on(work, to, note, by=current_staff(), now=clock.now()), told)


def _note() -> str:
    return " ".join(request.form.get("note", "").split())[:300]


def _do(id: int, act: Callable[[OfficeWork], None], told: str) -> ResponseReturnValue:
    work = _find(id)
    office = work.office
    try:
        act(work)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refused.message), 409
    flash(told, "good")
    return redirect(url_for(".index", office=office), 303)


def _find(id: int) -> OfficeWork:
    return session.get(OfficeWork, id) or abort(404)


def _page(work: OfficeWork, refusal: str = "") -> str:
    return render_template(
        "desk/offices/show.html",
        work=work,
        kind=KINDS[work.kind],
        before=lists.history(work),
        now=clock.now(),
        names=DEPARTMENT,
        reasons=actions.REASONS,
        others=[office for office in OFFICES if office != work.office],
        words=handoff_words,
        may=work.done_at is None and current_staff().may(actions.PERMISSION[work.office]),
        refusal=refusal,
    )
