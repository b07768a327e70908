"""The desk's door to claims: what is wrong, with pictures and signs; ask, accept, decline; and the shop's terms."""

from collections.abc import Callable

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.lib.money import Money
from portal.orders.looks import looked_at
from portal.orders.timeline import for_staff
from portal.pictures.models import pictures_of
from portal.returns import claims, claims_words, postage, words
from portal.returns.claims import Decision
from portal.returns.claims_forms import DecisionForm, QuestionForm, TermsForm, decision_form, terms_form
from portal.returns.claims_models import Claim, claim_of, cured_before
from portal.returns.claims_rules import worth_of
from portal.returns.claims_terms import ClaimTerms, all_terms, drop_terms, set_terms, terms_of
from portal.returns.exchanges import orders_for
from portal.returns.forms import NoteForm
from portal.returns.goods import read
from portal.returns.models import Return, whole
from portal.returns.signals import signals
from portal.returns.undelivered import searched
from portal.staff.guards import current_staff

bp = Blueprint("desk_claims", __name__, url_prefix="/desk/claims")


@bp.get("/<int:id>")
@requires("returns.see")
def show(id: int) -> ResponseReturnValue:
    """The claim of the return with this id; a return of another kind has its own page."""
    ret, claim = _find(id)
    if claim is None:
        return redirect(url_for("desk_returns.show", id=id), 303)
    looked_at(ret.order_id, by=current_staff(), now=clock.now())
    return _page(claim)


@bp.post("/<int:id>/questions")
@requires("returns.decide")
def ask(id: int) -> ResponseReturnValue:
    """The customer is asked for more."""
    form = QuestionForm()
    return _do(
        id, form, lambda claim: claims.ask_customer(claim, form.question.data, by=current_staff(), now=clock.now())
    )


@bp.post("/<int:id>/acceptance")
@requires("returns.decide")
def accept(id: int) -> ResponseReturnValue:
    form = _decision(_claim(id), None)
    return _do(id, form, lambda claim: _accept(claim, form))


def _accept(claim: Claim, form: DecisionForm) -> None:
    decision = Decision(form.remedy.data or "", bool(form.goods_back.data), form.note.data or "", form.amounts())
    claims.accept_claim(claim, decision, by=current_staff(), now=clock.now())


@bp.post("/<int:id>/refusal")
@requires("returns.decide")
def decline(id: int) -> ResponseReturnValue:
    form = NoteForm()
    return _do(
        id, form, lambda claim: claims.decline_claim(claim, note=form.note.data, by=current_staff(), now=clock.now())
    )


@bp.post("/<int:id>/replacement")
@requires("returns.decide")
def replace(id: int) -> ResponseReturnValue:
    """The new one, or the repaired one, goes out."""
    return _do(id, None, lambda claim: claims.send_replacement(claim, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/refunds")
@requires("refunds.request")
def propose(id: int) -> ResponseReturnValue:
    """Once more, when finance said no."""
    form = _decision(_claim(id), None)
    return _do(id, form, lambda claim: claims.pay_again(claim, form.amounts(), by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/postage")
@requires("refunds.request")
def pay_postage(id: int) -> ResponseReturnValue:
    """What the customer paid for the way back was given back."""
    form, shown = NoteForm(), request.form.get("amount", 0, type=int)
    by, now = current_staff(), clock.now()
    return _do(id, form, lambda claim: postage.pay_postage(claim, shown, note=form.note.data, by=by, now=now))


def _find(id: int) -> tuple[Return, Claim | None]:
    ret = session.scalar(whole(Return.id == id)) or abort(404)
    return ret, claim_of(ret.id)


def _claim(id: int) -> Claim:
    return _find(id)[1] or abort(404)


def _do(id: int, form: FlaskForm | None, act: Callable[[Claim], object]) -> ResponseReturnValue:
    """Act and show the claim again: 303 done, 422 with the form, 409 with the reason and the claim as it is."""
    if form is not None and not form.validate():
        return _page(_claim(id), form), 422
    try:
        act(_claim(id))
    except Refused as refused:
        session.rollback()
        return _page(_claim(id), form, refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _decision(claim: Claim, form: FlaskForm | None) -> DecisionForm:
    """The form as it was sent, or, without one, with what the shop's terms say."""
    if isinstance(form, DecisionForm):
        return form
    worth = worth_of(claim, read(claim.ret.order, now=clock.now(), besides=claim.return_id))
    together = Money(sum(amount.amount for amount in worth.values()), claim.ret.order.currency)
    stay = terms_of(claim.ret.order.country).goods_stay(claim.fault, together)
    return decision_form(claim, worth, stay)


def _page(claim: Claim, form: FlaskForm | None = None, refusal: str = "") -> str:
    ret, parcel, now = claim.ret, claim.parcel, clock.now()
    missed = searched(parcel, ret.order.promised_on, patience=0, now=now, today=now.date()) if parcel else None
    return render_template(
        "desk/claims/show.html", claim=claim, ret=ret, order=ret.order, refusal=refusal, words=words,
        claims=claims_words, pictures=pictures_of(claim.abouts), failed=cured_before(claim), missed=missed,
        signals=signals(ret.order, now=now), timeline=for_staff(ret.order_id), sent=orders_for([ret.id]),
        amount=Money, question=form if isinstance(form, QuestionForm) else QuestionForm(formdata=None),
        decision=_decision(claim, form),
        note=form if isinstance(form, NoteForm) else NoteForm(formdata=None),
    )  # fmt: skip


# --- the shop's terms -------------------------------------------------------------------------------------------------


@bp.get("/terms")
@requires("returns.see")
def terms() -> ResponseReturnValue:
    return _terms(terms_form(_general(), formdata=None))


@bp.post("/terms")
@requires("claims.set")
def set_them() -> ResponseReturnValue:
    form = TermsForm()
    if not form.validate():
        return _terms(form), 422
    set_terms((form.country.data or "").upper(), form.terms())
    return redirect(url_for(".terms"), 303)


@bp.post("/terms/<int:id>/removal")
@requires("claims.set")
def drop(id: int) -> ResponseReturnValue:
    drop_terms(id)
    return redirect(url_for(".terms"), 303)


def _general() -> ClaimTerms | None:
    return session.scalar(select(ClaimTerms).where(ClaimTerms.country == ""))


def _terms(form: TermsForm) -> str:
    return render_template("desk/claims/terms.html", form=form, rows=all_terms(), claims=claims_words, amount_of=Money)
