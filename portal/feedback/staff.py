"""The desk's door to cases."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import case_models, cases
from portal.feedback.forms import OwnerForm, ReplyForm
from portal.feedback.replying_staff import find, page, people
from portal.feedback.rules import SCORES
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders.looks import looked_at
from portal.staff.guards import current_staff
from portal.staff.models import Staff

bp = Blueprint("desk_cases", __name__, url_prefix="/desk/cases")


@bp.get("")
@requires("cases.see")
def index() -> ResponseReturnValue:
    view = request.args.get("state", "open")
    if view not in case_models.VIEWS:
        abort(404)
    me = current_staff().id
    return render_template(
        "desk/feedback/index.html",
        page=case_models.page_of(view, me, request.args.get("page", "")),
        view=view,
        counts=case_models.count_cases(me),
        scores=SCORES,
    )


@bp.get("/<int:id>")
@requires("cases.see")
def show(id: int) -> ResponseReturnValue:
    case = find(id)
    looked_at(case.order_id, by=current_staff(), now=clock.now())
    return page(case, ReplyForm(formdata=None, seen=case.last_message_id))


@bp.post("/<int:id>/messages/<int:message_id>/acceptance")
@requires("cases.work")
def take_as_theirs(id: int, message_id: int) -> ResponseReturnValue:
    """A mail from another address was the customer's all the same."""
    cases.take_as_theirs(find(id), message_id, by=current_staff(), now=clock.now())
    flash(_("It counts as the customer's word."), "good")
    return redirect(url_for(".show", id=id), 303)


@bp.post("/<int:id>/owner")
@requires("cases.work")
def assign(id: int) -> ResponseReturnValue:
    case, form = find(id), OwnerForm()
    form.owner.choices = people()
    if not form.validate():
        abort(422)
    to, me = session.get_one(Staff, form.owner.data), current_staff()
    cases.assign(case, to, instead_of=form.instead_of.data, by=me, now=clock.now())
    flash(_("The case is yours now.") if to.id == me.id else _("The case goes to %(name)s.", name=to.name), "good")
    return redirect(url_for(".show", id=id), 303)
