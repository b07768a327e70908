"""The shop's own short form: made, put otherwise, asked on an occasion, and no more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from portal.config import LANGUAGES
from portal.db import session
from portal.feedback.built_in import BUILT_IN, ELEVEN, FIVE, SEVEN
from portal.feedback.questions import (
    TO_BE_SAID,
    QuestionVersion,
    SurveyOccasion,
    SurveyQuestion,
    add_version,
    current,
    last_version,
)
from portal.lib.errors import Refused
from portal.staff.models import Staff

SCALES = {"five": FIVE, "seven": SEVEN, "eleven": ELEVEN}
TEXTS: Mapping[str, Any] = {
    "ask": _l("Question"),
    "lead": _l("A sentence below it"),
    "low": _l("At the low end of the scale"),
    "high": _l("At the high end of the scale"),
    "bad": _l("Asked next after a bad score"),
    "middle": _l("Asked next after a score in between"),
    "good": _l("Asked next after a good score"),
    "words": _l("Asked before a score is chosen, and where nothing stands above"),
    "choice": _l("Question with answers to choose from"),
}
MOST_CHOICES = 8


def make_form(name: str, scale: str, texts: Mapping[str, Any], *, by: Staff, now: datetime) -> QuestionVersion:
    """A question of the shop's own, put in the shop's language first."""
    language = current_app.config["SETTINGS"].shop_language
    _refuse_unusable(texts, {}, language)
    question = SurveyQuestion(code=f"form-{uuid4().hex[:8]}", kind="form", name=name)
    session.add(question)
    session.flush()
    return add_version(question.id, SCALES[scale], {language: _plain(texts)}, by=by, now=now)


def put_otherwise(
    code: str, language: str, texts: Mapping[str, Any], *, seen: int, by: Staff, now: datetime
) -> QuestionVersion:
    """The form's next version, with these texts in this language. `seen` is the version that `by` has looked at.

    What was asked already stays as it was. New answers to choose from, in the shop's language, need new translations:
    the old ones are left out.
    """
    last = last_version(code)
    if last is None or last.kind != "form" or last.question.retired_at:
        raise Refused(_("This form is asked no more."))
    if last.number != seen:
        raise Refused(_("Somebody changed this form a moment ago. Look at it again; your words are still below."))
    _refuse_unusable(texts, last.texts, language)
    said = {**last.texts, language: _plain(texts)}
    first = current_app.config["SETTINGS"].shop_language
    if language == first and said[first].get("choices") != last.texts.get(first, {}).get("choices"):
        said = {each: {**told, "choices": told["choices"] if each == first else []} for each, told in said.items()}
    return add_version(last.question_id, _scale(last), said, by=by, now=now)


def _scale(version: QuestionVersion) -> Any:
    return next(scale for scale in SCALES.values() if scale.high == version.high)


def _plain(texts: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: texts.get(name) or "" for name in TEXTS}, "choices": list(texts.get("choices") or ())}


def _refuse_unusable(texts: Mapping[str, Any], before: Mapping[str, Any], language: str) -> None:
    """In the shop's language all must be there that an answer needs; a translation may wait, or not fit."""
    first, choices = current_app.config["SETTINGS"].shop_language, texts.get("choices") or ()
    if language == first and not all(texts.get(name) for name in TO_BE_SAID):
        raise Refused(_("Write the question and both ends of its scale."))
    if len(choices) > MOST_CHOICES:
        raise Refused(_("At most %(max)s answers to choose from.", max=MOST_CHOICES))
    if language == first and len(choices) == 1:
        raise Refused(_("One answer is no choice: write at least two, or none."))
    there = len(before.get(first, {}).get("choices") or ())
    if language != first and choices and len(choices) != there:
        raise Refused(_("There are %(num)s answers to choose from: translate each, in the same order.", num=there))


def missing(version: QuestionVersion) -> Mapping[str, Sequence[str]]:
    """By language, the names of the texts that are shown in another one instead."""
    first = version.texts.get(current_app.config["SETTINGS"].shop_language) or next(iter(version.texts.values()))
    there = [name for name in (*TEXTS, "choices") if first.get(name)]
    return {each: [name for name in there if not version.texts.get(each, {}).get(name)] for each in LANGUAGES}


def retire(code: str, *, now: datetime) -> None:
    """Ask it no more: who was asked may still answer. Occasions go back to the question of satisfaction."""
    found = select(SurveyQuestion).where(SurveyQuestion.code == code, SurveyQuestion.kind == "form")
    question = session.scalar(found.with_for_update())
    if question is None or question.retired_at:
        raise Refused(_("This form is asked no more."))
    question.retired_at = now
    session.execute(delete(SurveyOccasion).where(SurveyOccasion.question_id == question.id))


def choose_question(reason: str, code: str, *, now: datetime) -> None:
    """From now on this question goes with this reason. Who was asked already keeps theirs."""
    version = current(code, now=now) if code in BUILT_IN else last_version(code)
    if version is None or version.question.retired_at:
        raise Refused(_("This form is asked no more."))
    new = insert(SurveyOccasion).values(reason=reason, question_id=version.question_id)
    session.execute(new.on_conflict_do_update(index_elements=["reason"], set_={"question_id": version.question_id}))
