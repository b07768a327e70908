"""How was it? Invitations, answers, and the cases that make it right."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.orders.models import Order
from portal.staff.models import Staff


class SurveyInvitation(Base):
    """One question to one customer about one order, at the right time."""

    __tablename__ = "survey_invitations"
    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'sent', 'answered', 'expired', 'suppressed')", name="state"),
    )
    MOVES = {
        "state": {
            "send": (("scheduled",), "sent"),
            "answer": (("scheduled", "sent", "answered"), "answered"),
            "suppress": (("scheduled",), "suppressed"),
            "expire": (("sent",), "expired"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    state: Mapped[str] = mapped_column(default="scheduled")
    question: Mapped[str] = mapped_column(default="csat.1")
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    suppressed_because: Mapped[str | None]
    order: Mapped[Order] = relationship()
    answer: Mapped["Answer | None"] = relationship(back_populates="invitation")


class Answer(Base):
    """A score and words; the last one before closing counts."""

    __tablename__ = "answers"
    __table_args__ = (CheckConstraint("score BETWEEN 1 AND 5", name="score"),)
    invitation_id: Mapped[int] = mapped_column(ForeignKey("survey_invitations.id"), unique=True)
    question: Mapped[str]
    score: Mapped[int]
    words: Mapped[str] = mapped_column(default="")
    provisional: Mapped[bool] = mapped_column(default=False)
    answered_at: Mapped[datetime]
    invitation: Mapped[SurveyInvitation] = relationship(back_populates="answer")


class Case(Base):
    """A promise to make it right. Only the customer's word (or long silence) ends it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'waiting_for_customer', 'solved', 'closed')", name="state"),
        Index("ix_cases_open", "due_at", "id", postgresql_where="state IN ('open', 'waiting_for_customer')"),
    )
    MOVES = {
        "state": {
            "reply": (("open", "waiting_for_customer"), "waiting_for_customer"),
            "hear": (("open", "waiting_for_customer", "solved"), "open"),
            "solve": (("open", "waiting_for_customer"), "solved"),
            "reopen": (("waiting_for_customer", "solved"), "open"),
            "close": (("solved", "waiting_for_customer"), "closed"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answers.id"), unique=True)
    state: Mapped[str] = mapped_column(default="open")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    reopened: Mapped[int] = mapped_column(default=0)
    solved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    order: Mapped[Order] = relationship()
    answer: Mapped[Answer | None] = relationship()
    owner: Mapped[Staff | None] = relationship()
    messages: Mapped[list["CaseMessage"]] = relationship(order_by="CaseMessage.id")


class CaseMessage(Base):
    """One turn of the conversation; without a person of the shop it is the customer's."""

    __tablename__ = "case_messages"
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    words: Mapped[str]
    at: Mapped[datetime]
    staff: Mapped[Staff | None] = relationship()
