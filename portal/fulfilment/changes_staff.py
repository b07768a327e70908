"""The desk's door to orders that need attention: what changed, what is odd, what a person decides."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.db import session
from portal.fulfilment import changes, changes_lists
from portal.fulfilment.forms import SettlementForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders import changes as wishes
from portal.orders import flags, rereading
from portal.orders.models import OrderFlag
from portal.staff.guards import current_staff

bp = Blueprint("desk_attention", __name__, url_prefix="/desk/attention")


@bp.get("")
@requires("orders.see")
def index() -> ResponseReturnValue:
    view = request.args.get("state", "all")
    if view not in changes_lists.VIEWS:
        abort(404)
    page = changes_lists.page_of(view, request.args.get("page", ""))
    return render_template(
        "desk/attention/list.html",
        view=view, page=page, counts=changes_lists.counts(), flags=flags,
        silent=rereading.silent(now=clock.now()),
    )  # fmt: skip


@bp.get("/<int:order_id>")
@requires("orders.see")
def show(order_id: int) -> ResponseReturnValue:
    return _page(order_id)


@bp.post("/flags/<int:id>/settlement")
@requires("orders.settle")
def settle(id: int) -> ResponseReturnValue:
    flag, form = session.get(OrderFlag, id) or abort(404), SettlementForm()
    order_id = flag.order_id
    if not form.validate():
        return _page(order_id, form=form, wrong=id), 422
    note = (form.note.data or "").strip()
    try:
        changes.settle(flag, form.answer.data, note, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(order_id, refusal=refused.message), 409
    return redirect(url_for(".show", order_id=order_id), 303)


def _page(order_id: int, form: SettlementForm | None = None, wrong: int = 0, refusal: str = "") -> str:
    asked = changes_lists.find(order_id) or abort(404)
    return render_template(
        "desk/attention/show.html",
        asked=asked, order=asked.order, flags=flags, changes=wishes, wrong=wrong, refusal=refusal,
        form=form or SettlementForm(formdata=None),
    )  # fmt: skip
