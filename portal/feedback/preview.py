"""A question as the customer would see it, in each language, without sending: its letter and its form."""

from typing import Any

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _

from portal.feedback.answer_forms import AnswerForm, answer_form
from portal.feedback.articles import Article
from portal.feedback.ask import Ask
from portal.feedback.putting import put_in
from portal.feedback.questions import QuestionVersion
from portal.mail.rendering import Rendered, render, with_links

NUMBER = "1001"
MARK = "preview"


def letter(version: QuestionVersion, language: str, reason: str) -> Rendered:
    """The letter; its links lead nowhere."""
    held = {"number": NUMBER, "customer_id": 1, "survey_id": 1, "ground": "existing_customer"}
    with force_locale(language):
        article = _article() if version.kind == "stars" else None
    made = render("how-was-it", language, {**held, "put": put_in(version, language, reason, article)}, MARK)
    here, nowhere = current_app.config["SETTINGS"].base_url, "#"
    plain = with_links(made.html, MARK, _nowhere)
    for door in ("l", "unsubscribe"):
        plain = plain.replace(f"{here}/{door}/{MARK}", nowhere)
    return Rendered(made.subject, plain, with_links(made.text, MARK, _nowhere))


def _nowhere(_purpose: str, _subject: int | None) -> str:
    return MARK


def _article() -> Article:
    return Article(1, "", _("An article"), "")


def ask(version: QuestionVersion, language: str) -> Ask:
    """The question as the form asks it. Call it within the language."""
    return Ask(
        version=version,
        said=version.said(language),
        state="sent",
        anonymous=False,
        score=None,
        words="",
        choice=None,
        stars={},
        articles=(_article(),) if version.kind == "stars" else (),
        closes_at=None,
        case_id=None,
        provisional=False,
        is_open=True,
    )


def form(met: Ask, score: str) -> AnswerForm:
    """The form with this score chosen, as after a tap in the letter."""
    chosen = score if score in map(str, met.version.values) else None
    given: dict[str, Any] = {"stars_1": chosen} if met.kind == "stars" else {"score": chosen}
    return answer_form(met, **given)
