"""The desk's door to what is on its way back: numbers, proof that it was sent, what got lost."""

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.fulfilment import back
from portal.fulfilment.models import BackParcel
from portal.lib import clock
from portal.lib.guards import requires
from portal.returns import dispatch, parcels_back
from portal.returns.dispatch_forms import BackParcelForm
from portal.returns.forms import NoteForm
from portal.returns.page_staff import do
from portal.staff.guards import current_staff

bp = Blueprint("desk_dispatch", __name__, url_prefix="/desk/returns")


@bp.post("/<int:id>/parcels")
@requires("returns.receive")
def add(id: int) -> ResponseReturnValue:
    """The customer told us the number of their parcel."""
    form = BackParcelForm()
    return do(id, lambda ret: parcels_back.note_number(ret, *form.told(), by=current_staff(), now=clock.now()), form)


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
