"""The desk's door to what customers say."""

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from portal.feedback import insight
from portal.lib import clock
from portal.lib.guards import requires

bp = Blueprint("desk_satisfaction", __name__, url_prefix="/desk/insight")


@bp.get("/satisfaction")
@requires("insight.see")
def index() -> ResponseReturnValue:
    return render_template("desk/insight/satisfaction.html", seen=insight.picture(now=clock.now()), insight=insight)


@bp.get("/satisfaction.csv")
@requires("insight.see")
def as_csv() -> ResponseReturnValue:
    headers = {"Content-Disposition": 'attachment; filename="satisfaction.csv"'}
    return Response(insight.sheet(insight.picture(now=clock.now())), mimetype="text/csv", headers=headers)
