"""What waits for each department, who has what, and how long it took. As many statements for many as for few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import contains_eager, selectinload

from portal.db import paging, session
from portal.fulfilment.handoffs import CHAIN, DOES, HandOff
from portal.fulfilment.models import Parcel
from portal.orders.models import Order
from portal.staff.models import Department, Staff

MEASURED_OVER = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Measure:
    """A department: what waits, what is in work; over two weeks, how long work waited and took, and what went back."""

    waiting: int = 0
    in_work: int = 0
    oldest: datetime | None = None
    wait: timedelta | None = None
    work: timedelta | None = None
    done: int = 0
    sent_back: int = 0


def _open(department: str) -> tuple[ColumnElement[bool], ...]:
    return (HandOff.department == department, HandOff.done_at.is_(None), Parcel.state.in_(DOES))


def page_of(department: str, at: str) -> paging.Page[HandOff]:
    """What waits for the department, then what it has taken over; what is at risk and what waits longest first."""
    order = contains_eager(HandOff.parcel).selectinload(Parcel.order).raiseload(Order.customer)
    brings = (order, selectinload(HandOff.owner))
    found = select(HandOff).join(HandOff.parcel).where(*_open(department)).options(*brings)
    keys = (HandOff.state != "offered", Parcel.risk.is_(None), HandOff.offered_at, HandOff.id)
    return paging.page_of(found, *keys, at=at)


def waiting(department: str, ids: Sequence[int]) -> Sequence[HandOff]:
    """Those of these that wait for the department."""
    found = select(HandOff).join(HandOff.parcel).where(*_open(department), HandOff.state == "offered")
    return session.scalars(found.where(HandOff.id.in_(ids)).order_by(HandOff.id)).all()


def measures(*, now: datetime) -> dict[str, Measure]:
    """Each department in figures, in two statements."""
    found = session.execute(_standing()).mappings(), session.execute(_past(now)).mappings()
    known: dict[str, dict[str, Any]] = {name: {} for name in CHAIN}
    for rows in found:
        for row in rows:
            known[row["department"]] |= {name: value for name, value in row.items() if name != "department"}
    return {name: Measure(**values) for name, values in known.items()}


def _standing() -> Select[Any]:
    offered = HandOff.state == "offered"
    columns: tuple[Any, ...] = (
        func.count().filter(offered).label("waiting"),
        func.count().filter(~offered).label("in_work"),
        func.min(HandOff.offered_at).filter(offered).label("oldest"),
    )
    here = (HandOff.done_at.is_(None), Parcel.state.in_(DOES))
    return select(HandOff.department, *columns).join(HandOff.parcel).where(*here).group_by(HandOff.department)


def _past(now: datetime) -> Select[Any]:
    def median(span: Any) -> Any:
        return func.percentile_cont(0.5).within_group(span).filter(HandOff.answered_at.is_not(None))

    columns = (
        median(HandOff.answered_at - HandOff.offered_at).label("wait"),
        median(HandOff.done_at - HandOff.answered_at).label("work"),
        func.count().filter(HandOff.state == "accepted").label("done"),
        func.count().filter(HandOff.state == "refused").label("sent_back"),
    )
    lately = HandOff.done_at > now - MEASURED_OVER
    return select(HandOff.department, *columns).where(lately).group_by(HandOff.department)


def for_me(staff_id: int | ColumnElement[int]) -> Select[Any]:
    """How much waits for departments that this person answers for or deputises in, or is theirs: to be counted."""
    heads = or_(Department.responsible_id == staff_id, Department.deputy_id == staff_id)
    theirs = HandOff.department.in_(select(Department.code).where(heads))
    mine = or_(
        and_(HandOff.state == "offered", theirs), and_(HandOff.state == "accepted", HandOff.owner_id == staff_id)
    )
    still_here = (HandOff.done_at.is_(None), Parcel.state.in_(DOES), Order.state == "accepted")
    return select(func.count()).select_from(HandOff).join(HandOff.parcel).join(Parcel.order).where(*still_here, mine)


def heads() -> Mapping[str, tuple[str, str]]:
    """By department, who answers for it and who deputises."""
    from_both = select(
        Department.code, *(_name(column) for column in (Department.responsible_id, Department.deputy_id))
    )
    return {code: (first or "", second or "") for code, first, second in session.execute(from_both)}


def _name(column: Any) -> Any:
    return select(Staff.name).where(Staff.id == column).correlate(Department).scalar_subquery()
