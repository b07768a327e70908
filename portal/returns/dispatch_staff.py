"""The desk's door to what is on its way back: numbers, proof that it was sent, what got lost."""

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.fulfilment import back
from portal.fulfilment.models import BackParcel
from portal.lib import clock
from portal.lib.guards import requires
from portal.pictures.forms import takes_pictures
from portal.returns import dispatch, labels_back, own_labels, parcels_back
from portal.returns.dispatch_forms import BackParcelForm, OwnLabelForm
from portal.returns.forms import NoteForm
from portal.returns.page_staff import do, find
from portal.staff.guards import current_staff

bp = Blueprint("desk_dispatch", __name__, url_prefix="/desk/returns")


@bp.post("/<int:id>/parcels")
@requires("returns.receive")
def add(id: int) -> ResponseReturnValue:
    """The customer told us the number of their parcel."""
    form = BackParcelForm()
    return do(id, lambda ret: parcels_back.note_number(ret, *form.told(), by=current_staff(), now=clock.now()), form)


@bp.post("/<int:id>/labels")
@requires("returns.receive")
@takes_pictures
def give_label(id: int) -> ResponseReturnValue:
    """A label of the shop's own, or how it comes back."""
    form = OwnLabelForm()
    return do(id, lambda ret: own_labels.give_label(ret, form.given(), by=current_staff(), now=clock.now()), form)


@bp.get("/<int:id>/labels/<int:parcel_id>")
@requires("returns.see")
def label(id: int, parcel_id: int) -> ResponseReturnValue:
    """The label that the customer has, as it came; `code` for that of drop-off points."""
    parcel = next((one for one in find(id).back if one.id == parcel_id), None) or abort(404)
    found = labels_back.paper_of(find(id), parcel.ref) or abort(404)
    wants_code = "code" in request.args
    content, kind = (found.code, found.code_kind) if wants_code else (found.paper, found.paper_kind)
    return Response(content or abort(404), mimetype=kind, headers={"Content-Disposition": "inline"})


@bp.post("/<int:id>/parcels/<int:parcel_id>/removal")
@requires("returns.receive")
def take_out(id: int, parcel_id: int) -> ResponseReturnValue:
    parcel = session.get(BackParcel, parcel_id)
    if parcel is None or parcel.return_id != id:
        abort(404)
    return do(id, lambda _ret: back.take_out(parcel, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/dispatch")
@requires("returns.receive")
def show_dispatch(id: int) -> ResponseReturnValue:
    """The customer showed a receipt: it was sent."""
    form = NoteForm()
    return do(id, lambda ret: dispatch.show_dispatch(ret, form.note.data, by=current_staff(), now=clock.now()), form)


@bp.post("/<int:id>/loss")
@requires("returns.decide")
def lose(id: int) -> ResponseReturnValue:
    return do(id, lambda ret: dispatch.lose(ret, by=current_staff(), now=clock.now()))
