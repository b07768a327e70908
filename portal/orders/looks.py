"""Who of the staff looked at an order: customers may ask (GDPR Art. 15), and so may who suspects a nosy colleague."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.db.personal import Ids
from portal.staff.models import Staff


class Look(Base):
    """Somebody opened a page that shows an order's customer: once per person and day, with the role they had then."""

    __tablename__ = "looks"
    __table_args__ = (UniqueConstraint("order_id", "staff_id", "on"),)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    role: Mapped[str]
    on: Mapped[date]
    at: Mapped[datetime] = mapped_column(index=True)


def looked_at(order_id: int, *, by: Staff, now: datetime) -> None:
    """Lists and searches are not noted: they show a line of many."""
    row = {"order_id": order_id, "staff_id": by.id, "role": by.role, "on": now.date(), "at": now}
    session.execute(insert(Look).values(row).on_conflict_do_nothing(index_elements=["order_id", "staff_id", "on"]))


def who_looked(ids: Ids) -> Sequence[Any]:
    """Name, role, days on which they looked, and the last time; the latest first."""
    columns = (Staff.name, Look.role, func.count(Look.on.distinct()).label("days"), func.max(Look.at).label("last"))
    found = select(*columns).join(Staff, Staff.id == Look.staff_id).where(Look.order_id.in_(ids))
    return session.execute(found.group_by(Staff.id, Look.role).order_by(func.max(Look.at).desc())).all()
