"""The customer's front page, and the way back to it for those who lost the link."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    get_flashed_messages,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import session as session_cookie
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import limits, session
from portal.feedback import articles
from portal.feedback.articles import Article
from portal.feedback.questions import Said
from portal.fulfilment import promises
from portal.jobs import defer
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.lib.headers import tagged, unchanged
from portal.orders import calendar
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.tracking import actions, models, reading, told
from portal.tracking.forms import ChoiceForm, FindForm
from portal.tracking.frame import fixed
from portal.tracking.jobs import find_order
from portal.tracking.words import Words

bp = Blueprint("tracking", __name__)
finding = Blueprint("finding", __name__)


@bp.get("/orders/<ref>")
@opens("track", brings=reading.page)
def show(ref: str) -> ResponseReturnValue:  # noqa: ARG001
    """Where it is. Who holds the same page already is told so; one that carries a form or a message is always new."""
    seen, settings, now = opened(), current_app.config["SETTINGS"], clock.now()
    tracked = models.told(json.loads(seen.brought or "{}"))
    stars = tracked.question is not None and tracked.question.kind == "stars"  # which article is next, it does not say
    if tracked.broken or stars or "_flashes" in session_cookie:
        return _page(tracked)
    day, hours = now.astimezone(settings.zone).date(), tracked.hours(now)
    same = unchanged(seen.brought, seen.tier, seen.locale, day, hours, fixed().version)
    return same or tagged(make_response(_page(tracked)))


def _page(tracked: models.Tracked, refusal: str = "") -> str:
    settings, now, acts = current_app.config["SETTINGS"], clock.now(), opened().tier >= Tier.acts
    words = Words(tracked, now, settings.zone)
    going = tracked.state not in ("cancelled", "on_hold")
    return render_template(
        "tracking/show.html",
        **fixed().as_context(),
        tracked=tracked,
        order=_("Order %(number)s", number=tracked.number),
        headline=words.headline(),
        flashed=get_flashed_messages(with_categories=True),
        refusal=refusal,
        choice=_choice_form(tracked) if tracked.broken and not tracked.delivered_at else None,
        beside=told.beside(tracked, words),
        cases=told.cases(tracked, words),
        steps=words.steps() if going else (),
        next=words.next() if going and not tracked.returns else "",
        asks=_asks(tracked, now),
        returns=told.returns(tracked, words, acts),
        money=[told.money_line(back, words, acts) for back in tracked.money],
        parcels=told.parcels(tracked, words),
        waits=words.waits(),
        ways=told.ways(tracked, words, settings, owns=opened().tier >= Tier.owns),
        dates=told.dates(tracked, words, settings),
    )


@dataclass(frozen=True, slots=True)
class Asks:
    """The question after delivery, in one row; about which article, where stars are asked for."""

    version: models.Question
    said: Said
    article: Article | None


def _asks(tracked: models.Tracked, now: datetime) -> Asks | None:
    if tracked.question is None or not tracked.may_answer(now):
        return None
    article = next(iter(articles.kept(opened().order_id)), None) if tracked.question.kind == "stars" else None
    if tracked.question.kind == "stars" and article is None:
        return None
    return Asks(tracked.question, tracked.question.said(opened().locale), article)


def _choice_form(tracked: models.Tracked) -> ChoiceForm:
    here = not any(parcel.handed_over_at for parcel in tracked.parcels)
    offered = promises.offered_days(opened().order_id, calendar.terms(), clock.now()) if here else []
    return ChoiceForm.offering(offered, here=here, chosen=tracked.broken.choice if tracked.broken else None)


@bp.post("/orders/<ref>/promise")
@opens("track", Tier.acts)
def choose(ref: str) -> ResponseReturnValue:
    """What the customer wants after we broke our promise; what can no longer be is refused in words."""
    form = ChoiceForm()
    form.accept_any_day()
    if not form.validate():
        return _page(models.read(opened().order_id)), 422
    try:
        actions.choose(opened().order_id, form.choice.data, form.chosen_day(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(models.read(opened().order_id), refusal=refused.message), 409
    flash(_("Thank you, we have noted it."), "good")
    return redirect(url_for(".show", ref=ref), 303)


@finding.get("/find")
def find() -> ResponseReturnValue:
    return render_template("tracking/find.html", form=FindForm(formdata=None))


@finding.post("/find")
def ask() -> ResponseReturnValue:
    """The same answer whatever matches, in the same time: the worker decides and writes."""
    form = FindForm()
    if not form.validate():
        return render_template("tracking/find.html", form=form), 422
    if not limits.take("new-link-browser", limits.network(request.remote_addr), 5, timedelta(hours=1), clock.now()):
        abort(429)
    defer(find_order, number=str(form.number.data).strip(), email=str(form.email.data).strip().lower())
    return render_template("tracking/asked.html"), 202
