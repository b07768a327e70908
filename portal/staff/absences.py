"""Who is away, from which day to which: whoever counts on them turns to somebody else meanwhile."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, case, delete, exists, literal, select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.staff.journal import note
from portal.staff.models import Department, Staff, StaffAbsence

LONGEST = timedelta(days=366)


def is_here(now: datetime) -> ColumnElement[bool]:
    """Of `Staff` in a statement: works here and is not away today."""
    day = shop_day(now)
    away = (StaffAbsence.staff_id == Staff.id, StaffAbsence.first_day <= day, StaffAbsence.last_day >= day)
    return and_(Staff.disabled_at.is_(None), ~exists().where(*away).correlate(Staff))


def responsible_for(
    *departments: str, now: datetime, away: bool = False, named: int | None = None, roles: Sequence[str] = ()
) -> int | None:
    """The id of the person who answers for the first department now; only among these roles, if some are given.

    Who is named, the responsible person, the deputy, the next department's, a manager, whoever works in the department:
    the first of them who is here. For work of somebody who is `away` the deputy goes before. When everybody is away,
    the first of them all the same.
    """
    line = [("responsible_id", "deputy_id"), ("deputy_id", "responsible_id")][away]
    heads = [
        select(getattr(Department, column)).where(Department.code == code).scalar_subquery()
        for code in departments
        for column in line
    ]
    places = [*([literal(named)] if named and not away else []), *heads]
    place = case(*((Staff.id == head, number) for number, head in enumerate(places)), else_=len(places))
    found = select(Staff.id).where(Staff.disabled_at.is_(None), *([Staff.role.in_(roles)] if roles else []))
    usual = (Staff.role != "manager", Staff.role.not_in(departments), Staff.id)
    return session.scalar(found.order_by(~is_here(now), place, *usual).limit(1))


def hand_over(work: Iterable[tuple[Any, str]], *, now: datetime) -> int:
    """Rows with an `owner` who is not here, each with its department, get another: of who left the responsible person,
    of who is away the deputy. What was handed over stays there when they are back. How many changed hands.
    """
    heirs: dict[tuple[str, bool], int | None] = {}
    changed = 0
    for row, department in work:
        left = row.owner.disabled_at is not None
        if (department, left) not in heirs:
            heirs[department, left] = responsible_for(department, now=now, away=not left)
        heir = heirs[department, left] or row.owner_id
        changed += heir != row.owner_id
        row.owner_id = heir
    return changed


def to_come(today: date) -> Sequence[StaffAbsence]:
    """Who is away, or will be, the next first."""
    found = select(StaffAbsence).where(StaffAbsence.last_day >= today).options(joinedload(StaffAbsence.staff))
    return session.scalars(found.order_by(StaffAbsence.first_day, StaffAbsence.id)).all()


def go_away(person: Staff, first: date, last: date, *, by: Staff, now: datetime) -> StaffAbsence:
    """The person is away from the first to the last day. Raises Refused for days that make no sense, or are known."""
    if last < first or last - first > LONGEST:
        raise Refused(_("The last day comes after the first, within a year."))
    known = (StaffAbsence.staff_id == person.id, StaffAbsence.first_day <= last, StaffAbsence.last_day >= first)
    if person.disabled_at or session.scalar(select(StaffAbsence.id).where(*known).limit(1)):
        raise Refused(_("%(name)s is away then already.", name=person.name))
    absence = StaffAbsence(staff_id=person.id, first_day=first, last_day=last)
    session.add(absence)
    session.flush()
    note("away", person.id, now=now, by=by, detail=f"{first} – {last}")
    return absence


def come_back(absence_id: int, *, by: Staff, now: datetime) -> None:
    """They are here after all. Raises Refused for what is no absence any more."""
    absence = session.get(StaffAbsence, absence_id)
    if absence is None:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    note("here_after_all", absence.staff_id, now=now, by=by, detail=f"{absence.first_day} – {absence.last_day}")
    session.execute(delete(StaffAbsence).where(StaffAbsence.id == absence_id))
