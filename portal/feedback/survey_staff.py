"""The desk's door to surveys: when we ask, whom we may ask, and whom we did not ask."""

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import asking_lists, grounds, timing
from portal.feedback.rules import NOT_ASKED, REASON_WORDS
from portal.feedback.survey_forms import GroundForm, TermsForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_surveys", __name__, url_prefix="/desk/surveys")


@bp.get("")
@requires("surveys.set")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/terms")
@requires("surveys.set")
def set_terms() -> ResponseReturnValue:
    form = TermsForm()
    if not form.validate():
        return _page(terms_form=form), 422
    timing.set_terms(
        after_days=form.after_days.data or 1,
        hour=form.hour.data or 9,
        working_days=form.working_days.data,
        remind_days=form.remind_days.data or 0,
        quiet_days=form.quiet_days.data or 1,
        silence_days=form.silence_days.data or 3,
        anonymous=form.anonymous.data,
    )
    flash(_("Saved. It holds for questions that are arranged from now on."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/grounds")
@requires("surveys.set")
def set_ground() -> ResponseReturnValue:
    form = GroundForm().offer()
    if not form.validate():
        return _page(ground_form=form), 422
    chosen = (form.country.data, form.ground.data, form.proof.data or "")
    try:
        grounds.choose_ground(*chosen, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.proof.errors = [refused.message]
        return _page(ground_form=form), 409
    flash(_("Noted, with your name and the time. It holds at once."), "good")
    return redirect(url_for(".index"), 303)


def _page(terms_form: TermsForm | None = None, ground_form: GroundForm | None = None) -> str:
    held, now, settings = timing.terms(), clock.now(), current_app.config["SETTINGS"]
    shown = {"after_days": max(1, held.after.days), "hour": held.hour, "working_days": held.working_days}
    shown |= {
        "remind_days": held.remind_days,
        "quiet_days": held.quiet_days,
        "silence_days": held.silence_days,
        "anonymous": held.anonymous,
    }
    return render_template(
        "desk/feedback/surveys.html",
        terms_form=terms_form or TermsForm(formdata=None, data=shown),
        ground_form=ground_form or GroundForm(formdata=None, country=settings.shop_country).offer(),
        chosen=grounds.all_grounds(),
        off=settings.survey_countries_off,
        words=grounds.GROUNDS,
        asked=asking_lists.counted(now=now),
        not_asked=asking_lists.not_asked(now=now),
        why=NOT_ASKED,
        reasons=REASON_WORDS,
    )
