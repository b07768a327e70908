"""A promise to make it right: cases, their conversation, and the desk's lists of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    and_,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from portal.db import Base, paging, session
from portal.feedback.models import Answer
from portal.lib.money import Money
from portal.orders.models import Order
from portal.pictures.models import Picture
from portal.staff.models import Staff

URGENT = 3
"""Cases of this severity stand before all others."""
UNSOLVED = ("open", "waiting_for_customer")


class Case(Base):
    """A promise to make it right. Only the customer's word (or long silence) ends it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'waiting_for_customer', 'solved', 'closed')", name="state"),
        CheckConstraint("escalated BETWEEN 0 AND 2", name="escalated"),
        CheckConstraint("opened_for IN ('answer', 'late', 'return')", name="opened_for"),
        Index("uq_cases_order_id_opened_for", "order_id", "opened_for", unique=True),
        Index("ix_cases_opened", "opened_at", "state"),
        Index(
            "ix_cases_solved", text("(solved_at IS NOT NULL)"), "solved_at", "id",
            postgresql_where="state IN ('solved', 'closed')",
        ),
        Index("ix_cases_open", "due_at", "id", postgresql_where="state IN ('open', 'waiting_for_customer')"),
    )
    MOVES = {
        "state": {
            "reply": (("open", "waiting_for_customer"), "waiting_for_customer"),
            "hear": (("open", "waiting_for_customer", "solved", "closed"), "open"),
            "come_back": (("waiting_for_customer",), "open"),
            "solve": (("open", "waiting_for_customer"), "solved"),
            "reopen": (("waiting_for_customer", "solved"), "open"),
            "close": (("solved", "waiting_for_customer"), "closed"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answers.id"), unique=True)
    opened_for: Mapped[str] = mapped_column(default="answer", server_default="answer")
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("case_rules.id"))
    department: Mapped[str] = mapped_column(default="support", server_default="support")
    severity: Mapped[int] = mapped_column(default=2, server_default="2")
    hours: Mapped[int | None]
    state: Mapped[str] = mapped_column(default="open")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    reopened: Mapped[int] = mapped_column(default=0)
    escalated: Mapped[int] = mapped_column(default=0, server_default="0")
    solved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    order: Mapped[Order] = relationship()
    answer: Mapped[Answer | None] = relationship()
    owner: Mapped[Staff | None] = relationship()
    messages: Mapped[list["CaseMessage"]] = relationship(order_by="CaseMessage.id")

    @property
    def said(self) -> list["CaseMessage"]:
        """What the customer and the shop wrote to each other, without what strangers sent."""
        return [message for message in self.messages if message.counts]

    @property
    def asks_if_solved(self) -> bool:
        """Whether our last word was the question that only the customer can answer."""
        return self.state == "waiting_for_customer" and bool(self.said) and self.said[-1].asks_if_solved

    @property
    def last_message_id(self) -> int:
        return self.messages[-1].id if self.messages else 0

    def is_overdue(self, now: datetime) -> bool:
        return self.state == "open" and now > self.due_at


class CaseMessage(Base):
    """One turn of the conversation; without a person of the shop it is the customer's.

    `done` is what went with an answer, as it was told: money proposed, goods sent anew.
    A mail from another address than the customer's does not count as their word until somebody of the shop says so.
    """

    __tablename__ = "case_messages"
    __table_args__ = (CheckConstraint("via IN ('page', 'mail')", name="via"),)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    words: Mapped[str]
    asks_if_solved: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime]
    via: Mapped[str] = mapped_column(default="page", server_default="page")
    mail_id: Mapped[str] = mapped_column(default="", server_default="")
    from_address: Mapped[str] = mapped_column(default="", server_default="")
    quoted: Mapped[str] = mapped_column(default="", server_default="")
    counts: Mapped[bool] = mapped_column(default=True, server_default="true")
    done: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    staff: Mapped[Staff | None] = relationship()
    attached: Mapped[list["CaseAttachment"]] = relationship(order_by="CaseAttachment.id")

    @property
    def amount(self) -> Money | None:
        """The money that this answer told of."""
        return Money(self.done["amount"], self.done["currency"]) if self.done and "amount" in self.done else None

    @property
    def pictures(self) -> list[Picture]:
        """Those that came with it and are still kept."""
        return [file.picture for file in self.attached if file.picture]


class CaseAttachment(Base):
    """What came with a mail: a picture, made anew from its pixels; of anything else only that it came, and why not."""

    __tablename__ = "case_attachments"
    message_id: Mapped[int] = mapped_column(ForeignKey("case_messages.id"), index=True)
    name: Mapped[str]
    kind: Mapped[str]
    size: Mapped[int]
    why_not: Mapped[str] = mapped_column(default="")
    picture_id: Mapped[int | None] = mapped_column(ForeignKey("pictures.id", ondelete="SET NULL"), index=True)
    picture: Mapped[Picture | None] = relationship(lazy="joined")


def has_unsolved_case(order_id: int) -> bool:
    return bool(session.scalar(select(exists().where(Case.order_id == order_id, Case.state.in_(UNSOLVED)))))


def case_of_answer(answer_id: int) -> Case | None:
    return session.scalar(select(Case).where(Case.answer_id == answer_id))


def find_case(case_id: int, order_id: int | None = None) -> Case | None:
    """The case with its conversation; only the order's own when one is named."""
    talk = selectinload(Case.messages)
    conversation = (talk.joinedload(CaseMessage.staff), talk.selectinload(CaseMessage.attached))
    about = (joinedload(Case.order), joinedload(Case.owner), joinedload(Case.answer))
    found = select(Case).where(Case.id == case_id).options(*conversation, *about)
    return session.scalar(found if order_id is None else found.where(Case.order_id == order_id))


def case_picture(picture_id: int, order_id: int) -> Picture | None:
    """A picture that came with the customer's own words about this order."""
    found = select(Picture).join(CaseAttachment).join(CaseMessage, CaseMessage.id == CaseAttachment.message_id)
    own = (Picture.id == picture_id, Picture.order_id == order_id, CaseMessage.counts.is_(True))
    return session.scalar(found.where(*own))


VIEWS = ("open", "mine", "waiting", "solved")


def page_of(view: str, me: int, at: str) -> paging.Page[Case]:
    """One page of one of the desk's lists of cases, the most urgent first; what is solved, last first."""
    chosen = {
        "open": or_(Case.state == "open", _a_stranger_wrote_last()),
        "mine": and_(Case.state.in_(UNSOLVED), Case.owner_id == me),
        "waiting": Case.state == "waiting_for_customer",
        "solved": Case.state.in_(("solved", "closed")),
    }[view]
    about = (joinedload(Case.order), joinedload(Case.owner), joinedload(Case.answer))
    found = select(Case).where(chosen).options(*about)
    if view == "solved":
        return paging.page_of(found, Case.solved_at.is_not(None), Case.solved_at, Case.id, at=at, last_first=True)
    return paging.page_of(found, Case.state != "open", Case.severity < URGENT, Case.due_at, Case.id, at=at)


def _a_stranger_wrote_last() -> ColumnElement[bool]:
    """Somebody else than the customer wrote since our last word: a person has to judge it, whoever's turn it is."""
    last = select(func.max(CaseMessage.id)).where(CaseMessage.case_id == Case.id).correlate(Case).scalar_subquery()
    strange = exists().where(CaseMessage.id == last, CaseMessage.counts.is_(False))
    return and_(Case.state.in_(UNSOLVED), strange)


def count_cases(me: int) -> dict[str, int]:
    """How many cases are in each of the desk's lists that are to be worked on."""
    mine = func.count().filter(Case.owner_id == me)
    waiting = func.count().filter(Case.state == "waiting_for_customer")
    opened = func.count().filter(or_(Case.state == "open", _a_stranger_wrote_last()))
    row = session.execute(select(opened, mine, waiting).where(Case.state.in_(UNSOLVED))).one()
    return dict(zip(("open", "mine", "waiting"), row, strict=True))


def people_for_cases() -> list[Staff]:
    """Everybody who may work on cases now, by name."""
    people = session.scalars(select(Staff).where(Staff.disabled_at.is_(None)).order_by(Staff.name, Staff.id))
    return [person for person in people if person.may("cases.work")]
