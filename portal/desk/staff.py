"""The desk's front page: what waits, one order with all that hangs on it, search, letters."""

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.desk import actions, evidence, kept, letters, models, search, words
from portal.desk.queues import Group, counted
from portal.fulfilment import rules
from portal.fulfilment.models import Parcel
from portal.fulfilment.shorts import ShortPick
from portal.lib import clock, sheets
from portal.lib.days import shop_day
from portal.lib.guards import fresh, requires
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.mail.rendering import with_links
from portal.orders import flags, links
from portal.orders.looks import looked_at
from portal.orders.models import Order
from portal.returns.signals import signals
from portal.staff.guards import current_staff

bp = Blueprint("desk", __name__, url_prefix="/desk")

COUNTED = "portal.queues"
LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; sandbox"


@bp.app_template_global()
def queues() -> list[Group]:
    """The rail's queues, counted once per request though the first page shows them twice."""
    counted_once: dict[str, list[Group]] = request.environ
    if COUNTED not in counted_once:
        counted_once[COUNTED] = counted(current_staff(), request.full_path.rstrip("?"), now=clock.now())
    return counted_once[COUNTED]


@bp.get("/")
@requires("desk.see")
def home() -> ResponseReturnValue:
    today = _today()
    risky = models.at_risk(today) if current_staff().may("orders.see") else []
    return render_template("desk/home/index.html", at_risk=risky, today=today, words=words)


@bp.get("/orders/<int:id>")
@requires("orders.see")
def order(id: int) -> ResponseReturnValue:
    whole = models.find_order(id, current_staff().locale, current_app.config["SETTINGS"])
    if whole is None:
        abort(404)
    looked_at(id, by=current_staff(), now=clock.now())
    return render_template(
        "desk/orders/show.html",
        whole=whole,
        order=whole.order,
        goods=models.lines_of(whole.order),
        signals=signals(whole.order, now=clock.now()),
        today=_today(),
        words=words,
        couriers=rules,
        flags=flags,
        amount=Money,
        dates=whole.dates.told(current_staff().locale) if whole.order.state != "cancelled" else [],
    )


@bp.get("/orders/<int:id>/evidence.pdf", endpoint="evidence")
@requires("orders.prove")
@fresh
def evidence_paper(id: int) -> ResponseReturnValue:
    paper = evidence.as_paper(_evidence(id), current_app.config["SETTINGS"], now=clock.now())
    headers = {"Content-Disposition": f'attachment; filename="order-{id}.pdf"'}
    return Response(paper, mimetype="application/pdf", headers=headers)


@bp.get("/orders/<int:id>/evidence.json", endpoint="evidence_json")
@requires("orders.prove")
@fresh
def evidence_data(id: int) -> ResponseReturnValue:
    headers = {"Content-Disposition": f'attachment; filename="order-{id}.json"'}
    return Response(evidence.as_json(_evidence(id), now=clock.now()), mimetype="application/json", headers=headers)


def _evidence(id: int) -> Mapping[str, evidence.Section]:
    found = session.get(Order, id) or abort(404)
    looked_at(id, by=current_staff(), now=clock.now())
    return evidence.gathered(found, current_staff().locale)


@bp.post("/orders/<int:id>/links/revocation")
@requires("letters.send")
def end_links(id: int) -> ResponseReturnValue:
    """A customer says that somebody else has the link."""
    found = session.get(Order, id) or abort(404)
    links.end_all(found.id, by=current_staff(), now=clock.now())
    flash(_("All links of this order have ended. The customer can ask for a new one."), "good")
    return redirect(url_for(".order", id=id), 303)


@bp.get("/search", endpoint="search")
@requires("orders.see")
def find() -> ResponseReturnValue:
    """A number that is one order's alone opens it at once: the scanner leads straight there."""
    text = request.args.get("q", "")[:200]
    found = search.search(text)
    if len(found) == 1 and found[0].why != "name":
        return redirect(url_for("desk.order", id=found[0].id), 303)
    return render_template(
        "desk/orders/search.html", q=text, found=found, found_by=search.FOUND_BY, words=words, amount=Money
    )


@bp.get("/insight/promise", endpoint="kept")
@requires("insight.see")
def promise_kept() -> ResponseReturnValue:
    """How often we keep what we promise, and who does."""
    return render_template("desk/insight/promise.html", tables=kept.tables(now=clock.now()), kept=kept)


@bp.get("/insight/promise.csv", endpoint="kept_csv")
@requires("insight.see")
def promise_kept_csv() -> ResponseReturnValue:
    return sheets.sent(kept.sheet(kept.tables(now=clock.now())), "promise")


@bp.get("/letters", endpoint="letters")
@requires("letters.see")
def letter_list() -> ResponseReturnValue:
    name, before = request.args.get("state", "all"), request.args.get("before", type=int)
    if name not in letters.LISTS:
        abort(404)
    rows, more = letters.page_of(name, before)
    return render_template("desk/letters/list.html", name=name, rows=rows, more=more, before=before, words=words)


@bp.get("/letters/<int:id>")
@requires("letters.see")
def letter(id: int) -> ResponseReturnValue:
    found = _letter(id)
    return render_template("desk/letters/show.html", letter=found, text=_readable(found, found.text), words=words)


@bp.get("/letters/<int:id>/body")
@requires("letters.see")
def letter_body(id: int) -> ResponseReturnValue:
    """The letter as it looked, for a frame without rights. Its links are not minted here, so they lead nowhere."""
    found = _letter(id)
    return Response(_readable(found, found.html), headers={"Content-Security-Policy": LETTER_POLICY})


@bp.post("/letters/<int:id>/sending")
@requires("letters.send")
def resend(id: int) -> ResponseReturnValue:
    actions.resend_letter(_letter(id), by=current_staff(), now=clock.now())
    flash(_("The letter is on its way once more."), "good")
    return redirect(url_for("desk.letter", id=id), 303)


@bp.post("/parcels/<int:id>/money-back")
@requires("refunds.request")
def give_up_parcel(id: int) -> ResponseReturnValue:
    """A parcel that came back or is lost becomes money."""
    parcel = session.get(Parcel, id) or abort(404)
    fine = bool(request.form.get("fine"))
    refund = actions.give_up_parcel(parcel, goods_are_fine=fine, by=current_staff(), now=clock.now())
    if refund:
        flash(_("%(amount)s proposed. A second person approves it.", amount=money_text(refund.money)), "good")
    else:
        flash(_("This money is with the sales channel. Give it back there."), "warn")
    return redirect(url_for("desk.order", id=parcel.order_id), 303)


@bp.post("/short-picks/<int:id>/cancellation")
@requires("refunds.request")
def cancel_short(id: int) -> ResponseReturnValue:
    """What was not there becomes money."""
    short = session.get(ShortPick, id) or abort(404)
    refund = actions.cancel_short(short, by=current_staff(), now=clock.now())
    if refund:
        flash(_("%(amount)s proposed. A second person approves it.", amount=money_text(refund.money)), "good")
    else:
        flash(_("This money is with the sales channel. Give it back there."), "warn")
    return redirect(url_for("desk_shorts.index"), 303)


def money_text(money: Money) -> str:
    return money.format(current_staff().locale)


def _letter(id: int) -> Letter:
    return session.get(Letter, id) or abort(404)


def _readable(letter: Letter, text: str) -> str:
    """With an ellipsis for each secret that only the customer gets."""
    return with_links(text, letter.mark, lambda _purpose, _subject: "…")


def _today() -> date:
    return shop_day(clock.now())


def _zone() -> ZoneInfo:
    zone: ZoneInfo = current_app.config["SETTINGS"].zone
    return zone
