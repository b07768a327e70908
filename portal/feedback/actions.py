"""Keep the answer, and leave off when asked to."""

from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from portal.db import limits, move, session
from portal.feedback import models
from portal.feedback.cases import follow_answer
from portal.feedback.machines import DOUBTS
from portal.feedback.models import Answer, SurveyInvitation, SurveyObjection
from portal.feedback.rules import SURVEY_LASTS
from portal.lib.errors import Refused
from portal.orders.models import Customer
from portal.orders.timeline import record, words

CHANGES_PER_HOUR = 20

words("survey.answered", staff=_l("Answered: %(score)s of 5"), customer=_l("You told us how it was"))
words("survey.changed", staff=_l("Changed the answer from %(before)s to %(score)s of 5"))
words("survey.objected", staff=_l("Does not want to be asked how it was"))
for why, told in DOUBTS.items():
    words(f"survey.doubted.{why}", staff=told)


def give_answer(order_id: int, score: int, said: str, *, now: datetime, doubt: str = "") -> Answer:
    """Keep what the customer says: the last answer before closing counts. A bad one opens a case, once.

    With a `doubt` whether it was a person the answer is provisional: it takes no person's place and opens nothing.
    """
    invitation = _open_question(order_id, now)
    answer = invitation.answer or Answer(invitation_id=invitation.id, question=invitation.question)
    before = (None, None) if answer.id is None or answer.provisional else (answer.score, answer.words)
    if before == (score, said) or (doubt and answer.id):
        return answer
    if not limits.take("answers", str(order_id), CHANGES_PER_HOUR, timedelta(hours=1), now):
        raise Refused(_("That is a lot at once. Please wait a little. Your last answer counts."))
    answer.score, answer.words, answer.answered_at, answer.provisional = score, said, now, bool(doubt)
    session.add(answer)
    if doubt:
        record(order_id, f"survey.doubted.{doubt}", by="customer", now=now, score=score)
        return answer
    move(invitation, "state", "answer", closes_at=invitation.closes_at or now + SURVEY_LASTS)
    _note_answer(order_id, before[0], score, now)
    follow_answer(answer, order_id, before, now=now)
    return answer


def _open_question(order_id: int, now: datetime) -> SurveyInvitation:
    invitation = models.invitation_of(order_id)
    if invitation is None or invitation.state == "suppressed":
        raise Refused(_("There is no question about this order."))
    if invitation.state == "expired" or (invitation.closes_at and now >= invitation.closes_at):
        raise Refused(_("This question is closed. Your answer was not changed."))
    return invitation


def _note_answer(order_id: int, before: int | None, score: int, now: datetime) -> None:
    if before is None:
        record(order_id, "survey.answered", by="customer", now=now, score=score)
    elif before != score:
        record(order_id, "survey.changed", by="customer", now=now, before=before, score=score)


def object_to_surveys(customer_id: int, order_id: int, *, now: datetime) -> None:
    """Never ask this customer again."""
    email = session.get_one(Customer, customer_id).email
    if not email:
        return
    new = insert(SurveyObjection).values(digest=models.objection_digest(email), objected_at=now)
    if session.scalar(new.on_conflict_do_nothing(index_elements=["digest"]).returning(SurveyObjection.id)):
        record(order_id, "survey.objected", by="customer", now=now)
