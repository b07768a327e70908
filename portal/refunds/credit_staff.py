"""The desk's door to store credit."""

from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import fresh, requires
from portal.refunds import credit as ledger
from portal.refunds import words
from portal.refunds.credit import StoreCredit
from portal.refunds.credit_forms import CorrectionForm, SpendingForm, spending_form
from portal.staff.guards import current_staff

bp = Blueprint("desk_credit", __name__, url_prefix="/desk/credit")


@bp.get("")
@requires("refunds.see")
def index() -> ResponseReturnValue:
    typed = request.args.get("q", "")[:100]
    page = ledger.search(typed, request.args.get("page", ""))
    return render_template("desk/refunds/credits.html", page=page, typed=typed)


@bp.get("/<int:id>")
@requires("refunds.see")
def show(id: int) -> ResponseReturnValue:
    return _page(_find(id))


@bp.post("/<int:id>/spendings")
@requires("refunds.request")
def spend(id: int) -> ResponseReturnValue:
    """The customer pays with it."""
    form = spending_form(_find(id).currency)
    return _do(id, form, lambda credit: _spend(credit, form))


def _spend(credit: StoreCredit, form: SpendingForm) -> None:
    ledger.spend(credit, form.minor(), note=form.note.data or "", by=current_staff(), now=clock.now())
    flash(_("Spent. It is written down."), "good")


@bp.post("/<int:id>/spendings/<int:entry>/undoing")
@requires("refunds.approve")
@fresh
def undo(id: int, entry: int) -> ResponseReturnValue:
    """What was spent is put back."""
    form = CorrectionForm()
    return _do(id, form, lambda credit: _undo(credit, entry, form))


def _undo(credit: StoreCredit, entry_id: int, form: CorrectionForm) -> None:
    entry = next((entry for entry in credit.entries if entry.id == entry_id), None) or abort(404)
    ledger.undo_spending(entry, note=form.note.data or "", by=current_staff(), now=clock.now())


@bp.post("/<int:id>/end")
@requires("refunds.approve")
@fresh
def take_back(id: int) -> ResponseReturnValue:
    """It ends unspent; the money goes another way."""
    form = CorrectionForm()
    return _do(id, form, lambda credit: _take_back(credit, form))


def _take_back(credit: StoreCredit, form: CorrectionForm) -> None:
    ledger.take_back(credit, note=form.note.data or "", by=current_staff(), now=clock.now())
    flash(_("It was taken back. Its money can go back another way now."), "good")


def _find(id: int) -> StoreCredit:
    return ledger.find_credit(id) or abort(404)


def _do(id: int, form: FlaskForm, act: Callable[[StoreCredit], object]) -> ResponseReturnValue:
    credit = _find(id)
    if not form.validate():
        return _page(credit, form), 422
    try:
        act(credit)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _page(credit: StoreCredit, form: FlaskForm | None = None, refusal: str = "") -> str:
    return render_template(
        "desk/refunds/credit.html", credit=credit, words=words, refusal=refusal, wrong=form,
        undone={entry.undoes_id for entry in credit.entries}, ended=credit.entries[-1].kind == "taken_back",
        spending=form if isinstance(form, SpendingForm) else spending_form(credit.currency, formdata=None),
        correction=form if isinstance(form, CorrectionForm) else CorrectionForm(formdata=None),
    )  # fmt: skip
