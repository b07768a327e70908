"""The desk's door to the shop's policy for returns: what holds, what held, and what it would say of an order."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders.models import Order
from portal.returns import policy_forms, rules
from portal.returns.policy import Policy, ReturnPolicy, current_policy, save_policy, versions
from portal.returns.policy_facts import read_under
from portal.returns.policy_forms import PolicyForm, policy_form
from portal.returns.policy_rules import CHOICE, KINDS, NUMBERS
from portal.staff.guards import current_staff

bp = Blueprint("desk_policy", __name__, url_prefix="/desk/return-policy")


@bp.get("")
@requires("returns.see")
def index() -> ResponseReturnValue:
    """What holds, and every version that held before."""
    policy = current_policy()
    return render_template("desk/policy/show.html", policy=policy, saved=versions(), **_words())


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    saved = session.get(ReturnPolicy, id) or abort(404)
    return render_template("desk/policy/show.html", policy=saved.policy, one=saved, saved=versions(), **_words())


@bp.get("/draft")
@requires("returns.policy")
def draft() -> ResponseReturnValue:
    return _page(policy_form(current_policy(), formdata=None))


@bp.post("/draft")
@requires("returns.policy")
def try_out() -> ResponseReturnValue:
    """One more row, or what the policy as typed would say of an order. Nothing is written."""
    more = "more" in request.form
    form = policy_form(current_policy(), more=more)
    if more:
        return _page(form)
    if not form.check(saving=False):
        return _page(form), 422
    order = find_order(form.order.data or "")
    if order is None:
        form.order.errors = [_("No order has this number.")]
        return _page(form), 422
    return _page(form, tried=_tried(form.policy(), order))


@bp.post("")
@requires("returns.policy")
def save() -> ResponseReturnValue:
    """From now on it holds for whoever opens the form."""
    form = policy_form(current_policy())
    if not form.check(saving=True):
        return _page(form), 422
    try:
        seen, note = int(form.seen.data or 0), form.note.data or ""
        save_policy(form.policy(), seen=seen, note=note, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(form, refusal=refused.message), 409
    flash(_("The policy is saved. It holds for whoever opens the form from now on."), "good")
    return redirect(url_for(".index"), 303)


def find_order(number: str) -> Order | None:
    """The newest order with this number, with what the rules look at."""
    plain = number.strip().lstrip("#")
    if not plain:
        return None
    found = select(Order).where(Order.number.in_((plain, f"#{plain}"))).order_by(Order.id.desc()).limit(1)
    return session.scalars(found.options(selectinload(Order.lines), joinedload(Order.payment))).first()


def _tried(policy: Policy, order: Order) -> dict[str, Any]:
    """What this policy would say if the customer sent all of it back, unopened, without a fault of ours."""
    facts = read_under(policy, order, now=clock.now())
    wishes = [
        rules.Wish(goods.line.id, max(1, goods.left), "other", condition="sealed")
        for goods in facts.goods
        if goods.line.kind == "item"
    ]
    return {"order": order, "facts": facts, "heard": rules.heard(facts, wishes), "said": _said(facts, wishes)}


def _said(facts: Any, wishes: list[rules.Wish]) -> list[tuple[str, list[rules.Verdict]]]:
    lines = [(goods, wish) for wish in wishes if (goods := facts.of(wish.line_id))]
    return [
        ("", rules.of_order(facts)),
        *((goods.line.title, rules.of_line(goods, wish, facts)) for goods, wish in lines),
    ]


def _page(form: PolicyForm, refusal: str = "", tried: Any = None) -> str:
    return render_template("desk/policy/draft.html", form=form, refusal=refusal, tried=tried, **_words())


def _words() -> dict[str, Any]:
    return {
        "choices": CHOICE,
        "kinds": KINDS,
        "numbers": NUMBERS,
        "answers": policy_forms.ANSWERS,
        "told": policy_forms,
    }
