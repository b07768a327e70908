"""The desk's door to parcels that need a person: what was done about them."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.db import session
from portal.fulfilment import watching
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_watch", __name__, url_prefix="/desk/parcels")


@bp.post("/<int:id>/inquiry")
@requires("parcels.watch")
def ask(id: int) -> ResponseReturnValue:
    """The courier was asked."""
    watching.ask_courier(_find(id), _note(), by=current_staff(), now=clock.now())
    flash(_("Noted. It comes back to the list in two days, or when the courier says something."), "good")
    return _back(id)


@bp.post("/<int:id>/rest")
@requires("parcels.watch")
def rest(id: int) -> ResponseReturnValue:
    """Leave it alone for some days."""
    days = request.form.get("days", 0, type=int)
    watching.let_rest(_find(id), days, _reason(), by=current_staff(), now=clock.now())
    return _back(id)


@bp.post("/<int:id>/dismissal")
@requires("parcels.watch")
def stop_watching(id: int) -> ResponseReturnValue:
    """Nobody need look at it any more."""
    watching.stop_watching(_find(id), _reason(), by=current_staff(), now=clock.now())
    flash(_("It leaves the lists, and comes back when the courier says something."), "good")
    return _back(id)


@bp.post("/<int:id>/loss")
@requires("parcels.watch")
def lose(id: int) -> ResponseReturnValue:
    """Nobody will find it."""
    watching.count_as_lost(_find(id), _note(), by=current_staff(), now=clock.now())
    return _back(id)


@bp.post("/<int:id>/successor")
@requires("parcels.watch")
def send_again(id: int) -> ResponseReturnValue:
    """The same goods in a new parcel, which is shown."""
    fine = bool(request.form.get("fine"))
    second = watching.send_again(_find(id), goods_are_fine=fine, by=current_staff(), now=clock.now())
    flash(_("A new parcel is on the list of what is to be picked, and the customer is told."), "good")
    return _back(second.id)


def _find(id: int) -> Parcel:
    return session.get(Parcel, id) or abort(404)


def _note() -> str:
    return _reason() or "–"


def _reason() -> str:
    """What was typed, without which some things are refused."""
    return " ".join(request.form.get("note", "").split())[:300]


def _back(id: int) -> Response:
    return redirect(url_for("desk_parcels.show", id=id), 303)
