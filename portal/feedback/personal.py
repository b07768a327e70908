"""What customers told us, and what we answered. That somebody wants no questions outlives the rest, as a hash."""

from typing import Any

from sqlalchemy import Select, select

from portal.db.personal import Ids, Kept
from portal.feedback.case_models import Case, CaseMessage
from portal.feedback.grounds import SurveyConsent
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation


def _invitations(ids: Ids) -> Select[Any]:
    return select(SurveyInvitation.id).where(SurveyInvitation.order_id.in_(ids))


def _answers(ids: Ids) -> Select[Any]:
    return select(Answer.id).where(Answer.invitation_id.in_(_invitations(ids)))


KEPT = (
    Kept(
        SurveyInvitation,
        lambda ids: SurveyInvitation.order_id.in_(ids),
        shown=("state", "sent_at"),
        stays=("state", "suppressed_because", "reason", "ground"),
    ),
    Kept(SurveyConsent, lambda ids: SurveyConsent.order_id.in_(ids), shown=("words", "given_at"), gone=True),
    Kept(
        Answer,
        lambda ids: Answer.invitation_id.in_(_invitations(ids)),
        shown=("question", "score", "choice", "words", "answered_at"),
        taken={"words": ""},
        stays=("question", "kind", "mood"),
    ),
    Kept(
        AnswerStars,
        lambda ids: AnswerStars.answer_id.in_(_answers(ids)),
        shown=("title", "stars"),
        stays=("sku", "title"),
    ),
    Kept(Case, lambda ids: Case.order_id.in_(ids), shown=("state", "opened_at", "solved_at"), stays=("state",)),
    Kept(
        CaseMessage,
        lambda ids: CaseMessage.case_id.in_(select(Case.id).where(Case.order_id.in_(ids))),
        shown=("at", "words"),
        taken={"words": ""},
    ),
)
