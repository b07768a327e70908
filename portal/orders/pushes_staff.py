"""The desk's door to what sales channels are told: what failed and why, tried again, or left with a reason."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.db import session
from portal.lib import clock
from portal.lib.guards import requires
from portal.orders import pushes
from portal.orders.models import Order, called
from portal.orders.pushes import ChannelPush
from portal.orders.pushes_forms import DropForm, NoteForm
from portal.staff.guards import current_staff

bp = Blueprint("desk_pushes", __name__, url_prefix="/desk")


@bp.get("/pushes")
@requires("orders.see")
def index() -> ResponseReturnValue:
    return _list()


@bp.post("/pushes/<int:id>/sending")
@requires("orders.settle")
def send(id: int) -> ResponseReturnValue:
    push = _find(id)
    pushes.try_again(push, by=current_staff(), now=clock.now())
    flash(_("%(channel)s is told again, in a moment.", channel=push.channel_name), "good")
    return redirect(url_for(".index", state="waiting"), 303)


@bp.post("/pushes/sending")
@requires("orders.settle")
def send_all() -> ResponseReturnValue:
    """All that failed at one channel."""
    channel = request.form.get("channel", "")
    count = pushes.try_all_again(channel, by=current_staff(), now=clock.now())
    told = ngettext("%(num)s thing is told again.", "%(num)s things are told again.", count)
    flash(f"{called(channel)}: {told}" if count else _("Nothing had failed there."), "good")
    return redirect(url_for(".index", state="waiting"), 303)


@bp.post("/pushes/<int:id>/settlement")
@requires("orders.settle")
def settle(id: int) -> ResponseReturnValue:
    """It was done there by hand, or is not needed."""
    push, form = _find(id), DropForm()
    if not form.validate():
        return _list(form=form, wrong=id), 422
    pushes.drop(push, form.note.data, by=current_staff(), now=clock.now())
    flash(_("Left aside, with your reason."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/orders/<int:id>/channel-notes")
@requires("orders.settle")
def write(id: int) -> ResponseReturnValue:
    order, form = session.get(Order, id) or abort(404), NoteForm()
    if not form.validate():
        flash(next(iter(form.text.errors), ""), "bad")
        return redirect(url_for("desk.order", id=id, _anchor="channel"), 303)
    pushes.write_note(order, form.text.data, by=current_staff(), now=clock.now())
    flash(_("The note is on its way to %(channel)s.", channel=order.channel_name), "good")
    return redirect(url_for("desk.order", id=id, _anchor="channel"), 303)


def _find(id: int) -> ChannelPush:
    return session.get(ChannelPush, id) or abort(404)


def _list(form: DropForm | None = None, wrong: int = 0) -> str:
    name, channel = request.args.get("state", "failed"), request.args.get("channel", "")[:100]
    if name not in pushes.LISTS:
        abort(404)
    return render_template(
        "desk/pushes/list.html",
        name=name, channel=channel, channels=pushes.channels(), called=called,
        page=pushes.page_of(name, channel, request.args.get("page", "")), counts=pushes.counts(),
        failed=pushes.failed_by_channel(), form=form or DropForm(formdata=None), wrong=wrong,
        pushes=pushes,
    )  # fmt: skip
