"""One return's page at the desk, and how every door of it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import raiseload

from portal.db import session
from portal.fulfilment import rules as couriers
from portal.lib import clock
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.models import INSTEAD, Order
from portal.orders.timeline import for_staff
from portal.returns import lists, oddities, settlement, words
from portal.returns.bench_forms import InspectionForm, ScanForm, found_form, inspection_form
from portal.returns.claims_terms import terms_of
from portal.returns.dates import four_dates, money_back_by
from portal.returns.dispatch_forms import BackParcelForm, OwnLabelForm
from portal.returns.easing_forms import EaseForm, ease_form
from portal.returns.exchanges import return_behind
from portal.returns.forms import NoteForm, OfferForm
from portal.returns.goods import Facts, read
from portal.returns.labels_back import papers
from portal.returns.models import Return, whole
from portal.returns.origins import payment_of
from portal.returns.overrides import overrides_of
from portal.returns.policy_heard import heard, verdicts
from portal.returns.shown import shown
from portal.returns.signals import signals


@dataclass(frozen=True, slots=True)
class Stray:
    """What was scanned and is no return's: the order that it is about, if any, with its returns."""

    code: str
    order: Order | None
    returns: Sequence[Return]


def show_list(name: str, stray: Stray | None = None) -> str:
    page = lists.page_of(name, request.args.get("page", ""))
    return render_template(
        "desk/returns/list.html", name=name, page=page, stray=stray, words=words,
        counts=lists.counts(), money_back_by=money_back_by, scan=ScanForm(), today=shop_day(clock.now()),
    )  # fmt: skip


def find(id: int) -> Return:
    return session.scalar(whole(Return.id == id)) or abort(404)


def facts_of(ret: Return) -> Facts:
    return read(ret.order, now=clock.now(), besides=ret.id)


def do(id: int, act: Callable[[Return], object], form: FlaskForm | None = None) -> ResponseReturnValue:
    """Act and show the return again, or the one that came of it: 303 done, 422 with the form, 409 with the reason and
    the return as it is.
    """
    ret = find(id)
    if form is not None and not form.validate():
        return page(ret, form), 422
    try:
        became = act(ret)
    except Refused as refused:
        session.rollback()
        return page(find(id), form, refused.message), 409
    return redirect(url_for("desk_returns.show", id=became.id if isinstance(became, Return) else id), 303)


def page(ret: Return, form: FlaskForm | None = None, refusal: str = "") -> str:
    facts = facts_of(ret)
    settled = settlement.work_out(ret, facts) if ret.settleable else None
    return render_template(
        "desk/returns/show.html", ret=ret, order=ret.order, facts=facts, refusal=refusal, words=words, amount=Money,
        inspection=form if isinstance(form, InspectionForm) else inspection_form(ret, facts, formdata=None),
        note=form if isinstance(form, NoteForm) else NoteForm(formdata=None), found=found_form(ret, formdata=None),
        verdicts=verdicts(ret, facts), heard=heard(ret, facts), overrides=overrides_of(ret),
        behind=return_behind(ret.order) if ret.order.channel == INSTEAD else None,
        others=_others(ret), settled=settled, outcome=settlement.outcome(ret, facts),
        ending=settlement.ending_of(ret, facts) if settled else None, timeline=for_staff(ret.order_id),
        dates=_dates(ret, facts), couriers=couriers, odd=oddities.of_return(ret.id), scan=ScanForm(),
        payment=payment_of(ret.order),
        signals=signals(ret.order, now=clock.now()), pictures=shown(ret),
        ease=form if isinstance(form, EaseForm) else ease_form(ret, formdata=None),
        offer=form if isinstance(form, OfferForm) else OfferForm(formdata=None),
        back_form=form if isinstance(form, BackParcelForm) else BackParcelForm(formdata=None),
        label_form=form if isinstance(form, OwnLabelForm) else OwnLabelForm(formdata=None), labels=papers(ret),
    )  # fmt: skip


def _others(ret: Return) -> Sequence[Return]:
    """The order's other returns."""
    others = select(Return).where(Return.order_id == ret.order_id, Return.id != ret.id).order_by(Return.id)
    return session.scalars(others.options(raiseload("*"))).all()


def _dates(ret: Return, facts: Facts) -> list[tuple[str, str]]:
    """The four, as the customer reads them."""
    country, settings = ret.order.country, current_app.config["SETTINGS"]
    months = terms_of(country).guarantee_months
    known = four_dates(facts.delivered_at, country, [ret], settings, guarantee=months)
    return known.told(str(get_locale() or "en"))
