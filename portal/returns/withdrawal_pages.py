"""The first door: withdraw from the contract. On the order's page, and on a page that needs no link and no account."""

from datetime import timedelta

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import limits, session
from portal.jobs import defer
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.orders.models import Order
from portal.returns import withdrawals
from portal.returns.dates import money_back_by
from portal.returns.jobs import match_withdrawal
from portal.returns.withdrawal_forms import StatementForm, WithdrawalForm, withdrawal_form
from portal.returns.withdrawal_rules import Right, right_of
from portal.returns.withdrawals import Withdrawal

bp = Blueprint("withdrawals", __name__)
public = Blueprint("withdrawing", __name__)
MOST_AN_HOUR, MOST_PER_ADDRESS = 20, 5
"""Statements from one network in an hour, and to one address in a day. Beyond that the page says how to write to us."""


@bp.get("/orders/<ref>/withdrawal")
@opens("return", Tier.acts)
def new(ref: str) -> ResponseReturnValue:
    """Who ordered without an e-mail address states it without the link, with the address for the receipt."""
    right = _right()
    if not right.facts.order.customer.email:
        return redirect(url_for("withdrawing.state"), 303)
    return _choose(ref, right, withdrawal_form(right, right.everything(), formdata=None))


@bp.post("/orders/<ref>/withdrawal/form")
@opens("return", Tier.acts)
def change(ref: str) -> ResponseReturnValue:
    """Back from the second step: the form as it was filled in. Nothing is written."""
    right = _right()
    return _choose(ref, right, withdrawal_form(right, right.everything()))


@bp.post("/orders/<ref>/withdrawal/preview")
@opens("return", Tier.acts)
def confirm(ref: str) -> ResponseReturnValue:
    """The second step, with the law's button. Nothing is written."""
    right = _right()
    form = withdrawal_form(right, right.everything())
    if not form.validate():
        return _choose(ref, right, form), 422
    if refusal := right.refusal(form.chosen()):
        return _choose(ref, right, form, refusal), 409
    return render_template("withdrawals/confirm.html", ref=ref, right=right, form=form, whole=_whole(right, form))


@bp.post("/orders/<ref>/withdrawal")
@opens("return", Tier.acts)
def create(ref: str) -> ResponseReturnValue:
    """State it; the same form sent again leads to the statement it made."""
    right = _right()
    form = withdrawal_form(right, right.everything())
    if earlier := withdrawals.stated_by(form.key.data or ""):
        return redirect(url_for(".show", ref=ref, reference=earlier.reference), 303)
    if not form.validate():
        return _choose(ref, right, form), 422
    try:
        made = _state(form)
    except Refused as refused:
        session.rollback()
        return _choose(ref, _right(), form, refused.message), 409
    return redirect(url_for(".show", ref=ref, reference=made.reference), 303)


def _state(form: WithdrawalForm) -> Withdrawal:
    return withdrawals.withdraw(opened().order_id, form.chosen(), key=str(form.key.data), now=clock.now())


@bp.get("/orders/<ref>/withdrawal/<reference>")
@opens("return", Tier.acts)
def show(ref: str, reference: str) -> ResponseReturnValue:
    """What was stated and when, and what follows."""
    mine = (Withdrawal.order_id == opened().order_id, Withdrawal.reference == reference)
    made = session.scalar(select(Withdrawal).where(*mine).options(joinedload(Withdrawal.ret))) or abort(404)
    pay_by = money_back_by(made.stated_at, made.ret.released_at if made.ret else None, current_app.config["SETTINGS"])
    return render_template("withdrawals/show.html", ref=ref, made=made, pay_by=pay_by)


def _right() -> Right:
    with_all = (selectinload(Order.lines), joinedload(Order.payment))
    order = session.scalars(select(Order).where(Order.id == opened().order_id).options(*with_all)).one()
    return right_of(order, now=clock.now())


def _whole(right: Right, form: WithdrawalForm) -> bool:
    return form.chosen() == right.everything() and right.is_whole(form.chosen())


def _choose(ref: str, right: Right, form: WithdrawalForm, refusal: str = "") -> str:
    template = "withdrawals/closed.html" if right.over() else "withdrawals/new.html"
    return render_template(template, ref=ref, right=right, form=form, refusal=refusal)


@public.get("/withdrawal")
def state() -> ResponseReturnValue:
    return render_template("withdrawals/state.html", form=StatementForm(formdata=None))


@public.post("/withdrawal/form")
def restate() -> ResponseReturnValue:
    return render_template("withdrawals/state.html", form=StatementForm())


@public.post("/withdrawal/preview")
def confirm_statement() -> ResponseReturnValue:
    form = StatementForm()
    if not form.validate():
        return render_template("withdrawals/state.html", form=form), 422
    return render_template("withdrawals/confirm_statement.html", form=form, stated=form.stated(_locale()))


@public.post("/withdrawal")
def receive() -> ResponseReturnValue:
    """Taken and receipted, whatever it matches: whether it is about an order is found out by the worker."""
    form = StatementForm()
    if not form.validate():
        return render_template("withdrawals/state.html", form=form), 422
    stated, now = form.stated(_locale()), clock.now()
    if not _may_be_sent(stated["email"]):
        form.form_errors = [*form.form_errors, _often()]
        return render_template("withdrawals/state.html", form=form), 429
    made = withdrawals.state(stated, key=str(form.key.data), now=now)
    defer(match_withdrawal, withdrawal_id=made.id)
    return redirect(url_for(".received"), 303)


def _may_be_sent(email: str) -> bool:
    """Whoever floods this page would make us write letters to strangers."""
    now, here = clock.now(), limits.network(request.remote_addr)
    network = limits.take("withdrawal-network", here, MOST_AN_HOUR, timedelta(hours=1), now)
    return network and limits.take("withdrawal-address", email.lower(), MOST_PER_ADDRESS, timedelta(days=1), now)


def _often() -> str:
    email = current_app.config["SETTINGS"].shop_email
    return _("That was often today. A mail to %(email)s counts just the same: say that you withdraw.", email=email)


@public.get("/withdrawal/received")
def received() -> ResponseReturnValue:
    return render_template("withdrawals/received.html")


def _locale() -> str:
    return str(get_locale() or "en")
