"""The customer's door: send something back, and see where it stands."""

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from portal.config import Settings
from portal.db import limits, session
from portal.fulfilment import rules as couriers
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.lib.money import Money
from portal.lib.tokens import digest
from portal.orders.guards import opened, this_browser
from portal.orders.links import Tier
from portal.orders.models import Order
from portal.pictures.actions import Uploader
from portal.pictures.answers import jpeg
from portal.pictures.forms import takes_pictures
from portal.pictures.models import Picture
from portal.returns import actions, keeping, labels_back, rules, settlement, words
from portal.returns.claims_terms import terms_of
from portal.returns.dates import four_dates
from portal.returns.exchanges import orders_for
from portal.returns.goods import read
from portal.returns.models import Return, whole
from portal.returns.policy import seal, seen_policy
from portal.returns.policy_facts import read_under
from portal.returns.policy_rules import CHOICE, told_share
from portal.returns.shown import key_of, shown_to_customer
from portal.returns.slip import return_slip
from portal.returns.wish_forms import ASKED, ReturnForm, return_form

bp = Blueprint("returns", __name__)


@bp.get("/orders/<ref>/returns")
@opens("return", Tier.acts)
def index(ref: str) -> ResponseReturnValue:
    """Where a letter's link leads: the order's returns, the only one at once, the form while there is none."""
    found = session.scalars(whole(Return.order_id == opened().order_id).order_by(Return.id.desc())).all()
    if not found:
        return redirect(url_for(".new", ref=ref), 303)
    if len(found) == 1:
        return redirect(url_for(".show", ref=ref, rma=found[0].rma), 303)
    return render_template("returns/index.html", ref=ref, returns=found, words=words, today=_today(), track=_track(ref))


@bp.get("/orders/<ref>/returns/new")
@opens("return", Tier.acts)
def new(ref: str) -> ResponseReturnValue:
    return _step(ref, "what", _form(formdata=None))


@bp.post("/orders/<ref>/returns/new")
@opens("return", Tier.acts)
@takes_pictures
def change(ref: str) -> ResponseReturnValue:
    """The next step, or one before, with all that was filled in. Nothing is written but pictures, beside the form."""
    form = _form()
    if stays := _bring_pictures(form):
        return _step(ref, "show", form), stays
    step = request.form.get("step", "")
    if step == "show" and not form.showing:
        step = "how"
    steps = form.steps(step)
    if step == "how" and step not in steps:
        return _preview(ref, form)
    before = steps[: steps.index(step)] if step in steps else []
    if not before:
        return _step(ref, "what", form)
    form.validate()
    wrong = form.wrong_step()
    form.forget_errors_after(before[-1])
    return (_step(ref, wrong, form), 422) if wrong in before else _step(ref, step, form)


@bp.post("/orders/<ref>/returns/preview")
@opens("return", Tier.acts)
@takes_pictures
def preview(ref: str) -> ResponseReturnValue:
    """What comes back, how much money, and what happens next. Nothing is written but pictures, beside the form."""
    form = _form()
    if stays := _bring_pictures(form):
        return _step(ref, "show", form), stays
    return _preview(ref, form)


def _preview(ref: str, form: ReturnForm) -> ResponseReturnValue:
    if not form.validate():
        return _step(ref, form.wrong_step(), form), 422
    facts = form.facts
    verdicts = rules.of_wishes(facts, form.wishes())
    if refusal := rules.refusal(verdicts):
        return _step(ref, "what", form, refusal), 409
    expected = settlement.expect(facts, form.wishes())
    return render_template(
        "returns/preview.html", ref=ref, facts=facts, form=form, expected=expected, verdicts=verdicts, words=words,
        total=settlement.total(expected, facts.order.currency), send_days=_settings().return_send_days, asked=ASKED,
        choices=CHOICE, policy=facts.policy, told_share=told_share,
        labels=_settings().return_labels != "none", at_once=facts.policy.accepts_itself and not verdicts,
    )  # fmt: skip


@bp.post("/orders/<ref>/returns")
@opens("return", Tier.acts)
def create(ref: str) -> ResponseReturnValue:
    """Ask for the return; the same form sent again leads to the return it made."""
    if earlier := actions.made_by(opened().order_id, request.form.get("key", "")):
        return redirect(url_for(".show", ref=ref, rma=earlier.rma), 303)
    form = _form()
    _bring_pictures(form)
    if not form.validate():
        return _step(ref, form.wrong_step(), form), 422
    try:
        ret = _request(form)
    except Refused as refused:
        session.rollback()
        return _step(ref, "what", _form(), refused.message), 409
    if len({wish.choice == "keep" for wish in form.wishes()}) > 1:
        return redirect(url_for(".index", ref=ref), 303)
    return redirect(url_for(".show", ref=ref, rma=ret.rma), 303)


def _form(**how: Any) -> ReturnForm:
    """The form under the policy that the customer saw first, as long as that counts."""
    order_id, now, sealed = opened().order_id, clock.now(), request.form.get("policy", "")[:200]
    policy, saw = seen_policy(sealed, order_id, now=now)
    form = return_form(read_under(policy, _order(), now=now), **how)
    form.saw = saw
    form.policy.data = sealed if sealed and saw else seal(policy, order_id, now=now)
    return form


def _bring_pictures(form: ReturnForm) -> int:
    """Keep those that came with it, and look for those that are there already. The status with which the step of the
    pictures is shown once more: one was refused, or one was taken away.
    """
    if not form.showing or not form.key.validate(form):
        return 0
    forget, browser = request.form.get("forget", type=int), digest(this_browser())
    fields = {form.part(goods).photos: key_of(str(form.key.data), goods.line.id) for goods in form.showing}
    for photos, key in fields.items():
        photos.take_in(Uploader(opened().order_id, key, browser), forget=forget, now=clock.now())
    refused = any(photos.refused for photos in fields)
    return 422 if refused else 200 if "forget" in request.form else 0


def _order() -> Order:
    with_all = (selectinload(Order.lines), joinedload(Order.payment))
    return session.scalars(select(Order).where(Order.id == opened().order_id).options(*with_all)).one()


def _request(form: ReturnForm) -> Return:
    if not form.saw:
        raise Refused(_("Our terms have changed since you opened this page. Please look at everything once more."))
    if not limits.take("return-request", opened().ref, 20, timedelta(days=1), clock.now()):
        raise Refused(_("That was often today. Please write to us, and we help you."))
    wishes, key, policy = form.wishes(), str(form.key.data), form.facts.policy
    return actions.request_return(opened().order_id, wishes, key=key, by="customer", now=clock.now(), policy=policy)


@bp.get("/orders/<ref>/returns/<rma>")
@opens("return", Tier.acts)
def show(ref: str, rma: str) -> ResponseReturnValue:
    ret = _find(rma)
    return redirect(url_for("claims.show", ref=ref, rma=rma), 303) if ret.kind == "claim" else _page(ref, ret)


@bp.get("/orders/<ref>/returns/<rma>/pictures/<int:id>")
@opens("return", Tier.owns)
def picture(ref: str, rma: str, id: int) -> Response:
    """One of the customer's, or one that the bench took of what was deducted for."""
    return jpeg(_picture(ref, rma, id))


@bp.get("/orders/<ref>/returns/<rma>/pictures/<int:id>/thumbnail")
@opens("return", Tier.owns)
def thumbnail(ref: str, rma: str, id: int) -> Response:
    return jpeg(_picture(ref, rma, id), small=True)


def _picture(ref: str, rma: str, id: int) -> Picture:
    ret = _find(rma)
    seen = [one for pictures in shown_to_customer(ret).values() for one in pictures if ret.order.ref == ref]
    return next((one for one in seen if one.id == id), None) or abort(404)


@bp.post("/orders/<ref>/returns/<rma>/cancellation")
@opens("return", Tier.acts)
def cancel(ref: str, rma: str) -> ResponseReturnValue:
    try:
        actions.cancel_return(_find(rma), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(ref, _find(rma), refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=rma), 303)


@bp.post("/orders/<ref>/returns/<rma>/keeping")
@opens("return", Tier.acts)
def keep(ref: str, rma: str) -> ResponseReturnValue:
    """They take the offer to keep it."""
    try:
        keeping.take_offer(_find(rma), request.form.get("share", 0, type=int), by="customer", now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(ref, _find(rma), refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=rma), 303)


@bp.get("/orders/<ref>/returns/<rma>/slip.pdf")
@opens("return", Tier.acts)
def slip(ref: str, rma: str) -> ResponseReturnValue:
    """The paper for the parcel; when it is not needed the return's page says what comes next."""
    ret = _find(rma)
    if ret.decision != "approved" or ret.stays or ret.goods == "received":
        return redirect(url_for(".show", ref=ref, rma=rma), 303)
    name = f'inline; filename="return-{ret.rma}.pdf"'
    return Response(return_slip(ret, _settings()), mimetype="application/pdf", headers={"Content-Disposition": name})


def _step(ref: str, step: str, form: ReturnForm, refusal: str = "") -> str:
    """One step of the form, or, when the rules refuse the whole order, why."""
    facts = form.facts
    said = rules.refusal(rules.of_order(facts))
    why_not = {goods.line.id: rules.why_not(goods, facts) for goods in form.offered}
    template = "returns/closed.html" if said or all(why_not.values()) else "returns/new.html"
    window = facts.policy.window_days
    days = _settings().return_window_days if window is None else window
    return render_template(
        template, ref=ref, step=step, steps=form.steps(step), facts=facts, policy=facts.policy, form=form,
        why_not=why_not, said=said, refusal=refusal, window=days, track=_track(ref), drafts_at=f"/orders/{ref}/drafts/",
    )  # fmt: skip


def _find(rma: str) -> Return:
    """A return of the order that the link opened; 404 for all others."""
    return session.scalar(whole(Return.order_id == opened().order_id, Return.rma == rma)) or abort(404)


def _page(ref: str, ret: Return, refusal: str = "") -> str:
    facts = read(ret.order, now=clock.now(), besides=ret.id)
    months = terms_of(ret.order.country).guarantee_months
    dates = four_dates(facts.delivered_at, ret.order.country, [ret], _settings(), guarantee=months)
    return render_template(
        "returns/show.html", ref=ref, ret=ret, order=ret.order, refusal=refusal, words=words, amount=Money,
        choices=CHOICE, sent=[other for _id, other in orders_for([ret.id]) if other.state != "cancelled"],
        headline=words.headline(ret, _today()), steps=words.steps(ret, _settings().zone), track=_track(ref),
        outcome=settlement.outcome(ret, facts), dates=dates.told(str(get_locale() or "en")), couriers=couriers,
        labels=labels_back.papers(ret), drop_off=labels_back.to_hand_in(ret), told_share=told_share,
        owns=opened().tier >= Tier.owns, pictures=shown_to_customer(ret),
        pictures_at=url_for(".show", ref=ref, rma=ret.rma) + "/pictures/",
        keep_for=keeping.offered(ret, facts, ret.keep_offer) if ret.keep_offer else None,
    )  # fmt: skip


def _track(ref: str) -> str:
    """The order's page, for a browser that may open it; a link from a letter about returns opens returns only."""
    return url_for("tracking.show", ref=ref) if opened().leads_to("track") else ""


def _today() -> date:
    return shop_day(clock.now())


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
