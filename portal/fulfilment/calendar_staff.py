"""The desk's door to the working calendar: when we work, how long couriers take, and what that promises."""

from datetime import date

from flask import Blueprint, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from portal.db import session
from portal.fulfilment import promises, rules
from portal.fulfilment.calendar_forms import ClosedDayForm, HoursForm, TransitForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.orders import calendar

bp = Blueprint("desk_calendar", __name__, url_prefix="/desk/calendar")

NEIGHBOURS = ("AT", "FR", "GB", "NL", "US")
"""Countries whose promise is shown beside that of the shop's own."""


@bp.get("")
@requires("promise.set")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/hours")
@requires("promise.set")
def set_hours() -> ResponseReturnValue:
    """From now on; promises that were given stay."""
    form = HoursForm().offer()
    if not form.validate():
        return _page(hours=form), 422
    values = (form.country.data, form.region.data or "", form.weekdays.data or [], form.cutoff.data)
    try:
        calendar.set_hours(*values, form.handling_days.data)
    except Refused as refused:
        session.rollback()
        return _page(hours=form, refusal=refused.message), 409
    return redirect(url_for(".index"), 303)


@bp.post("/closed-days")
@requires("promise.set")
def close() -> ResponseReturnValue:
    form = ClosedDayForm()
    if not form.validate():
        return _page(closed=form), 422
    calendar.close_on(form.day.data, (form.why.data or "").strip())
    return redirect(url_for(".index"), 303)


@bp.post("/closed-days/<int:id>/opening")
@requires("promise.set")
def open_again(id: int) -> ResponseReturnValue:
    calendar.open_on(id)
    return redirect(url_for(".index"), 303)


@bp.post("/transit-times")
@requires("promise.set")
def set_transit() -> ResponseReturnValue:
    form = TransitForm().offer()
    if not form.validate():
        return _page(transit=form), 422
    calendar.set_transit(form.courier.data, form.country.data, form.days.data, usual=bool(form.usual.data))
    return redirect(url_for(".index"), 303)


@bp.post("/transit-times/<int:id>/removal")
@requires("promise.set")
def forget_transit(id: int) -> ResponseReturnValue:
    calendar.forget_transit(id)
    return redirect(url_for(".index"), 303)


def _page(
    hours: FlaskForm | None = None, closed: FlaskForm | None = None, transit: FlaskForm | None = None, refusal: str = ""
) -> str:
    terms, now = calendar.terms(), clock.now()
    return render_template(
        "desk/calendar/index.html",
        terms=terms,
        now=now,
        hours=hours or _hours(terms),
        closed=closed or ClosedDayForm(formdata=None),
        transit=transit or TransitForm(formdata=None).offer(),
        closed_days=calendar.closed_days(now.date()),
        transit_times=calendar.transit_times(),
        learnt=promises.lanes(now),
        promised=_preview(terms),
        couriers=rules,
        refusal=refusal,
    )


def _hours(terms: calendar.Terms) -> HoursForm:
    week = terms.calendar
    return HoursForm(
        formdata=None, country=week.country, region=week.region, weekdays=sorted(week.weekdays), cutoff=terms.cutoff,
        handling_days=terms.handling_days,
    ).offer()  # fmt: skip


def _preview(terms: calendar.Terms) -> dict[str, date]:
    """What an order paid this moment is promised for, at home and abroad."""
    home = current_app.config["SETTINGS"].shop_country
    set_for = {country for _courier, country in terms.transit if country}
    shown = [home, *sorted((set_for or set(NEIGHBOURS)) - {home})][:12]
    return {country: calendar.promised_for(clock.now(), country, terms) for country in shown}
