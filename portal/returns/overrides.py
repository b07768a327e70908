"""When a person decides against a rule of the shop: who, which rule, and why. It stays on the return for good."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.orders.timeline import names, record, words
from portal.returns.models import Return
from portal.returns.policy_rules import KINDS
from portal.returns.rules import PICTURES, Verdict
from portal.staff.models import Actor, Staff

MAY = "returns.override"

words("return.overruled", staff=_l("Return %(rma)s allowed against a rule (%(rule)s): %(note)s"))
names({f"rule:{what}": kind.label for what, kind in KINDS.items()} | {f"rule:{PICTURES}": _l("Pictures")})


class ReturnOverride(Base):
    """A rule that a person overruled. `said` is what the rule had said, in that person's language."""

    __tablename__ = "return_overrides"
    return_id: Mapped[int] = mapped_column(ForeignKey("returns.id"), index=True)
    rule: Mapped[str]
    said: Mapped[str]
    note: Mapped[str]
    by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime]
    by: Mapped[Staff] = relationship(lazy="joined", innerjoin=True)


def check_may_overrule(by: Actor, note: str) -> Staff:
    """The person. Raises Refused for somebody who may not, and without a reason."""
    if not isinstance(by, Staff) or not by.may(MAY):
        raise Refused(_("You may not decide against the shop's rules. Ask somebody who may."))
    if not note.strip():
        raise Refused(_("Say why, so that everybody can understand it later."))
    return by


def overrule(ret: Return, rules: Sequence[Verdict], *, note: str, by: Staff, now: datetime) -> None:
    """Keep what each rule had said, and who decided otherwise."""
    for verdict in rules:
        about = {"return_id": ret.id, "rule": verdict.policy, "said": verdict.message}
        session.add(ReturnOverride(**about, note=note.strip(), by_id=by.id, at=now))
        told = {"named": [f"rule:{verdict.policy}"]}
        record(ret.order_id, "return.overruled", by=by, now=now, rma=ret.rma, rule=told, note=note.strip())
    session.flush()


def overrides_of(ret: Return) -> Sequence[ReturnOverride]:
    return session.scalars(select(ReturnOverride).where(ReturnOverride.return_id == ret.id).order_by("id")).all()
