"""Goods that can't be withdrawn from, by article, with the law's reason (Directive 2011/83/EU, Art. 16)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib.errors import Refused

ALWAYS: Mapping[str, Any] = {
    "made_to_order": _l("It was made to your order or for you personally (Art. 16(c))."),
    "perishable": _l("It spoils or expires quickly (Art. 16(d))."),
    "mixed": _l("It was mixed with other goods and can't be taken apart (Art. 16(f))."),
    "newspaper": _l("It is a newspaper or a magazine (Art. 16(j))."),
    "dated": _l("It is a service for a fixed date or time (Art. 16(l))."),
}
"""Nothing of it can be withdrawn from."""
ONCE_OPENED: Mapping[str, Any] = {
    "hygiene": _l("Only while its seal is unbroken: it touches health or hygiene (Art. 16(e))."),
    "media": _l("Only while its seal is unbroken: it is a recording or software (Art. 16(i))."),
}
"""Only the bench sees whether the seal was broken, so the statement is taken."""
GROUNDS: Mapping[str, Any] = {**ALWAYS, **ONCE_OPENED}


class WithdrawalExemption(Base):
    """An article that the law exempts, and why."""

    __tablename__ = "withdrawal_exemptions"
    __table_args__ = (CheckConstraint(f"ground IN {tuple(GROUNDS)}", name="ground"),)
    sku: Mapped[str] = mapped_column(unique=True)
    ground: Mapped[str]


def all_exemptions() -> Sequence[WithdrawalExemption]:
    return session.scalars(select(WithdrawalExemption).order_by(WithdrawalExemption.sku)).all()


def grounds_of(skus: Collection[str]) -> dict[str, str]:
    """By article, why it is exempt."""
    found = select(WithdrawalExemption.sku, WithdrawalExemption.ground).where(WithdrawalExemption.sku.in_(skus))
    return {row.sku: row.ground for row in session.execute(found)}


def exempt(sku: str, ground: str) -> None:
    """From now on; statements made before stay. Raises Refused without an article, or for a reason the law lacks."""
    if not sku.strip() or ground not in GROUNDS:
        raise Refused(_("Write an SKU and choose one of the law's reasons."))
    row = insert(WithdrawalExemption).values(sku=sku.strip(), ground=ground)
    session.execute(row.on_conflict_do_update(index_elements=["sku"], set_={"ground": ground}))


def no_longer_exempt(exemption_id: int) -> None:
    session.execute(delete(WithdrawalExemption).where(WithdrawalExemption.id == exemption_id))
