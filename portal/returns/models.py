"""Returns: goods coming back, and the three questions about them: decided, arrived, paid back."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    UniqueConstraint,
    cast,
    func,
    select,
)
from sqlalchemy.orm import Mapped, column_property, declared_attr, joinedload, mapped_column, relationship, selectinload

from portal.db import Base, may
from portal.fulfilment.models import BackParcel
from portal.orders.models import Order, OrderLine
from portal.refunds.models import Refund
from portal.staff.models import Staff

GRADES = ("as_new", "opened", "worn", "damaged", "wrong_item")
DISPOSITIONS = ("restock", "refurbish", "recycle", "discard", "back_to_customer")
ENDINGS = ("nothing_due", "in_channel")
"""How a return ends without a refund of ours: nothing is to be paid, or the sales channel pays."""
CHOICES = ("money", "exchange", "credit", "keep")
"""What a customer may get for goods: money back, another variant, store credit, part of the money and keep them."""
FEES = ("return", "restocking", "label", "kept")
"""What may be taken from a line's money; `kept` is what was given before so that the customer keeps it."""
FOUND = "found"
"""The reason of a line that nobody announced and that was in the parcel all the same."""
WITHDRAWN = "withdrawn"
"""The reason of a line whose contract was withdrawn from: the law asks for none."""


def named(line: OrderLine) -> str:
    """The goods as people know them."""
    return f"{line.title}, {line.variant}" if line.variant else line.title


NEVER_PROPOSED = (
    "decision = 'approved' AND closed_at IS NULL AND inspected_at IS NOT NULL AND money_proposed_at IS NULL"
)
"""Inspected returns for whose money nobody ever asked, in SQL: of a shop's whole past they are few."""


class Return(Base):
    """Goods (or a claim) coming back. Where the money is, its refunds say; `money_proposed_at` is when it was asked for
    at first.

    `keep_share` is how many percent of the money goes back when the customer keeps the goods: as they asked, or as we
    offered. Goods that stay and goods that come are never in one return.
    """

    __tablename__ = "returns"
    __table_args__ = (
        CheckConstraint("kind IN ('withdrawal', 'return', 'claim')", name="kind"),
        CheckConstraint("decision IN ('requested', 'approved', 'declined', 'cancelled')", name="decision"),
        CheckConstraint("goods IN ('not_expected', 'awaited', 'in_transit', 'received', 'lost')", name="goods"),
        CheckConstraint(f"closed_as IN {ENDINGS}", name="closed_as"),
        CheckConstraint("(closed_at IS NULL) = (closed_as IS NULL)", name="closed"),
        CheckConstraint("keep_share BETWEEN 1 AND 100", name="keep_share"),
        UniqueConstraint("order_id", "form_key"),
        Index("ix_returns_open", "decision", "goods", "id"),
        Index("ix_returns_to_inspect", "id", postgresql_where="goods = 'received' AND inspected_at IS NULL"),
        Index("ix_returns_never_proposed", "id", postgresql_where=NEVER_PROPOSED),
    )
    MOVES = {
        "decision": {
            "approve": (("requested",), "approved"),
            "decline": (("requested",), "declined"),
            "cancel": (("requested", "approved"), "cancelled"),
            "accept_anyway": (("declined", "cancelled"), "approved"),
        },
        "goods": {
            "await": (("not_expected",), "awaited"),
            "call_off": (("awaited", "in_transit", "lost"), "not_expected"),
            "travel": (("awaited",), "in_transit"),
            "receive": (("not_expected", "awaited", "in_transit", "lost"), "received"),
            "lose": (("awaited", "in_transit"), "lost"),
        },
    }

    rma: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(default="return")
    decision: Mapped[str] = mapped_column(default="requested")
    goods: Mapped[str] = mapped_column(default="not_expected")
    form_key: Mapped[str | None]
    policy_id: Mapped[int | None] = mapped_column(ForeignKey("return_policies.id"))
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    decision_note: Mapped[str] = mapped_column(default="")
    send_back_by: Mapped[date | None]
    received_at: Mapped[datetime | None]
    received_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    inspected_at: Mapped[datetime | None]
    money_proposed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]
    closing_note: Mapped[str] = mapped_column(default="")
    keep_share: Mapped[int | None]

    order: Mapped[Order] = relationship()
    lines: Mapped[list["ReturnLine"]] = relationship(order_by="ReturnLine.id", back_populates="ret")
    decided_by: Mapped[Staff | None] = relationship(foreign_keys=[decided_by_id])
    refunds: Mapped[list[Refund]] = relationship(order_by="Refund.decision_no")
    back: Mapped[list[BackParcel]] = relationship(order_by="BackParcel.id")

    @property
    def pieces(self) -> int:
        """How many pieces were announced."""
        return sum(line.quantity for line in self.lines)

    @property
    def money(self) -> Refund | None:
        """The refund that counts: the last one that we did not reject ourselves."""
        return next((refund for refund in reversed(self.refunds) if refund.state != "rejected_by_us"), None)

    @property
    def parts(self) -> list[Refund]:
        """All refunds that count: what one decision gives back, by card, as credit or otherwise; the latest of each."""
        replaced = {refund.instead_of_id for refund in self.refunds}
        return [one for one in self.refunds if one.state != "rejected_by_us" and one.id not in replaced]

    @property
    def paid_back(self) -> bool:
        """Whether all money that is due has reached the customer."""
        return bool(self.parts) and all(part.state == "succeeded" for part in self.parts)

    @property
    def living(self) -> list[BackParcel]:
        """The parcels in which it comes, without those that were taken out."""
        return [parcel for parcel in self.back if parcel.ended_at is None]

    @property
    def used_our_label(self) -> bool:
        """Whether it travels with a label that we bought: it was scanned, or nobody told of another parcel."""
        ours = [parcel for parcel in self.living if parcel.source == "bought" and parcel.tracking_number]
        return any(parcel.scanned_at for parcel in ours) or (bool(ours) and len(ours) == len(self.living))

    @property
    def sent_at(self) -> datetime | None:
        """When it was proven that the goods are on their way."""
        return min((parcel.scanned_at for parcel in self.living if parcel.scanned_at), default=None)

    @property
    def released_at(self) -> datetime | None:
        """Until when the shop may wait with the money: until they were sent, or are here."""
        return self.sent_at or self.received_at

    @property
    def stays(self) -> bool:
        """Whether the customer keeps the goods, for part of the money or all of it: nothing is awaited."""
        return self.goods == "not_expected" and bool(self.lines) and all(row.choice == "keep" for row in self.lines)

    @property
    def keep_offer(self) -> int | None:
        """How many percent we offer when the customer keeps it; None once nobody can choose that any more."""
        open_still = self.decision in ("requested", "approved") and self.goods in ("not_expected", "awaited")
        return self.keep_share if open_still and not (self.stays or self.sent_at or self.closed_at) else None

    @property
    def settleable(self) -> bool:
        """Whether it can be said what money is due: somebody has counted, it is due before, or nothing will come."""
        return bool(self.inspected_at) or self.released or (self.stays and self.decision == "approved")

    @property
    def released(self) -> bool:
        """Whether money is due before anybody has counted: the law's proof of dispatch, or lost after it was sent."""
        if self.inspected_at or self.decision != "approved" or not self.sent_at:
            return False
        return self.kind == "withdrawal" or self.goods == "lost"

    @property
    def to_count(self) -> bool:
        """Whether the bench may count: it is here, and no money was proposed from a count before."""
        return self.goods == "received" and not self.closed_at and (not self.money or not self.inspected_at)

    @property
    def cancellable(self) -> bool:
        """Whether it can be called off: nothing has arrived, gone out or been paid for it, and it is no withdrawal."""
        bound = self.kind == "withdrawal" or any(row.sent_instead for row in self.lines)
        bound = bound or bool(self.money or self.closed_at)
        return not bound and may(self, "decision", "cancel") and self.goods in ("not_expected", "awaited")

    def overdue(self, today: date) -> bool:
        """Whether it should have been sent by now."""
        return self.decision == "approved" and self.goods == "awaited" and today > (self.send_back_by or today)


class SentInstead(Base):
    """A line of an order with nothing to pay, and the line of the return in whose place it goes out."""

    __tablename__ = "sent_instead"
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), unique=True)
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_lines.id"), index=True)
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)


class ReturnFee(Base):
    """What is taken from a line's money for all its announced pieces, in minor units: it was shown when asked for."""

    __tablename__ = "return_fees"
    __table_args__ = (
        UniqueConstraint("return_line_id", "kind"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(f"kind IN {FEES}", name="kind"),
    )
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_lines.id"), index=True)
    kind: Mapped[str]
    amount: Mapped[int]
    return_line: Mapped["ReturnLine"] = relationship(back_populates="fees")


class ReturnLine(Base):
    """How many pieces of an order's line the customer announced, why, and what they would like for them.

    `variant_sku` and `variant` are what it is exchanged for, as it was called then. `believed` are paid, not counted.
    """

    __tablename__ = "return_lines"
    __table_args__ = (
        UniqueConstraint("return_id", "order_line_id"),
        CheckConstraint(f"quantity > 0 OR (quantity = 0 AND reason = '{FOUND}')", name="quantity"),
        CheckConstraint("condition IN ('', 'sealed', 'opened', 'used')", name="condition"),
        CheckConstraint(f"choice IN {CHOICES}", name="choice"),
        CheckConstraint("(choice = 'exchange') = (variant_sku <> '')", name="variant"),
        CheckConstraint("believed BETWEEN 0 AND quantity", name="believed"),
    )
    return_id: Mapped[int] = mapped_column(ForeignKey("returns.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"), index=True)
    quantity: Mapped[int]
    reason: Mapped[str]
    words: Mapped[str] = mapped_column(default="")
    condition: Mapped[str] = mapped_column(default="")
    choice: Mapped[str] = mapped_column(default="money")
    variant_sku: Mapped[str] = mapped_column(default="")
    variant: Mapped[str] = mapped_column(default="")
    believed: Mapped[int] = mapped_column(default=0)
    ret: Mapped[Return] = relationship(back_populates="lines")
    line: Mapped[OrderLine] = relationship(lazy="joined", innerjoin=True)
    inspections: Mapped[list["Inspection"]] = relationship(order_by="Inspection.id", back_populates="return_line")
    fees: Mapped[list[ReturnFee]] = relationship(
        order_by=ReturnFee.id, back_populates="return_line", cascade="all, delete-orphan"
    )

    @declared_attr
    def sent_instead(cls) -> Mapped[int]:  # noqa: N805
        """Pieces that went or go out for those of this line: no money is owed for so many."""
        pieces = func.coalesce(cast(func.sum(OrderLine.quantity), BigInteger), 0)
        sent = select(pieces).select_from(SentInstead)
        sent = sent.join(OrderLine, OrderLine.id == SentInstead.order_line_id).join(OrderLine.order)
        return column_property(
            sent.where(SentInstead.return_line_id == cls.id, Order.state != "cancelled").scalar_subquery()
        )

    @property
    def told(self) -> str:
        return named(self.line)


class Inspection(Base):
    """What was found at the bench: pieces of a line in one state, what becomes of them, who looked. One row a state."""

    __tablename__ = "inspections"
    __table_args__ = (
        CheckConstraint(f"grade IN {GRADES}", name="grade"),
        CheckConstraint(f"disposition IN {DISPOSITIONS}", name="disposition"),
        CheckConstraint("counted >= 0", name="counted"),
        CheckConstraint("deduction >= 0", name="deduction"),
        CheckConstraint("counted = 0 OR (grade IS NOT NULL AND disposition IS NOT NULL)", name="graded"),
    )
    return_line_id: Mapped[int] = mapped_column(ForeignKey("return_lines.id"), index=True)
    counted: Mapped[int]
    grade: Mapped[str | None]
    disposition: Mapped[str | None]
    deduction: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="")
    inspected_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    inspected_at: Mapped[datetime]
    return_line: Mapped[ReturnLine] = relationship(back_populates="inspections")
    inspected_by: Mapped[Staff] = relationship()

    @property
    def kept(self) -> int:
        """Pieces of this very line that came and stay."""
        return 0 if self.grade == "wrong_item" or self.disposition == "back_to_customer" else self.counted


def whole(*where: ColumnElement[bool]) -> Select[Any]:
    """Returns with all that hangs on them, read anew."""
    lines = selectinload(Return.lines)
    order = joinedload(Return.order, innerjoin=True)
    found = select(Return).options(
        lines.selectinload(ReturnLine.inspections).joinedload(Inspection.inspected_by),
        lines.selectinload(ReturnLine.fees),
        order.selectinload(Order.lines),
        order.joinedload(Order.payment),
        joinedload(Return.decided_by),
        selectinload(Return.refunds),
        selectinload(Return.back).selectinload(BackParcel.events),
    )
    return found.where(*where).execution_options(populate_existing=True)
