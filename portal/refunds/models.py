"""Refunds: one row is one intended movement of money; a retry after a definite failure is a new row."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, and_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.lib.money import Money
from portal.orders.models import Order, OrderLine, Payment
from portal.staff.models import Staff

STATES = (
    "requested", "approved", "sending", "pending", "succeeded",
    "rejected_by_us", "unknown", "needs_review", "refused_by_stripe", "failed",
)  # fmt: skip
HOLDING = ("requested", "approved", "sending", "unknown", "pending", "succeeded", "needs_review")
"""States in which the refund keeps its part of the payment's balance."""
TO_SEND = ("approved", "sending", "unknown")
UNDER_WAY = (*TO_SEND, "pending")
UNSETTLED = ("requested", *UNDER_WAY, "needs_review")
"""States from which the money may still move, or may have moved without our knowing."""
LEFT = ("sending", "unknown", "pending", "succeeded", "needs_review")
"""States in which the money has left, or may have."""
GIVEN_UP = ("refused_by_stripe", "failed")
"""States in which the money surely did not reach the customer, as far as we know."""
WENT_WRONG = ("needs_review", *GIVEN_UP)
WAYS = ("card", "credit", "channel", "hand")
"""How the money goes back: by Stripe the way it was paid, as store credit, in the sales channel, or by a person."""
BY_PEOPLE = ("channel", "hand")
"""Ways on which a person moves the money and proves it; until then it does not count as given back."""

WAITING = "refunds.state NOT IN ('succeeded', 'rejected_by_us')"
REJECTED = "state = 'rejected_by_us' AND return_id IS NOT NULL"
"""Refunds of returns that finance said no to, in SQL: for those returns money may have to be proposed anew."""


class Refund(Base):
    """An intended refund. From approval on its parameters are frozen; only Stripe's answers make it `succeeded`.

    `way` is how it goes back: what a person moves counts only with their `proof` (a reference, a day, their name).
    `instead_of_id` is the failed one in whose place it was made. `next_look_at` is when the sweep looks at it again;
    `looked_at` when Stripe was asked for what we know of it; `handled` what a person did about one that went wrong.
    `bonus` is percent that the shop adds when it becomes store credit: that is no money of the payment.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("source IN ('ours', 'external')", name="source"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("bonus BETWEEN 0 AND 100", name="bonus"),
        CheckConstraint("approved_by_id <> requested_by_id", name="four_eyes"),
        CheckConstraint("octet_length(idem_key) <= 255", name="idem_key"),
        CheckConstraint("params IS NULL OR (params ->> 'amount')::bigint = amount", name="frozen"),
        CheckConstraint("num_nulls(handled_by_id, handled_at) IN (0, 2)", name="handled"),
        CheckConstraint(
            "way <> 'card' OR state NOT IN ('pending', 'succeeded', 'failed') OR stripe_refund_id IS NOT NULL",
            name="stripe_id",
        ),
        CheckConstraint(f"way IN {WAYS}", name="way"),
        CheckConstraint("way = 'card' OR stripe_refund_id IS NULL", name="not_stripe"),
        CheckConstraint(
            f"way NOT IN {BY_PEOPLE} OR state <> 'succeeded' OR "
            "(proof <> '' AND num_nulls(proven_on, proven_by_id) = 0)",
            name="proof",
        ),
        CheckConstraint("way <> 'hand' OR proven_by_id <> approved_by_id", name="second_person"),
        CheckConstraint(
            "source = 'external' OR state IN ('requested', 'rejected_by_us') OR approved_by_id IS NOT NULL",
            name="approved",
        ),
        UniqueConstraint("return_id", "decision_no"),
        Index("ix_refunds_waiting", "state", "id", postgresql_where=WAITING),
        Index("ix_refunds_rejected", "return_id", postgresql_where=REJECTED),
        Index("ix_refunds_next_look", "next_look_at", postgresql_where="next_look_at IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "approve": (("requested",), "approved"),
            "refuse": (("requested",), "rejected_by_us"),
            "claim": (TO_SEND, "sending"),
            "postpone": (("sending",), "approved"),
            "lose": (("sending",), "unknown"),
            "pend": ((*TO_SEND, "succeeded"), "pending"),
            "succeed": (UNDER_WAY, "succeeded"),
            "reject": (("sending", "unknown"), "refused_by_stripe"),
            "fail": ((*UNDER_WAY, "succeeded"), "failed"),
            "review": ((*UNDER_WAY, "succeeded", *GIVEN_UP), "needs_review"),
            "drop": (("needs_review",), "refused_by_stripe"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[int] = mapped_column(ForeignKey("payments.id"), index=True)
    return_id: Mapped[int | None] = mapped_column(ForeignKey("returns.id"), index=True)
    decision_no: Mapped[int] = mapped_column(default=1)
    source: Mapped[str] = mapped_column(default="ours")
    way: Mapped[str] = mapped_column(default="card")
    instead_of_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"))
    state: Mapped[str] = mapped_column(default="requested", index=True)
    amount: Mapped[int]
    bonus: Mapped[int] = mapped_column(default=0)
    currency: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    requested_at: Mapped[datetime]
    approved_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    approved_at: Mapped[datetime | None]
    decision_note: Mapped[str] = mapped_column(default="")
    due_on: Mapped[date | None]
    uuid: Mapped[str] = mapped_column(unique=True)
    idem_key: Mapped[str] = mapped_column(unique=True)
    params: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(default=0)
    first_sent_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    stripe_refund_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_status: Mapped[str | None]
    failure_reason: Mapped[str | None]
    bank_reference: Mapped[str | None]
    looked_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    handled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    handled_at: Mapped[datetime | None]
    handled_note: Mapped[str] = mapped_column(default="")
    proof: Mapped[str] = mapped_column(default="")
    proven_on: Mapped[date | None]
    proven_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    order: Mapped[Order] = relationship()
    payment: Mapped[Payment] = relationship()
    requested_by: Mapped[Staff | None] = relationship(foreign_keys=[requested_by_id])
    approved_by: Mapped[Staff | None] = relationship(foreign_keys=[approved_by_id])
    handled_by: Mapped[Staff | None] = relationship(foreign_keys=[handled_by_id])
    proven_by: Mapped[Staff | None] = relationship(foreign_keys=[proven_by_id])
    lines: Mapped[list["RefundLine"]] = relationship(order_by="RefundLine.id", back_populates="refund")
    log: Mapped[list["RefundAttempt"]] = relationship(order_by="RefundAttempt.id")

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_task(self) -> bool:
        """Whether a person has to move this money now, and prove it."""
        return self.state == "approved" and self.way in BY_PEOPLE

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it went wrong and nobody has taken care of it."""
        return self.state in WENT_WRONG and self.handled_at is None

    @property
    def asked_for(self) -> Money:
        """What it was before it was reduced."""
        return Money(sum(line.asked for line in self.lines) or self.amount, self.currency)


def wrong_and_waiting() -> ColumnElement[bool]:
    """Refunds that went wrong and that nobody has taken care of."""
    return and_(Refund.state.in_(WENT_WRONG), Refund.handled_at.is_(None))


def tasks() -> ColumnElement[bool]:
    """Approved money that a person has to move."""
    return and_(Refund.state == "approved", Refund.way.in_(BY_PEOPLE))


class RefundLine(Base):
    """What part of the refund is for which line of the order; `asked` is what it was before somebody reduced it."""

    __tablename__ = "refund_lines"
    __table_args__ = (
        UniqueConstraint("refund_id", "order_line_id"),
        CheckConstraint("amount BETWEEN 0 AND asked", name="amount"),
    )
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    quantity: Mapped[int]
    asked: Mapped[int]
    amount: Mapped[int]
    note: Mapped[str] = mapped_column(default="")
    refund: Mapped[Refund] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)


class RefundAttempt(Base):
    """What was asked of Stripe and what came back; append-only."""

    __tablename__ = "refund_attempts"
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds.id"), index=True)
    at: Mapped[datetime]
    source: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    request_id: Mapped[str | None]
    detail: Mapped[str] = mapped_column(default="")


ALARMS = (
    "unknown_here",
    "missing_at_stripe",
    "differs",
    "balance",
    "too_much",
    "unknown_long",
    "pending_long",
    "silent",
    "bad_signature",
    "key_refused",
    "disputed",
)


class MoneyAlarm(Base):
    """One thing that does not fit, open from `found_at` until it is gone or somebody has explained it.

    `key` tells which thing of its kind it is: a number of Stripe's, of a refund, of a payment, or a day.
    """

    __tablename__ = "money_alarms"
    __table_args__ = (
        CheckConstraint(f"kind IN {ALARMS}", name="kind"),
        CheckConstraint("explained_by_id IS NULL OR (closed_at IS NOT NULL AND note <> '')", name="explained"),
        Index("uq_money_alarms_open", "kind", "key", unique=True, postgresql_where="closed_at IS NULL"),
    )
    kind: Mapped[str]
    key: Mapped[str]
    detail: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"), index=True)
    found_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    explained_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str] = mapped_column(default="")
    order: Mapped[Order | None] = relationship()
    explained_by: Mapped[Staff | None] = relationship()
