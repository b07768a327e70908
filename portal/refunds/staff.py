"""The desk's door to money: what is to be approved, what failed, and one refund's page."""

from collections.abc import Callable
from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm

from portal.db import session
from portal.jobs import defer
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.lib.money import Money
from portal.orders.looks import looked_at
from portal.refunds import actions, limits, lists, ways, words
from portal.refunds.alarms import explain_alarm
from portal.refunds.credit import credit_of
from portal.refunds.credit_notes import notes_of
from portal.refunds.cures import CURES, mend
from portal.refunds.forms import (
    ApprovalForm,
    CareForm,
    DropForm,
    ExplanationForm,
    NotDoneForm,
    ProofForm,
    ReductionForm,
    RefusalForm,
    RepetitionForm,
    WayForm,
    reduction_form,
    way_form,
)
from portal.refunds.jobs import look_at_refund, reconcile, try_key
from portal.refunds.models import Refund
from portal.refunds.pause import paused
from portal.refunds.rules import facts_mark
from portal.staff.guards import current_staff

APPROVED = {
    "card": _l("%(amount)s approved. Stripe is asked now."),
    "credit": _l("%(amount)s given as store credit. The customer gets a letter with its code."),
    "channel": _l("%(amount)s approved. Give it back in the sales channel, then write down the reference here."),
    "hand": _l("%(amount)s approved. Somebody else pays it now, and writes down the reference here."),
}

bp = Blueprint("desk_refunds", __name__, url_prefix="/desk/refunds")


@bp.get("")
@requires("refunds.see")
def index() -> ResponseReturnValue:
    name = request.args.get("state", "requested")
    if name not in lists.LISTS:
        abort(404)
    return render_template(
        "desk/refunds/list.html",
        name=name,
        page=lists.page_of(name, request.args.get("page", "")),
        counts=lists.counts(),
        words=words,
        paused=paused(),
    )


@bp.get("/differences")
@requires("refunds.see")
def differences() -> ResponseReturnValue:
    """What does not fit between Stripe, our refunds and the payments."""
    return _differences(ExplanationForm(formdata=None))


def _differences(form: ExplanationForm, wrong: int = 0, refusal: str = "") -> str:
    still, gone = lists.alarms()
    template = "desk/refunds/differences.html"
    about = {"form": form, "wrong": wrong, "refusal": refusal, "words": words, "cures": CURES}
    return render_template(template, still=still, gone=gone, **about)


@bp.post("/differences/comparison")
@requires("refunds.approve")
def compare_now() -> ResponseReturnValue:
    """Compare now, not only at night."""
    defer(reconcile)
    flash(_("Stripe is asked now. What differs is here in a moment."), "info")
    return redirect(url_for(".differences"), 303)


@bp.post("/differences/key")
@requires("refunds.approve")
def try_key_now() -> ResponseReturnValue:
    """The key was mended: ask Stripe now, not in ten minutes."""
    defer(try_key)
    flash(_("Stripe is asked now whether it takes the key. If so, the refunds go on at once."), "info")
    return redirect(url_for(".differences"), 303)


@bp.post("/differences/<int:id>/cure")
@requires("refunds.approve")
@fresh
def cure(id: int) -> ResponseReturnValue:
    """What mends this kind of trouble."""
    alarm = lists.find_alarm(id) or abort(404)
    try:
        mend(alarm, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _differences(ExplanationForm(formdata=None), refusal=refused.message), 409
    mended = _("The balance is the sum of its refunds again.")
    flash(mended if alarm.kind == "balance" else _("Stripe is asked now. What differs is here in a moment."), "good")
    return redirect(url_for(".differences"), 303)


@bp.post("/differences/<int:id>/explanation")
@requires("refunds.approve")
@fresh
def explain(id: int) -> ResponseReturnValue:
    """Somebody has looked: it is right as it is."""
    form, alarm = ExplanationForm(), lists.find_alarm(id) or abort(404)
    if not form.validate():
        return _differences(form, wrong=id), 422
    try:
        explain_alarm(alarm, note=form.note.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _differences(ExplanationForm(formdata=None), refusal=refused.message), 409
    return redirect(url_for(".differences"), 303)


@bp.post("/<int:id>/look")
@requires("refunds.see")
def look(id: int) -> ResponseReturnValue:
    """Ask Stripe now how it stands."""
    defer(look_at_refund, refund_id=_find(id).id)
    flash(_("Stripe is asked now how it stands."), "info")
    return redirect(url_for(".show", id=id), 303)


@bp.get("/<int:id>")
@requires("refunds.see")
def show(id: int) -> ResponseReturnValue:
    refund = _find(id)
    looked_at(refund.order_id, by=current_staff(), now=clock.now())
    return _page(refund)


@bp.post("/<int:id>/approval")
@requires("refunds.approve")
@fresh
def approve(id: int) -> ResponseReturnValue:
    form = ApprovalForm()
    return _do(id, form, lambda refund: _approve(refund, form))


def _approve(refund: Refund, form: ApprovalForm) -> None:
    seen = {"shown": form.shown.data, "facts": form.facts.data}
    actions.approve_refund(refund, **seen, by=current_staff(), now=clock.now())
    flash(str(APPROVED[refund.way]) % {"amount": _told(refund.money)}, "good")


@bp.post("/<int:id>/reduction")
@requires("refunds.approve")
@fresh
def reduce(id: int) -> ResponseReturnValue:
    form = reduction_form(_find(id))
    return _do(id, form, lambda refund: _reduce(refund, form))


def _reduce(refund: Refund, form: ReductionForm) -> None:
    what = {"note": form.note.data, "shown": form.shown.data}
    actions.reduce_refund(refund, form.amounts(), **what, by=current_staff(), now=clock.now())
    flash(_("Reduced to %(amount)s. It still has to be approved.", amount=_told(refund.money)), "good")


@bp.post("/<int:id>/refusal")
@requires("refunds.approve")
@fresh
def refuse(id: int) -> ResponseReturnValue:
    form = RefusalForm()
    return _do(
        id, form, lambda refund: actions.refuse_refund(refund, note=form.note.data, by=current_staff(), now=clock.now())
    )


@bp.post("/<int:id>/repetition")
@requires("refunds.request")
def repeat(id: int) -> ResponseReturnValue:
    """Propose it again, perhaps another way; the new one is shown."""
    form = RepetitionForm().offer(_find(id))
    return _make(id, form, lambda refund: _repeat(refund, form))


def _repeat(refund: Refund, form: RepetitionForm) -> Refund:
    again = actions.repeat_refund(refund, way=form.way.data, by=current_staff(), now=clock.now())
    flash(_("%(amount)s proposed again. A second person approves it.", amount=_told(again.money)), "good")
    return again


@bp.post("/<int:id>/way")
@requires("refunds.request")
@fresh
def choose_way(id: int) -> ResponseReturnValue:
    """All or part of it goes another way; that part is shown."""
    form = way_form(_find(id))
    return _make(id, form, lambda refund: _choose_way(refund, form))


def _choose_way(refund: Refund, form: WayForm) -> Refund:
    what = {"note": form.note.data, "by": current_staff(), "now": clock.now()}
    part = ways.choose_way(refund, form.way.data, form.amounts(), **what)
    said = _("%(amount)s to go back %(way)s. A second person approves it.", **_amount_and_way(part))
    flash(said, "good")
    return part


def _amount_and_way(refund: Refund) -> dict[str, str]:
    return {"amount": _told(refund.money), "way": str(words.WAY[refund.way])}


@bp.post("/<int:id>/proof")
@requires("refunds.request")
@fresh
def prove(id: int) -> ResponseReturnValue:
    """Somebody has moved the money, and says where it can be found."""
    form = ProofForm()
    return _do(id, form, lambda refund: _prove(refund, form))


def _prove(refund: Refund, form: ProofForm) -> None:
    where = {"reference": form.reference.data or "", "on": form.on.data}
    ways.prove(refund, **where, by=current_staff(), now=clock.now())
    flash(_("%(amount)s counts as given back %(way)s.", **_amount_and_way(refund)), "good")


@bp.post("/<int:id>/impossibility")
@requires("refunds.request")
@fresh
def call_off(id: int) -> ResponseReturnValue:
    """It could not be done this way."""
    form = NotDoneForm()
    return _do(id, form, lambda refund: ways.call_off(refund, note=form.note.data, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/settlement")
@requires("refunds.approve")
@fresh
def settle(id: int) -> ResponseReturnValue:
    """Somebody has taken care of it another way."""
    form = CareForm()
    return _do(
        id, form, lambda refund: actions.close_failure(refund, note=form.note.data, by=current_staff(), now=clock.now())
    )


@bp.post("/<int:id>/release")
@requires("refunds.approve")
@fresh
def drop(id: int) -> ResponseReturnValue:
    """Somebody has looked at Stripe: the money did not move."""
    form = DropForm()
    return _do(
        id, form, lambda refund: actions.drop_refund(refund, note=form.note.data, by=current_staff(), now=clock.now())
    )


def _find(id: int) -> Refund:
    return lists.find(id) or abort(404)


def _do(id: int, form: FlaskForm, act: Callable[[Refund], None]) -> ResponseReturnValue:
    """Act and show the refund again: 303 done, 422 with the form, 409 with the reason and the refund as it is."""
    refund = _find(id)
    if not form.validate():
        return _page(refund, form), 422
    try:
        act(refund)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _make(id: int, form: FlaskForm, act: Callable[[Refund], Refund]) -> ResponseReturnValue:
    """Like `_do`, for what brings another refund: that one is shown."""
    refund = _find(id)
    if not form.validate():
        return _page(refund, form), 422
    try:
        made = act(refund)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    return redirect(url_for(".show", id=made.id), 303)


def _page(refund: Refund, form: FlaskForm | None = None, refusal: str = "") -> str:
    return render_template(
        "desk/refunds/show.html", refund=refund, order=refund.order, purse=lists.purse(refund), words=words,
        letters=lists.letters(refund), barrier=_barrier(refund), amount=Money, facts=facts_mark(refund),
        refusal=refusal, wrong=form,
        reduction=_reducing(form) or reduction_form(refund, formdata=None),
        refusing=form if isinstance(form, RefusalForm) else RefusalForm(formdata=None),
        care=form if isinstance(form, CareForm) else CareForm(formdata=None),
        dropping=form if isinstance(form, DropForm) else DropForm(formdata=None),
        changing=form if isinstance(form, WayForm) else way_form(refund, formdata=None),
        proving=form if isinstance(form, ProofForm) else ProofForm(formdata=None, on=_today()),
        not_done=form if isinstance(form, NotDoneForm) else NotDoneForm(formdata=None),
        repeating=RepetitionForm(formdata=None, way=refund.way).offer(refund), credit=credit_of(refund),
        notes=notes_of(refund),
    )  # fmt: skip


def _reducing(form: FlaskForm | None) -> ReductionForm | None:
    """The form, when it is the one that reduces: the one for another way has amounts as well."""
    return form if isinstance(form, ReductionForm) and not isinstance(form, WayForm) else None


def _today() -> date:
    return shop_day(clock.now())


def _barrier(refund: Refund) -> str:
    """Why the reader may not approve it."""
    if refund.state != "requested" or not current_staff().may("refunds.approve"):
        return ""
    return limits.barrier(refund, current_staff(), now=clock.now())


def _told(money: Money) -> str:
    return money.format(str(get_locale() or "en"))
