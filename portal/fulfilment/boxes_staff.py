"""The desk's door to boxes, and to the sizes of what goes into them."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from portal.db import session
from portal.fulfilment import boxes
from portal.fulfilment.boxes import Box
from portal.fulfilment.boxes_forms import BoxForm, MeasureForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires

bp = Blueprint("desk_boxes", __name__, url_prefix="/desk/boxes")


@bp.get("")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("")
@requires("stock.change")
def keep() -> ResponseReturnValue:
    """A box that the shop has from now on."""
    form = BoxForm()
    if not form.validate():
        return _page(box=form), 422
    sides = form.inner_length.data, form.inner_width.data, form.inner_height.data
    try:
        boxes.keep(" ".join(form.name.data.split()), sides, form.own_grams.data, form.holds_grams.data)
    except Refused as refused:
        session.rollback()
        return _page(box=form, refusal=refused.message), 409
    return redirect(url_for(".index"), 303)


@bp.post("/<int:id>/removal")
@requires("stock.change")
def keep_no_more(id: int) -> ResponseReturnValue:
    boxes.keep_no_more(session.get(Box, id) or abort(404), now=clock.now())
    return redirect(url_for(".index"), 303)


@bp.post("/sizes")
@requires("stock.change")
def measure() -> ResponseReturnValue:
    """Somebody measured one piece of an article."""
    form = MeasureForm()
    if not form.validate():
        return _page(size=form), 422
    sides = form.length.data, form.width.data, form.height.data
    boxes.measure(form.sku.data.strip(), sides, form.grams.data)
    return redirect(url_for(".index", _anchor="sizes"), 303)


def _page(box: FlaskForm | None = None, size: FlaskForm | None = None, refusal: str = "") -> str:
    return render_template(
        "desk/boxes/index.html",
        kept=boxes.kept(),
        measured=boxes.measured(),
        unmeasured=boxes.unmeasured(),
        box=box or BoxForm(formdata=None),
        size=size or MeasureForm(formdata=None, sku=request.args.get("sku", "")),
        refusal=refusal,
    )
