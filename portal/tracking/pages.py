"""The customer's front page, and the way back to it for those who lost the link."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
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
from portal.orders import calendar
from portal.orders.guards import opened
from portal.orders.links import Tier
from portal.tracking import actions, models, reading, words
from portal.tracking.forms import ChoiceForm, FindForm
from portal.tracking.jobs import find_order

bp = Blueprint("tracking", __name__)
finding = Blueprint("finding", __name__)


@bp.get("/orders/<ref>")
@opens("track", brings=reading.page)
def show(ref: str) -> ResponseReturnValue:
    return _page(ref, models.told(opened().brought))


def _page(ref: str, tracked: models.Tracked, refusal: str = "") -> str:
    settings, now = current_app.config["SETTINGS"], clock.now()
    told = words.Words(tracked, now, settings.zone)
    return render_template(
        "tracking/show.html",
        ref=ref,
        tracked=tracked,
        told=told,
        words=words,
        may_return=tracked.may_return(settings, now),
        returns_until=tracked.return_until(settings),
        may_withdraw=tracked.may_withdraw(settings, now),
        withdraw_until=tracked.withdraw_until(settings),
        dates=words.dates(tracked, settings),
        asks=_asks(tracked, now),
        choice=_choice_form(tracked) if tracked.broken and not tracked.delivered_at else None,
        refusal=refusal,
        acts=opened().tier >= Tier.acts,
        owns=opened().tier >= Tier.owns,
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
        return _page(ref, models.read(opened().order_id)), 422
    try:
        actions.choose(opened().order_id, form.choice.data, form.chosen_day(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(ref, models.read(opened().order_id), refusal=refused.message), 409
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
    if not limits.take("new-link-browser", request.remote_addr or "", 5, timedelta(hours=1), clock.now()):
        abort(429)
    defer(find_order, number=str(form.number.data).strip(), email=str(form.email.data).strip().lower())
    return render_template("tracking/asked.html"), 202
