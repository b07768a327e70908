"""Returns: goods coming back, and the three questions about them: decided, arrived, paid back."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.models import Order, OrderLine
from portal.refunds.models import Refund
from portal.staff.models import Staff

GRADES = ("as_new", "opened", "worn", "damaged", "wrong_item")
DISPOSITIONS = ("restock", "refurbish", "recycle", "discard", "back_to_customer")


class Return(Base):
    """Goods (or a claim) coming back. Where the money is, its refunds say."""

    __tablename__ = "returns"
    __table_args__ = (
        CheckConstraint("kind IN ('withdrawal', 'return', 'claim')", name="kind"),
        CheckConstraint("decision IN ('requested', 'approved', 'declined', 'cancelled')", name="decision"),
        CheckConstraint("goods IN ('not_expected', 'awaited', 'in_transit', 'received', 'lost')", name="goods"),
        Index("ix_returns_open", "decision", "goods", "id"),
    )
    MOVES = {
        "decision": {
            "approve": (("requested",), "approved"),
            "decline": (("requested",), "declined"),
            "cancel": (("requested", "approved"), "cancelled"),
        },
        "goods": {
            "await": (("not_expected",), "awaited"),
            "travel": (("awaited",), "in_transit"),
            "receive": (("awaited", "in_transit", "lost"), "received"),
            "lose": (("awaited", "in_transit"), "lost"),
        },
    }

    rma: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(default="return")
    decision: Mapped[str] = mapped_column(default="requested")
    goods: Mapped[str] = mapped_column(default="not_expected")
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    decision_note: Mapped[str] = mapped_column(default="")
    send_back_by: Mapped[date | None]
    received_at: Mapped[datetime | None]
    received_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    inspected_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship()
    lines: Mapped[list["ReturnLine"]] = relationship(order_by="ReturnLine.id", back_populates="ret")
    decided_by: Mapped[Staff | None] = relationship(foreign_keys=[decided_by_id])
    refunds: Mapped[list[Refund]] = relationship(order_by="Refund.decision_no")


class ReturnLine(Base):
    """How many pieces of an order's line the customer announced, and why."""

    __tablename__ = "return_lines"
    __table_args__ = (UniqueConstraint("return_id", "order_line_id"), CheckConstraint("quantity > 0", name="quantity"))
    return_id: Mapped[int] = mapped_column(ForeignKey("returns.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    quantity: Mapped[int]
    reason: Mapped[str]
    words: Mapped[str] = mapped_column(default="")
    ret: Mapped[Return] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)
    inspection: Mapped["Inspection | None"] = relationship(back_populates="return_line")


class Inspection(Base):
    """What was found at the bench: counted beside announced, grade, what becomes of it, who looked."""

    __tablename__ = "inspections"
    __table_args__ = (
        CheckConstraint(f"grade IN {GRADES}", name="grade"),
        CheckConstraint(f"disposition IN {DISPOSITIONS}", name="disposition"),
        CheckConstraint("counted >= 0", name="counted"),
    )
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_lines.id"), unique=True)
    counted: Mapped[int]
    grade: Mapped[str]
    disposition: Mapped[str]
    deduction: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="")
    inspected_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    inspected_at: Mapped[datetime]
    return_line: Mapped[ReturnLine] = relationship(back_populates="inspection")
    inspected_by: Mapped[Staff] = relationship()
