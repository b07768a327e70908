"""How was it? Invitations and answers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, and_, exists, or_, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, session
from portal.feedback.questions import KINDS, MOODS, QuestionVersion
from portal.fulfilment.models import Parcel
from portal.lib.tokens import digest
from portal.orders.models import Order
from portal.refunds.models import UNDER_WAY, WENT_WRONG, Refund
from portal.returns.models import Return


class SurveyInvitation(Base):
    """One question to one customer about one order, at the right time; with the ground on which it was sent."""

    __tablename__ = "survey_invitations"
    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'sent', 'answered', 'expired', 'suppressed')", name="state"),
        CheckConstraint("reason IN ('delivered', 'return_settled', 'case_closed')", name="reason"),
    )
    MOVES = {
        "state": {
            "send": (("scheduled",), "sent"),
            "answer": (("scheduled", "sent", "answered"), "answered"),
            "suppress": (("scheduled",), "suppressed"),
            "ask_after_all": (("suppressed",), "scheduled"),
            "expire": (("sent",), "expired"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    state: Mapped[str] = mapped_column(default="scheduled")
    version_id: Mapped[int] = mapped_column(ForeignKey("survey_question_versions.id"), index=True)
    anonymous: Mapped[bool] = mapped_column(default=False, server_default="false")
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    suppressed_because: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="delivered", server_default="delivered")
    reminded_at: Mapped[datetime | None]
    ground: Mapped[str] = mapped_column(default="", server_default="")
    ground_id: Mapped[int | None] = mapped_column(ForeignKey("survey_grounds.id"))
    consent_id: Mapped[int | None] = mapped_column(ForeignKey("survey_consents.id", ondelete="SET NULL"))
    order: Mapped[Order] = relationship()
    version: Mapped[QuestionVersion] = relationship()
    answer: Mapped["Answer | None"] = relationship(back_populates="invitation")


class Answer(Base):
    """A score and words; the last one before closing counts.

    `question` is what the customer read, in their language, `version` how it was put to all. `mood` says what a score
    means on its scale. An anonymous answer knows no invitation, and of its moment only the day.
    """

    __tablename__ = "answers"
    __table_args__ = (
        CheckConstraint("score BETWEEN 0 AND 10", name="score"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"mood IN {MOODS}", name="mood"),
        Index("ix_answers_bad", "answered_at", postgresql_where="mood = 'bad'"),
    )
    invitation_id: Mapped[int | None] = mapped_column(ForeignKey("survey_invitations.id"), unique=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("survey_question_versions.id"), index=True)
    question: Mapped[str]
    kind: Mapped[str]
    score: Mapped[int]
    mood: Mapped[str]
    choice: Mapped[int | None]
    words: Mapped[str] = mapped_column(default="")
    provisional: Mapped[bool] = mapped_column(default=False)
    answered_at: Mapped[datetime]
    invitation: Mapped[SurveyInvitation | None] = relationship(back_populates="answer")
    version: Mapped[QuestionVersion] = relationship()
    stars: Mapped[list["AnswerStars"]] = relationship(order_by="AnswerStars.id", cascade="all, delete-orphan")

    @property
    def bad(self) -> bool:
        return self.mood == "bad"

    @property
    def good(self) -> bool:
        return self.mood == "good"


class AnswerStars(Base):
    """Of an answer in stars, how one article was liked. An anonymous one does not know of which order's line."""

    __tablename__ = "answer_stars"
    __table_args__ = (
        CheckConstraint("stars BETWEEN 1 AND 5", name="stars"),
        UniqueConstraint("answer_id", "order_line_id"),
    )
    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"))
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_lines.id"), index=True)
    sku: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    stars: Mapped[int]


class SurveyObjection(Base):
    """An address that is never to be asked again, kept as a hash, so that it outlives the customer's data.

    The hash has no key: a new SECRET_KEY must not forget what somebody asked of us.
    """

    __tablename__ = "survey_objections"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    objected_at: Mapped[datetime]


def invitation_of(order_id: int) -> SurveyInvitation | None:
    """The order's invitation, locked: whoever decides on it is alone."""
    found = select(SurveyInvitation).where(SurveyInvitation.order_id == order_id)
    return session.scalar(found.with_for_update().execution_options(populate_existing=True))


def arrived_at(order_id: int) -> datetime | None:
    """When the last parcel arrived; None while one is still to come."""
    travelling = (Parcel.order_id == order_id, Parcel.state != "cancelled")
    arrived = session.scalars(select(Parcel.delivered_at).where(*travelling)).all()
    return max(filter(None, arrived)) if arrived and all(arrived) else None


def has_open_return(order_id: int) -> bool:
    """Whether goods or money are still on their way back."""
    coming = and_(Return.decision == "approved", Return.goods != "not_expected", Return.inspected_at.is_(None))
    goods = exists().where(Return.order_id == order_id, or_(Return.decision == "requested", coming))
    money = exists().where(Refund.order_id == order_id, Refund.state.in_(("requested", *UNDER_WAY, *WENT_WRONG)))
    return bool(session.scalar(select(or_(goods, money))))


def was_asked_since(customer_id: int, since: datetime) -> bool:
    """Whether this customer was asked about any order after that moment."""
    asked = select(SurveyInvitation.id).join(Order, Order.id == SurveyInvitation.order_id)
    return session.scalar(asked.where(Order.customer_id == customer_id, SurveyInvitation.sent_at > since)) is not None


def objection_digest(email: str) -> bytes:
    return digest(f"survey-objection:{email.strip().lower()}")


def has_objected(email: str) -> bool:
    mine = exists().where(SurveyObjection.digest == objection_digest(email))
    return bool(session.scalar(select(mine)))
