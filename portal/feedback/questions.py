"""What we ask. A question has versions, and an answer keeps the one that it answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.config import LANGUAGES
from portal.db import Base, session
from portal.feedback import built_in
from portal.feedback.built_in import BUILT_IN, Scale
from portal.staff.models import Staff

KINDS = ("csat", "nps", "ces", "stars", "form")
"""Satisfaction, recommendation, effort, stars for each article, and the shop's own short form."""
MOODS = ("bad", "middle", "good")
TO_BE_SAID = ("ask", "low", "high")
"""Without these texts nobody can answer."""


class SurveyQuestion(Base):
    """Something that can be asked. `code` is the kind of what the portal brings along, a number's name otherwise."""

    __tablename__ = "survey_questions"
    __table_args__ = (CheckConstraint(f"kind IN {KINDS}", name="kind"),)
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    retired_at: Mapped[datetime | None]
    versions: Mapped[list["QuestionVersion"]] = relationship(
        order_by="QuestionVersion.number", back_populates="question"
    )


class QuestionVersion(Base):
    """How a question is put from one moment on. Rows are only added: answers show the question that they answered."""

    __tablename__ = "survey_question_versions"
    __table_args__ = (
        UniqueConstraint("question_id", "number"),
        CheckConstraint("low < high AND low >= 0 AND high <= 10", name="scale"),
        CheckConstraint("bad_to >= low AND bad_to < good_from AND good_from <= high", name="moods"),
    )
    question_id: Mapped[int] = mapped_column(ForeignKey("survey_questions.id"))
    number: Mapped[int]
    low: Mapped[int]
    high: Mapped[int]
    bad_to: Mapped[int]
    good_from: Mapped[int]
    texts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_at: Mapped[datetime]
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    question: Mapped[SurveyQuestion] = relationship(back_populates="versions", lazy="joined", innerjoin=True)
    made_by: Mapped[Staff | None] = relationship()

    @property
    def kind(self) -> str:
        return self.question.kind

    @property
    def values(self) -> range:
        """All scores there are."""
        return range(self.low, self.high + 1)

    def mood(self, score: int) -> str:
        """How somebody feels who gives this score: bad, middle or good, whatever the scale."""
        return "bad" if score <= self.bad_to else "good" if score >= self.good_from else "middle"

    def said(self, locale: str) -> "Said":
        """The question in this language; what is missing there, in the shop's, else in any."""
        return told(self.texts, locale, (self.low, self.high))


@dataclass(frozen=True, slots=True)
class Said:
    """A question as one reader reads it. `labels` name each score, or only the ends."""

    ask: str
    lead: str
    low: str
    high: str
    labels: tuple[str, ...]
    words: str
    bad: str
    middle: str
    good: str
    choice: str
    choices: tuple[str, ...]

    @property
    def asks_on(self) -> bool:
        """Whether there is something to be answered in words."""
        return any((self.words, self.bad, self.middle, self.good))

    def after(self, mood: str) -> str:
        """What is asked next of somebody who feels like that, to be answered in words."""
        return {"bad": self.bad, "middle": self.middle, "good": self.good}.get(mood, "") or self.words


def told(texts: Mapping[str, Any], locale: str, ends: tuple[int, int]) -> Said:
    """What a version's texts say in this language."""
    order = languages(texts, locale)
    one = {name: _first(texts, order, name) for name in Said.__slots__ if name not in ("labels", "choices")}
    labels = tuple(_first(texts, order, "labels") or ())
    steps = ends[1] - ends[0] + 1
    if len(labels) != steps:
        labels = (one["low"], *[""] * (steps - 2), one["high"])
    return Said(**one, labels=labels, choices=_choices(texts, order))


def languages(texts: Mapping[str, Any], locale: str) -> list[str]:
    """Those in which something is said, in the order in which a reader of this one is told."""
    wanted = (locale[:2], current_app.config["SETTINGS"].shop_language, "en", *LANGUAGES)
    return [language for language in dict.fromkeys(wanted) if language in texts]


def _first(texts: Mapping[str, Any], order: Sequence[str], name: str) -> Any:
    return next((texts[language][name] for language in order if texts[language].get(name)), "")


def _choices(texts: Mapping[str, Any], order: Sequence[str]) -> tuple[str, ...]:
    """As many as the shop's own language has, each in the first language that knows it."""
    lists = [texts[language].get("choices") or [] for language in order]
    many = len(_first(texts, languages(texts, ""), "choices"))
    return tuple(next((each[n] for each in lists if len(each) > n and each[n]), "") for n in range(many))


class SurveyOccasion(Base):
    """Which question goes with which reason to ask; without a row it is the one of satisfaction."""

    __tablename__ = "survey_occasions"
    __table_args__ = (CheckConstraint("reason IN ('delivered', 'return_settled', 'case_closed')", name="reason"),)
    reason: Mapped[str] = mapped_column(unique=True)
    question_id: Mapped[int] = mapped_column(ForeignKey("survey_questions.id"))
    question: Mapped[SurveyQuestion] = relationship()


def to_be_asked(reason: str, *, now: datetime) -> QuestionVersion:
    """The question for this reason, as it is put now."""
    chosen = select(SurveyQuestion).join(SurveyOccasion).where(SurveyOccasion.reason == reason)
    question = session.scalar(chosen.where(SurveyQuestion.retired_at.is_(None)))
    return current(question.code if question else "csat", now=now)


def current(code: str, *, now: datetime) -> QuestionVersion:
    """This question's last version. When the portal has learnt to put its own otherwise, that makes a new one."""
    last = last_version(code)
    if code not in BUILT_IN:
        if last is None:
            raise LookupError(f"there is no question {code}")
        return last
    if last is not None and last.texts == built_in.texts(code):
        return last
    question_id = _found(code)
    return add_version(question_id, BUILT_IN[code], built_in.texts(code), now=now)


def last_version(code: str) -> QuestionVersion | None:
    found = select(QuestionVersion).join(QuestionVersion.question).where(SurveyQuestion.code == code)
    return session.scalar(found.order_by(QuestionVersion.number.desc()).limit(1))


def _found(code: str) -> int:
    new = insert(SurveyQuestion).values(code=code, kind=code, name="")
    session.execute(new.on_conflict_do_nothing(index_elements=["code"]))
    return session.scalars(select(SurveyQuestion.id).where(SurveyQuestion.code == code)).one()


def add_version(
    question_id: int, scale: Scale, texts: Mapping[str, Any], *, now: datetime, by: Staff | None = None
) -> QuestionVersion:
    """Put it so from now on; what was asked before stays as it was. Two at once wait for each other."""
    session.get_one(SurveyQuestion, question_id, with_for_update=True, populate_existing=True)
    found = select(QuestionVersion).where(QuestionVersion.question_id == question_id)
    last = session.scalar(found.order_by(QuestionVersion.number.desc()).limit(1))
    if last is not None and last.texts == texts and last.high == scale.high:
        return last
    ends = {"low": scale.low, "high": scale.high, "bad_to": scale.bad_to, "good_from": scale.good_from}
    number = last.number + 1 if last else 1
    made = {"made_at": now, "made_by_id": by and by.id}
    version = QuestionVersion(question_id=question_id, number=number, texts=dict(texts), **ends, **made)
    session.add(version)
    session.flush()
    return version


def as_put_now(code: str, *, now: datetime) -> QuestionVersion | None:
    """How this question would be put now, to look at: a version of the portal's own that nobody was asked yet is not
    kept. None for a question that there is not.
    """
    last = last_version(code)
    if code not in BUILT_IN or (last is not None and last.texts == built_in.texts(code)):
        return last
    scale = BUILT_IN[code]
    ends = {"low": scale.low, "high": scale.high, "bad_to": scale.bad_to, "good_from": scale.good_from}
    number = last.number + 1 if last else 1
    question = SurveyQuestion(code=code, kind=code, name="")
    return QuestionVersion(question=question, number=number, texts=built_in.texts(code), made_at=now, **ends)


def own_forms() -> Sequence[SurveyQuestion]:
    """The shop's own, the newest first, without those that are asked no more."""
    found = select(SurveyQuestion).where(SurveyQuestion.kind == "form", SurveyQuestion.retired_at.is_(None))
    return session.scalars(found.order_by(SurveyQuestion.id.desc())).all()


def versions_of(code: str) -> Sequence[QuestionVersion]:
    """All that were made, the last first."""
    found = select(QuestionVersion).join(QuestionVersion.question).where(SurveyQuestion.code == code)
    return session.scalars(
        found.order_by(QuestionVersion.number.desc()).options(joinedload(QuestionVersion.made_by))
    ).all()


def occasions() -> Mapping[str, str]:
    """The code of the question that goes with each reason, where the shop has chosen one that is still asked."""
    found = select(SurveyOccasion.reason, SurveyQuestion.code).join(SurveyOccasion.question)
    rows = session.execute(found.where(SurveyQuestion.retired_at.is_(None)))
    return {row.reason: row.code for row in rows}
