"""Credit notes: a paper for each refund that came about, and for each that was undone. Their numbers have no gaps."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask import current_app
from sqlalchemy import CheckConstraint, ForeignKey, Index, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, paging, session
from portal.lib.days import shop_day
from portal.lib.money import Money
from portal.refunds.models import Refund

SERIES = "credit_notes"


class NumberSeries(Base):
    """The last number given in a series: whoever takes the next holds the row until the end of their transaction."""

    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(unique=True)
    last: Mapped[int]


class CreditNote(Base):
    """One numbered paper; never changed. With `cancels_id` it takes back an earlier one, whose money did not arrive.

    `content` is all that the paper says, as it was on that day, but for what the language adds.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("amount > 0", name="amount"),
        Index("uq_credit_notes_refund", "refund_id", unique=True, postgresql_where="cancels_id IS NULL"),
    )
    number: Mapped[int] = mapped_column(unique=True)
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds.id"), index=True)
    cancels_id: Mapped[int | None] = mapped_column(ForeignKey("credit_notes.id"), unique=True)
    amount: Mapped[int]
    currency: Mapped[str]
    locale: Mapped[str]
    issued_at: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    refund: Mapped[Refund] = relationship()
    cancels: Mapped["CreditNote | None"] = relationship(remote_side="CreditNote.id")

    @property
    def called(self) -> str:
        return called(self.number)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def issued_on(self) -> date:
        return date.fromisoformat(self.content["issued_on"])


def called(number: int) -> str:
    """The number as people quote it."""
    return f"CN-{number:06d}"


def issue_note(refund: Refund, *, now: datetime) -> CreditNote | None:
    """The paper for money that went back, in the refund's own transaction; the same again when there is one.

    What was given back in Stripe's dashboard gets none: there is nothing that says for which goods it was.
    """
    if refund.source == "external":
        return None
    return _of(refund) or _write(refund, now)


def cancel_note(refund: Refund, *, now: datetime) -> CreditNote | None:
    """The money did not arrive after all: a paper of its own takes the first one back, once."""
    note = _of(refund)
    if note is None:
        return None
    same = select(CreditNote).where(CreditNote.cancels_id == note.id)
    return session.scalar(same) or _write(refund, now, cancels=note)


def _of(refund: Refund) -> CreditNote | None:
    mine = (CreditNote.refund_id == refund.id, CreditNote.cancels_id.is_(None))
    return session.scalar(select(CreditNote).where(*mine))


def _write(refund: Refund, now: datetime, cancels: CreditNote | None = None) -> CreditNote:
    content = {**cancels.content, "issued_on": _today(now)} if cancels else _content(refund, now)
    note = CreditNote(
        number=_next_number(), refund_id=refund.id, cancels=cancels, amount=refund.amount, currency=refund.currency,
        locale=refund.order.locale, issued_at=now, content=content,
    )  # fmt: skip
    session.add(note)
    session.flush()
    return note


def _content(refund: Refund, now: datetime) -> dict[str, Any]:
    settings, order = current_app.config["SETTINGS"], refund.order
    return {
        "issued_on": _today(now),
        "shop": [settings.shop_name, *_lines(settings.shop_address, settings.shop_name)],
        "to": order.customer.name,
        "order": order.number,
        "ordered_on": shop_day(order.placed_at).isoformat(),
        "way": refund.way,
        "rows": [[_title(line.quantity, line.line.title), line.amount] for line in refund.lines if line.amount],
    }


def _today(now: datetime) -> str:
    return shop_day(now).isoformat()


def _lines(address: str, name: str) -> list[str]:
    lines = [line.strip() for line in address.replace("\n", ",").split(",")]
    return [line for line in lines if line and line != name]


def _title(quantity: int, title: str) -> str:
    return f"{quantity} × {title}" if quantity > 1 else title


def _next_number() -> int:
    """The row stays locked until this transaction ends; when it rolls back, so does the number."""
    first = insert(NumberSeries).values(name=SERIES, last=1)
    taken = first.on_conflict_do_update(index_elements=["name"], set_={"last": NumberSeries.last + 1})
    return int(session.execute(taken.returning(NumberSeries.last)).scalar_one())


def find_note(number: int, order_id: int | None = None) -> CreditNote | None:
    """The paper with this number; with `order_id` only when it is about that order."""
    found = select(CreditNote).where(CreditNote.number == number).options(joinedload(CreditNote.cancels))
    if order_id is not None:
        found = found.join(CreditNote.refund).where(Refund.order_id == order_id)
    return session.scalar(found)


def notes_of(refund: Refund) -> Sequence[CreditNote]:
    """The refund's paper, and the one that took it back."""
    return session.scalars(select(CreditNote).where(CreditNote.refund_id == refund.id).order_by(CreditNote.id)).all()


def of_order(order_id: int) -> Sequence[CreditNote]:
    """All papers about an order's money, the newest first."""
    found = select(CreditNote).join(CreditNote.refund).where(Refund.order_id == order_id)
    return session.scalars(found.order_by(CreditNote.number.desc()).options(joinedload(CreditNote.cancels))).all()


def page_of(at: str) -> paging.Page[CreditNote]:
    """One page of all papers, the newest first."""
    about = (joinedload(CreditNote.cancels), joinedload(CreditNote.refund).joinedload(Refund.order))
    return paging.page_of(select(CreditNote).options(*about), CreditNote.number, at=at, last_first=True)
