"""The desk's door to couriers' days: closed once, a list to sign, the van, and what was agreed."""

from datetime import datetime

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField, TimeField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from portal.db import session
from portal.fulfilment import closing, drop_off, manifests, rules, vans
from portal.fulfilment.closing import Closing
from portal.fulfilment.closing_paper import hand_over_list
from portal.fulfilment.forms import VanForm
from portal.fulfilment.manifests import Manifest
from portal.fulfilment.rules import COURIERS
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.lib.languages import by_language, one_per_line, understood
from portal.staff.guards import current_staff

bp = Blueprint("desk_couriers", __name__, url_prefix="/desk/couriers")


class TermsForm(FlaskForm):
    """What was agreed with a courier."""

    courier = SelectField(choices=[SelectChoice(one.code, one.name) for one in COURIERS.values() if one.page])
    place = StringField(validators=[InputRequired(), Length(max=100)])
    order_until = TimeField(validators=[InputRequired()])
    opens = TimeField(validators=[InputRequired()])
    closes = TimeField(validators=[InputRequired()])


@bp.get("")
@requires("parcels.see")
def index() -> ResponseReturnValue:
    """Each courier's day, and the last lists."""
    now, lists = clock.now(), closing.latest()
    days = closing.days(now=now)
    return render_template(
        "desk/couriers/index.html",
        days=days,
        lists=lists,
        forms=manifests.of_closings([one.id for one in lists]),
        today=shop_day(now),
        rules=rules,
        vans=vans.coming(now),
        couriers=[one for one in COURIERS.values() if one.page],
        drop_offs=drop_off.rows(),
        told=one_per_line,
        takes=COURIERS.values(),
        sells=bool(current_app.config["SETTINGS"].easypost_api_key),
    )


@bp.post("/closings")
@requires("parcels.ship")
def close() -> ResponseReturnValue:
    """The courier was here: all it took is on one list."""
    made = closing.close_day(request.form.get("courier", "")[:60], by=current_staff(), now=clock.now())
    flash(_("Closed. Print the list and have it signed."), "good")
    return redirect(url_for(".index", _anchor=f"list-{made.id}"), 303)


@bp.get("/closings/<int:id>/list.pdf")
@requires("parcels.see")
def paper(id: int) -> ResponseReturnValue:
    """The list to be signed, as often as it is wanted: it stays the same."""
    made = session.get(Closing, id) or abort(404)
    pdf = hand_over_list(made, closing.parcels_on(made), current_app.config["SETTINGS"])
    disposition = {"Content-Disposition": f'inline; filename="{made.ref}.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=disposition)


@bp.get("/manifests/<int:id>/paper")
@requires("parcels.see")
def form(id: int) -> ResponseReturnValue:
    """The courier's own form, as it came."""
    found = session.get(Manifest, id)
    if found is None or found.paper is None:
        abort(404)
    return Response(found.paper, mimetype=found.paper_kind, headers={"Content-Disposition": "inline"})


@bp.post("/manifests/<int:id>/renewal")
@requires("parcels.ship")
def ask_again(id: int) -> ResponseReturnValue:
    """The courier said no, or nothing, and somebody has seen to it."""
    manifests.ask_again(session.get(Manifest, id) or abort(404), now=clock.now())
    flash(_("The courier is asked again, in a moment."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/vans")
@requires("parcels.ship")
def order_van() -> ResponseReturnValue:
    """The courier is to come between two times of a day."""
    form = VanForm()
    if not form.validate():
        raise Refused(_("Say on which day the van may come, and from when to when."))
    zone = current_app.config["SETTINGS"].zone
    opens, closes = (datetime.combine(form.day.data, at, zone) for at in (form.opens.data, form.closes.data))
    vans.order_van(request.form.get("courier", "")[:60], opens, closes, by=current_staff(), now=clock.now())
    return redirect(url_for(".index"), 303)


@bp.post("/terms")
@requires("promise.set")
def agree() -> ResponseReturnValue:
    """Where the van stops, and until when it is ordered for the same day."""
    form = TermsForm()
    if not form.validate():
        raise Refused(_("Say with whom it was agreed, where the van stops, and all three times."))
    times = (form.order_until.data, form.opens.data, form.closes.data)
    closing.agree(form.courier.data, form.place.data, *times)
    return redirect(url_for(".index"), 303)


@bp.post("/drop-offs")
@requires("promise.set")
def say_where() -> ResponseReturnValue:
    """Where customers hand in what they send back."""
    courier, link, words = (request.form.get(name, "").strip() for name in ("courier", "link", "words"))
    if not understood(words):
        raise Refused(_("Write one language per line, like “en: At every post office.”"))
    drop_off.say(courier, link, by_language(words, drop_off.LONGEST_WORDS))
    flash(_("Saved. Customers see it from now on."), "good")
    return redirect(url_for(".index", _anchor="drop-offs"), 303)
