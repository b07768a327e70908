"""Who answers for a case: nobody who left, is away or may not work on cases, while there is another."""

from datetime import datetime

from sqlalchemy import ColumnElement, exists, select

from portal.db import session
from portal.feedback.case_models import Case
from portal.staff.absences import is_here, responsible_for
from portal.staff.models import Department, Staff
from portal.staff.rules import PERMISSIONS, Role

SUPPORT = "support"
ABLE = tuple(role for role, may in PERMISSIONS.items() if "cases.work" in may)


def owner_for(department: str, *, now: datetime, named: int | None = None, away: bool = False) -> int | None:
    """Who gets a case: who is named, who answers for the department, the deputy, support's, a manager.

    For a case whose owner is `away` the deputy goes first.
    """
    able = responsible_for(department, SUPPORT, now=now, away=away, named=named, roles=ABLE)
    return able or responsible_for(department, now=now)


def deputy_of(case: Case, *, now: datetime) -> Staff | None:
    """The deputy of the case's department, when somebody else than its owner and here."""
    deputy = select(Department.deputy_id).where(Department.code == case.department).scalar_subquery()
    person = session.scalar(select(Staff).where(Staff.id == deputy, is_here(now), Staff.role.in_(ABLE)))
    return person if person and person.id != case.owner_id else None


def supervisor(owner_id: int | None, *, now: datetime) -> Staff | None:
    """The manager whom an unsolved case goes to: its owner, if already one and here, else the first who is."""
    managers = select(Staff).where(Staff.role == Role.manager, is_here(now))
    return session.scalar(managers.order_by(Staff.id.is_distinct_from(owner_id), Staff.id).limit(1))


def has_an_owner(now: datetime) -> ColumnElement[bool]:
    """For a statement over cases: the owner works here and is not away today."""
    return exists().where(Staff.id == Case.owner_id, is_here(now))
