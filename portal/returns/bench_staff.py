"""The bench's door: scan, receive, count."""

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders.models import OrderLine
from portal.returns import actions, bench, lists
from portal.returns.bench_forms import ScanForm, found_form, inspection_form
from portal.returns.models import Return
from portal.returns.page_staff import do, facts_of, find, show_list
from portal.staff.guards import current_staff

bp = Blueprint("desk_bench", __name__, url_prefix="/desk/returns")


@bp.get("/bench")
@requires("returns.see")
def scan() -> ResponseReturnValue:
    """A scanned return number leads to its return; an unknown one says so and waits for the next scan."""
    form = ScanForm(request.args)
    if form.validate() and (found := lists.find_rma(form.code.data)):
        return redirect(url_for("desk_returns.show", id=found.id), 303)
    unknown = _("No return has the number %(code)s.", code=(form.code.data or "–")[:40])
    return show_list("to_inspect", 1, unknown=unknown), 404


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
def inspect(id: int) -> ResponseReturnValue:
    ret = find(id)
    form = inspection_form(ret, facts_of(ret))
    return do(id, lambda ret: bench.inspect_return(ret, form.findings(), by=current_staff(), now=clock.now()), form)
