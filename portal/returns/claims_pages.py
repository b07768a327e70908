"""The customer's third door: something is wrong. One thing per step, and where the claim stands."""

from datetime import date, timedelta

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
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
from portal.pictures.forms import PicturesField, takes_pictures
from portal.pictures.models import drafts, pictures_of
from portal.returns import claims, claims_rules, claims_words, postage, words
from portal.returns.actions import made_by
from portal.returns.claims_forms import STEPS, AnswerForm, ClaimForm, PostageForm, SearchForm, claim_form, postage_form
from portal.returns.claims_models import Claim, claim_of, open_about, pending
from portal.returns.claims_terms import Terms, guarantee_until, terms_of
from portal.returns.goods import Facts, read
from portal.returns.labels_back import papers, to_hand_in
from portal.returns.models import Return, whole
from portal.returns.undelivered import Searched, find, parcels_of

bp = Blueprint("claims", __name__)
MOST_A_DAY = 10


@bp.get("/orders/<ref>/claims/new")
@opens("return", Tier.acts)
def new(ref: str) -> ResponseReturnValue:
    facts = _facts()
    return _step(ref, "lines", facts, claim_form(facts, pending(facts.order.id), formdata=None))


@bp.post("/orders/<ref>/claims/new")
@opens("return", Tier.acts)
@takes_pictures
def step(ref: str) -> ResponseReturnValue:
    """On to the next step, or back to the one that was asked for. Only pictures are written, beside the form."""
    facts = _facts()
    form, filled = claim_form(facts, pending(facts.order.id)), request.form.get("filled", "")
    form.photos.drafts = drafts(facts.order.id, str(form.key.data))
    if (back := request.form.get("to", "")) in STEPS:
        return _step(ref, back, facts, form)
    if filled not in STEPS[:-1] or not form.key.data:
        abort(400)
    if filled == "photos" and not _take_in(form.photos, str(form.key.data)):
        return _step(ref, "photos", facts, form), 422
    if "forget" in request.form:
        return _step(ref, "photos", facts, form)
    if not form.fills(filled):
        return _step(ref, form.first_open(), facts, form), 422
    return _step(ref, STEPS[STEPS.index(filled) + 1], facts, form)


def _take_in(photos: PicturesField, key: str) -> bool:
    who = Uploader(opened().order_id, key, digest(this_browser()))
    return photos.take_in(who, forget=request.form.get("forget", type=int), now=clock.now())


@bp.post("/orders/<ref>/claims")
@opens("return", Tier.acts)
def create(ref: str) -> ResponseReturnValue:
    """Make the claim; the same form sent again leads to the claim it made."""
    if earlier := made_by(opened().order_id, request.form.get("key", "")):
        return redirect(url_for(".show", ref=ref, rma=earlier.rma), 303)
    facts = _facts()
    form = claim_form(facts, pending(facts.order.id))
    if not form.fills("wish"):
        return _step(ref, form.first_open(), facts, form), 422
    try:
        _one_more_today()
        ret = claims.open_claim(
            opened().order_id, form.wrong(), key=str(form.key.data), by="customer", now=clock.now()
        )  # fmt: skip
    except Refused as refused:
        session.rollback()
        return _step(ref, "lines", _facts(), form, refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=ret.rma), 303)


def _one_more_today() -> None:
    if not limits.take("claim", opened().ref, MOST_A_DAY, timedelta(days=1), clock.now()):
        raise Refused(_("That was often today. Please write to us, and we help you."))


def _step(ref: str, name: str, facts: Facts, form: ClaimForm, refusal: str = "") -> str:
    """One step of the form, or, when nothing of the order can be claimed, why, with the parcels that are missed."""
    terms = terms_of(facts.order.country)
    until = guarantee_until(facts.delivered_at, terms.guarantee_months)
    form.offer_wishes()
    return render_template(
        f"returns/claim_{name}.html", ref=ref, facts=facts, form=form, refusal=refusal, words=claims_words,
        rules=claims_rules, closed=claims_rules.of_order(facts, until), until=until, track=_track(ref),
        parcels=_missed(facts.order, terms, facts.today) if name == "lines" else [], number=STEPS.index(name) + 1,
        total=len(STEPS), drafts_at=f"/orders/{ref}/drafts/",
    )  # fmt: skip


def _missed(order: Order, terms: Terms, today: date) -> list[Searched]:
    return parcels_of(order, patience=terms.patience_days, now=clock.now(), today=today)


@bp.get("/orders/<ref>/claims/parcels/<int:id>")
@opens("return", Tier.acts)
def missed(ref: str, id: int) -> ResponseReturnValue:
    return _search(ref, id, SearchForm(formdata=None))


@bp.post("/orders/<ref>/claims/parcels/<int:id>")
@opens("return", Tier.acts)
def search(ref: str, id: int) -> ResponseReturnValue:
    """It never arrived: somebody looks for it."""
    form = SearchForm()
    if not form.validate():
        return _search(ref, id, form), 422
    wish, said, key = str(form.wish.data), (form.words.data or "").strip(), str(form.key.data)
    try:
        _one_more_today()
        ret = claims.open_search(opened().order_id, id, wish, said, key=key, by="customer", now=clock.now())
    except Refused as refused:
        session.rollback()
        return _search(ref, id, form, refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=ret.rma), 303)


def _search(ref: str, parcel_id: int, form: SearchForm, refusal: str = "") -> str:
    facts = _facts()
    one = find(_missed(facts.order, terms_of(facts.order.country), facts.today), parcel_id) or abort(404)
    known = open_about(parcel_id)
    return render_template(
        "returns/claim_parcel.html", ref=ref, order=facts.order, one=one, form=form, refusal=refusal, known=known,
        words=claims_words, owns=opened().tier >= Tier.owns, track=_track(ref),
    )  # fmt: skip


@bp.get("/orders/<ref>/claims/<rma>")
@opens("return", Tier.acts)
def show(ref: str, rma: str) -> ResponseReturnValue:
    """Where it stands. What was written and photographed is shown with the code only."""
    _ret, claim = _find(rma)
    if claim is None:
        return redirect(url_for("returns.show", ref=ref, rma=rma), 303)
    return _page(ref, claim, postage_form(claim, formdata=None))


@bp.post("/orders/<ref>/claims/<rma>/postage")
@opens("return", Tier.acts)
def tell_postage(ref: str, rma: str) -> ResponseReturnValue:
    """What the way back cost."""
    claim = _find(rma)[1] or abort(404)
    form = postage_form(claim)
    if not form.validate():
        return _page(ref, claim, form), 422
    try:
        postage.tell_postage(claim, form.minor(), by="customer", now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(ref, _find(rma)[1] or abort(404), form, refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=rma, _anchor="postage"), 303)


def _page(ref: str, claim: Claim, form: PostageForm, refusal: str = "") -> str:
    ret = claim.ret
    owns = opened().tier >= Tier.owns
    pictures = [one for many in pictures_of(claim.abouts).values() for one in many if one.staff_id is None]
    return render_template(
        "returns/claim_show.html", back=words, couriers=couriers,
        ref=ref, ret=ret, claim=claim, order=ret.order, owns=owns, words=claims_words,
        pictures=pictures, headline=claims_words.headline(claim, _today()), track=_track(ref),
        steps=claims_words.steps(claim, _settings().zone), pictures_at=f"/orders/{ref}/pictures/",
        labels=papers(ret), drop_off=to_hand_in(ret), form=form, refusal=refusal, amount=Money,
    )  # fmt: skip


@bp.get("/orders/<ref>/claims/<rma>/answers")
@opens("return", Tier.owns)
def question(ref: str, rma: str) -> ResponseReturnValue:
    if _find(rma)[1] is None:
        return redirect(url_for("returns.show", ref=ref, rma=rma), 303)
    return _ask(ref, rma, AnswerForm(formdata=None))


@bp.post("/orders/<ref>/claims/<rma>/answers")
@opens("return", Tier.owns)
@takes_pictures
def answer(ref: str, rma: str) -> ResponseReturnValue:
    """The customer's words and pictures; what is a picture stays with the form when the rest is not fine."""
    form, claim = AnswerForm(), _find(rma)[1] or abort(404)
    good = form.validate()
    if form.key.data and not _take_in(form.photos, str(form.key.data)):
        return _ask(ref, rma, form), 422
    if "forget" in request.form or not good:
        return _ask(ref, rma, form), 200 if good else 422
    try:
        with session.begin_nested():
            claims.answer(claim, form.words.data or "", key=str(form.key.data), now=clock.now())
    except Refused as refused:
        return _ask(ref, rma, form, refused.message), 409
    return redirect(url_for(".show", ref=ref, rma=rma), 303)


def _ask(ref: str, rma: str, form: AnswerForm, refusal: str = "") -> str:
    ret, claim = _find(rma)
    return render_template(
        "returns/claim_question.html", ref=ref, ret=ret, claim=claim, form=form, refusal=refusal, order=ret.order,
        drafts_at=f"/orders/{ref}/drafts/",
    )  # fmt: skip


def _facts() -> Facts:
    with_all = (selectinload(Order.lines), joinedload(Order.payment))
    order = session.scalars(select(Order).where(Order.id == opened().order_id).options(*with_all)).one()
    return read(order, now=clock.now())


def _find(rma: str) -> tuple[Return, Claim | None]:
    """A return of the order that the link opened, and its claim if it is one; 404 for all others."""
    ret = session.scalar(whole(Return.order_id == opened().order_id, Return.rma == rma)) or abort(404)
    return ret, claim_of(ret.id) if ret.kind == "claim" else None


def _track(ref: str) -> str:
    """The order's page, for a browser that may open it."""
    return url_for("tracking.show", ref=ref) if opened().leads_to("track") else ""


def _today() -> date:
    return shop_day(clock.now())


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings
