"""The question about an order as its customer meets it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from portal.db import session
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, SurveyInvitation


@dataclass(frozen=True, slots=True)
class Ask:
    """The question as the customer meets it: `open` to be answered, `answered`, or over."""

    state: str
    score: int | None
    words: str
    closes_at: datetime | None
    case_id: int | None
    provisional: bool
    is_open: bool


def survey_for(order_id: int, *, now: datetime) -> Ask | None:
    """What is asked about this order; None when nobody was to be asked."""
    columns = (
        SurveyInvitation.state,
        Answer.score,
        Answer.words,
        SurveyInvitation.closes_at,
        Case.id,
        Answer.provisional,
    )
    found = select(*columns).outerjoin(Answer, Answer.invitation_id == SurveyInvitation.id)
    row = session.execute(
        found.outerjoin(Case, Case.answer_id == Answer.id).where(SurveyInvitation.order_id == order_id)
    ).first()
    if row is None or row.state == "suppressed":
        return None
    is_open = row.state != "expired" and (row.closes_at is None or now < row.closes_at)
    return Ask(row.state, row.score, row.words or "", row.closes_at, row.id, bool(row.provisional), is_open)
