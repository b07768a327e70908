"""The desk's door to waves: planned, released, walked with a scanner, brought to packing."""

from collections.abc import Callable, Sequence

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.db import session
from portal.fulfilment import actions, rules, shorts, walk, wave_lists, wave_paper, wave_words, waves
from portal.fulfilment.forms import ScanForm
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.shorts_forms import ShortForm
from portal.fulfilment.walk import Stop
from portal.fulfilment.waves import Wave
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders.shelves import claims_on
from portal.staff.guards import current_staff

bp = Blueprint("desk_waves", __name__, url_prefix="/desk/waves")


@bp.get("")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    """What waits to go into a wave, which are open, which came to packing."""
    return _list()


def _list(refusal: str = "") -> str:
    return render_template(
        "desk/waves/list.html",
        waiting=wave_lists.waiting(),
        rows=wave_lists.open_waves(),
        ended=wave_lists.done_lately(now=clock.now()),
        most=waves.KINDS,
        words=wave_words,
        refusal=refusal,
    )


@bp.post("")
@requires("parcels.pick")
def make() -> ResponseReturnValue:
    """Plan one; or, in one go, release it and begin."""
    most = request.form.get("most", type=int) or 0
    try:
        wave = waves.make(request.form.get("kind", ""), most, by=current_staff(), now=clock.now())
        if request.form.get("begin"):
            waves.release(wave, now=clock.now())
            waves.begin(wave, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _list(refused.message), 409
    return _back(wave)


@bp.get("/<int:id>")
@requires("parcels.see")
def show(id: int) -> ResponseReturnValue:
    return _page(_find(id))


@bp.get("/<int:id>/pick-list.pdf")
@requires("parcels.see")
def pick_list(id: int) -> ResponseReturnValue:
    wave = _find(id)
    paper = wave_paper.pick_list(wave, _way(_parcels(wave)), current_app.config["SETTINGS"])
    name = f'inline; filename="wave-{wave.id}.pdf"'
    return Response(paper, mimetype="application/pdf", headers={"Content-Disposition": name})


@bp.post("/<int:id>/release")
@requires("parcels.pick")
def release(id: int) -> ResponseReturnValue:
    return _do(id, lambda wave: waves.release(wave, now=clock.now()))


@bp.post("/<int:id>/removal")
@requires("parcels.pick")
def drop(id: int) -> ResponseReturnValue:
    return _do(id, lambda wave: waves.drop(wave, now=clock.now()))


@bp.post("/<int:id>/parcels/<int:parcel_id>/removal")
@requires("parcels.pick")
def leave_out(id: int, parcel_id: int) -> ResponseReturnValue:
    parcel = session.get(Parcel, parcel_id) or abort(404)
    return _do(id, lambda wave: waves.leave_out(wave, parcel))


@bp.post("/<int:id>/picking")
@requires("parcels.pick")
def begin(id: int) -> ResponseReturnValue:
    return _do(id, lambda wave: waves.begin(wave, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/takeover")
@requires("parcels.pick")
def take_over(id: int) -> ResponseReturnValue:
    return _do(id, lambda wave: waves.take_over(wave, by=current_staff()))


@bp.post("/<int:id>/way-back")
@requires("parcels.pick")
def give_back(id: int) -> ResponseReturnValue:
    return _do(id, lambda wave: waves.give_back(wave, by=current_staff(), now=clock.now()))


@bp.post("/<int:id>/picks")
@requires("parcels.pick")
def scan(id: int) -> ResponseReturnValue:
    """A scanner typed an article number."""
    form, wave = ScanForm(), _find(id)
    if not form.validate():
        return _page(wave, form=form), 422
    return _count(wave, lambda: walk.scanned(_way(_parcels(wave)), form.code.data), 1)


@bp.post("/<int:id>/lines/<int:line_id>/picks")
@requires("parcels.pick")
def count(id: int, line_id: int) -> ResponseReturnValue:
    """One piece more or, as undo, one less, without a scanner."""
    wave, packed = _find(id), session.get(ParcelLine, line_id)
    if packed is None or packed.parcel.wave_id != wave.id:
        abort(404)
    return _count(wave, lambda: packed, -1 if request.form.get("undo") else 1)


def _count(wave: Wave, which: Callable[[], ParcelLine], pieces: int) -> ResponseReturnValue:
    """Count and show the walk again: 303 when it is counted, 409 with the reason and the walk as it is."""
    try:
        packed = which()
        actions.pick(packed, pieces, by=current_staff())
    except Refused as refused:
        session.rollback()
        return _page(_find(wave.id), refusal=refused.message), 409
    counted, undone = (packed.id, None) if pieces > 0 else (None, packed.id)
    return redirect(url_for(".show", id=wave.id, counted=counted, undone=undone), 303)


@bp.post("/<int:id>/lines/<int:line_id>/short-picks")
@requires("parcels.pick")
def report(id: int, line_id: int) -> ResponseReturnValue:
    """Pieces of an article are not there, for however many parcels that is."""
    wave, form = _find(id), ShortForm()
    stop = next((stop for stop in _way(_parcels(wave)) if line_id in {packed.id for packed in stop.lines}), None)
    if stop is None or not form.validate():
        abort(404 if stop is None else 422)
    return _do(id, lambda _wave: _report(stop, form))


def _report(stop: Stop, form: ShortForm) -> None:
    note = (form.note.data or "").strip()
    who, now = current_staff(), clock.now()
    missing = waves.report(stop.lines, form.pieces.data, form.reason.data, note, by=who, now=now)
    if missing:
        flash(_("Noted. Go on with the rest; somebody decides about what is missing."), "good")
    else:
        flash(_("The count is put right. The rest lies in another place."), "warn")


@bp.post("/<int:id>/completion")
@requires("parcels.pick")
def finish(id: int) -> ResponseReturnValue:
    """The cart stands at the packing table."""
    wave = _find(id)
    try:
        done = waves.finish(wave, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    flash(ngettext("One parcel is at packing.", "%(num)s parcels are at packing.", done), "good")
    return redirect(url_for(".index"), 303)


def _find(id: int) -> Wave:
    return session.get(Wave, id, populate_existing=True) or abort(404)


def _do(id: int, act: Callable[[Wave], None]) -> ResponseReturnValue:
    wave = _find(id)
    try:
        act(wave)
    except Refused as refused:
        session.rollback()
        return _page(_find(id), refusal=refused.message), 409
    return _back(wave)


def _back(wave: Wave) -> Response:
    return redirect(url_for(".show", id=wave.id), 303)


def _parcels(wave: Wave) -> Sequence[Parcel]:
    states = ("to_pick",) if wave.state in ("planned", "released") else ("picking",)
    return waves.still_in(wave, *(states if wave.ended_at is None else ("picked", "packed", "handed_over")))


def _way(parcels: Sequence[Parcel]) -> list[Stop]:
    ids = [packed.order_line_id for parcel in parcels for packed in parcel.lines]
    return walk.stops(parcels, claims_on(ids))


def _page(wave: Wave, form: ScanForm | None = None, refusal: str = "") -> str:
    parcels = _parcels(wave)
    way, lines = _way(parcels), {packed.id: packed for parcel in parcels for packed in parcel.lines}
    return render_template(
        "desk/waves/show.html",
        wave=wave,
        parcels=parcels,
        way=way,
        here=next((stop for stop in way if stop.left), None),
        counted=lines.get(request.args.get("counted", 0, type=int)),
        undone=lines.get(request.args.get("undone", 0, type=int)),
        scan=form or ScanForm(formdata=None),
        refusal=refusal,
        words=wave_words,
        shorts=shorts,
        rules=rules,
    )
