"""Cases that wait too long: for us, then they go up; for the customer, then they end in silence."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal import mail
from portal.db import move, session
from portal.feedback.case_models import UNSOLVED, Case, CaseMessage
from portal.feedback.deadlines import deadline
from portal.feedback.owners import deputy_of, has_an_owner, owner_for, supervisor
from portal.feedback.timing import terms
from portal.orders.timeline import record, words
from portal.staff.models import Staff

words("case.went_up", staff=_l("Nobody answered in time: the case goes to %(owner)s"))
words("case.fell_silent", staff=_l("The customer wrote no more: the case ended in silence"))

AT_ONCE = 200
TOP = 2


def without_owner(*, now: datetime) -> Sequence[int]:
    """Cases that nobody owns who works here and is not away."""
    found = select(Case.id).where(Case.state.in_(UNSOLVED), ~has_an_owner(now)).order_by(Case.id)
    return session.scalars(found.limit(AT_ONCE)).all()


def give_an_owner(case_id: int, *, now: datetime) -> bool:
    """Of who left, to whoever answers for its department now; of who is away, to the deputy. Whether somebody does."""
    case = session.get_one(Case, case_id, with_for_update=True)
    away = case.owner is not None and case.owner.disabled_at is None
    new = session.get(Staff, owner_for(case.department, now=now, away=away) or 0)
    if case.state not in UNSOLVED or new is None or new.id == case.owner_id:
        return False
    case.owner_id = new.id
    record(case.order_id, "case.assigned", by="system", now=now, owner=new.name)
    return True


def overdue(*, now: datetime) -> Sequence[int]:
    """Cases whose deadline has passed and that can still go up, the oldest first."""
    late = (Case.state == "open", Case.due_at < now, Case.escalated < TOP)
    return session.scalars(select(Case.id).where(*late).order_by(Case.due_at).limit(AT_ONCE)).all()


def send_up(case_id: int, *, now: datetime) -> bool:
    """To the deputy when the deadline passed, to a manager when as much working time passed again; whether it went."""
    case = session.get_one(Case, case_id, with_for_update=True)
    step = _step(case, now)
    if case.state != "open" or step <= case.escalated:
        return False
    up = (deputy_of(case, now=now) if step == 1 else None) or supervisor(case.owner_id, now=now)
    case.escalated = step
    if up is None or up.id == case.owner_id:
        return False
    case.owner_id = up.id
    record(case.order_id, "case.went_up", by="system", now=now, owner=up.name)
    _tell(up, case, now)
    return True


def _step(case: Case, now: datetime) -> int:
    """How far up a case belongs by its age: not at all, to the deputy, to a manager."""
    if now <= case.due_at:
        return 0
    return TOP if now > deadline(case.due_at, case.hours) else 1


def _tell(person: Staff, case: Case, now: datetime) -> None:
    mail.queue(
        "case-went-up",
        to=person.email,
        locale=person.locale,
        now=now,
        number=case.order.number,
        case_id=case.id,
    )


def silent(*, now: datetime) -> Sequence[int]:
    """Cases in which our word was the last for so many days."""
    last = select(func.max(CaseMessage.at)).where(CaseMessage.case_id == Case.id).scalar_subquery()
    found = select(Case.id).where(Case.state == "waiting_for_customer", last < now - terms().silence)
    return session.scalars(found.order_by(Case.id).limit(AT_ONCE)).all()


def close_silent(case_id: int, *, now: datetime) -> bool:
    """End it, counted apart from what the customer called solved; whether it ended."""
    case = session.get_one(Case, case_id, with_for_update=True)
    if case.state != "waiting_for_customer" or case.messages[-1].at >= now - terms().silence:
        return False
    move(case, "state", "close", closed_at=now)
    record(case.order_id, "case.fell_silent", by="system", now=now)
    return True
