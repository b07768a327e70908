"""The customer's front page, and the way back to it for those who lost the link."""

from datetime import timedelta

from flask import Blueprint, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue

from portal.db import limits
from portal.jobs import defer
from portal.lib import clock
from portal.lib.guards import opens
from portal.orders.guards import opened
from portal.returns.goods import last_day
from portal.tracking import models, words
from portal.tracking.forms import FindForm
from portal.tracking.jobs import find_order

bp = Blueprint("tracking", __name__)
finding = Blueprint("finding", __name__)


@bp.get("/orders/<ref>")
@opens("track")
def show(ref: str) -> ResponseReturnValue:
    settings, now = current_app.config["SETTINGS"], clock.now()
    tracked = models.read(opened().order_id)
    told = words.Words(tracked, now, settings.zone)
    return render_template(
        "tracking/show.html",
        ref=ref,
        tracked=tracked,
        told=told,
        words=words,
        may_return=tracked.may_return(settings, now),
        returns_until=last_day(tracked.delivered_at, settings),
        may_answer=tracked.may_answer(now),
    )


@finding.get("/find")
def find() -> ResponseReturnValue:
    return render_template("tracking/find.html", form=FindForm(formdata=None))


@finding.post("/find")
def ask() -> ResponseReturnValue:
    """The same answer whatever matches, in the same time: the worker decides and writes."""
    form = FindForm()
    if not form.validate():
        return render_template("tracking/find.html", form=form), 422
    if not limits.take("new-link-browser", request.remote_addr or "", 5, timedelta(hours=1), clock.now()):
        abort(429)
    defer(find_order, number=str(form.number.data).strip(), email=str(form.email.data).strip().lower())
    return render_template("tracking/asked.html"), 202
