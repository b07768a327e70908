"""The desk's door for the day on which something leaked."""

from datetime import datetime, time, timedelta

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.lib import clock, sheets
from portal.lib.guards import fresh, requires
from portal.privacy import breach
from portal.privacy.forms import TimeForm
from portal.staff.guards import current_session, current_staff

bp = Blueprint("desk_breach", __name__, url_prefix="/desk/breach")


@bp.get("")
@requires("privacy.manage")
def index() -> ResponseReturnValue:
    """`?since=&until=`: two days, the last week without them."""
    form = TimeForm()
    if not form.validate():
        return render_template("desk/privacy/breach.html", form=form, found=None, breach=breach), 422
    since, until = _times(form)
    found = breach.exposed(since, until)
    form.since.data, form.until.data = form.days()
    here = {"signed_in": breach.signed_in(since, until), "breach": breach, "days": form.days()}
    return render_template("desk/privacy/breach.html", form=form, found=found, **here)


@bp.get("/orders.csv")
@requires("privacy.manage")
@fresh
def sheet() -> ResponseReturnValue:
    """All of them, with the addresses of who has to be told."""
    form = TimeForm()
    if not form.validate():
        return redirect(url_for(".index"), 303)
    return sheets.sent(breach.as_sheet(breach.exposed(*_times(form))), "exposed")


@bp.post("/closure")
@requires("staff.manage")
@fresh
def lock() -> ResponseReturnValue:
    """Every way in ends, but for this browser."""
    done = breach.lock(by=current_staff(), but=current_session(), now=clock.now())
    words = _("Ended: %(links)s links, %(browsers)s browsers of customers, %(sessions)s sessions at the desk.")
    flash(words % {"links": done.links, "browsers": done.browsers, "sessions": done.sessions}, "good")
    return redirect(url_for(".index"), 303)


def _times(form: TimeForm) -> tuple[datetime, datetime]:
    """From the first day's beginning to the last one's end, as the shop's clock shows."""
    zone = current_app.config["SETTINGS"].zone
    first, last = form.days()
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)
