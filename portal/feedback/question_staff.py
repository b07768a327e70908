"""The desk's door to what we ask: the questions, the shop's own forms, and how customers would see them."""

from typing import Any

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _

from portal.config import LANGUAGES
from portal.db import session
from portal.feedback import own_forms, preview, questions, reviews
from portal.feedback.question_forms import NAMES, NewForm, OccasionsForm, RetirementForm, ReviewForm, TextsForm
from portal.feedback.questions import QuestionVersion
from portal.feedback.rules import REASONS
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.guards import requires
from portal.staff.guards import current_staff

bp = Blueprint("desk_questions", __name__, url_prefix="/desk/surveys/questions")
FRAMED = (
    "default-src 'none'; style-src {style}; img-src 'self' data:; form-action 'none'; frame-ancestors 'self'; "
    "base-uri 'none'; sandbox allow-same-origin"
)
"""What a preview may do in its frame: nothing but look like itself."""


@bp.get("")
@requires("surveys.set")
def index() -> ResponseReturnValue:
    return _index()


def _index(occasions_form: OccasionsForm | None = None, review_form: ReviewForm | None = None) -> str:
    own, held = questions.own_forms(), questions.occasions()
    chosen = {reason: held.get(reason, "csat") for reason in REASONS}
    names = {form.code: form.name for form in own}
    last = reviews.last_choice()
    offered = {"address": last.address, "checked": last.checked} if last else {}
    return render_template(
        "desk/feedback/questions.html",
        names=NAMES,
        own=own,
        missing={form.code: own_forms.missing(form.versions[-1]) for form in own},
        occasions_form=occasions_form or OccasionsForm(formdata=None, **chosen).offer(names),
        review_form=review_form or ReviewForm(formdata=None, **offered),
        review=last,
        sites=current_app.config["SETTINGS"].review_sites,
    )


@bp.post("/occasions")
@requires("surveys.set")
def set_occasions() -> ResponseReturnValue:
    own = {form.code: form.name for form in questions.own_forms()}
    form = OccasionsForm().offer(own)
    if not form.validate():
        return _index(occasions_form=form), 422
    for reason, field in form.chosen().items():
        own_forms.choose_question(reason, field.data, now=clock.now())
    flash(_("Saved. Who was asked already keeps their question."), "good")
    return redirect(url_for(".index"), 303)


@bp.post("/reviews")
@requires("surveys.set")
def offer_reviews() -> ResponseReturnValue:
    form = ReviewForm()
    if not form.validate():
        return _index(review_form=form), 422
    try:
        reviews.offer(form.address.data or "", form.checked.data, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.address.errors = [refused.message]
        return _index(review_form=form), 409
    flash(
        _("Saved. Everybody who answers sees it.") if form.address.data else _("Saved. Nobody is asked for a review."),
        "good",
    )
    return redirect(url_for(".index"), 303)


@bp.get("/new")
@requires("surveys.set")
def new() -> ResponseReturnValue:
    return render_template("desk/feedback/question_new.html", form=NewForm(formdata=None))


@bp.post("")
@requires("surveys.set")
def make() -> ResponseReturnValue:
    form = NewForm()
    if not form.validate():
        return render_template("desk/feedback/question_new.html", form=form), 422
    try:
        made = own_forms.make_form(form.name.data, form.scale.data, form.texts(), by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        form.form_errors.append(refused.message)
        return render_template("desk/feedback/question_new.html", form=form), 409
    flash(_("Saved. Look at it in each language, then choose when it is asked."), "good")
    return redirect(url_for(".show", question=made.question.code), 303)


@bp.get("/<question>")
@requires("surveys.set")
def show(question: str) -> ResponseReturnValue:
    return _show(_version(question), None)


def _version(code: str) -> QuestionVersion:
    """As it is put now, or as it once was (`?version=3`)."""
    wanted = request.args.get("version", type=int)
    if wanted is None:
        return questions.as_put_now(code, now=clock.now()) or abort(404)
    return next((each for each in questions.versions_of(code) if each.number == wanted), None) or abort(404)


def _language() -> str:
    language = request.args.get("language") or current_app.config["SETTINGS"].shop_language
    return language if language in LANGUAGES else abort(404)


def _show(version: QuestionVersion, form: TextsForm | None) -> str:
    language, code = _language(), version.question.code
    with force_locale(language):
        subject = preview.letter(version, language, "delivered").subject
    return render_template(
        "desk/feedback/question.html",
        version=version,
        name=version.question.name or NAMES[code],
        language=language,
        languages=LANGUAGES,
        subject=subject,
        said=version.said(language),
        missing=own_forms.missing(version),
        texts=own_forms.TEXTS,
        versions=questions.versions_of(code),
        form=form or _texts_form(version, language),
    )


def _texts_form(version: QuestionVersion, language: str) -> TextsForm:
    said: dict[str, Any] = dict(version.texts.get(language, {}))
    said["choices"] = "\n".join(said.get("choices") or ())
    return TextsForm(formdata=None, **said, seen=version.number)


@bp.post("/<question>/versions")
@requires("surveys.set")
def put_otherwise(question: str) -> ResponseReturnValue:
    form, language, version = TextsForm(), _language(), _version(question)
    if not form.validate():
        return _show(version, form), 422
    seen = form.seen.data or 0
    try:
        own_forms.put_otherwise(question, language, form.texts(), seen=seen, by=current_staff(), now=clock.now())
    except Refused as refused:
        session.rollback()
        version = _version(question)
        form.seen.data, form.seen.raw_data = version.number, None
        form.form_errors.append(refused.message)
        return _show(version, form), 409
    flash(_("Saved as a new version. Who was asked already answers the old one."), "good")
    return redirect(url_for(".show", question=question, language=language), 303)


@bp.post("/<question>/retirement")
@requires("surveys.set")
def retire(question: str) -> ResponseReturnValue:
    if not RetirementForm().validate():
        abort(400)
    own_forms.retire(_version(question).question.code, now=clock.now())
    flash(_("It is asked no more. Its answers stay."), "good")
    return redirect(url_for(".index"), 303)


@bp.get("/<question>/letter")
@requires("surveys.set")
def letter(question: str) -> ResponseReturnValue:
    """The letter as it would look, for a frame without rights."""
    made = preview.letter(_version(question), _language(), request.args.get("reason", "delivered"))
    return Response(made.html, headers={"Content-Security-Policy": FRAMED.format(style="'unsafe-inline'")})


@bp.get("/<question>/form")
@requires("surveys.set")
def form(question: str) -> ResponseReturnValue:
    """The form as it would look after a tap, for a frame without rights."""
    version, language = _version(question), _language()
    with force_locale(language):
        ask = preview.ask(version, language)
        page = render_template(
            "feedback/survey.html",
            ref="preview",
            ask=ask,
            form=preview.form(ask, request.args.get("v", "")),
            asking=True,
            consent=None,
            review=None,
        )
    return Response(page, headers={"Content-Security-Policy": FRAMED.format(style="'self'")})
