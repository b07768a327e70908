"""The desk's door to labels that are bought: rates shown, one chosen, printed, given back."""

from datetime import datetime

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.db import session
from portal.fulfilment import buying, vans
from portal.fulfilment.forms import VanForm
from portal.fulfilment.models import LabelPurchase, Parcel, Van
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_labels", __name__, url_prefix="/desk/parcels")
ENDINGS = {"application/pdf": "pdf", "image/png": "png", "application/zpl": "zpl"}


@bp.post("/<int:id>/rates")
@requires("parcels.ship")
def ask(id: int) -> ResponseReturnValue:
    """What would a label cost?"""
    if not current_app.config["SETTINGS"].easypost_api_key:
        abort(404)
    buying.ask_for_rates(_parcel(id), by=current_staff(), now=clock.now())
    return _back(id)


@bp.post("/<int:id>/rates/<int:purchase_id>/choice")
@requires("parcels.ship")
def choose(id: int, purchase_id: int) -> ResponseReturnValue:
    """Buy this one."""
    rate = request.form.get("rate", "")
    buying.choose_rate(_purchase(id, purchase_id), rate, by=current_staff(), now=clock.now())
    return _back(id)


@bp.post("/<int:id>/rates/<int:purchase_id>/end")
@requires("parcels.ship")
def drop(id: int, purchase_id: int) -> ResponseReturnValue:
    """Nothing is bought."""
    buying.drop(_purchase(id, purchase_id))
    return _back(id)


@bp.post("/<int:id>/rates/<int:purchase_id>/refund")
@requires("parcels.ship")
def void(id: int, purchase_id: int) -> ResponseReturnValue:
    """Give an unused label back."""
    buying.void(_purchase(id, purchase_id), now=clock.now())
    return _back(id)


@bp.get("/<int:id>/bought-label")
@requires("parcels.see")
def paper(id: int) -> ResponseReturnValue:
    """The label to be printed; the parcel's page while there is none."""
    bought = buying.paper_of(_parcel(id))
    if bought is None or bought.paper is None:
        return _back(id)
    name = f"label-{bought.tracking_number}.{ENDINGS[bought.paper_kind]}"
    disposition = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(bought.paper, mimetype=bought.paper_kind, headers=disposition)


@bp.post("/<int:id>/van")
@requires("parcels.ship")
def order_van(id: int) -> ResponseReturnValue:
    """The courier of this parcel's label is to come between two times of a day."""
    form, parcel = VanForm(), _parcel(id)
    if not form.validate():
        raise Refused(_("Say on which day the van may come, and from when to when."))
    zone = current_app.config["SETTINGS"].zone
    opens, closes = (datetime.combine(form.day.data, at, zone) for at in (form.opens.data, form.closes.data))
    vans.order_van(parcel.courier or "", opens, closes, by=current_staff(), now=clock.now())
    return _back(id)


@bp.post("/<int:id>/vans/<int:van_id>/end")
@requires("parcels.ship")
def send_van_away(id: int, van_id: int) -> ResponseReturnValue:
    vans.send_away(session.get(Van, van_id) or abort(404), now=clock.now())
    return _back(id)


def _parcel(id: int) -> Parcel:
    return session.get(Parcel, id) or abort(404)


def _purchase(id: int, purchase_id: int) -> LabelPurchase:
    purchase = session.get(LabelPurchase, purchase_id)
    return purchase if purchase and purchase.parcel_id == id else abort(404)


def _back(id: int) -> Response:
    return redirect(url_for("desk_parcels.show", id=id), 303)
