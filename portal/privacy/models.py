"""What is known of a customer, and that somebody asked to have it forgotten."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, exists, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, session
from portal.db.personal import Ids, Kept, told
from portal.feedback import personal as feedback
from portal.feedback.case_models import UNSOLVED, Case
from portal.fulfilment import personal as fulfilment
from portal.mail import personal as mail
from portal.offices import personal as offices
from portal.orders import personal as orders
from portal.orders.models import Customer, Order
from portal.pictures import personal as pictures
from portal.refunds import personal as refunds
from portal.refunds.facts import WATCHED
from portal.refunds.models import UNSETTLED, Refund
from portal.returns import personal as returns
from portal.returns.models import Return
from portal.staff.models import Staff

KEPT: tuple[Kept, ...] = (
    *mail.KEPT,
    *offices.KEPT,
    *feedback.KEPT,
    *returns.KEPT,
    *refunds.KEPT,
    *fulfilment.KEPT,
    *pictures.KEPT,
    *orders.KEPT,
)
"""Every table with something about a customer, those that hang on others first."""
WAITING = ("requested", "waiting")


class Erasure(Base):
    """Somebody asked to be forgotten. It `waits` while something of theirs is still to be finished, `because` of what.

    Without a person of the shop the customer asked.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint("state IN ('requested', 'waiting', 'done')", name="state"),
        Index("uq_erasures_open", "customer_id", unique=True, postgresql_where="state <> 'done'"),
    )
    MOVES = {
        "state": {
            "wait": (WAITING, "waiting"),
            "finish": (WAITING, "done"),
        }
    }
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    state: Mapped[str] = mapped_column(default="requested")
    because: Mapped[str | None]
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    customer: Mapped[Customer] = relationship()
    asked_by: Mapped[Staff | None] = relationship()


def orders_of(customer_id: int) -> list[int]:
    return list(session.scalars(select(Order.id).where(Order.customer_id == customer_id).order_by(Order.id)))


def open_erasure(customer_id: int) -> Erasure | None:
    """What was asked for and is not done yet."""
    return session.scalar(select(Erasure).where(Erasure.customer_id == customer_id, Erasure.state.in_(WAITING)))


def matters(now: datetime) -> Mapping[str, ColumnElement[bool]]:
    """What of an order may still be open, for which we need to know who it is."""
    unsure = Refund.state.in_(UNSETTLED) | ((Refund.state == "succeeded") & (Refund.settled_at > now - WATCHED[-1]))
    paid = exists().where(Refund.return_id == Return.id, Refund.state != "rejected_by_us")
    going_on = (Return.closed_at.is_(None), Return.decision.in_(("requested", "approved")), ~paid)
    return {
        "order": Order.state.in_(("accepted", "on_hold")),
        "return": exists().where(Return.order_id == Order.id, *going_on),
        "refund": exists().where(Refund.order_id == Order.id, unsure),
        "case": exists().where(Case.order_id == Order.id, Case.state.in_(UNSOLVED)),
    }


def open_matter(ids: Ids, *, now: datetime) -> str | None:
    """The first thing that is open; None when all is finished."""
    asked = [func.bool_or(matter).label(name) for name, matter in matters(now).items()]
    found = session.execute(select(*asked).where(Order.id.in_(ids))).one()
    return next((name for name, is_open in found._mapping.items() if is_open), None)


def everything(ids: Ids) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """All that the customer's copy shows, by table."""
    return {kept.table.name: rows for kept in KEPT if (rows := told(kept, ids))}


def last_year(ids: Ids) -> int:
    """The year of the newest thing that tax law counts from."""
    bought = select(func.max(Order.placed_at)).where(Order.id.in_(ids)).scalar_subquery()
    given = select(func.max(Refund.requested_at)).where(Refund.order_id.in_(ids)).scalar_subquery()
    newest: datetime = session.execute(select(func.greatest(bought, given))).scalar_one()
    return newest.year
