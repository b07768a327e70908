"""What customers told us, and what we answered. That somebody wants no questions outlives the rest, as a hash.

When their words are gone, they are counted anew (`rollups.forget_words_of`).
"""

from typing import Any

from sqlalchemy import Select, func, select

from portal.db.personal import Ids, Kept
from portal.feedback.case_models import Case, CaseAttachment, CaseMessage
from portal.feedback.grounds import SurveyConsent
from portal.feedback.mail_reading import SOURCE
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation
from portal.feedback.tallies import Counted
from portal.inbox.models import InboxMessage


def _invitations(ids: Ids) -> Select[Any]:
    return select(SurveyInvitation.id).where(SurveyInvitation.order_id.in_(ids))


def _answers(ids: Ids) -> Select[Any]:
    return select(Answer.id).where(Answer.invitation_id.in_(_invitations(ids)))


def _cases(ids: Ids) -> Select[Any]:
    return select(Case.id).where(Case.order_id.in_(ids))


def _topics(ids: Ids) -> Select[Any]:
    return select(func.concat("case:", Case.id)).where(Case.order_id.in_(ids))


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
    Kept(
        Counted,
        lambda ids: Counted.order_id.in_(ids),
        stays=("promise", "back", "courier", "country", "channel", "language", "products", "marks", "stems", "search"),
    ),
    Kept(
        Case,
        lambda ids: Case.order_id.in_(ids),
        shown=("state", "opened_at", "solved_at"),
        stays=("state", "opened_for", "department"),
    ),
    Kept(
        CaseMessage,
        lambda ids: CaseMessage.case_id.in_(_cases(ids)),
        shown=("at", "words", "from_address"),
        taken={"words": "", "quoted": "", "from_address": "", "mail_id": ""},
        stays=("via", "done"),
    ),
    Kept(
        CaseAttachment,
        lambda ids: CaseAttachment.message_id.in_(select(CaseMessage.id).where(CaseMessage.case_id.in_(_cases(ids)))),
        shown=("name", "kind", "size"),
        gone=True,
    ),
    Kept(
        InboxMessage,
        lambda ids: (InboxMessage.source == SOURCE) & InboxMessage.topic.in_(_topics(ids)),
        gone=True,
    ),
)
