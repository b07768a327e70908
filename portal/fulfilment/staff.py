"""The desk's door to parcels: lists, one parcel's page, its papers."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from werkzeug.wrappers import Response

from portal.adapters.couriers import Tracking
from portal.db import session
from portal.fulfilment import (
    actions,
    boxes,
    buying,
    handoff_words,
    handoffs,
    labels,
    lists,
    packing,
    promises,
    risk,
    rules,
    shorts,
    vans,
    watching,
    wave_lists,
    zpl,
)
from portal.fulfilment.boxes import Advice, Box
from portal.fulfilment.forms import HandOverForm, PackForm, SayForm, ScanForm, VanForm, split_form
from portal.fulfilment.models import CourierEvent, Parcel, ParcelLine
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders.looks import looked_at
from portal.orders.shelves import claims_on
from portal.staff.guards import current_staff

bp = Blueprint("desk_parcels", __name__, url_prefix="/desk/parcels")


@bp.get("")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    """One of the warehouse's lists."""
    return _list(request.args.get("state", "to_pick"))


def _list(name: str, unknown: str = "") -> str:
    now = clock.now()
    if name not in lists.LISTS:
        abort(404)
    page = lists.page_of(name, request.args.get("page", ""), now=now)
    reasons = {row.parcel.id: lists.why_stuck(row.parcel, now, row.silent_after) for row in page.rows}
    return render_template(
        "desk/fulfilment/list.html",
        name=name,
        page=page,
        reasons=reasons,
        counts=lists.counts(now=now),
        next_id=lists.next_in("to_pick", now=now) if name == "to_pick" else None,
        rules=rules,
        risks=risk.RISKS,
        late=_days_late,
        unknown=unknown,
    )


@bp.get("/scanned")
@requires("parcels.see")
def scanned() -> ResponseReturnValue:
    """What a scanner typed on a list: a parcel, an order, a wave, or an article that waits to be packed."""
    code = request.args.get("code", "").strip()[:200]
    if wave := wave_lists.scanned(code):
        return redirect(url_for("desk_waves.show", id=wave), 303)
    if found := lists.scanned(code):
        return redirect(url_for(".show", id=found), 303)
    return _list(request.args.get("state", "to_pick"), unknown=code), 404 if code else 200


@bp.get("/<int:id>")
@requires("parcels.see")
def show(id: int) -> ResponseReturnValue:
    parcel = _find(id)
    looked_at(parcel.order_id, by=current_staff(), now=clock.now())
    return _page(parcel)


@bp.post("/<int:id>/picking")
@requires("parcels.pick")
def start_picking(id: int) -> ResponseReturnValue:
    return _do(id, lambda parcel: actions.start_picking(parcel, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/release")
@requires("parcels.pick")
def put_back(id: int) -> ResponseReturnValue:
    return _do(id, lambda parcel: actions.put_back(parcel, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/picks")
@requires("parcels.pick")
def scan(id: int) -> ResponseReturnValue:
    """A scanner typed an article number."""
    form = ScanForm()
    return _do(id, lambda parcel: _count(actions.line_to_pick(parcel, form.code.data), 1), form=form)


@bp.post("/<int:id>/lines/<int:line_id>/picks")
@requires("parcels.pick")
def count(id: int, line_id: int) -> ResponseReturnValue:
    """One piece more or, as undo, one less, without a scanner."""
    pieces = -1 if request.form.get("undo") else 1
    return _do(id, lambda parcel: _count(_line(parcel, line_id), pieces))


@bp.post("/<int:id>/completion")
@requires("parcels.pick")
def finish_picking(id: int) -> ResponseReturnValue:
    return _do(id, lambda parcel: actions.finish_picking(parcel, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/contents")
@requires("parcels.pack")
def put_in(id: int) -> ResponseReturnValue:
    """A scanner typed the number of what goes into the box."""
    form = ScanForm()
    return _do(id, lambda parcel: _put_in(packing.line_to_box(parcel, form.code.data), 1), form=form)


@bp.post("/<int:id>/lines/<int:line_id>/contents")
@requires("parcels.pack")
def put_in_by_hand(id: int, line_id: int) -> ResponseReturnValue:
    """One piece into the box or, as undo, out of it, without a scanner."""
    pieces = -1 if request.form.get("undo") else 1
    return _do(id, lambda parcel: _put_in(_line(parcel, line_id), pieces))


@bp.post("/<int:id>/second-parcel")
@requires("parcels.pack")
def split(id: int) -> ResponseReturnValue:
    """Pieces go into a second parcel: as many as were typed, or all that is not in the box."""
    if request.form.get("rest"):
        return _do(id, _close_here)
    form = split_form(_find(id).lines)
    return _do(id, lambda parcel: _split(parcel, form.pieces()), form=form)


@bp.post("/<int:id>/packing")
@requires("parcels.pack")
def pack(id: int) -> ResponseReturnValue:
    form = PackForm().offer(boxes.kept())
    return _do(id, lambda parcel: _pack(parcel, form), form=form)


@bp.post("/<int:id>/label")
@requires("parcels.pack")
def make_label(id: int) -> ResponseReturnValue:
    return _do(id, lambda parcel: actions.make_label(parcel, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/hand-over")
@requires("parcels.ship")
def hand_over(id: int) -> ResponseReturnValue:
    form = HandOverForm()
    return _do(id, lambda parcel: _hand_over(parcel, form.courier.data, form.number.data), form=form)


@bp.post("/<int:id>/collection")
@requires("parcels.ship")
def collect(id: int) -> ResponseReturnValue:
    """Our own courier took the parcel that has our label."""
    return _do(id, lambda parcel: _hand_over(parcel, parcel.courier or "", parcel.tracking_number or ""))


@bp.post("/<int:id>/events")
@requires("parcels.ship")
def say(id: int) -> ResponseReturnValue:
    """What our own courier tells us."""
    form = SayForm()
    return _do(id, lambda parcel: _say(parcel, form.status.data, form.place.data), form=form)


@bp.get("/<int:id>/packing-slip.pdf")
@requires("parcels.see")
def packing_slip(id: int) -> ResponseReturnValue:
    parcel = _find(id)
    return _pdf(labels.packing_slip(parcel, current_app.config["SETTINGS"]), f"packing-slip-{parcel.ref}")


@bp.get("/<int:id>/label.pdf")
@requires("parcels.see")
def label(id: int) -> ResponseReturnValue:
    parcel = _with_our_label(id)
    return _pdf(labels.shipping_label(parcel, current_app.config["SETTINGS"]), f"label-{parcel.tracking_number}")


@bp.get("/<int:id>/label.zpl")
@requires("parcels.see")
def label_for_printer(id: int) -> ResponseReturnValue:
    """Our own label as a file that a label printer takes as it is."""
    parcel = _with_our_label(id)
    name = f"label-{parcel.tracking_number}.zpl"
    return Response(
        zpl.shipping_label(parcel, current_app.config["SETTINGS"]),
        mimetype="application/zpl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _with_our_label(id: int) -> Parcel:
    parcel = _find(id)
    if parcel.courier != "own" or not parcel.tracking_number:
        abort(404)
    return parcel


def _find(id: int) -> Parcel:
    """The parcel with its lines and scans; 404 when there is none."""
    whole = (
        selectinload(Parcel.lines),
        selectinload(Parcel.events),
        joinedload(Parcel.picker),
        joinedload(Parcel.order),
    )
    parcel = session.scalar(
        select(Parcel).where(Parcel.id == id).options(*whole).execution_options(populate_existing=True)
    )
    if parcel is None:
        abort(404)
    return parcel


def _do(id: int, act: Callable[[Parcel], str | None], form: FlaskForm | None = None) -> ResponseReturnValue:
    """Act and show the parcel again: 303 done, 422 with the form, 409 with the reason and the parcel as it is."""
    parcel = _find(id)
    if form is not None and not form.validate():
        return _page(parcel, form=form), 422
    try:
        anchor = act(parcel)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), form=form, refusal=refused.message), 409
    return redirect(url_for(".show", id=id, counted=anchor), 303)


def _count(packed: ParcelLine, pieces: int) -> str:
    actions.pick(packed, pieces, by=current_staff())
    return str(packed.id * pieces)


def _put_in(packed: ParcelLine, pieces: int) -> str:
    packing.put_in(packed, pieces, by=current_staff(), now=clock.now())
    return str(packed.id * pieces)


def _close_here(parcel: Parcel) -> None:
    packing.close_here(parcel, by=current_staff(), now=clock.now())


def _pack(parcel: Parcel, form: PackForm) -> None:
    box = session.get(Box, form.box.data) if form.box.data else None
    actions.pack(parcel, form.grams.data, box, by=current_staff(), now=clock.now())


def _line(parcel: Parcel, line_id: int) -> ParcelLine:
    return next((packed for packed in parcel.lines if packed.id == line_id), None) or abort(404)


def _split(parcel: Parcel, pieces: dict[int, int]) -> None:
    actions.split(parcel, pieces, by=current_staff(), now=clock.now())


def _hand_over(parcel: Parcel, courier: str, number: str) -> None:
    actions.hand_over(parcel, courier, number, by=current_staff(), now=clock.now())


def _say(parcel: Parcel, status: str, place: str) -> None:
    actions.say(parcel, Tracking(status), place or "", by=current_staff(), now=clock.now())


def _page(parcel: Parcel, form: FlaskForm | None = None, refusal: str = "") -> str:
    """The parcel's page with the form of its step, the one that was sent if there is one."""
    blank = {"scan": ScanForm, "pack": PackForm, "hand_over": HandOverForm, "say": SayForm}
    forms: dict[str, Any] = {
        name: form if isinstance(form, kind) else kind(formdata=None) for name, kind in blank.items()
    }
    kept = boxes.kept() if parcel.state == "picked" else []
    advice = _advice(parcel, kept)
    counted = request.args.get("counted", 0, type=int)
    if not isinstance(form, PackForm):
        forms["pack"].offer(kept).box.data = advice.box.id if advice.box else None
    if parcel.state == "packed" and not isinstance(form, HandOverForm):
        forms["hand_over"].courier.data = lists.last_courier()
    return render_template(
        "desk/fulfilment/parcel.html",
        parcel=parcel,
        order=parcel.order,
        refusal=refusal,
        reason=lists.why_stuck(parcel, clock.now(), lists.silent_after(parcel)),
        ended=watching.may_end(parcel),
        scans=[_scan(event) for event in reversed(parcel.events)],
        next_id=_next(parcel),
        counted=max(0, counted),
        undone=max(0, -counted),
        broken=promises.latest_break(parcel.order_id),
        missing=shorts.of_parcel(parcel.id) if parcel.state in ("to_pick", "picking") else [],
        places=claims_on([packed.order_line_id for packed in parcel.lines]) if parcel.state == "picking" else {},
        shorts=shorts,
        handoffs=handoffs.history(parcel.id),
        because=handoff_words,
        now=clock.now(),
        rules=rules,
        advice=advice,
        kept=kept,
        risks=risk.RISKS,
        late=_days_late,
        van=vans.next_van(parcel.courier or "", clock.now()) if parcel.state == "packed" else None,
        van_form=VanForm(formdata=None, day=shop_day(clock.now())),
        sells=bool(current_app.config["SETTINGS"].easypost_api_key),
        purchase=buying.latest(parcel.id) if parcel.state == "packed" else None,
        **forms,
    )


def _advice(parcel: Parcel, kept: Sequence[Box]) -> Advice:
    wanted: dict[str, int] = {}
    for packed in parcel.lines if kept else ():
        name = packed.line.sku or packed.title
        wanted[name] = wanted.get(name, 0) + packed.quantity
    return boxes.advise(wanted, boxes.sizes_of(wanted), kept) if kept else Advice()


def _next(parcel: Parcel) -> int | None:
    """The next parcel of the list that this one has just left."""
    left = {"picked": "to_pick", "packed": "to_pack", "handed_over": "to_ship"}.get(parcel.state)
    if parcel.state == "picking" and not any(packed.left for packed in parcel.lines):
        left = "to_pick" if any(packed.short for packed in parcel.lines) else None
    return lists.next_in(left, now=clock.now()) if left else None


def _days_late(parcel: Parcel) -> int:
    """Days after the promise that it arrived, or that it is still missing; negative while there is time."""
    return (shop_day(parcel.delivered_at or clock.now()) - parcel.order.promised_on).days


def _scan(event: CourierEvent) -> dict[str, Any]:
    tone = (
        "good" if event.status == Tracking.delivered else "bad" if event.status in (*rules.TROUBLE, "returned") else ""
    )
    return {
        "at": event.at,
        "text": event.message or str(rules.NAMES[Tracking(event.status)]),
        "by": event.place,
        "tone": tone,
    }


def _pdf(paper: bytes, name: str) -> Response:
    return Response(
        paper, mimetype="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}.pdf"'}
    )
