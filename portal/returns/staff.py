"""The desk's door to returns: lists, decisions, money."""

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.lib import clock
from portal.lib.guards import requires
from portal.lib.money import Money
from portal.orders.looks import looked_at
from portal.returns import actions, easing, keeping, lists, rules
from portal.returns.easing_forms import ease_form
from portal.returns.forms import NoteForm, OfferForm
from portal.returns.models import Return
from portal.returns.overrides import MAY
from portal.returns.page_staff import do, find, page, show_list
from portal.staff.guards import current_staff

bp = Blueprint("desk_returns", __name__, url_prefix="/desk/returns")


@bp.get("")
@requires("returns.see")
def index() -> ResponseReturnValue:
    name = request.args.get("state", "requested")
    if name not in lists.LISTS:
        abort(404)
    return show_list(name)


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    ret = find(id)
    if ret.kind == "claim" and ret.decision == "requested":
        return redirect(url_for("desk_claims.show", id=id), 303)
    looked_at(ret.order_id, by=current_staff(), now=clock.now())
    return page(ret)


@bp.post("/<int:id>/approval")
@requires("returns.decide")
def approve(id: int) -> ResponseReturnValue:
    return do(id, lambda ret: actions.approve_return(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/refusal")
@requires("returns.decide")
def decline(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return do(
        id, lambda ret: actions.decline_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/offers")
@requires("returns.decide")
def offer(id: int) -> ResponseReturnValue:
    """The customer may keep it, for so many percent of the money."""
    form = OfferForm()
    return do(
        id, lambda ret: keeping.offer_keeping(ret, form.share.data or 0, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/cancellation")
@requires("returns.decide")
def call_off(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return do(
        id, lambda ret: actions.call_off_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/acceptance")
@requires("returns.decide")
def accept_anyway(id: int) -> ResponseReturnValue:
    """The goods of a declined or cancelled return are here."""
    return do(id, lambda ret: actions.accept_anyway(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/refund")
@requires("refunds.request")
def propose(id: int) -> ResponseReturnValue:
    """Propose the amount that the page showed."""
    shown = request.form.get("amount", -1, type=int)
    return do(id, lambda ret: _propose(ret, shown))


def _propose(ret: Return, shown: int) -> None:
    refund = actions.propose_refund(ret, Money(shown, ret.order.currency), by=current_staff(), now=clock.now())
    flash(_("%(amount)s proposed. A second person approves it.", amount=rules.spoken(refund.money)), "good")


@bp.post("/<int:id>/reductions")
@requires(MAY)
def ease(id: int) -> ResponseReturnValue:
    """Less is taken of the money than the policy or the bench said."""
    form = ease_form(find(id))
    because = form.because
    return do(
        id, lambda ret: easing.ease(ret, form.amounts(), note=because.data, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/closing")
@requires("refunds.request")
def close(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return do(id, lambda ret: actions.close_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form)
