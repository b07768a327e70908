"""Who has the work of the offices: returns, support and finance. What is to be done, the features themselves say.

Parcels have hand-offs of their own (`fulfilment.handoffs`), because sending a parcel back undoes what was done to it.
"""

from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.models import Order
from portal.staff.models import Staff

OFFICES = ("returns", "support", "finance")


class OfficeWork(Base):
    """One piece of work offered to an office. `owner` answers for it now: who offers it, then who accepted.

    Waiting is from `offered_at` to `answered_at`, working from there to `done_at`; the open row has no `done_at`.
    `note` says what is asked, or why it was sent back. An open row is of work that is still to be done.
    """

    __tablename__ = "office_work"
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'accepted', 'refused')", name="state"),
        CheckConstraint(f"office IN {OFFICES}", name="office"),
        CheckConstraint("(state = 'offered') = (answered_at IS NULL)", name="answered"),
        CheckConstraint("state <> 'refused' OR (reason <> '' AND done_at IS NOT NULL)", name="refused"),
        Index("uq_office_work_open", "kind", "subject_id", unique=True, postgresql_where="done_at IS NULL"),
        Index("ix_office_work_subject", "kind", "subject_id", "id"),
        Index("ix_office_work_done", "done_at", postgresql_where="done_at IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "accept": (("offered",), "accepted"),
            "refuse": (("offered", "accepted"), "refused"),
        }
    }

    kind: Mapped[str]
    subject_id: Mapped[int]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    giver: Mapped[str | None]
    office: Mapped[str]
    state: Mapped[str] = mapped_column(default="offered")
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    reason: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    came_back: Mapped[bool] = mapped_column(default=False)
    offered_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]

    order: Mapped[Order | None] = relationship()
    owner: Mapped[Staff] = relationship()

    def waited(self, now: datetime) -> timedelta:
        return (self.answered_at or now) - self.offered_at

    def worked(self, now: datetime) -> timedelta:
        """So long it has been worked on; nothing while it waits."""
        return (self.done_at or now) - self.answered_at if self.answered_at else timedelta(0)
