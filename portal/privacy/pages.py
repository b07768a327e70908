"""The customer's door to what is known of them: a copy, and having it forgotten. Behind the code."""

from datetime import timedelta

from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue

from portal.db import limits, session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.orders.models import Order
from portal.privacy import actions
from portal.privacy.copy import packed
from portal.privacy.models import open_erasure, open_matter, orders_of
from portal.privacy.rules import BECAUSE

bp = Blueprint("privacy", __name__)
MOST_COPIES = 10


@bp.get("/orders/<ref>/copy.zip")
@opens("track", Tier.owns)
def copy(ref: str) -> ResponseReturnValue:
    """All orders of this customer, not only the one whose link was opened."""
    if not limits.take("copy", ref, MOST_COPIES, timedelta(days=1), clock.now()):
        abort(429)
    file = packed(orders_of(_order().customer_id), now=clock.now())
    headers = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
    return Response(file, mimetype="application/zip", headers=headers)


def _order() -> Order:
    return session.get_one(Order, opened().order_id)


@bp.get("/orders/<ref>/erasure")
@opens("track", Tier.owns)
def show(ref: str) -> ResponseReturnValue:
    return _page(ref)


def _page(ref: str, refusal: str = "") -> str:
    order = _order()
    ids = orders_of(order.customer_id)
    because = open_matter(ids, now=clock.now())
    return render_template(
        "privacy/erasure.html", ref=ref, many=len(ids), until=actions.until(ids), refusal=refusal,
        because=BECAUSE.get(because or ""), asked=open_erasure(order.customer_id),
    )  # fmt: skip


@bp.post("/orders/<ref>/erasures")
@opens("track", Tier.owns)
def create(ref: str) -> ResponseReturnValue:
    """The worker does it: soon this page, its link and this browser's right to see it are gone."""
    try:
        actions.ask(_order().customer_id, by=None, now=clock.now())
    except Refused as refused:
        return _page(ref, refusal=refused.message), 409
    return _page(ref), 202
