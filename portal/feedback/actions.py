"""Ask once, keep the answer, and leave off when asked to."""

from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import and_
from sqlalchemy.dialects.postgresql import insert

from portal.db import limits, move, session
from portal.feedback import models
from portal.feedback.cases import follow_answer
from portal.feedback.models import Answer, SurveyInvitation, SurveyObjection
from portal.feedback.rules import ASKED_ONCE_IN, LETTER_USEFUL_FOR, QUESTION, SCORES, SURVEY_LASTS, WHY_NOT
from portal.lib.errors import Refused
from portal.orders.letters import write
from portal.orders.models import Customer, Order
from portal.orders.timeline import record, words

CHANGES_PER_HOUR = 20

words("survey.sent", staff=_l("Asked how it was"))
words("survey.answered", staff=_l("Answered: %(score)s of 5"), customer=_l("You told us how it was"))
words("survey.changed", staff=_l("Changed the answer from %(before)s to %(score)s of 5"))
words("survey.objected", staff=_l("Does not want to be asked how it was"))
for reason, told in WHY_NOT.items():
    words(f"survey.not_asked.{reason}", staff=told)


def schedule_survey(order_id: int, *, now: datetime) -> SurveyInvitation | None:
    """Have the customer asked some days after the last parcel arrived; None when that is arranged already.

    A delivery that was scanned by mistake and happens later puts the question off.
    """
    arrived = models.arrived_at(order_id)
    if arrived is None:
        return None
    due_at = max(now, arrived + current_app.config["SETTINGS"].survey_after)
    new = insert(SurveyInvitation).values(order_id=order_id, state="scheduled", question=QUESTION, due_at=due_at)
    later = and_(SurveyInvitation.state == "scheduled", SurveyInvitation.due_at != due_at)
    once = new.on_conflict_do_update(index_elements=["order_id"], set_={"due_at": due_at}, where=later)
    invitation_id = session.scalar(once.returning(SurveyInvitation.id))
    return session.get_one(SurveyInvitation, invitation_id, populate_existing=True) if invitation_id else None


def send_survey(invitation_id: int, *, due: str, now: datetime) -> SurveyInvitation | None:
    """Ask how it was, or note why not; None when nobody was asked. What was put off meanwhile is not `due`."""
    invitation = session.get_one(SurveyInvitation, invitation_id, with_for_update=True)
    order = invitation.order
    if invitation.state != "scheduled" or invitation.due_at.isoformat() != due or not models.arrived_at(order.id):
        return None
    session.get_one(Customer, order.customer_id, with_for_update={"key_share": True})
    if reason := _why_not(order, now):
        move(invitation, "state", "suppress", suppressed_because=reason)
        record(order.id, f"survey.not_asked.{reason}", by="system", now=now)
        return None
    move(invitation, "state", "send", sent_at=now, closes_at=now + SURVEY_LASTS)
    record(order.id, "survey.sent", by="system", now=now)
    _write_how_was_it(invitation, order, now)
    return invitation


def _why_not(order: Order, now: datetime) -> str | None:
    email = order.customer.email
    if not email:
        return "no_address"
    if order.country in current_app.config["SETTINGS"].survey_countries_off:
        return "country"
    if models.has_objected(email):
        return "objected"
    if models.has_unsolved_case(order.id):
        return "open_case"
    if models.has_open_return(order.id):
        return "open_return"
    return "asked_lately" if models.was_asked_since(order.customer_id, now - ASKED_ONCE_IN) else None


def _write_how_was_it(invitation: SurveyInvitation, order: Order, now: datetime) -> None:
    write(
        "how-was-it",
        order,
        about=f"survey:{invitation.id}",
        now=now,
        not_after=now + LETTER_USEFUL_FOR,
        unsubscribe=order.customer_id,
        scores=SCORES,
        customer_id=order.customer_id,
    )


def expire_survey(invitation_id: int) -> None:
    """The time to answer is over; a question that was answered stays so."""
    invitation = session.get_one(SurveyInvitation, invitation_id, with_for_update=True)
    if invitation.state == "sent":
        move(invitation, "state", "expire")


def give_answer(order_id: int, score: int, said: str, *, now: datetime) -> Answer:
    """Keep what the customer says: the last answer before closing counts. A bad one opens a case, once."""
    invitation = models.invitation_of(order_id)
    if invitation is None or invitation.state == "suppressed":
        raise Refused(_("There is no question about this order."))
    if invitation.state == "expired" or (invitation.closes_at and now >= invitation.closes_at):
        raise Refused(_("This question is closed. Your answer was not changed."))
    answer = invitation.answer or Answer(invitation_id=invitation.id, question=invitation.question)
    before = (answer.score, answer.words)
    if before == (score, said):
        return answer
    if not limits.take("answers", str(order_id), CHANGES_PER_HOUR, timedelta(hours=1), now):
        raise Refused(_("That is a lot at once. Please wait a little. Your last answer counts."))
    answer.score, answer.words, answer.answered_at = score, said, now
    session.add(answer)
    move(invitation, "state", "answer", closes_at=invitation.closes_at or now + SURVEY_LASTS)
    _note_answer(order_id, before[0], score, now)
    follow_answer(answer, order_id, before, now=now)
    return answer


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
