"""The desk's door to the limits for money."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.refunds import limits, words
from portal.refunds.limits_forms import LimitForm
from portal.staff.guards import current_staff

bp = Blueprint("desk_limits", __name__, url_prefix="/desk/limits")


@bp.get("")
@requires("refunds.limit")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("")
@requires("refunds.limit")
@fresh
def set_limit() -> ResponseReturnValue:
    """From now on, also for what waits already."""
    form, person = LimitForm().offer(limits.may_be_set_by(current_staff())), current_staff()
    if not form.validate():
        return _page(form), 422
    amounts = {"most": form.minor(form.most), "per_day": form.minor(form.per_day)}
    try:
        limits.set_limit(form.role.data, form.code, form.reason.data, **amounts, by=person, now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(form, refused.message), 409
    flash(_("The limit is set."), "good")
    return redirect(url_for(".index"), 303)


def _page(form: LimitForm | None = None, refusal: str = "") -> str:
    roles = limits.may_be_set_by(current_staff())
    return render_template(
        "desk/refunds/limits.html", rows=limits.all_limits(), changes=limits.last_changes(), words=words, roles=roles,
        form=form or LimitForm(formdata=None).offer(roles), refusal=refusal,
    )  # fmt: skip
