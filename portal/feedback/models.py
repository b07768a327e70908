"""How was it? Invitations, answers, and the cases that make it right."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from portal.db import Base, session
from portal.fulfilment.models import Parcel
from portal.lib.tokens import digest
from portal.orders.models import Order
from portal.refunds.models import UNDER_WAY, WENT_WRONG, Refund
from portal.returns.models import Return
from portal.staff.models import Staff
from portal.staff.rules import Role

UNSOLVED = ("open", "waiting_for_customer")


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
    question: Mapped[str] = mapped_column(default="csat.1")
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


class SurveyObjection(Base):
    """An address that is never to be asked again, kept as a hash, so that it outlives the customer's data.

    The hash has no key: a new SECRET_KEY must not forget what somebody asked of us.
    """

    __tablename__ = "survey_objections"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    objected_at: Mapped[datetime]


class Case(Base):
    """A promise to make it right. Only the customer's word (or long silence) ends it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'waiting_for_customer', 'solved', 'closed')", name="state"),
        CheckConstraint("escalated BETWEEN 0 AND 2", name="escalated"),
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
    escalated: Mapped[int] = mapped_column(default=0, server_default="0")
    solved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    order: Mapped[Order] = relationship()
    answer: Mapped[Answer | None] = relationship()
    owner: Mapped[Staff | None] = relationship()
    messages: Mapped[list["CaseMessage"]] = relationship(order_by="CaseMessage.id")

    @property
    def asks_if_solved(self) -> bool:
        """Whether our last word was the question that only the customer can answer."""
        return self.state == "waiting_for_customer" and bool(self.messages) and self.messages[-1].asks_if_solved

    @property
    def last_message_id(self) -> int:
        return self.messages[-1].id if self.messages else 0

    def is_overdue(self, now: datetime) -> bool:
        return self.state == "open" and now > self.due_at


class CaseMessage(Base):
    """One turn of the conversation; without a person of the shop it is the customer's."""

    __tablename__ = "case_messages"
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    words: Mapped[str]
    asks_if_solved: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime]
    staff: Mapped[Staff | None] = relationship()


@dataclass(frozen=True, slots=True)
class Ask:
    """The question as the customer meets it: `open` to be answered, `answered`, or over."""

    state: str
    score: int | None
    words: str
    closes_at: datetime | None
    case_id: int | None
    provisional: bool
    is_open: bool


def survey_for(order_id: int, *, now: datetime) -> Ask | None:
    """What is asked about this order; None when nobody was to be asked."""
    columns = (
        SurveyInvitation.state,
        Answer.score,
        Answer.words,
        SurveyInvitation.closes_at,
        Case.id,
        Answer.provisional,
    )
    found = select(*columns).outerjoin(Answer, Answer.invitation_id == SurveyInvitation.id)
    row = session.execute(
        found.outerjoin(Case, Case.answer_id == Answer.id).where(SurveyInvitation.order_id == order_id)
    ).first()
    if row is None or row.state == "suppressed":
        return None
    is_open = row.state != "expired" and (row.closes_at is None or now < row.closes_at)
    return Ask(row.state, row.score, row.words or "", row.closes_at, row.id, bool(row.provisional), is_open)


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


def has_unsolved_case(order_id: int) -> bool:
    return bool(session.scalar(select(exists().where(Case.order_id == order_id, Case.state.in_(UNSOLVED)))))


def was_asked_since(customer_id: int, since: datetime) -> bool:
    """Whether this customer was asked about any order after that moment."""
    asked = select(SurveyInvitation.id).join(Order, Order.id == SurveyInvitation.order_id)
    return session.scalar(asked.where(Order.customer_id == customer_id, SurveyInvitation.sent_at > since)) is not None


def objection_digest(email: str) -> bytes:
    return digest(f"survey-objection:{email.strip().lower()}")


def has_objected(email: str) -> bool:
    mine = exists().where(SurveyObjection.digest == objection_digest(email))
    return bool(session.scalar(select(mine)))


def case_of_answer(answer_id: int) -> Case | None:
    return session.scalar(select(Case).where(Case.answer_id == answer_id))


def find_case(case_id: int, order_id: int | None = None) -> Case | None:
    """The case with its conversation; only the order's own when one is named."""
    conversation = selectinload(Case.messages).joinedload(CaseMessage.staff)
    about = (joinedload(Case.order), joinedload(Case.owner), joinedload(Case.answer))
    found = select(Case).where(Case.id == case_id).options(conversation, *about)
    return session.scalar(found if order_id is None else found.where(Case.order_id == order_id))


VIEWS = ("open", "mine", "waiting", "solved")


def listed_cases(view: str, me: int) -> Select[Case]:
    """One of the desk's lists of cases, the most urgent first."""
    chosen = {
        "open": Case.state == "open",
        "mine": and_(Case.state.in_(UNSOLVED), Case.owner_id == me),
        "waiting": Case.state == "waiting_for_customer",
        "solved": Case.state.in_(("solved", "closed")),
    }[view]
    urgent = (Case.state != "open", Case.due_at, Case.id)
    order = (Case.solved_at.desc().nulls_last(), Case.id.desc()) if view == "solved" else urgent
    about = (joinedload(Case.order), joinedload(Case.owner), joinedload(Case.answer))
    return select(Case).where(chosen).order_by(*order).options(*about)


def count_cases(me: int) -> dict[str, int]:
    """How many cases are in each of the desk's lists that are to be worked on."""
    mine = func.count().filter(Case.owner_id == me)
    waiting = func.count().filter(Case.state == "waiting_for_customer")
    opened = func.count().filter(Case.state == "open")
    row = session.execute(select(opened, mine, waiting).where(Case.state.in_(UNSOLVED))).one()
    return dict(zip(("open", "mine", "waiting"), row, strict=True))


def people_for_cases() -> list[Staff]:
    """Everybody who may work on cases now, by name."""
    people = session.scalars(select(Staff).where(Staff.disabled_at.is_(None)).order_by(Staff.name, Staff.id))
    return [person for person in people if person.may("cases.work")]


def supervisor(owner_id: int | None) -> Staff | None:
    """The manager whom an unsolved case goes to: its owner, if already one, else the first."""
    managers = select(Staff).where(Staff.role == Role.manager, Staff.disabled_at.is_(None))
    return session.scalar(managers.order_by(Staff.id != owner_id if owner_id else Staff.id, Staff.id).limit(1))
