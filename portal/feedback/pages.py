"""The customer's door: how was it, is it solved, and please don't ask again."""

from typing import Any

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.db import session
from portal.feedback import actions, cases, grounds, machines, reviews
from portal.feedback.answer_forms import STARS, AnswerForm, answer_form
from portal.feedback.ask import Ask, survey_for
from portal.feedback.case_models import Case, case_picture, find_case
from portal.feedback.forms import MessageForm, VerdictForm
from portal.feedback.models import has_objected
from portal.feedback.survey_forms import ConsentForm
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import opens
from portal.orders import links
from portal.orders.guards import no_link, opened, this_browser
from portal.orders.links import Tier
from portal.orders.models import Link, Order
from portal.pictures.answers import jpeg
from portal.pictures.models import Picture

bp = Blueprint("feedback", __name__)
unsubscribing = Blueprint("unsubscribing", __name__)


@bp.get("/orders/<ref>/survey")
@opens("survey")
def survey(ref: str) -> ResponseReturnValue:
    """The question, or the thanks. `?v=4`, from a mail, only chooses: the button counts."""
    ask = _asked()
    chosen = _chosen(ask)
    given: dict[str, Any] = {f"{STARS}{line}": stars for line, stars in ask.stars.items()}
    given |= {"score": ask.score, "words": ask.words, "choice": ask.choice, **chosen}
    return _survey_page(ref, ask, answer_form(ask, **given), changing=bool(chosen) or ask.provisional)


def _asked() -> Ask:
    ask = survey_for(opened().order_id, now=clock.now())
    if ask is None:
        abort(404)
    return ask


def _chosen(ask: Ask) -> dict[str, str]:
    """What a tap chose: a score of this scale; where articles get stars, those of the one that the link names."""
    score = request.args.get("v", "")
    if score not in map(str, ask.version.values):
        return {}
    if ask.kind != "stars":
        return {"score": score}
    there = [str(article.id) for article in ask.articles]
    article = request.args.get("a") or next(iter([] if ask.stars else there), "")
    return {f"{STARS}{article}": score} if article in there else {"score": score}


def _survey_page(ref: str, ask: Ask, form: AnswerForm, changing: bool) -> str:
    asking = ask.is_open and not ask.given_unnamed and (ask.score is None or changing)
    form.shown.data = machines.stamp(opened().order_id, now=clock.now())
    form.version.data, form.version.raw_data = ask.version.id, None
    thanks = not asking and ask.answered
    return render_template(
        "feedback/survey.html",
        ref=ref,
        ask=ask,
        form=form,
        asking=asking,
        consent=grounds.CONSENT if thanks and _may_ask_for_consent() else None,
        review=reviews.offered() if thanks and not ask.provisional else None,
    )


def _may_ask_for_consent() -> bool:
    order = session.get_one(Order, opened().order_id)
    return grounds.may_be_asked_for_consent(order.id, has_objected(order.customer.email or ""))


@bp.post("/orders/<ref>/survey")
@opens("survey")
def answer(ref: str) -> ResponseReturnValue:
    ask = _asked()
    form = answer_form(ask, request.form)
    if not form.validate():
        return _survey_page(ref, ask, form, changing=True), 422
    here, now = opened().order_id, clock.now()
    signs = machines.signs(here, this_browser(), form.shown.data or "", now=now)
    try:
        actions.answer(here, form.said(), now=now, doubt=machines.doubt(signs))
    except Refused as refused:
        return _refused(ref, form, refused)
    return redirect(url_for(".survey", ref=ref), 303)


def _refused(ref: str, sent: AnswerForm, refused: Refused) -> ResponseReturnValue:
    """The question as it is now, with the words that were typed; a question that is over says so by itself."""
    session.rollback()
    ask = _asked()
    if not ask.is_open or ask.given_unnamed:
        raise refused
    form = answer_form(ask, request.form)
    form.words.data = sent.words.data
    form.form_errors.append(refused.message)
    return _survey_page(ref, ask, form, changing=True), 409


@bp.post("/orders/<ref>/survey/consent")
@opens("survey")
def consent(ref: str) -> ResponseReturnValue:
    """Yes, we may ask by mail after orders to come."""
    form = ConsentForm()
    if not form.validate():
        abort(400)
    grounds.give_consent(opened().order_id, now=clock.now())
    flash(_("Thank you. You can stop it from every such mail."), "good")
    return redirect(url_for(".survey", ref=ref), 303)


@bp.get("/orders/<ref>/cases/<int:id>")
@opens("case", Tier.owns)
def case(ref: str, id: int) -> ResponseReturnValue:
    """`?v=1` or `?v=0`, from a mail, only chooses whether it is solved: a button says it."""
    chosen = {"1": "yes", "0": "no"}.get(request.args.get("v", ""), "")
    return _case_page(ref, _case(id), MessageForm(formdata=None), chosen)


def _case(id: int) -> Case:
    found = find_case(id, opened().order_id)
    if found is None:
        abort(404, "link")
    return found


def _case_page(ref: str, found: Case, form: MessageForm, chosen: str = "") -> str:
    return render_template("feedback/case.html", ref=ref, case=found, form=form, chosen=chosen)


@bp.get("/orders/<ref>/case-pictures/<int:id>")
@opens("case", Tier.owns)
def picture(ref: str, id: int) -> Response:  # noqa: ARG001
    """What the customer sent with a mail, whole."""
    return jpeg(_picture(id))


@bp.get("/orders/<ref>/case-pictures/<int:id>/thumbnail")
@opens("case", Tier.owns)
def thumbnail(ref: str, id: int) -> Response:  # noqa: ARG001
    return jpeg(_picture(id), small=True)


def _picture(id: int) -> Picture:
    """One of this order's conversations, that the customer sent."""
    return case_picture(id, opened().order_id) or abort(404)


@bp.post("/orders/<ref>/cases/<int:id>/messages")
@opens("case", Tier.owns)
def message(ref: str, id: int) -> ResponseReturnValue:
    found, form = _case(id), MessageForm()
    if not form.validate():
        return _case_page(ref, found, form), 422
    try:
        cases.write_to_shop(found, form.words.data, now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return _case_page(ref, _case(id), form), 409
    return redirect(url_for(".case", ref=ref, id=id), 303)


@bp.post("/orders/<ref>/cases/<int:id>/verdict")
@opens("case", Tier.owns)
def verdict(ref: str, id: int) -> ResponseReturnValue:
    found, form = _case(id), VerdictForm()
    if not form.validate():
        return _case_page(ref, found, MessageForm(formdata=None)), 422
    say = cases.say_solved if form.solved.data == "yes" else cases.say_not_solved
    say(found, now=clock.now())
    return redirect(url_for(".case", ref=ref, id=id), 303)


@unsubscribing.get("/unsubscribe/<token>")
def confirm(token: str) -> ResponseReturnValue:
    """A person looks, or a machine follows the link: nothing happens before the button is pressed."""
    if _unsubscribe_link(token) is None:
        return no_link()
    return render_template("feedback/unsubscribe.html", done=False)


def _unsubscribe_link(token: str) -> Link | None:
    link = links.find(token, now=clock.now())
    if link is None or link.purpose != "unsubscribe" or link.subject is None:
        return None
    g.locale = session.get_one(Order, link.order_id).locale
    return link


@unsubscribing.post("/unsubscribe/<token>")
def unsubscribe(token: str) -> ResponseReturnValue:
    """The button, and the mail program's one click (RFC 8058), which brings no cookie and wants no redirect."""
    link = _unsubscribe_link(token)
    if link is None:
        return no_link()
    actions.object_to_surveys(int(link.subject or 0), link.order_id, now=clock.now())
    return render_template("feedback/unsubscribe.html", done=True)
