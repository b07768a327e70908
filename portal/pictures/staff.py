"""The desk's door to pictures: one large, with where it comes from and where it was used before."""

from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders.looks import looked_at
from portal.orders.models import Order
from portal.pictures.answers import jpeg
from portal.pictures.models import Picture, brought_by, used_before
from portal.staff.guards import current_staff

bp = Blueprint("desk_pictures", __name__, url_prefix="/desk/pictures")


@bp.get("/<int:id>")
@requires("orders.see")
def show(id: int) -> ResponseReturnValue:
    picture = _find(id)
    looked_at(picture.order_id, by=current_staff(), now=clock.now())
    order, by = session.get_one(Order, picture.order_id), brought_by(picture)
    return render_template("desk/pictures/show.html", picture=picture, order=order, by=by, before=used_before(picture))


@bp.get("/<int:id>/content")
@requires("orders.see")
def content(id: int) -> Response:
    return jpeg(_find(id))


@bp.get("/<int:id>/thumbnail")
@requires("orders.see")
def thumbnail(id: int) -> Response:
    return jpeg(_find(id), small=True)


@bp.get("/drafts/<int:id>")
@requires("returns.receive")
def draft(id: int) -> Response:
    """What this person has just uploaded and not saved yet."""
    picture = session.get(Picture, id)
    mine = picture is not None and picture.about is None and picture.staff_id == current_staff().id
    return jpeg(picture, small=True) if picture is not None and mine else abort(404)


def _find(id: int) -> Picture:
    """One that was sent; drafts are nobody's business yet."""
    picture = session.get(Picture, id)
    return picture if picture is not None and picture.about is not None else abort(404)
