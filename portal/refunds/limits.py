"""How much money one person may approve: limits that the shop sets, and the journal of who set them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.refunds.models import HOLDING, Refund
from portal.refunds.words import HIGHER, kind_of
from portal.staff.models import Staff

RANKS = ("finance", "manager", "admin")
"""Who approves money, the lowest first. Nobody sets limits for their own rank; the highest has none, so that what is
beyond everybody else's limit can still be decided."""
LIMITED = RANKS[:-1]
SHOWN = 50


class _Terms(Base):
    """What a limit says: `most` minor units in one approval, `per_day` in all that one person approves in a day.

    It binds people of one role, for one currency; with a reason, only money that is given back for that reason.
    """

    __abstract__ = True
    role: Mapped[str]
    currency: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    most: Mapped[int | None]
    per_day: Mapped[int | None]

    def shown(self, amount: int | None) -> Money | None:
        return None if amount is None else Money(amount, self.currency)


class MoneyLimit(_Terms):
    """A limit that holds now."""

    __tablename__ = "money_limits"
    __table_args__ = (
        CheckConstraint(f"role IN {LIMITED}", name="role"),
        CheckConstraint("currency = upper(currency)", name="currency"),
        CheckConstraint("most >= 0 AND per_day >= 0", name="amounts"),
        CheckConstraint("num_nulls(most, per_day) < 2", name="something"),
        UniqueConstraint("role", "currency", "reason"),
    )


class MoneyLimitChange(_Terms):
    """Who set what, when; append-only. Neither amount: the limit was taken away."""

    __tablename__ = "money_limit_changes"
    at: Mapped[datetime]
    by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    by: Mapped[Staff] = relationship()


def all_limits() -> Sequence[MoneyLimit]:
    rows = session.scalars(select(MoneyLimit)).all()
    return sorted(rows, key=lambda row: (RANKS.index(row.role), row.currency, row.reason))


def last_changes() -> Sequence[MoneyLimitChange]:
    """The journal, newest first."""
    found = select(MoneyLimitChange).options(joinedload(MoneyLimitChange.by))
    return session.scalars(found.order_by(MoneyLimitChange.id.desc()).limit(SHOWN)).all()


def may_be_set_by(person: Staff) -> tuple[str, ...]:
    """The roles below this person's."""
    return RANKS[: RANKS.index(person.role)] if person.role in RANKS else ()


def set_limit(
    role: str, currency: str, reason: str, *, most: int | None, per_day: int | None, by: Staff, now: datetime
) -> None:
    """Set a limit in place of the one before; without amounts it is taken away. Raises Refused for one's own rank."""
    if role not in may_be_set_by(by):
        raise Refused(_("You can only set limits for people below you."))
    same = (MoneyLimit.role == role, MoneyLimit.currency == currency, MoneyLimit.reason == reason)
    row = session.scalar(select(MoneyLimit).where(*same).with_for_update())
    if row is not None and (row.most, row.per_day) == (most, per_day):
        return
    terms = {"role": role, "currency": currency, "reason": reason, "most": most, "per_day": per_day}
    if most is None and per_day is None:
        if row is None:
            return
        session.delete(row)
    elif row is None:
        session.add(MoneyLimit(**terms))
    else:
        row.most, row.per_day = most, per_day
    session.add(MoneyLimitChange(**terms, at=now, by_id=by.id))
    session.flush()


def barrier(refund: Refund, by: Staff, *, now: datetime) -> str:
    """Why this person may not approve it, and who may; empty when they may."""
    rows = _binding(refund)
    for limit in (row for row in rows if row.role == by.role):
        if limit.most is not None and refund.amount > limit.most:
            return _too_much(refund, limit, rows)
        if limit.per_day is not None and refund.amount + (spent := _approved_today(limit, by, now)) > limit.per_day:
            return _too_much_today(limit, spent)
    return ""


def _binding(refund: Refund) -> Sequence[MoneyLimit]:
    """All ranks' limits for this currency and reason."""
    reasons = MoneyLimit.reason.in_(("", kind_of(refund.reason)))
    return session.scalars(select(MoneyLimit).where(MoneyLimit.currency == refund.currency, reasons)).all()


def _too_much(refund: Refund, limit: MoneyLimit, rows: Sequence[MoneyLimit]) -> str:
    short = {row.role for row in rows if row.most is not None and row.most < refund.amount}
    higher = next(rank for rank in RANKS[RANKS.index(limit.role) + 1 :] if rank not in short)
    most = _told(Money(limit.most or 0, limit.currency))
    said = _("This is beyond your limit of %(most)s at once.", most=most)
    if limit.reason:
        said = _("This is beyond your limit of %(most)s at once for this reason.", most=most)
    return f"{said} {HIGHER[higher]}"


def _too_much_today(limit: MoneyLimit, spent: int) -> str:
    most, before = Money(limit.per_day or 0, limit.currency), Money(spent, limit.currency)
    said = _(
        "With this you would approve more than your %(most)s of one day; you have approved %(before)s today.",
        most=_told(most),
        before=_told(before),
    )
    return f"{said} {_('Somebody else has to approve it, or you tomorrow.')}"


def _approved_today(limit: MoneyLimit, by: Staff, now: datetime) -> int:
    """Minor units that the person has approved since midnight in the shop, and that were not given up since."""
    local = now.astimezone(current_app.config["SETTINGS"].zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    theirs = (Refund.approved_by_id == by.id, Refund.approved_at >= midnight, Refund.state.in_(HOLDING))
    found = select(func.coalesce(func.sum(Refund.amount), 0)).where(*theirs, Refund.currency == limit.currency)
    if limit.reason:
        found = found.where(Refund.reason.startswith(f"{limit.reason}:"))
    return int(session.scalars(found).one())


def check_limits(refund: Refund, by: Staff, *, now: datetime) -> None:
    """Raises Refused beyond the person's limits. Two approvals of one person at once see each other's amount."""
    session.refresh(by, with_for_update={"key_share": True})
    if said := barrier(refund, by, now=now):
        raise Refused(said)


def _told(money: Money) -> str:
    return money.format(str(get_locale() or "en"))
