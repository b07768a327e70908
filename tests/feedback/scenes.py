"""Orders that have arrived, questions that were asked, cases that were opened."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from sqlalchemy import insert, select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.feedback.actions import give_answer
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, SurveyInvitation
from portal.feedback.questions import current
from portal.feedback.tallies import Tally
from portal.fulfilment.tracking import record_update
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.models import Order, TimelineEntry
from portal.staff.models import Staff
from tests.fulfilment.hands import brought_to
from tests.world import ALICES_ORDER

AFTER = timedelta(days=5)
"""How long we wait at least, after the last parcel arrived: until the next morning."""


def another_order_of_alices(number: str = "1003") -> Order:
    again = replace(ALICES_ORDER, external_id=f"A-{number}", number=number, payment_intent=f"pi_{number}")
    return accept_order(again, by="channel", now=clock.now())[0]


def scanned(order: Order, status: Tracking, at: datetime) -> None:
    """The courier says this of the order's parcel."""
    event = TrackingEvent(at=at, status=status)
    record_update(TrackingUpdate(number=f"N{order.id}", carrier="dhl", events=(event,)), now=at)
    session.commit()


def delivered(order: Order, by: Staff) -> None:
    """The order's only parcel is shipped, and arrives an hour from now."""
    now = clock.now()
    brought_to("handed_over", order, by, now, number=f"N{order.id}")
    scanned(order, Tracking.delivered, now + timedelta(hours=1))


def asked(order: Order, by: Staff, work: Callable[..., int]) -> SurveyInvitation:
    """The order arrived, and some days later its customer was asked (or not: see the invitation)."""
    delivered(order, by)
    work()
    with clock.moved(AFTER + timedelta(days=1, hours=2)):
        work()
    return invitation_of(order)


def invitation_of(order: Order) -> SurveyInvitation:
    session.expire_all()
    return session.scalars(select(SurveyInvitation).where(SurveyInvitation.order_id == order.id)).one()


def invited(order: Order, state: str = "sent", *, code: str = "csat", **more: Any) -> SurveyInvitation:
    """Its customer was asked this question, without waiting for the time to."""
    now = clock.now()
    times: dict[str, Any] = {"due_at": now, "sent_at": None if state == "scheduled" else now, **more}
    invitation = SurveyInvitation(order_id=order.id, state=state, version_id=current(code, now=now).id, **times)
    session.add(invitation)
    session.flush()
    return invitation


def answered(invitation: SurveyInvitation, score: int, words: str = "", **more: Any) -> Answer:
    """The customer's answer as a bare row: nothing follows from it."""
    version = invitation.version
    put = {"version_id": version.id, "kind": version.kind, "question": version.said("en").ask}
    given = {"score": score, "mood": version.mood(score), "words": words, "answered_at": clock.now(), **more}
    answer = Answer(invitation_id=invitation.id, **put, **given)
    session.add(answer)
    session.flush()
    return answer


def case_of(order: Order, score: int = 1, said: str = "The mug came broken.") -> Case:
    """The customer's bad answer opened this case."""
    give_answer(order.id, score, said, now=clock.now())
    session.commit()
    return session.scalars(select(Case).where(Case.order_id == order.id)).one()


def kinds(order: Order) -> list[str]:
    """What the order's timeline tells of the survey and its case, as it was written."""
    told = select(TimelineEntry.kind).where(TimelineEntry.order_id == order.id).order_by(TimelineEntry.id)
    return [kind for kind in session.scalars(told) if kind.startswith(("survey.", "case."))]


def written(mails: list[EmailMessage], about: str) -> list[EmailMessage]:
    """The mails whose subject says this."""
    return [mail for mail in mails if about in str(mail["subject"])]


def text_of(mail: EmailMessage) -> str:
    part: Any = mail.get_body(("plain",))
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part: Any = mail.get_body(("html",))
    return str(part.get_content())


def tallied(measure: str, dimension: str, value: str, n: int, good: int, bad: int, day: date, **within: str) -> None:
    """So many answers of a day and of its week, as they are kept counted."""
    row: dict[str, Any] = {"measure": measure, "dimension": dimension, "value": value, "n": n, "good": good, "bad": bad}
    row |= {"total": 0, "within": "", "within_value": "", **within}
    grains = ({"grain": "day", "day": day}, {"grain": "week", "day": day - timedelta(days=day.weekday())})
    session.execute(insert(Tally), [{**row, **grain} for grain in grains])
