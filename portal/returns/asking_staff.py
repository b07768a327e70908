"""The desk's door for a customer who can't do it alone: a return asked for by staff, also against the shop's rules."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from wtforms import TextAreaField
from wtforms.validators import Length

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders.models import Order
from portal.returns import actions, rules
from portal.returns.overrides import MAY
from portal.returns.policy import current_policy
from portal.returns.policy_facts import read_under
from portal.returns.rules import MOST_WORDS
from portal.returns.wish_forms import ReturnForm, return_form
from portal.staff.guards import current_staff

bp = Blueprint("desk_asking", __name__, url_prefix="/desk/orders")


class BecauseForm(FlaskForm):
    because = TextAreaField(_l("Why against the rules?"), [Length(max=MOST_WORDS)])


@bp.get("/<int:id>/returns/new")
@requires("returns.decide")
def new(id: int) -> ResponseReturnValue:
    return _page(_form(id, formdata=None))


@bp.post("/<int:id>/returns")
@requires("returns.decide")
def create(id: int) -> ResponseReturnValue:
    """As if the customer had asked."""
    return _ask(_form(id), BecauseForm(), because="")


@bp.post("/<int:id>/exceptions")
@requires(MAY)
def create_exception(id: int) -> ResponseReturnValue:
    """The same where a rule of the shop says no: who decides otherwise says why."""
    why = BecauseForm()
    if not why.validate() or not (why.because.data or "").strip():
        why.because.errors = [*why.because.errors, _("Say why, so that everybody can understand it later.")]
        return _page(_form(id), why), 422
    return _ask(_form(id, overruling=True), why, because=(why.because.data or "").strip())


def _ask(form: ReturnForm, why: BecauseForm, because: str) -> ResponseReturnValue:
    order_id = form.facts.order.id
    if not form.validate():
        return _page(form, why), 422
    try:
        about: dict[str, Any] = {"key": str(form.key.data), "by": current_staff(), "now": clock.now()}
        ret = actions.request_return(order_id, form.wishes(), because=because, policy=form.facts.policy, **about)
    except Refused as refused:
        session.rollback()
        return _page(_form(order_id), why, refused.message), 409
    flash(_("Asked for. The customer gets a letter that we have it."), "good")
    return redirect(url_for("desk_returns.show", id=ret.id), 303)


def _form(id: int, *, overruling: bool = False, **how: Any) -> ReturnForm:
    with_all = (selectinload(Order.lines), joinedload(Order.payment))
    order = session.scalar(select(Order).where(Order.id == id).options(*with_all)) or abort(404)
    form = return_form(read_under(current_policy(), order, now=clock.now()), **how)
    form.overruling = overruling
    return form


def _page(form: ReturnForm, why: BecauseForm | None = None, refusal: str = "") -> str:
    facts = form.facts
    return render_template(
        "desk/policy/ask.html", order=facts.order, facts=facts, form=form, refusal=refusal,
        why=why or BecauseForm(formdata=None), said=rules.of_order(facts), may_overrule=current_staff().may(MAY),
        why_not={goods.line.id: rules.why_not(goods, facts) for goods in form.offered},
    )  # fmt: skip
