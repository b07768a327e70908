"""The desk's door to pieces that were not there: reported by the picker, decided by who looks after parcels."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.fulfilment import rules, shorts
from portal.fulfilment.models import ParcelLine
from portal.fulfilment.shorts import ShortPick
from portal.fulfilment.shorts_forms import ChoiceForm, ShortForm
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders.shelves import claims_on
from portal.staff.guards import current_staff

bp = Blueprint("desk_shorts", __name__, url_prefix="/desk")


@bp.get("/short-picks")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    """What waits for a decision, and what waits for goods."""
    return render_template("desk/fulfilment/shorts.html", listed=shorts.listed(), shorts=shorts, rules=rules)


@bp.post("/parcels/<int:id>/lines/<int:line_id>/short-picks")
@requires("parcels.pick")
def report(id: int, line_id: int) -> ResponseReturnValue:
    """A picker can't take the whole line."""
    packed, form = session.get(ParcelLine, line_id), ShortForm()
    if packed is None or packed.parcel_id != id or not form.validate():
        abort(404 if packed is None or packed.parcel_id != id else 422)
    short = shorts.report(
        packed, form.pieces.data, form.reason.data, (form.note.data or "").strip(), by=current_staff(), now=clock.now()
    )
    if short is None:
        flash(_("The count is put right. Take it from here: %(places)s", places=_places(packed)), "warn")
    else:
        flash(_("Noted. Go on with the rest; somebody decides about what is missing."), "good")
    return redirect(url_for("desk_parcels.show", id=id), 303)


def _places(packed: ParcelLine) -> str:
    places = claims_on([packed.order_line_id]).get(packed.order_line_id, [])
    return ", ".join(f"{place} ({pieces})" for place, pieces in places if place)


@bp.post("/short-picks/<int:id>/choice")
@requires("parcels.watch")
def decide(id: int) -> ResponseReturnValue:
    """The order waits, or goes in two parcels."""
    short, form = _find(id), ChoiceForm()
    if not form.validate():
        abort(422)
    if form.choice.data == "wait":
        shorts.wait(short, by=current_staff(), now=clock.now())
        flash(_("It is set aside until the goods are here."), "good")
    else:
        shorts.split(short, by=current_staff(), now=clock.now())
        flash(_("The rest goes on. What is missing has a parcel of its own."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/short-picks/<int:id>/discovery")
@requires("parcels.pick")
def find(id: int) -> ResponseReturnValue:
    """The goods are here after all, or have arrived."""
    short = _find(id)
    shorts.find(short, by=current_staff(), now=clock.now())
    flash(_("Good. It can be picked."), "good")
    return redirect(url_for("desk_parcels.show", id=short.parcel_id), 303)


def _find(id: int) -> ShortPick:
    return session.get(ShortPick, id) or abort(404)
