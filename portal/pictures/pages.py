"""The customer's door to pictures: their own, behind the code; a draft only in the browser that brought it."""

from flask import Blueprint, Response, abort
from sqlalchemy import select

from portal.db import session
from portal.lib.guards import opens
from portal.lib.tokens import digest
from portal.orders.guards import this_browser
from portal.orders.links import Tier
from portal.orders.models import Order
from portal.pictures.answers import jpeg
from portal.pictures.models import Picture

bp = Blueprint("pictures", __name__)


@bp.get("/orders/<ref>/pictures/<int:id>")
@opens("return", Tier.owns)
def show(ref: str, id: int) -> Response:
    """A picture that the customer sent us, whole. What staff took is shown where it belongs, by its own page."""
    return jpeg(_mine(ref, id))


@bp.get("/orders/<ref>/pictures/<int:id>/thumbnail")
@opens("return", Tier.owns)
def thumbnail(ref: str, id: int) -> Response:
    return jpeg(_mine(ref, id), small=True)


@bp.get("/orders/<ref>/drafts/<int:id>")
@opens("return", Tier.acts)
def draft(ref: str, id: int) -> Response:
    """What this browser has just uploaded and not sent yet."""
    here = (Picture.about.is_(None), Picture.browser == digest(this_browser()))
    return jpeg(_found(ref, id, *here), small=True)


def _mine(ref: str, id: int) -> Picture:
    return _found(ref, id, Picture.about.is_not(None), Picture.staff_id.is_(None))


def _found(ref: str, id: int, *where: object) -> Picture:
    """A picture of the order that the link opened; 404 for all others."""
    found = select(Picture).join(Order, Order.id == Picture.order_id)
    found = found.where(Picture.id == id, Order.ref == ref, *where)  # type: ignore[arg-type]
    return session.scalar(found) or abort(404)
