"""The desk's door: requests that came by letter or phone, those that wait, and how long things are kept."""

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.orders.looks import looked_at, who_looked
from portal.orders.models import Customer
from portal.privacy import actions, retention
from portal.privacy.copy import packed
from portal.privacy.forms import TermForm, WhoForm
from portal.privacy.models import Erasure, open_erasure, open_matter, orders_of
from portal.privacy.retention import RetentionTerm
from portal.privacy.rules import BECAUSE
from portal.staff.guards import current_staff
from portal.staff.words import ROLE

bp = Blueprint("desk_privacy", __name__, url_prefix="/desk/privacy")
SHOWN = 100


@bp.get("")
@requires("privacy.manage")
def index() -> ResponseReturnValue:
    """`?email=` looks for a customer."""
    return _page()


def _page(term: TermForm | None = None, refusal: str = "") -> str:
    email = request.args.get("email", "").strip().lower()[:320]
    who = session.scalar(select(Customer).where(Customer.email == email)) if email else None
    ids = orders_of(who.id) if who else []
    newest = select(Erasure).options(joinedload(Erasure.customer), joinedload(Erasure.asked_by))
    return render_template(
        "desk/privacy/index.html",
        form=WhoForm(formdata=None, email=email), email=email, who=who, many=len(ids), refusal=refusal,
        looks=who_looked(ids) if ids else [], roles=ROLE,
        asked=open_erasure(who.id) if who else None,
        open_matter=BECAUSE.get(open_matter(ids, now=clock.now()) or "") if ids else None,
        erasures=session.scalars(newest.order_by(Erasure.id.desc()).limit(SHOWN)).all(), because=BECAUSE,
        kinds=retention.KINDS, due={kind: retention.due(kind, now=clock.now()) for kind in retention.KINDS},
        own=session.scalars(select(RetentionTerm).order_by(RetentionTerm.kind, RetentionTerm.country)).all(),
        term=term or TermForm(formdata=None),
    )  # fmt: skip


@bp.get("/customers/<int:id>/copy.zip")
@requires("privacy.manage")
@fresh
def copy(id: int) -> ResponseReturnValue:
    """To be handed to the customer, after it is sure that it is they who ask."""
    if session.get(Customer, id) is None:
        abort(404)
    ids = orders_of(id)
    for order_id in ids:
        looked_at(order_id, by=current_staff(), now=clock.now())
    headers = {"Content-Disposition": 'attachment; filename="customer-data.zip"'}
    return Response(packed(ids, now=clock.now()), mimetype="application/zip", headers=headers)


@bp.post("/customers/<int:id>/erasures")
@requires("privacy.manage")
@fresh
def create(id: int) -> ResponseReturnValue:
    if session.get(Customer, id) is None:
        abort(404)
    try:
        actions.ask(id, by=current_staff(), now=clock.now())
    except Refused as refused:
        return _page(refusal=refused.message), 409
    flash(_("It is done within minutes, or as soon as nothing of theirs is open."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/terms")
@requires("privacy.manage")
def set_term() -> ResponseReturnValue:
    form = TermForm()
    if not form.validate():
        return _page(form), 422
    try:
        retention.set_term(form.kind.data, form.country.data, int(form.days.data or 0))
    except Refused as refused:
        return _page(form, refusal=refused.message), 409
    flash(_("Saved. It is looked at tonight."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/terms/<int:id>/removal")
@requires("privacy.manage")
def drop_term(id: int) -> ResponseReturnValue:
    retention.drop_term(id)
    return redirect(url_for(".index"), 303)
