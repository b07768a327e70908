"""The desk's door to the workshop."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders import workshop
from portal.orders.shelves import StockItem
from portal.staff.guards import current_staff

bp = Blueprint("desk_workshop", __name__, url_prefix="/desk/workshop")


@bp.get("")
@requires("stock.see")
def index() -> ResponseReturnValue:
    return render_template("desk/stock/workshop.html", items=workshop.waiting())


@bp.post("/<int:id>/ends")
@requires("returns.receive")
def finish(id: int) -> ResponseReturnValue:
    """Repaired, or beyond repair."""
    pieces, repaired = request.form.get("pieces", 0, type=int), request.form.get("end") == "repaired"
    if session.get(StockItem, id) is None:
        abort(404)
    workshop.finish(id, pieces, repaired, by=current_staff(), now=clock.now())
    flash(_("Back on the shelf.") if repaired else _("Recycled."), "good")
    return redirect(url_for(".index"), 303)
