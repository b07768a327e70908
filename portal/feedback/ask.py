"""The question about an order as its customer meets it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import contains_eager

from portal.db import session
from portal.feedback import articles
from portal.feedback.articles import Article
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, SurveyInvitation
from portal.feedback.questions import QuestionVersion, Said, SurveyQuestion, told
from portal.orders.models import Order

SCALE = (QuestionVersion.low, QuestionVersion.high, QuestionVersion.bad_to, QuestionVersion.good_from)


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, in the customer's words, and what they said: `open` to be answered, `answered`, or over."""

    version: QuestionVersion
    said: Said
    state: str
    anonymous: bool
    score: int | None
    words: str
    choice: int | None
    stars: Mapping[int, int]
    articles: Sequence[Article]
    closes_at: datetime | None
    case_id: int | None
    provisional: bool
    is_open: bool

    @property
    def kind(self) -> str:
        return self.version.kind

    @property
    def answered(self) -> bool:
        """Whether somebody answered, a machine perhaps."""
        return self.score is not None or self.given_unnamed

    @property
    def mood(self) -> str:
        return "" if self.score is None else self.version.mood(self.score)

    @property
    def given_unnamed(self) -> bool:
        """Whether it was answered, and the answer knows no order any more."""
        return self.anonymous and self.state == "answered"

    @property
    def asks_next(self) -> bool:
        """Whether who sent the score alone is asked for words: the question that goes with that score."""
        said_nothing = self.score is not None and not self.words and not self.provisional
        return said_nothing and self.is_open and bool(self.said.after(self.mood))


def survey_for(order_id: int, *, now: datetime) -> Ask | None:
    """What is asked about this order; None when nobody was to be asked. One statement; two more for stars."""
    found = select(SurveyInvitation, Case.id, _texts()).join(SurveyInvitation.order).join(SurveyInvitation.version)
    found = found.join(QuestionVersion.question).outerjoin(SurveyInvitation.answer)
    found = found.outerjoin(Case, Case.answer_id == Answer.id).where(SurveyInvitation.order_id == order_id)
    version = contains_eager(SurveyInvitation.version)
    loads = (contains_eager(SurveyInvitation.answer), contains_eager(SurveyInvitation.order))
    put = (version.load_only(*SCALE), version.contains_eager(QuestionVersion.question))
    row = session.execute(found.options(*loads, *put)).first()
    if row is None or row[0].state == "suppressed":
        return None
    return _met(row[0], row[1], row[2], now)


def _texts() -> ColumnElement[Any]:
    """Of the portal's own questions, which are whole in every language, only the reader's; of a shop's form all."""
    language = func.substr(Order.locale, 1, 2)
    known = QuestionVersion.texts.op("->")(language)
    only = func.jsonb_build_object(language, known, type_=JSONB)
    return case((and_(SurveyQuestion.kind != "form", known.is_not(None)), only), else_=QuestionVersion.texts)


def _met(invitation: SurveyInvitation, case_id: int | None, texts: Mapping[str, Any], now: datetime) -> Ask:
    answer, version = invitation.answer, invitation.version
    in_stars = version.kind == "stars"
    closes_at = invitation.closes_at
    return Ask(
        version=version,
        said=told(texts, invitation.order.locale, (version.low, version.high)),
        state=invitation.state,
        anonymous=invitation.anonymous,
        score=answer.score if answer else None,
        words=answer.words if answer else "",
        choice=answer.choice if answer else None,
        stars={row.order_line_id or 0: row.stars for row in answer.stars} if answer and in_stars else {},
        articles=articles.kept(invitation.order_id) if in_stars else (),
        closes_at=closes_at,
        case_id=case_id,
        provisional=bool(answer and answer.provisional),
        is_open=invitation.state != "expired" and (closes_at is None or now < closes_at),
    )
