"""The customer's door to the code that opens the rest of an order."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.orders import codes
from portal.orders.forms import CodeForm
from portal.orders.guards import opened, this_browser
from portal.orders.models import Order

bp = Blueprint("codes", __name__)


@bp.get("/orders/<ref>/code")
@opens("code")
def show(ref: str) -> ResponseReturnValue:
    return _page(ref, CodeForm(formdata=None, then=request.args.get("then", "")))


def _page(ref: str, form: CodeForm, refusal: str = "") -> str:
    waiting = codes.waiting(opened().order_id, this_browser(), now=clock.now())
    return render_template("tracking/code.html", ref=ref, form=form, waiting=waiting, refusal=refusal)


@bp.post("/orders/<ref>/codes")
@opens("code")
def ask(ref: str) -> ResponseReturnValue:
    """Send a code to the address of the order, which this page does not tell."""
    form = CodeForm()
    try:
        codes.ask(session.get_one(Order, opened().order_id), this_browser(), now=clock.now())
    except Refused as refused:
        return _page(ref, CodeForm(formdata=None, then=form.then.data), refusal=refused.message), 409
    return redirect(url_for(".show", ref=ref, then=form.then.data or None), 303)


@bp.post("/orders/<ref>/code")
@opens("code")
def confirm(ref: str) -> ResponseReturnValue:
    """The right digits lead on to where the customer wanted to go; wrong ones say how many tries are left."""
    form = CodeForm()
    if not form.validate():
        return _page(ref, form), 422
    if codes.confirm(opened().order_id, this_browser(), str(form.code.data), now=clock.now()):
        flash(_("Thank you. This browser may see it all for a day."), "good")
        return redirect(_on_from(ref, str(form.then.data)), 303)
    form.refuse(codes.waiting(opened().order_id, this_browser(), now=clock.now()))
    return _page(ref, form), 422


def _on_from(ref: str, then: str) -> str:
    """A page of this order; anything else that was slipped into the form leads to its details."""
    ours = then.startswith(f"/orders/{ref}/") and "\\" not in then and "//" not in then
    return then if ours else url_for("details.show", ref=ref)
