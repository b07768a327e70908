"""The desk's door to withdrawals: statements that a person must look at, and goods that the law exempts."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders.models import Order
from portal.returns import exemptions, withdrawals
from portal.returns.forms import NoteForm
from portal.returns.withdrawal_forms import CarryOutForm, ExemptionForm, OrderForm, withdrawal_form
from portal.returns.withdrawal_rules import Right, right_of
from portal.returns.withdrawals import Withdrawal
from portal.staff.guards import current_staff

bp = Blueprint("desk_withdrawals", __name__, url_prefix="/desk/withdrawals")


@bp.get("")
@requires("returns.see")
def index() -> ResponseReturnValue:
    settled = request.args.get("state") == "settled"
    page = withdrawals.page_of(settled, request.args.get("page", ""))
    return render_template("desk/withdrawals/list.html", page=page, settled=settled)


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    return _page(_find(id))


@bp.post("/<int:id>/orders/<int:order_id>")
@requires("returns.decide")
def carry_out(id: int, order_id: int) -> ResponseReturnValue:
    """A person says which order is meant, and which goods."""
    made, order = _find(id), session.get(Order, order_id) or abort(404)
    right, asked = right_of(order, now=made.stated_at), CarryOutForm()
    form = withdrawal_form(right, _most(right))
    if not asked.validate() or not form.validate():
        return _page(made, _("Choose how many pieces.")), 422
    try:
        note, by = asked.note.data or "", current_staff()
        withdrawals.carry_out(made, order_id, form.chosen(), note=note, by=by, now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refused.message), 409
    flash(_("Carried out. The customer gets a letter with what follows."), "good")
    return redirect(url_for(".show", id=id), 303)


@bp.post("/<int:id>/answers")
@requires("returns.decide")
def answer(id: int) -> ResponseReturnValue:
    form = NoteForm()
    if not form.validate():
        return _page(_find(id), note=form), 422
    try:
        withdrawals.answer(_find(id), note=form.note.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _find(id: int) -> Withdrawal:
    return session.get(Withdrawal, id) or abort(404)


def _most(right: Right) -> dict[int, int]:
    return {goods.line.id: goods.unclaimed for goods in right.items if goods.unclaimed}


def _page(made: Withdrawal, refusal: str = "", note: NoteForm | None = None) -> str:
    asked, open_still = OrderForm(request.args), made.state == "received"
    found = withdrawals.candidates(made, asked.order.data or "") if open_still else []
    rights = [right_of(order, now=made.stated_at) for order in found]
    return render_template(
        "desk/withdrawals/show.html", made=made, refusal=refusal, asked=asked, note=note or NoteForm(formdata=None),
        proposals=[(right, withdrawal_form(right, _most(right), formdata=None)) for right in rights],
        why=CarryOutForm(formdata=None),
    )  # fmt: skip


@bp.get("/exemptions")
@requires("returns.see")
def exempt() -> ResponseReturnValue:
    return _exemptions(ExemptionForm(formdata=None))


@bp.post("/exemptions")
@requires("returns.exempt")
def add() -> ResponseReturnValue:
    form = ExemptionForm()
    if not form.validate():
        return _exemptions(form), 422
    exemptions.exempt(form.sku.data or "", form.ground.data)
    return redirect(url_for(".exempt"), 303)


@bp.post("/exemptions/<int:id>/removal")
@requires("returns.exempt")
def remove(id: int) -> ResponseReturnValue:
    exemptions.no_longer_exempt(id)
    return redirect(url_for(".exempt"), 303)


def _exemptions(form: ExemptionForm) -> str:
    rows = exemptions.all_exemptions()
    return render_template("desk/withdrawals/exemptions.html", rows=rows, form=form, grounds=exemptions.GROUNDS)
