"""The desk's door to returns: lists, the bench, one return's page."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import raiseload

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.lib.money import Money
from portal.orders.looks import looked_at
from portal.orders.models import OrderLine
from portal.orders.timeline import for_staff
from portal.returns import actions, lists, rules, settlement, words
from portal.returns.forms import InspectionForm, NoteForm, ScanForm, found_form, inspection_form
from portal.returns.goods import Facts, read
from portal.returns.models import Return, whole
from portal.staff.guards import current_staff

bp = Blueprint("desk_returns", __name__, url_prefix="/desk/returns")


@bp.get("")
@requires("returns.see")
def index() -> ResponseReturnValue:
    name, number = request.args.get("state", "requested"), max(1, request.args.get("page", 1, type=int))
    if name not in lists.LISTS or number > 10_000:
        abort(404)
    return _list(name, number)


@bp.get("/bench")
@requires("returns.see")
def bench() -> ResponseReturnValue:
    """A scanned return number leads to its return; an unknown one says so and waits for the next scan."""
    form = ScanForm(request.args)
    if form.validate() and (found := lists.find_rma(form.code.data)):
        return redirect(url_for(".show", id=found.id), 303)
    unknown = _("No return has the number %(code)s.", code=(form.code.data or "–")[:40])
    return _list("to_inspect", 1, unknown=unknown), 404


def _list(name: str, number: int, unknown: str = "") -> str:
    rows, more = lists.page_of(name, number)
    return render_template(
        "desk/returns/list.html", name=name, rows=rows, number=number, more=more, unknown=unknown, words=words,
        counts=lists.counts(), scan=ScanForm(), today=_day_of(clock.now()),
    )  # fmt: skip


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    ret = _find(id)
    looked_at(ret.order_id, by=current_staff(), now=clock.now())
    return _page(ret)


@bp.post("/<int:id>/approval")
@requires("returns.decide")
def approve(id: int) -> ResponseReturnValue:
    return _do(id, lambda ret: actions.approve_return(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/refusal")
@requires("returns.decide")
def decline(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return _do(
        id, lambda ret: actions.decline_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/cancellation")
@requires("returns.decide")
def call_off(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return _do(
        id, lambda ret: actions.call_off_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form
    )


@bp.post("/<int:id>/acceptance")
@requires("returns.decide")
def accept_anyway(id: int) -> ResponseReturnValue:
    """The goods of a declined or cancelled return are here."""
    return _do(id, lambda ret: actions.accept_anyway(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/receipt")
@requires("returns.receive")
def receive(id: int) -> ResponseReturnValue:
    return _do(id, lambda ret: actions.receive_return(ret, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/lines")
@requires("returns.receive")
def add_line(id: int) -> ResponseReturnValue:
    """Something was in the parcel that nobody announced."""
    form = found_form(_find(id))
    return _do(id, lambda ret: _add(ret, form.line.data), form)


def _add(ret: Return, line_id: int) -> None:
    line = session.get(OrderLine, line_id) or abort(404)
    actions.add_found_line(ret, line, by=current_staff(), now=clock.now())


@bp.post("/<int:id>/inspection")
@requires("returns.receive")
def inspect(id: int) -> ResponseReturnValue:
    ret = _find(id)
    form = inspection_form(ret, _facts(ret))
    return _do(id, lambda ret: actions.inspect_return(ret, form.findings(), by=current_staff(), now=clock.now()), form)


@bp.post("/<int:id>/refund")
@requires("refunds.request")
def propose(id: int) -> ResponseReturnValue:
    """Propose the amount that the page showed."""
    shown = request.form.get("amount", -1, type=int)
    return _do(id, lambda ret: _propose(ret, shown))


def _propose(ret: Return, shown: int) -> None:
    refund = actions.propose_refund(ret, Money(shown, ret.order.currency), by=current_staff(), now=clock.now())
    flash(_("%(amount)s proposed. A second person approves it.", amount=rules.spoken(refund.money)), "good")


@bp.post("/<int:id>/closing")
@requires("refunds.request")
def close(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return _do(
        id, lambda ret: actions.close_return(ret, note=form.note.data, by=current_staff(), now=clock.now()), form
    )


def _find(id: int) -> Return:
    return session.scalar(whole(Return.id == id)) or abort(404)


def _facts(ret: Return) -> Facts:
    return read(ret.order, now=clock.now(), besides=ret.id)


def _do(id: int, act: Callable[[Return], object], form: FlaskForm | None = None) -> ResponseReturnValue:
    """Act and show the return again: 303 done, 422 with the form, 409 with the reason and the return as it is."""
    ret = _find(id)
    if form is not None and not form.validate():
        return _page(ret, form), 422
    try:
        act(ret)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), form, refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _page(ret: Return, form: FlaskForm | None = None, refusal: str = "") -> str:
    facts = _facts(ret)
    settled = settlement.work_out(ret, facts) if ret.inspected_at else None
    return render_template(
        "desk/returns/show.html", ret=ret, order=ret.order, facts=facts, refusal=refusal, words=words, amount=Money,
        inspection=form if isinstance(form, InspectionForm) else inspection_form(ret, facts, formdata=None),
        note=form if isinstance(form, NoteForm) else NoteForm(formdata=None), found=found_form(ret, formdata=None),
        verdicts=_verdicts(ret, facts), others=_others(ret), settled=settled, outcome=settlement.outcome(ret, facts),
        ending=settlement.ending_of(ret, facts) if settled else None, timeline=for_staff(ret.order_id),
    )  # fmt: skip


def _verdicts(ret: Return, facts: Facts) -> list[rules.Verdict]:
    """What the rules say of the return, asked for on the day on which it was."""
    wishes = [rules.Wish(row.order_line_id, row.quantity, row.reason, row.words) for row in ret.lines if row.quantity]
    return rules.of_wishes(replace(facts, today=_day_of(ret.requested_at)), wishes)


def _day_of(when: datetime) -> date:
    return when.astimezone(current_app.config["SETTINGS"].zone).date()


def _others(ret: Return) -> Sequence[Return]:
    """The order's other returns."""
    others = select(Return).where(Return.order_id == ret.order_id, Return.id != ret.id).order_by(Return.id)
    return session.scalars(others.options(raiseload("*"))).all()
