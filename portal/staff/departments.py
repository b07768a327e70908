"""Who answers for a department, and who does when they are away."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from portal.db import session
from portal.lib.errors import Refused
from portal.staff.journal import note
from portal.staff.models import Department, Staff
from portal.staff.rules import DEPARTMENTS


def heads() -> dict[str, Department | None]:
    """Each department with its row, where somebody answers for it."""
    known = {row.code: row for row in session.scalars(select(Department))}
    return {code: known.get(code) for code in DEPARTMENTS}


def answering(*codes: str) -> Sequence[Staff]:
    """Who answers for any of these departments or deputises there, and has signed in before; each once."""
    both = or_(Staff.id == Department.responsible_id, Staff.id == Department.deputy_id)
    theirs = select(Department.id).where(Department.code.in_(codes), both).exists()
    here = (theirs, Staff.disabled_at.is_(None), Staff.password_hash.is_not(None))
    return session.scalars(select(Staff).where(*here).order_by(Staff.id)).all()


def candidates() -> Sequence[Staff]:
    """Everybody who works here."""
    return session.scalars(select(Staff).where(Staff.disabled_at.is_(None)).order_by(Staff.name, Staff.id)).all()


def give(code: str, responsible_id: int, deputy_id: int | None, *, by: Staff, now: datetime) -> None:
    """These two answer for the department from now on. Raises Refused for one person twice, or one who left."""
    both = [responsible_id] if deputy_id is None else [responsible_id, deputy_id]
    here = session.scalars(select(Staff).where(Staff.id.in_(both), Staff.disabled_at.is_(None))).all()
    if code not in DEPARTMENTS or {person.id for person in here} != set(both):
        raise Refused(_("Choose somebody who works here."))
    if deputy_id == responsible_id:
        raise Refused(_("The deputy is somebody else: otherwise nobody is there when one is away."))
    values = {"responsible_id": responsible_id, "deputy_id": deputy_id}
    new = insert(Department).values(code=code, **values)
    session.execute(new.on_conflict_do_update(index_elements=["code"], set_=values))
    note("department", responsible_id, now=now, by=by, detail=code)
