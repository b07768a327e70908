"""Who is away, from which day to which: whoever counts on them turns to somebody else meanwhile."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib.errors import Refused
from portal.staff.journal import note
from portal.staff.models import Staff, StaffAbsence

LONGEST = timedelta(days=366)


def away_on(day: date) -> set[int]:
    """The ids of the people who are away that day."""
    found = select(StaffAbsence.staff_id).where(StaffAbsence.first_day <= day, StaffAbsence.last_day >= day)
    return set(session.scalars(found))


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
