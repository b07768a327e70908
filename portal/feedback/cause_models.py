"""Causes: what cases and answers have in common, who looks after it, and what was changed about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship, selectinload

from portal.db import Base, paging, session
from portal.feedback.case_models import Case
from portal.feedback.insight import called_in, product_titles
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation
from portal.feedback.tallies import Counted
from portal.orders.models import Order, OrderLine
from portal.returns.words import reason as told_reason
from portal.staff.models import Staff
from portal.staff.words import DEPARTMENT


@dataclass(frozen=True, slots=True)
class About:
    """What a cause is about. All that it names is true at once; at most one of product, courier and department."""

    product: str = ""
    courier: str = ""
    department: str = ""
    reason: str = ""

    @property
    def where(self) -> tuple[str, str]:
        """Among which orders it is looked for: a dimension of insight and its value."""
        if self.product or self.courier:
            return ("product", self.product) if self.product else ("courier", self.courier)
        return "all", "all"

    def called(self, titles: Mapping[str, str]) -> str:
        """As people call it, in the reader's language."""
        dimension, value = self.where
        where = "" if dimension == "all" else called_in(dimension, value, titles)
        department = str(DEPARTMENT.get(self.department, self.department))
        return ": ".join(filter(None, (self.reason and told_reason(self.reason), where, department)))


class Cause(Base):
    """Why customers complain: taken up by somebody who looks after it, until it is gone."""

    __tablename__ = "causes"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        CheckConstraint("product || courier || department || reason <> ''", name="about"),
        CheckConstraint(
            "(product <> '')::int + (courier <> '')::int + (department <> '')::int <= 1"
            " AND (department = '' OR reason = '')",
            name="one",
        ),
        Index(
            "uq_causes_open", "product", "courier", "department", "reason", unique=True,
            postgresql_where="state = 'open'",
        ),
    )  # fmt: skip
    MOVES = {"state": {"close": (("open",), "closed"), "reopen": (("closed",), "open")}}

    product: Mapped[str] = mapped_column(default="")
    courier: Mapped[str] = mapped_column(default="")
    department: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="open")
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    opened_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    owner: Mapped[Staff] = relationship(foreign_keys=[owner_id])
    opened_by: Mapped[Staff] = relationship(foreign_keys=[opened_by_id])
    changes: Mapped[list["CauseChange"]] = relationship(order_by="(CauseChange.changed_on, CauseChange.id)")

    @property
    def about(self) -> About:
        return About(**{field.name: getattr(self, field.name) for field in fields(About)})


class CauseChange(Base):
    """What was changed about it, and from which day on customers meet it changed."""

    __tablename__ = "cause_changes"
    cause_id: Mapped[int] = mapped_column(ForeignKey("causes.id"), index=True)
    changed_on: Mapped[date]
    note: Mapped[str]
    noted_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    noted_at: Mapped[datetime]
    noted_by: Mapped[Staff] = relationship()


class CauseMember(Base):
    """A case, or an answer that opened none, and why it came to that: one cause at most.

    Without `put_by` it was put there because it fits. Without a cause a person said that none fits.
    """

    __tablename__ = "cause_members"
    __table_args__ = (CheckConstraint("num_nonnulls(case_id, answer_id) = 1", name="one"),)
    cause_id: Mapped[int | None] = mapped_column(ForeignKey("causes.id"), index=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), unique=True)
    answer_id: Mapped[int | None] = mapped_column(ForeignKey("answers.id"), unique=True)
    put_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    put_at: Mapped[datetime]
    case: Mapped[Case | None] = relationship()
    answer: Mapped[Answer | None] = relationship()
    put_by: Mapped[Staff | None] = relationship()

    @property
    def said(self) -> Answer | None:
        """What the customer answered, if they did."""
        return self.answer or (self.case.answer if self.case else None)

    @property
    def order(self) -> Order | None:
        """None for an answer that knows no order."""
        if self.case:
            return self.case.order
        return self.answer.invitation.order if self.answer and self.answer.invitation else None


# --- what belongs to it -----------------------------------------------------------------------------------------------


def belongs(about: About) -> ColumnElement[bool]:
    """Of a case, its answer and how their order is counted: whether this is what they have in common.

    For statements that know `Case`, `Answer` and `Counted`. It is counted as the scores are (`counting`).
    """
    return and_(*_conditions(about))


def _conditions(about: About) -> list[ColumnElement[bool]]:
    if about.department:
        return [Case.department == about.department]
    found: list[ColumnElement[bool]] = []
    if about.courier:
        found.append(Counted.courier == about.courier)
    if about.reason:
        mark = {"m": f"back.{about.reason}"} | ({"p": about.product} if about.product else {})
        return [*found, Counted.marks.contains([mark])]
    return [*found, *_of_product(about.product)] if about.product else found


def _of_product(sku: str) -> list[ColumnElement[bool]]:
    """It was bought; where articles got stars, few were for this one."""
    starred = func.coalesce(func.nullif(AnswerStars.sku, ""), AnswerStars.title)
    few = exists().where(AnswerStars.answer_id == Answer.id, starred == sku, AnswerStars.stars <= 2)
    return [Counted.products.contains([sku]), or_(Answer.kind.is_distinct_from("stars"), few)]


def cases_since(since: datetime, *columns: Any, latest: int | None = None) -> Select[Any]:
    """Cases opened since then (only so many, the latest), with their answer and how their order is counted."""
    chosen = select(Case.id).where(Case.opened_at >= since).order_by(Case.opened_at.desc()).limit(latest).subquery()
    known = select(*columns).select_from(chosen).join(Case, Case.id == chosen.c.id)
    return known.join(Counted, Counted.order_id == Case.order_id).outerjoin(Answer, Answer.id == Case.answer_id)


def bad_answers_since(since: datetime, *columns: Any, latest: int | None = None) -> Select[Any]:
    """Bad answers of people since then (only so many), with their case and how their order is counted."""
    bad = (Answer.mood == "bad", Answer.provisional.is_(False), Answer.answered_at >= since)
    chosen = select(Answer.id).where(*bad).order_by(Answer.answered_at.desc()).limit(latest).subquery()
    known = select(*columns).select_from(chosen).join(Answer, Answer.id == chosen.c.id).join(Answer.invitation)
    joined = known.join(Counted, Counted.order_id == SurveyInvitation.order_id)
    return joined.outerjoin(Case, Case.answer_id == Answer.id)


# --- what the desk reads ----------------------------------------------------------------------------------------------


def find_cause(cause_id: int) -> Cause | None:
    people = (joinedload(Cause.owner), joinedload(Cause.opened_by))
    changes = selectinload(Cause.changes).joinedload(CauseChange.noted_by)
    return session.scalar(select(Cause).where(Cause.id == cause_id).options(*people, changes))


def open_causes() -> Sequence[Cause]:
    found = select(Cause).where(Cause.state == "open").options(joinedload(Cause.owner)).order_by(Cause.id)
    return session.scalars(found).all()


def listed_causes(state: str) -> list[tuple[Cause, int]]:
    """Causes with how many cases and answers belong to each, the newest first."""
    many = select(func.count()).where(CauseMember.cause_id == Cause.id).scalar_subquery()
    about = (joinedload(Cause.owner), selectinload(Cause.changes))
    newest = func.coalesce(Cause.closed_at, Cause.opened_at).desc()
    found = select(Cause, many).where(Cause.state == state).options(*about).order_by(newest, Cause.id.desc())
    return [(cause, n) for cause, n in session.execute(found.limit(200))]


def names_of(causes: Sequence[Cause | About]) -> list[str]:
    """What they are called, in one statement."""
    abouts = [cause.about if isinstance(cause, Cause) else cause for cause in causes]
    products = {about.product for about in abouts if about.product}
    titles = product_titles(products) if products else {}
    return [about.called(titles) for about in abouts]


def members_of(cause: Cause, at: str) -> paging.Page[CauseMember]:
    """One page of its cases and answers, the newest first."""
    case, answer = joinedload(CauseMember.case), joinedload(CauseMember.answer)
    loads = (
        case.joinedload(Case.order), case.joinedload(Case.answer).joinedload(Answer.version),
        answer.joinedload(Answer.version), answer.joinedload(Answer.invitation).joinedload(SurveyInvitation.order),
        joinedload(CauseMember.put_by),
    )  # fmt: skip
    found = select(CauseMember).where(CauseMember.cause_id == cause.id).options(*loads)
    return paging.page_of(found, CauseMember.id, at=at, last_first=True)


def count_members(cause: Cause) -> tuple[int, int]:
    """How many cases, and how many answers that opened none."""
    both = func.count(CauseMember.case_id), func.count(CauseMember.answer_id)
    cases, answers = session.execute(select(*both).where(CauseMember.cause_id == cause.id)).one()
    return cases, answers


def cause_of(case_id: int) -> Cause | None:
    """What a case came of, as far as that is known."""
    found = select(Cause).join(CauseMember, CauseMember.cause_id == Cause.id).where(CauseMember.case_id == case_id)
    return session.scalar(found)


def feedback_of(number: str) -> list[dict[str, int]]:
    """What an order brings to a cause: its cases, else its answer."""
    order_ids = select(Order.id).where(Order.number == number)
    case_ids = session.scalars(select(Case.id).where(Case.order_id.in_(order_ids)).order_by(Case.id)).all()
    if case_ids:
        return [{"case_id": case_id} for case_id in case_ids]
    told = select(Answer.id).join(Answer.invitation).where(SurveyInvitation.order_id.in_(order_ids))
    answers = session.scalars(told.where(Answer.provisional.is_(False)).order_by(Answer.id))
    return [{"answer_id": answer_id} for answer_id in answers]


def was_sold(product: str) -> bool:
    """Whether an order ever had this article: by its number, or by its title where it has none."""
    either = or_(OrderLine.sku == product, and_(OrderLine.sku == "", OrderLine.title == product))
    return session.scalar(select(OrderLine.id).where(OrderLine.kind == "item", either).limit(1)) is not None
