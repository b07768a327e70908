"""The desk's door to stock: what lies where, what is low, what can't be promised, and the file that counts anew."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from portal.adapters.stock_sheet import BadStockSheet, Mistake
from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders import shelves, stock
from portal.orders.shelves import StockItem
from portal.orders.stock_forms import CorrectionForm, StockFileForm
from portal.orders.stock_imports import import_stock
from portal.staff.guards import current_staff

bp = Blueprint("desk_stock", __name__, url_prefix="/desk/stock")


@bp.get("")
@requires("stock.see")
def index() -> ResponseReturnValue:
    """All articles, those that are low, or those that orders wait for."""
    view = request.args.get("state", "all")
    if view not in shelves.VIEWS:
        abort(404)
    return _list(view)


@bp.post("/imports")
@requires("stock.change")
def upload() -> ResponseReturnValue:
    form = StockFileForm()
    if not form.validate():
        return _list("all", form=form), 422
    try:
        report = import_stock(form.file.data.read().decode(), by=current_staff(), now=clock.now())
    except BadStockSheet as bad:
        return _list("all", mistakes=[Mistake(1, str(bad))]), 422
    except UnicodeDecodeError:
        return _list("all", mistakes=[Mistake(1, "UTF-8")]), 422
    if report.mistakes:
        session.rollback()
        return _list("all", mistakes=report.mistakes), 422
    flash(ngettext("%(num)s row was counted.", "%(num)s rows were counted.", report.counted), "good")
    return redirect(url_for(".index"), 303)


@bp.get("/<int:id>")
@requires("stock.see")
def show(id: int) -> ResponseReturnValue:
    return _page(_find(id))


@bp.post("/<int:id>/corrections")
@requires("stock.change")
def correct(id: int) -> ResponseReturnValue:
    """A person has counted."""
    item, form = _find(id), CorrectionForm()
    if not form.validate():
        return _page(item, form=form), 422
    count, seen = int(form.count.data or 0), int(form.seen.data)
    note = (form.note.data or "").strip()
    try:
        stock.correct(item, count, form.reason.data, seen=seen, by=current_staff(), now=clock.now(), note=note)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    return redirect(url_for(".show", id=id), 303)


def _find(id: int) -> StockItem:
    return session.get(StockItem, id) or abort(404)


def _list(view: str, form: StockFileForm | None = None, mistakes: list[Mistake] | None = None) -> str:
    text = request.args.get("q", "")[:200].strip()
    return render_template(
        "desk/stock/list.html",
        view=view,
        q=text,
        page=shelves.page_of(view, text, request.args.get("page", "")),
        counts=shelves.counts(),
        waiting=shelves.waiting_orders() if view == "short" else [],
        form=form or StockFileForm(formdata=None),
        mistakes=mistakes or [],
    )


def _page(item: StockItem, form: CorrectionForm | None = None, refusal: str = "") -> str:
    return render_template(
        "desk/stock/show.html",
        item=item,
        moves=shelves.moves_of(item),
        waiting=shelves.waiting_orders(item.sku),
        form=form or CorrectionForm(formdata=None, count=item.on_hand, seen=str(item.on_hand)),
        refusal=refusal,
        words=stock.MOVES,
    )
