"""Which answers, late parcels and returns open a case, and whose it is. Set at the desk; every change is a version."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Date,
    ForeignKey,
    Select,
    UniqueConstraint,
    and_,
    cast,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, session
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation
from portal.feedback.questions import KINDS
from portal.fulfilment.models import Parcel
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders.models import Order, OrderLine
from portal.returns.models import Return, ReturnLine
from portal.staff.models import Staff
from portal.staff.rules import DEPARTMENTS

TRIGGERS: dict[str, Any] = {
    "answer": _l("An answer"),
    "late": _l("A late parcel"),
    "return": _l("A return with this reason"),
}
SCORES: dict[str, Any] = {
    "bad": _l("A bad one, on the question's own scale"),
    "up_to": _l("Up to this score"),
    "any": _l("Any score"),
}
SEVERITIES: dict[int, Any] = {1: _l("Minor"), 2: _l("Usual"), 3: _l("High")}
LOOK_BACK = timedelta(days=30)
USUAL = "bad-answer"
SHOWN = 20


class CaseRule(Base):
    """One version of a rule; the last one of its code holds. All that it names must be true at once.

    Without `hours` the shop's usual ones count (CASE_DEADLINE_HOURS).

    `words` are looked for in the customer's language, those under "" in every language; one of them is enough.
    """

    __tablename__ = "case_rules"
    __table_args__ = (
        UniqueConstraint("code", "number"),
        CheckConstraint("trigger IN ('answer', 'late', 'return')", name="trigger"),
        CheckConstraint(
            "score IN ('bad', 'up_to', 'any') AND (score = 'up_to') = (score_to IS NOT NULL)", name="score"
        ),
        CheckConstraint("severity BETWEEN 1 AND 3 AND days_late BETWEEN 0 AND 60", name="bounds"),
        CheckConstraint("hours BETWEEN 1 AND 400", name="hours"),
    )
    code: Mapped[str]
    number: Mapped[int]
    name: Mapped[str]
    trigger: Mapped[str]
    question: Mapped[str] = mapped_column(default="")
    score: Mapped[str] = mapped_column(default="bad")
    score_to: Mapped[int | None]
    words: Mapped[dict[str, list[str]]] = mapped_column(JSONB, default=dict)
    sku: Mapped[str] = mapped_column(default="")
    days_late: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(default="")
    department: Mapped[str] = mapped_column(default="support")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    hours: Mapped[int | None]
    severity: Mapped[int] = mapped_column(default=2)
    active: Mapped[bool] = mapped_column(default=True)
    set_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    set_at: Mapped[datetime]
    set_by: Mapped[Staff | None] = relationship(foreign_keys=[set_by_id])
    owner: Mapped[Staff | None] = relationship(foreign_keys=[owner_id])

    @property
    def called(self) -> Any:
        """Its name; the one that came with the portal in the reader's language until somebody changes it."""
        return _("A bad answer") if self.code == USUAL and self.set_by_id is None else self.name


def current_rules() -> list[CaseRule]:
    """The last version of each rule, the most severe first."""
    last = select(func.max(CaseRule.id)).group_by(CaseRule.code)
    found = select(CaseRule).where(CaseRule.id.in_(last)).options(joinedload(CaseRule.owner))
    return list(session.scalars(found.order_by(CaseRule.severity.desc(), CaseRule.id)))


def versions(code: str) -> Sequence[CaseRule]:
    """All that a rule was, the newest first."""
    found = select(CaseRule).where(CaseRule.code == code).options(joinedload(CaseRule.set_by))
    return session.scalars(found.order_by(CaseRule.number.desc())).all()


def set_rule(code: str, values: dict[str, Any], *, by: Staff, now: datetime) -> CaseRule:
    """A new version, which holds from now on; a new rule for a code that nobody knows.

    Raises Refused for an owner who may not work on cases, and for a department in which nobody may.
    """
    before = session.scalar(select(func.max(CaseRule.number)).where(CaseRule.code == code))
    version = {"number": (before or 0) + 1, "set_by_id": by.id, "set_at": now}
    rule = CaseRule(**values, **version, code=code if before else reference())
    if rule.department not in DEPARTMENTS or (rule.question and rule.question not in KINDS):
        raise Refused(_("Choose one of the list."))
    if rule.owner_id and not _may_work(session.get(Staff, rule.owner_id)):
        raise Refused(_("Choose somebody who works on cases."))
    session.add(rule)
    session.flush()
    return rule


def _may_work(person: Staff | None) -> bool:
    return person is not None and person.disabled_at is None and person.may("cases.work")


# --- what a rule means, once: the same statement opens cases and says what would have opened --------------------------


def rule_for(answer: Answer) -> CaseRule | None:
    """The most severe rule that this answer meets."""
    rules = (rule for rule in current_rules() if rule.active and rule.trigger == "answer")
    return next((rule for rule in rules if session.scalar(answers_of(rule).where(Answer.id == answer.id))), None)


def answers_of(rule: CaseRule) -> Select[int]:
    """The orders of the answers that meet the rule."""
    told = select(Order.id).select_from(Answer).join(SurveyInvitation, SurveyInvitation.id == Answer.invitation_id)
    conditions = [Answer.provisional.is_(False), *_scored(rule)]
    if rule.question:
        conditions.append(Answer.kind == rule.question)
    if rule.sku:
        conditions.append(_has_article(rule))
    if any(rule.words.values()):
        conditions.append(_says(rule.words))
    return told.join(Order, Order.id == SurveyInvitation.order_id).where(*conditions)


def _scored(rule: CaseRule) -> list[ColumnElement[bool]]:
    if rule.question == "stars" and rule.sku and rule.score != "any":
        stars = (AnswerStars.answer_id == Answer.id, AnswerStars.sku == rule.sku)
        return [exists().where(*stars, AnswerStars.stars <= (rule.score_to if rule.score == "up_to" else 2))]
    if rule.score == "any":
        return []
    return [Answer.score <= rule.score_to if rule.score == "up_to" else Answer.mood == "bad"]


def _has_article(rule: CaseRule) -> ColumnElement[bool]:
    return exists().where(OrderLine.order_id == Order.id, OrderLine.kind == "item", OrderLine.sku == rule.sku)


def _says(words: dict[str, list[str]]) -> ColumnElement[bool]:
    language = func.substr(Order.locale, 1, 2)
    return or_(
        *(
            and_(language == lang if lang else language == language, Answer.words.icontains(word, autoescape=True))
            for lang, listed in words.items()
            for word in listed
        )
    )


def late_of(rule: CaseRule, *, now: datetime, zone: str) -> Select[int]:
    """Orders whose last parcel came, or still has not come, more than so many days after the promise."""
    sent = select(Parcel).where(Parcel.order_id == Order.id, Parcel.state != "cancelled").correlate(Order)
    last = cast(func.timezone(zone, sent.with_only_columns(func.max(Parcel.delivered_at)).scalar_subquery()), Date)
    waits = or_(~sent.exists(), sent.where(Parcel.delivered_at.is_(None)).exists())
    missing = and_(waits, Order.promised_on < shop_day(now) - timedelta(days=rule.days_late))
    came_late = and_(~waits, Order.promised_on < last - rule.days_late)
    return select(Order.id).where(Order.state != "cancelled", Order.erased_at.is_(None), or_(missing, came_late))


def returned_for(rule: CaseRule) -> Select[int]:
    """Orders of which something comes back for this reason."""
    lines = select(ReturnLine.return_id).where(ReturnLine.reason == rule.reason)
    return select(Return.order_id).where(Return.id.in_(lines), Return.decision != "cancelled")


def would_open(rule: CaseRule, *, now: datetime, zone: str) -> list[Order]:
    """What the rule would have opened in the last 30 days, an order at most once, the newest first."""
    since = now - LOOK_BACK
    meant = {
        "answer": lambda: answers_of(rule).where(Answer.answered_at > since),
        "late": lambda: late_of(rule, now=now, zone=zone).where(Order.promised_on >= since.date()),
        "return": lambda: returned_for(rule).where(Return.requested_at > since),
    }[rule.trigger]()
    return list(session.scalars(select(Order).where(Order.id.in_(meant)).order_by(Order.id.desc())))


def by_themselves() -> list[CaseRule]:
    """The rules that open cases of which no customer has told us."""
    return [rule for rule in current_rules() if rule.active and rule.trigger != "answer"]


def due(rule: CaseRule, *, now: datetime, zone: str) -> Sequence[int]:
    """Orders that met a late or return rule since it was first set, and have no case for it yet."""
    began = select(func.min(CaseRule.set_at)).where(CaseRule.code == rule.code).scalar_subquery()
    opened = exists().where(Case.order_id == Order.id, Case.opened_for == rule.trigger)
    if rule.trigger == "late":
        since = session.scalar(select(began))
        first = shop_day(since or now) - timedelta(days=rule.days_late + 1)
        found = late_of(rule, now=now, zone=zone).where(Order.promised_on >= first, ~opened)
    else:
        found = returned_for(rule).join(Order, Order.id == Return.order_id).where(Return.requested_at >= began, ~opened)
    return session.scalars(found.distinct().limit(200)).all()
