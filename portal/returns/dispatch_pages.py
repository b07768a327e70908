"""The customer's door to the parcels of a return: which number has it, and where is it?"""

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.fulfilment import back
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.returns import labels_back
from portal.returns.dispatch_forms import BackParcelForm
from portal.returns.models import Return, whole
from portal.returns.parcels_back import note_number

bp = Blueprint("return_parcels", __name__)


@bp.get("/orders/<ref>/returns/<rma>/parcels/new")
@opens("return", Tier.acts)
def new(ref: str, rma: str) -> ResponseReturnValue:
    return _ask(ref, _find(rma), BackParcelForm(formdata=None))


@bp.post("/orders/<ref>/returns/<rma>/parcels")
@opens("return", Tier.acts)
def create(ref: str, rma: str) -> ResponseReturnValue:
    """The number of the customer's own parcel."""
    ret, form = _find(rma), BackParcelForm()
    if not form.validate():
        return _ask(ref, ret, form), 422
    try:
        note_number(ret, *form.told(), by="customer", now=clock.now())
    except Refused as refused:
        session.rollback()
        return _ask(ref, _find(rma), form, refused.message), 409
    return redirect(url_for("returns.show", ref=ref, rma=rma, _anchor="parcels"), 303)


@bp.post("/orders/<ref>/returns/<rma>/parcels/removal")
@opens("return", Tier.acts)
def take_out(ref: str, rma: str) -> ResponseReturnValue:
    """Typed wrongly."""
    parcel = request.form.get("parcel", "")
    mine = next((one for one in _find(rma).living if one.ref == parcel and one.source == "typed"), None) or abort(404)
    back.take_out(mine, by="customer", now=clock.now())
    return redirect(url_for("returns.show", ref=ref, rma=rma, _anchor="parcels"), 303)


@bp.post("/orders/<ref>/returns/<rma>/labels")
@opens("return", Tier.acts)
def order_label(ref: str, rma: str) -> ResponseReturnValue:
    """One more parcel needs one more label."""
    labels_back.order_label(_find(rma), by="customer", now=clock.now())
    return redirect(url_for("returns.show", ref=ref, rma=rma, _anchor="parcels"), 303)


@bp.get("/orders/<ref>/returns/<rma>/label")
@opens("return", Tier.owns)
def label(ref: str, rma: str) -> ResponseReturnValue:
    """The label to be printed. It shows where the customer lives."""
    found = labels_back.paper_of(_find(rma), request.args.get("parcel", ""))
    return _paper(ref, rma, found.paper if found else None, found.paper_kind if found else "")


@bp.get("/orders/<ref>/returns/<rma>/drop-off-code")
@opens("return", Tier.owns)
def drop_off_code(ref: str, rma: str) -> ResponseReturnValue:
    """What a drop-off point scans: no printer is needed."""
    found = labels_back.paper_of(_find(rma), request.args.get("parcel", ""))
    return _paper(ref, rma, found.code if found else None, found.code_kind if found else "")


def _paper(ref: str, rma: str, content: bytes | None, kind: str) -> ResponseReturnValue:
    """Shown as it came; while there is none the return's page says what comes next."""
    if content is None:
        return redirect(url_for("returns.show", ref=ref, rma=rma), 303)
    return Response(content, mimetype=kind, headers={"Content-Disposition": f'inline; filename="return-{rma}"'})


def _find(rma: str) -> Return:
    return session.scalar(whole(Return.order_id == opened().order_id, Return.rma == rma)) or abort(404)


def _ask(ref: str, ret: Return, form: BackParcelForm, refusal: str = "") -> str:
    return render_template("returns/parcel.html", ref=ref, ret=ret, form=form, refusal=refusal)
