"""Ask once, at the right time, and write down why when we do not ask."""

from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from portal.config import spoken
from portal.db import move, session
from portal.feedback import articles, models
from portal.feedback.case_models import has_unsolved_case
from portal.feedback.grounds import consent_of, ground_in
from portal.feedback.models import SurveyInvitation
from portal.feedback.putting import Put, put_in
from portal.feedback.questions import to_be_asked
from portal.feedback.rollups import count_again
from portal.feedback.rules import LETTER_USEFUL_FOR, OPEN_PROBLEM, REASONS, SURVEY_LASTS, WHY_NOT
from portal.feedback.timing import Terms, ask_at, terms
from portal.orders.letters import write
from portal.orders.models import Customer, Order
from portal.orders.timeline import record, words

words("survey.sent", staff=_l("Asked how it was"))
words("survey.reminded", staff=_l("Reminded of the question how it was"))
for reason, told in WHY_NOT.items():
    words(f"survey.not_asked.{reason}", staff=told)


def schedule_survey(order_id: int, *, now: datetime, reason: str = "delivered") -> SurveyInvitation | None:
    """Have the customer asked some days after this; None when that is arranged already, or for a better reason.

    A delivery that was scanned by mistake and happens later puts the question off. What an open problem had kept us
    from asking is asked after all when the problem is over.
    """
    arrived = models.arrived_at(order_id)
    if arrived is None:
        return None
    due_at = max(now, _due_at(order_id, arrived if reason == "delivered" else now))
    invitation = models.invitation_of(order_id)
    if invitation is None:
        return _first(order_id, reason, due_at, now)
    if REASONS.index(reason) < REASONS.index(invitation.reason):
        return None
    if invitation.state == "suppressed" and reason != "delivered" and invitation.suppressed_because in OPEN_PROBLEM:
        put = {"reason": reason, "due_at": due_at, "version_id": to_be_asked(reason, now=now).id}
        move(invitation, "state", "ask_after_all", suppressed_because=None, **put)
        return invitation
    if invitation.state != "scheduled" or (invitation.due_at, invitation.reason) == (due_at, reason):
        return None
    invitation.reason, invitation.due_at = reason, due_at
    _put_as_now(invitation, now)
    return invitation


def _put_as_now(invitation: SurveyInvitation, now: datetime) -> None:
    """The question for the reason that holds, in its last version: until it is sent, nobody was promised another."""
    if invitation.answer is None:
        invitation.version_id = to_be_asked(invitation.reason, now=now).id
        invitation.anonymous = terms().anonymous


def _due_at(order_id: int, since: datetime) -> datetime:
    settings, order = current_app.config["SETTINGS"], session.get_one(Order, order_id)
    return ask_at(since, order.country, terms(), shop_country=settings.shop_country, shop_zone=settings.zone)


def _first(order_id: int, reason: str, due_at: datetime, now: datetime) -> SurveyInvitation | None:
    version_id = to_be_asked(reason, now=now).id
    values = {"state": "scheduled", "reason": reason, "due_at": due_at, "version_id": version_id}
    values["anonymous"] = terms().anonymous
    new = insert(SurveyInvitation).values(order_id=order_id, **values)
    once = new.on_conflict_do_nothing(index_elements=["order_id"]).returning(SurveyInvitation.id)
    invitation_id = session.scalar(once)
    return session.get_one(SurveyInvitation, invitation_id) if invitation_id else None


def send_survey(invitation_id: int, *, due: str, now: datetime) -> SurveyInvitation | None:
    """Ask how it was, or note why not; None when nobody was asked. What was put off meanwhile is not `due`."""
    invitation = session.get_one(SurveyInvitation, invitation_id, with_for_update=True)
    order, held = invitation.order, terms()
    if invitation.state != "scheduled" or invitation.due_at.isoformat() != due or not models.arrived_at(order.id):
        return None
    session.get_one(Customer, order.customer_id, with_for_update={"key_share": True})
    ground, ground_id, consent_id = _ground(order)
    _put_as_now(invitation, now)
    if reason := _why_not(order, ground, consent_id) or _why_not_now(invitation, held, now):
        move(invitation, "state", "suppress", suppressed_because=reason)
        record(order.id, f"survey.not_asked.{reason}", by="system", now=now)
        return None
    proof = {"ground": ground, "ground_id": ground_id, "consent_id": consent_id}
    move(invitation, "state", "send", sent_at=now, closes_at=now + SURVEY_LASTS, **proof)
    record(order.id, "survey.sent", by="system", now=now)
    write("how-was-it", order, **_told(invitation, now))
    count_again([order.id])
    return invitation


def _ground(order: Order) -> tuple[str, int | None, int | None]:
    """On which ground we ask, the shop's choice behind it, and the customer's yes where one is needed."""
    ground, ground_id = ground_in(order.country)
    return ground, ground_id, consent_of(order.customer.email or "") if ground == "consent" else None


def _why_not(order: Order, ground: str, consent_id: int | None) -> str | None:
    """What forbids writing to this customer about this order."""
    email = order.customer.email
    if not email:
        return "no_address"
    if ground == "off":
        return "country"
    if models.has_objected(email):
        return "objected"
    if ground == "consent" and consent_id is None:
        return "no_consent"
    if has_unsolved_case(order.id):
        return "open_case"
    return "open_return" if models.has_open_return(order.id) else None


def _nothing_to_rate(invitation: SurveyInvitation) -> bool:
    """Whether stars are asked for, and everything went back."""
    return invitation.version.kind == "stars" and not articles.kept(invitation.order_id)


def _why_not_now(invitation: SurveyInvitation, held: Terms, now: datetime) -> str | None:
    """At most one question in the quiet days; of several the one with the better reason is asked."""
    if _nothing_to_rate(invitation):
        return "nothing_kept"
    customer_id = invitation.order.customer_id
    if models.was_asked_since(customer_id, now - held.quiet):
        return "asked_lately"
    better = SurveyInvitation.reason.in_(REASONS[REASONS.index(invitation.reason) + 1 :])
    soon = (SurveyInvitation.state == "scheduled", SurveyInvitation.due_at < now + held.quiet, better)
    others = exists().where(SurveyInvitation.order_id == Order.id, Order.customer_id == customer_id, *soon)
    return "better_reason" if session.scalar(select(others)) else None


def _told(invitation: SurveyInvitation, now: datetime) -> dict[str, Any]:
    """What both letters say."""
    customer_id, survey_id = invitation.order.customer_id, invitation.id
    useful = {"now": now, "not_after": now + LETTER_USEFUL_FOR, "about": f"survey:{survey_id}"}
    return {
        **useful,
        "unsubscribe": customer_id,
        "customer_id": customer_id,
        "survey_id": survey_id,
        "put": put(invitation),
        "ground": invitation.ground,
    }


def put(invitation: SurveyInvitation) -> Put:
    """The question as the letter puts it to this customer."""
    version, order = invitation.version, invitation.order
    article = next(iter(articles.kept(order.id)), None) if version.kind == "stars" else None
    locale = spoken(order.locale, current_app.config["SETTINGS"].shop_language)
    return put_in(version, locale, invitation.reason, article, anonymous=invitation.anonymous)


def remind(invitation_id: int, *, now: datetime) -> bool:
    """Ask once more who has not answered; whether somebody was. What forbids asking forbids reminding."""
    invitation = session.get_one(SurveyInvitation, invitation_id, with_for_update=True)
    if invitation.state != "sent" or invitation.reminded_at or not invitation.closes_at or now >= invitation.closes_at:
        return False
    ground, _, consent_id = _ground(invitation.order)
    if not terms().remind_days or _why_not(invitation.order, ground, consent_id):
        return False
    invitation.reminded_at = now
    record(invitation.order_id, "survey.reminded", by="system", now=now)
    write("how-was-it-again", invitation.order, **_told(invitation, now))
    return True


def expire_survey(invitation_id: int) -> None:
    """The time to answer is over; a question that was answered stays so."""
    invitation = session.get_one(SurveyInvitation, invitation_id, with_for_update=True)
    if invitation.state == "sent":
        move(invitation, "state", "expire")
