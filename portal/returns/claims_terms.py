"""What the shop says about claims, by country: guarantee, what need not come back, how long to wait for a parcel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.lib.money import Money

LEGAL_MONTHS = 24
"""Directive (EU) 2019/771, Art. 10: two years; a shop may give more, and no less."""
LONGEST_MONTHS = 240
PATIENCE_DAYS = 3


class ClaimTerms(Base):
    """The terms of one country, or with an empty country of all that have none of their own."""

    __tablename__ = "claim_terms"
    __table_args__ = (
        CheckConstraint(f"guarantee_months BETWEEN {LEGAL_MONTHS} AND {LONGEST_MONTHS}", name="guarantee_months"),
        CheckConstraint("patience_days BETWEEN 0 AND 30", name="patience_days"),
    )
    country: Mapped[str] = mapped_column(unique=True, default="")
    guarantee_months: Mapped[int] = mapped_column(default=LEGAL_MONTHS)
    patience_days: Mapped[int] = mapped_column(default=PATIENCE_DAYS)
    stays: Mapped[list[str]] = mapped_column(JSONB, default=list)
    stays_up_to: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for an order. `stays` are faults, `stays_up_to` minor units by currency, with which nothing need come
    back; `patience_days` is how long after the expected day a parcel counts as on its way.
    """

    guarantee_months: int = LEGAL_MONTHS
    patience_days: int = PATIENCE_DAYS
    stays: tuple[str, ...] = ()
    stays_up_to: Mapping[str, int] | None = None

    def goods_stay(self, fault: str, worth: Money) -> bool:
        """Whether the shop does not want the goods back."""
        return fault in self.stays or worth.amount <= (self.stays_up_to or {}).get(worth.currency, 0)


def all_terms() -> Sequence[ClaimTerms]:
    return session.scalars(select(ClaimTerms).order_by(ClaimTerms.country)).all()


def terms_of(country: str | None) -> Terms:
    """The country's own, else the shop's, else the law's."""
    wanted = select(ClaimTerms).where(ClaimTerms.country.in_(("", country or "")))
    row = session.scalars(wanted.order_by(ClaimTerms.country.desc()).limit(1)).first()
    if row is None:
        return Terms()
    return Terms(row.guarantee_months, row.patience_days, tuple(row.stays), row.stays_up_to)


def guarantee_months(country: Any) -> ColumnElement[int]:
    """The same as part of a statement that reads an order: the months of its country."""
    of = select(ClaimTerms.guarantee_months).where(ClaimTerms.country.in_(("", country)))
    newest = of.order_by(ClaimTerms.country.desc()).limit(1).correlate_except(ClaimTerms)
    return func.coalesce(newest.scalar_subquery(), LEGAL_MONTHS)


def set_terms(country: str, terms: Terms) -> None:
    """From now on; claims that were accepted stay as they were decided. Raises Refused below what the law wants."""
    if not LEGAL_MONTHS <= terms.guarantee_months <= LONGEST_MONTHS:
        raise Refused(_("The law gives two years. You may give more, up to twenty."))
    values: dict[str, Any] = {
        "guarantee_months": terms.guarantee_months, "patience_days": terms.patience_days,
        "stays": list(terms.stays), "stays_up_to": dict(terms.stays_up_to or {}),
    }  # fmt: skip
    new = insert(ClaimTerms).values(country=country, **values)
    session.execute(new.on_conflict_do_update(index_elements=["country"], set_=values))


def drop_terms(terms_id: int) -> None:
    """Back to what applies without them."""
    session.execute(delete(ClaimTerms).where(ClaimTerms.id == terms_id))


def guarantee_until(delivered_at: datetime | None, months: int) -> date | None:
    """The last day of the guarantee; None while the goods are not all there."""
    if delivered_at is None:
        return None
    day = shop_day(delivered_at)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return day.replace(year=year, month=month + 1)
    except ValueError:  # there is no 31st, or no 29 February: the next day counts
        return date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
