"""The desk's door to odd parcels."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.returns import deciding, lists, oddities
from portal.returns.bench_forms import DecideForm, StrangerForm
from portal.returns.oddities import Oddity
from portal.returns.page_staff import find
from portal.staff.guards import current_staff

bp = Blueprint("desk_oddities", __name__, url_prefix="/desk/oddities")
second = Blueprint("desk_second", __name__, url_prefix="/desk/returns")


@bp.get("")
@requires("returns.see")
def index() -> ResponseReturnValue:
    settled = request.args.get("state") == "settled"
    page = oddities.page_of(settled, request.args.get("page", ""))
    return render_template("desk/oddities/list.html", page=page, settled=settled, form=StrangerForm(formdata=None))


@bp.post("")
@requires("returns.receive")
def add() -> ResponseReturnValue:
    """A parcel came without any number, or with one that is no return's."""
    form = StrangerForm()
    if not form.validate():
        page = oddities.page_of(False, "")
        return render_template("desk/oddities/list.html", page=page, settled=False, form=form), 422
    order = lists.order_of(form.code.data or "")
    oddities.find("no_number", None, detail=form.detail.data or "", order=order, by=current_staff(), now=clock.now())
    return redirect(url_for(".index"), 303)


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    oddity = _find(id)
    return _page(oddity, DecideForm(formdata=None, number=oddity.order.number if oddity.order else ""))


@bp.post("/<int:id>/decision")
@requires("returns.decide")
def decide(id: int) -> ResponseReturnValue:
    oddity, form = _find(id), DecideForm()
    if not form.validate():
        return _page(oddity, form), 422
    number, by, now = form.number.data or "", current_staff(), clock.now()
    try:
        deciding.decide(oddity, form.choice.data or "", form.note.data or "", number=number, by=by, now=now)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), form, refused.message), 409
    return redirect(url_for("desk_returns.show", id=oddity.return_id) if oddity.return_id else url_for(".index"), 303)


@second.post("/<int:id>/second-number")
@requires("returns.receive")
def second_number(id: int) -> ResponseReturnValue:
    """The number of another return was in this one's parcel."""
    ret, code = find(id), request.form.get("code", "")
    other = lists.find_scanned(code)
    if other is None or other.id == ret.id:
        raise Refused(_("No return has the number %(code)s.", code=code[:40] or "–"))
    oddities.find("second_number", ret, detail=other.rma, other=other, by=current_staff(), now=clock.now())
    return redirect(url_for("desk_returns.show", id=id), 303)


def _find(id: int) -> Oddity:
    return session.get(Oddity, id) or abort(404)


def _page(oddity: Oddity, form: DecideForm, refusal: str = "") -> str:
    return render_template("desk/oddities/show.html", oddity=oddity, form=form, refusal=refusal)
