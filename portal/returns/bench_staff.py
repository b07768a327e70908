"""The bench's door: scan, receive, count."""

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders.models import OrderLine
from portal.pictures.actions import Uploader
from portal.pictures.forms import takes_pictures
from portal.returns import actions, bench, lists
from portal.returns.bench_forms import InspectionForm, ScanForm, found_form, inspection_form
from portal.returns.models import Return
from portal.returns.page_staff import Stray, do, facts_of, find, page, show_list
from portal.staff.guards import current_staff

bp = Blueprint("desk_bench", __name__, url_prefix="/desk/returns")


@bp.get("/bench")
@requires("returns.see")
def scan() -> ResponseReturnValue:
    """A return's number, or that of its parcel, leads to its return; another says so, and may be noted as odd."""
    form = ScanForm(request.args)
    if not form.validate():
        return show_list("to_inspect", stray=Stray("", None, [])), 404
    code = form.code.data.strip()
    if found := lists.find_scanned(code):
        return redirect(url_for("desk_returns.show", id=found.id, scanned=1), 303)
    order = lists.order_of(code)
    return show_list("to_inspect", stray=Stray(code, order, lists.returns_of(order.id) if order else [])), 404


@bp.post("/<int:id>/receipt")
@requires("returns.receive")
def receive(id: int) -> ResponseReturnValue:
    return do(id, lambda ret: actions.receive_return(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/lines")
@requires("returns.receive")
def add_line(id: int) -> ResponseReturnValue:
    """Something was in the parcel that nobody announced."""
    form = found_form(find(id))
    return do(id, lambda ret: _add(ret, form.line.data), form)


def _add(ret: Return, line_id: int) -> None:
    line = session.get(OrderLine, line_id) or abort(404)
    bench.add_found_line(ret, line, by=current_staff(), now=clock.now())


@bp.post("/<int:id>/inspection")
@requires("returns.receive")
@takes_pictures
def inspect(id: int) -> ResponseReturnValue:
    ret = find(id)
    form = inspection_form(ret, facts_of(ret))
    if stays := _bring_pictures(ret, form):
        return page(ret, form), stays
    return do(id, lambda ret: bench.inspect_return(ret, form.findings(), by=current_staff(), now=clock.now()), form)


def _bring_pictures(ret: Return, form: InspectionForm) -> int:
    """Keep those that were taken, beside the form. The status with which it is shown once more: one was refused, or
    one was taken away.
    """
    if not form.key.data or not form.key.validate(form):
        return 0
    forget, parts = request.form.get("forget", type=int), [part for row in ret.lines for part in form.states(row)]
    for part in parts:
        who = Uploader(ret.order_id, part.shown_under, staff=current_staff())
        part.photos.take_in(who, forget=forget, now=clock.now())
    return 422 if any(part.photos.refused for part in parts) else 200 if "forget" in request.form else 0


@bp.post("/<int:id>/pictures/<int:picture_id>/removal")
@requires("returns.receive")
def take_away(id: int, picture_id: int) -> ResponseReturnValue:
    """A picture that shows the wrong thing."""
    return do(id, lambda ret: bench.take_away(ret, picture_id))
