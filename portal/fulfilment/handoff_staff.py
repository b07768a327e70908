"""The desk's door to hand-offs: what waits for a department, taken over or sent back."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.db import session
from portal.db.paging import PAGE
from portal.fulfilment import handoff_lists, handoff_words, handoffs
from portal.fulfilment.handoffs import HandOff
from portal.lib import clock
from portal.lib.guards import requires
from portal.staff.guards import current_staff
from portal.staff.words import DEPARTMENT

bp = Blueprint("desk_handoffs", __name__, url_prefix="/desk/handoffs")


@bp.get("")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    """What waits for one department, and who has what."""
    department = request.args.get("department", _theirs())
    if department not in handoffs.CHAIN:
        abort(404)
    return render_template(
        "desk/handoffs/list.html",
        department=department,
        page=handoff_lists.page_of(department, request.args.get("page", "")),
        now=clock.now(),
        names=DEPARTMENT,
        words=handoff_words,
        heads=handoff_lists.heads(),
        measures=handoff_lists.measures(now=clock.now()),
        may=current_staff().may(handoffs.PERMISSION[department]),
    )


def _theirs() -> str:
    """The first department whose work the person does, packing before picking for who packs."""
    person = current_staff()
    return {"packer": "packing", "shipper": "shipping"}.get(person.role, "picking")


@bp.post("/acceptances")
@requires("parcels.see")
def accept_many() -> ResponseReturnValue:
    """All that was seen waiting is taken over; what others took meanwhile is theirs."""
    department = request.form.get("department", "")
    if department not in handoffs.CHAIN:
        abort(404)
    ids = [int(given) for given in request.form.getlist("id") if given.isdecimal() and len(given) < 16]
    taken = handoff_lists.waiting(department, ids[:PAGE])
    for handoff in taken:
        handoffs.accept(handoff, by=current_staff(), now=clock.now())
    flash(
        ngettext("One parcel is yours now.", "%(num)s parcels are yours now.", len(taken)), "good" if taken else "info"
    )
    return redirect(url_for(".index", department=department), 303)


@bp.post("/<int:id>/acceptance")
@requires("parcels.see")
def accept(id: int) -> ResponseReturnValue:
    """Take one over."""
    handoff = _find(id)
    handoffs.accept(handoff, by=current_staff(), now=clock.now())
    return _back(handoff)


@bp.post("/<int:id>/refusal")
@requires("parcels.see")
def refuse(id: int) -> ResponseReturnValue:
    """Send it back, with the reason."""
    handoff, reason, note = _find(id), request.form.get("reason", ""), " ".join(request.form.get("note", "").split())
    handoffs.refuse(handoff, reason, note, by=current_staff(), now=clock.now())
    flash(_("It went back, and who answers there is told."), "good")
    return _back(handoff)


def _find(id: int) -> HandOff:
    return session.get(HandOff, id) or abort(404)


def _back(handoff: HandOff) -> Response:
    return redirect(url_for("desk_parcels.show", id=handoff.parcel_id), 303)
