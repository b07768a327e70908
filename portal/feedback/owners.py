"""Who answers for a case: nobody who left, is away or may not work on cases, while there is another."""

from collections.abc import Iterator
from datetime import date, datetime

from flask import current_app
from sqlalchemy import ColumnElement, exists, select

from portal.db import session
from portal.feedback.case_models import Case
from portal.staff.absences import away_on
from portal.staff.models import Department, Staff, StaffAbsence, responsible_for
from portal.staff.rules import Role

SUPPORT = "support"


def today(now: datetime) -> date:
    return now.astimezone(current_app.config["SETTINGS"].zone).date()


def owner_for(department: str, *, now: datetime, named: int | None = None, away: bool = False) -> int | None:
    """Who gets a case: who is named, who answers for the department, the deputy, support's, a manager.

    For a case whose owner is `away` the deputy goes first.
    """
    here = _here(now)
    able = [person_id for person_id in _line(department, named, away) if person_id in here]
    managers = [person.id for person in here.values() if person.role == Role.manager]
    return next(iter([*able, *managers]), None) or responsible_for(department)


def _here(now: datetime) -> dict[int, Staff]:
    """Everybody who may work on cases and is here today, by their ids."""
    gone = away_on(today(now))
    people = session.scalars(select(Staff).where(Staff.disabled_at.is_(None)).order_by(Staff.id))
    return {person.id: person for person in people if person.id not in gone and person.may("cases.work")}


def _line(department: str, named: int | None, away: bool) -> Iterator[int | None]:
    if named is not None and not away:
        yield named
    found = select(Department).where(Department.code.in_((department, SUPPORT)))
    rows = {row.code: row for row in session.scalars(found)}
    for code in (department, SUPPORT):
        if row := rows.get(code):
            both = (row.responsible_id, row.deputy_id)
            yield from reversed(both) if away else both


def deputy_of(case: Case, *, now: datetime) -> Staff | None:
    """The deputy of the case's department, when somebody else than its owner and here."""
    row = session.scalar(select(Department).where(Department.code == case.department))
    person = _here(now).get(row.deputy_id or 0) if row else None
    return person if person and person.id != case.owner_id else None


def supervisor(owner_id: int | None, *, now: datetime) -> Staff | None:
    """The manager whom an unsolved case goes to: its owner, if already one and here, else the first who is."""
    managers = [person for person in _here(now).values() if person.role == Role.manager]
    return next((one for one in managers if one.id == owner_id), managers[0] if managers else None)


def is_here(now: datetime) -> ColumnElement[bool]:
    """For a statement over cases: the owner works here and is not away today."""
    day = today(now)
    away = exists().where(
        StaffAbsence.staff_id == Staff.id, StaffAbsence.first_day <= day, StaffAbsence.last_day >= day
    )
    return exists().where(Staff.id == Case.owner_id, Staff.disabled_at.is_(None), ~away)
