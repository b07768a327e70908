"""What waits for each office, who has what, and how long it took. As many statements for many as for few."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import joinedload

from portal.db import paging, session
from portal.offices.models import OFFICES, OfficeWork
from portal.staff.models import Department

MEASURED_OVER = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Measure:
    """An office: what waits, what is in work; over two weeks, how long work waited and took, and what went back."""

    waiting: int = 0
    in_work: int = 0
    oldest: datetime | None = None
    wait: timedelta | None = None
    work: timedelta | None = None
    done: int = 0
    sent_back: int = 0


def page_of(office: str, at: str) -> paging.Page[OfficeWork]:
    """What waits for the office and then what it has taken over, the oldest first."""
    found = select(OfficeWork).where(OfficeWork.office == office, OfficeWork.done_at.is_(None))
    whole = found.options(joinedload(OfficeWork.owner), joinedload(OfficeWork.order))
    keys = (OfficeWork.state != "offered", ~OfficeWork.came_back, OfficeWork.offered_at, OfficeWork.id)
    return paging.page_of(whole, *keys, at=at)


def history(work: OfficeWork) -> Sequence[OfficeWork]:
    """All hand-offs of the same work, the first one first."""
    same = (OfficeWork.kind == work.kind, OfficeWork.subject_id == work.subject_id)
    found = select(OfficeWork).where(*same).options(joinedload(OfficeWork.owner)).order_by(OfficeWork.id)
    return session.scalars(found).all()


def measures(*, now: datetime) -> dict[str, Measure]:
    """Each office in figures, in two statements."""
    known: dict[str, dict[str, Any]] = {name: {} for name in OFFICES}
    for statement in (_standing(), _past(now)):
        for row in session.execute(statement).mappings():
            known[row["office"]] |= {name: value for name, value in row.items() if name != "office"}
    return {name: Measure(**values) for name, values in known.items()}


def _standing() -> Select[Any]:
    offered = OfficeWork.state == "offered"
    columns: tuple[Any, ...] = (
        func.count().filter(offered).label("waiting"),
        func.count().filter(~offered).label("in_work"),
        func.min(OfficeWork.offered_at).filter(offered).label("oldest"),
    )
    return select(OfficeWork.office, *columns).where(OfficeWork.done_at.is_(None)).group_by(OfficeWork.office)


def _past(now: datetime) -> Select[Any]:
    def median(span: Any) -> Any:
        return func.percentile_cont(0.5).within_group(span)

    columns = (
        median(OfficeWork.answered_at - OfficeWork.offered_at).label("wait"),
        median(OfficeWork.done_at - OfficeWork.answered_at).label("work"),
        func.count().filter(OfficeWork.state == "accepted").label("done"),
        func.count().filter(OfficeWork.state == "refused").label("sent_back"),
    )
    lately = OfficeWork.done_at > now - MEASURED_OVER
    return select(OfficeWork.office, *columns).where(lately).group_by(OfficeWork.office)


def for_me(staff_id: int | ColumnElement[int]) -> Select[Any]:
    """How much waits for offices that this person answers for or deputises in, or is theirs: to be counted."""
    heads = or_(Department.responsible_id == staff_id, Department.deputy_id == staff_id)
    theirs = OfficeWork.office.in_(select(Department.code).where(heads))
    mine = and_(OfficeWork.state == "accepted", OfficeWork.owner_id == staff_id)
    waits = and_(OfficeWork.state == "offered", theirs)
    return select(func.count()).select_from(OfficeWork).where(OfficeWork.done_at.is_(None), or_(waits, mine))
