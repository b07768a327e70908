"""The desk's door to departments: who answers for each, and who deputises."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.lib import clock
from portal.lib.guards import requires
from portal.staff import departments, words
from portal.staff.guards import current_staff
from portal.staff.rules import DEPARTMENTS

bp = Blueprint("desk_departments", __name__, url_prefix="/desk/people/departments")


@bp.get("")
@requires("staff.manage")
def index() -> ResponseReturnValue:
    """Six departments, twelve names."""
    return render_template(
        "desk/staff/departments.html", heads=departments.heads(), people=departments.candidates(), words=words
    )


@bp.post("/<code>")
@requires("staff.manage")
def give(code: str) -> ResponseReturnValue:
    """Somebody else answers for it from now on."""
    if code not in DEPARTMENTS:
        abort(404)
    responsible, deputy = _number("responsible") or 0, _number("deputy")
    departments.give(code, responsible, deputy, by=current_staff(), now=clock.now())
    flash(_("%(department)s is in good hands.", department=words.DEPARTMENT[code]), "good")
    return redirect(url_for(".index"), 303)


def _number(name: str) -> int | None:
    given = request.form.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 16 else None
