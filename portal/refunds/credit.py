"""Store credit: money given back to be spent in the shop. Its ledger is append-only, a chain of entries per credit."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from portal.db import Base, move, session
from portal.db.paging import Page, page_of
from portal.jobs import announce
from portal.lib import tokens
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.letters import write
from portal.orders.models import Customer, Order
from portal.orders.payments import release
from portal.orders.timeline import record, words
from portal.refunds.credit_notes import cancel_note, issue_note
from portal.refunds.models import Refund
from portal.refunds.rules import check_note
from portal.refunds.telling import tell_given, tell_returned
from portal.staff.models import Staff

KINDS = ("issued", "bonus", "spent", "undone", "taken_back")
CODE_LENGTH = 10

words(
    "credit.issued",
    staff=_l("%(amount)s given as store credit"),
    customer=_l("%(amount)s given to you as store credit"),
)
words("credit.bonus", staff=_l("%(amount)s added to the store credit: %(note)s"))
words("credit.spent", staff=_l("%(amount)s of the store credit spent: %(note)s"))
words("credit.undone", staff=_l("%(amount)s put back onto the store credit: %(note)s"))
words(
    "credit.taken_back",
    staff=_l("The store credit of %(amount)s was taken back: %(note)s"),
    customer=_l("The store credit of %(amount)s was taken back; we will write to you"),
)


class StoreCredit(Base):
    """What one refund gave as credit. What is left of it is the balance of its last entry."""

    __tablename__ = "store_credits"
    refund_id: Mapped[int] = mapped_column(ForeignKey("refunds.id"), unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    currency: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    issued_at: Mapped[datetime]
    refund: Mapped[Refund] = relationship()
    customer: Mapped[Customer] = relationship()
    entries: Mapped[list["CreditEntry"]] = relationship(order_by="CreditEntry.number", back_populates="credit")

    @property
    def left(self) -> Money:
        return Money(self.entries[-1].balance, self.currency)

    @property
    def issued(self) -> Money:
        """What it began with: the money given back and, where the shop added some, its bonus."""
        return Money(sum(entry.amount for entry in self.entries if entry.kind in ("issued", "bonus")), self.currency)


class CreditEntry(Base):
    """One movement; append-only. `balance` is what is left after it, never less than nothing.

    Two entries at once would bear the same number, and the database takes only one of them.
    """

    __tablename__ = "credit_entries"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("amount <> 0 AND (kind IN ('issued', 'bonus', 'undone')) = (amount > 0)", name="sign"),
        CheckConstraint("balance >= 0", name="balance"),
        CheckConstraint("number > 1 OR (kind = 'issued' AND balance = amount)", name="first"),
        CheckConstraint("(kind = 'undone') = (undoes_id IS NOT NULL)", name="undoes"),
        UniqueConstraint("credit_id", "number"),
    )
    credit_id: Mapped[int] = mapped_column(ForeignKey("store_credits.id"))
    number: Mapped[int]
    kind: Mapped[str]
    amount: Mapped[int]
    balance: Mapped[int]
    at: Mapped[datetime]
    by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str]
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("credit_entries.id"), unique=True)
    credit: Mapped[StoreCredit] = relationship(back_populates="entries")
    by: Mapped[Staff] = relationship()

    @property
    def money(self) -> Money:
        return Money(self.amount, self.credit.currency)

    @property
    def left(self) -> Money:
        return Money(self.balance, self.credit.currency)


def issue_credit(refund: Refund, *, by: Staff, now: datetime) -> StoreCredit:
    """Turn an approved refund into credit: it is given in this transaction, and the customer gets its code."""
    move(refund, "state", "succeed", settled_at=now)
    credit = StoreCredit(
        refund_id=refund.id, customer_id=refund.order.customer_id, currency=refund.currency,
        code=tokens.reference(CODE_LENGTH).upper(), issued_at=now,
    )  # fmt: skip
    first = {"kind": "issued", "amount": refund.amount, "balance": refund.amount, "at": now, "by_id": by.id}
    credit.entries = [CreditEntry(number=1, note="", **first)]
    session.add(credit)
    session.flush()
    if bonus := refund.amount * refund.bonus // 100:
        _append(credit, "bonus", bonus, note=_("Bonus for choosing store credit"), by=by, now=now)
    record(refund.order_id, "credit.issued", by=by, now=now, amount=refund.money)
    paper = issue_note(refund, now=now)
    told: dict[str, Any] = {"amount": credit.issued, "code": credit.code, "paper": paper.called if paper else None}
    told["bonus"] = Money(bonus, refund.currency) if bonus else None
    write("store-credit", refund.order, about=f"refund:{refund.id}", now=now, **told)
    tell_given(refund, now=now)
    announce("refund.settled", refund_id=refund.id)
    return credit


def spend(credit: StoreCredit, amount: int, *, note: str, by: Staff, now: datetime) -> CreditEntry:
    """The customer pays with it; the note says for which order. Raises Refused when less is left."""
    check_note(note)
    left = _lock(credit)
    if type(amount) is not int or amount <= 0:
        raise Refused(_("The amount must be more than nothing."))
    if amount > left:
        raise Refused(_("That is more than what is left of this store credit. Nothing was changed."))
    return _append(credit, "spent", -amount, note=note, by=by, now=now)


def undo_spending(entry: CreditEntry, *, note: str, by: Staff, now: datetime) -> CreditEntry:
    """What was spent is put back, once. Raises Refused for anything else, and the second time."""
    check_note(note)
    _lock(entry.credit)
    undone = select(CreditEntry.id).where(CreditEntry.undoes_id == entry.id)
    if entry.kind != "spent" or session.scalar(undone) is not None:
        raise Refused(_("This can't be put back, or was put back already. Nothing was changed."))
    return _append(entry.credit, "undone", -entry.amount, note=note, by=by, now=now, undoes_id=entry.id)


def take_back(credit: StoreCredit, *, note: str, by: Staff, now: datetime) -> None:
    """Nothing of it is spent: it ends, and the money is free to go back another way."""
    check_note(note)
    if _lock(credit) != credit.issued.amount:
        raise Refused(_("Part of this store credit is spent, so it can't be taken back."))
    refund = session.get_one(Refund, credit.refund_id, with_for_update=True)
    move(refund, "state", "fail", failure_reason="credit_taken_back", settled_at=now)
    release(refund.payment, refund.amount)
    _append(credit, "taken_back", -credit.issued.amount, note=note, by=by, now=now)
    paper = cancel_note(refund, now=now)
    told: dict[str, Any] = {"amount": refund.money, "code": credit.code, "paper": paper.called if paper else None}
    write("store-credit-back", refund.order, about=f"refund:{refund.id}", now=now, **told)
    tell_returned(refund, now=now)
    announce("refund.settled", refund_id=refund.id)


def _lock(credit: StoreCredit) -> int:
    """One at a time; what is left, in minor units."""
    session.scalars(select(StoreCredit.id).where(StoreCredit.id == credit.id).with_for_update()).one()
    session.refresh(credit, ["entries"])
    return credit.left.amount


def _append(
    credit: StoreCredit, kind: str, amount: int, *, note: str, by: Staff, now: datetime, undoes_id: int | None = None
) -> CreditEntry:
    last = credit.entries[-1]
    about = {"at": now, "by_id": by.id, "note": note, "undoes_id": undoes_id}
    entry = CreditEntry(number=last.number + 1, kind=kind, amount=amount, balance=last.balance + amount, **about)
    credit.entries.append(entry)
    session.flush()
    moved = Money(abs(amount), credit.currency)
    record(credit.refund.order_id, f"credit.{kind}", by=by, now=now, amount=moved, note=note)
    return entry


def find_credit(credit_id: int) -> StoreCredit | None:
    """One credit with all that its page shows."""
    about = (joinedload(StoreCredit.customer), joinedload(StoreCredit.refund).joinedload(Refund.order))
    entries = selectinload(StoreCredit.entries).joinedload(CreditEntry.by)
    return session.scalar(select(StoreCredit).where(StoreCredit.id == credit_id).options(*about, entries))


def search(words_typed: str, at: str) -> Page[StoreCredit]:
    """Credits by code, name, address or order number, the newest first."""
    about = (joinedload(StoreCredit.customer), joinedload(StoreCredit.refund).joinedload(Refund.order))
    found = select(StoreCredit).join(StoreCredit.customer).join(StoreCredit.refund).join(Refund.order)
    if typed := words_typed.strip():
        code = StoreCredit.code == typed.upper().replace(" ", "").replace("-", "")
        person = or_(Customer.name.icontains(typed, autoescape=True), func.lower(Customer.email) == typed.lower())
        found = found.where(or_(code, person, Order.number == typed))
    whole = found.options(*about, selectinload(StoreCredit.entries))
    return page_of(whole, StoreCredit.id, at=at, last_first=True)


def credit_of(refund: Refund) -> StoreCredit | None:
    return session.scalar(select(StoreCredit).where(StoreCredit.refund_id == refund.id))
