"""The shop's policy for returns: small rules, what may be chosen and what it costs. Every saved one stays.

The law's door, the withdrawal, never asks it.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import ForeignKey, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.refunds.rules import check_note
from portal.staff.models import Staff

KEPT_FOR = timedelta(hours=24)
"""So long a customer who has the form open may still use the policy that it showed."""
CONDITIONS = ("sealed", "opened", "used")
ONE_EDITOR = text("SELECT pg_advisory_xact_lock(hashtext('return-policy'))")


@dataclass(frozen=True, slots=True)
class Rule:
    """One small rule: when it bites it says `answer` ("no", or "ask": a person must look), else yes.

    `what` is a key of `policy_rules.KINDS`. With `products` (SKUs, SKU*, type:name) it bites for those only, with
    `but` for all others. `values` are countries, channels, conditions or a currency; `number` is days, percent, minor
    units or times. `messages` are the shop's own words by language; without them the house's sentence is said.
    """

    what: str
    answer: str = "no"
    products: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    but: bool = False
    number: int = 0
    messages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds. Amounts are minor units by currency, shares are percent.

    `bonus` is added to store credit, `keep` what a line may be worth so that it may be kept and `keep_share` how much
    of it goes back then. `fee` is taken once per return, `label` for our label, `restocking` by the reason's or the
    condition's code. With `sends_at_once` an exchange leaves when it is accepted, else when the goods are here. With
    `accepts_itself` nobody need decide where all rules say yes.
    """

    version: int = 0
    rules: tuple[Rule, ...] = ()
    choices: tuple[str, ...] = ("money",)
    bonus: int = 0
    keep: Mapping[str, int] = field(default_factory=dict)
    keep_share: int = 100
    fee: Mapping[str, int] = field(default_factory=dict)
    label: Mapping[str, int] = field(default_factory=dict)
    restocking: Mapping[str, int] = field(default_factory=dict)
    sends_at_once: bool = False
    accepts_itself: bool = True

    @property
    def window_days(self) -> int | None:
        """Days after which nothing can come back; None while no rule says so, and the shop's setting counts."""
        ends = [rule.number for rule in self.rules if (rule.what, rule.answer, rule.products) == ("window", "no", ())]
        return min(ends, default=None)

    def asks(self, what: str) -> bool:
        """Whether any rule is of this kind."""
        return any(rule.what == what for rule in self.rules)

    @property
    def asks_condition(self) -> bool:
        """Whether the customer is asked in what state the goods are: a rule or a fee depends on it."""
        return self.asks("condition") or any(self.restocking.get(state) for state in CONDITIONS)

    def fee_in(self, currency: str) -> Money:
        return Money(self.fee.get(currency, 0), currency)


NO_POLICY = Policy()
"""The house's own: the shop's window, money back, no fee."""


class ReturnPolicy(Base):
    """A policy as it was saved: its id is its version. Append-only; the newest holds."""

    __tablename__ = "return_policies"
    made_at: Mapped[datetime]
    made_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str]
    window_days: Mapped[int | None]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    made_by: Mapped[Staff] = relationship()

    @property
    def policy(self) -> Policy:
        return read_terms(self.terms, self.id)


def read_terms(terms: Mapping[str, Any], version: int = 0) -> Policy:
    """The policy out of what was saved; what later versions of the portal add has its default."""
    rules = tuple(Rule(**{**rule, **_tuples(rule, "products", "values")}) for rule in terms.get("rules", ()))
    return Policy(**{**terms, "version": version, "rules": rules, **_tuples(terms, "choices")})


def _tuples(of: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(of[name]) for name in names if name in of}


def current_policy() -> Policy:
    """What holds now; the house's own while nobody has saved one."""
    newest = session.scalars(select(ReturnPolicy).order_by(ReturnPolicy.id.desc()).limit(1)).first()
    return newest.policy if newest else NO_POLICY


def policy_of(version: int | None) -> Policy:
    """The policy of this version; 0 and None are the house's own."""
    saved = session.get(ReturnPolicy, version) if version else None
    return saved.policy if saved else NO_POLICY


def versions() -> Sequence[ReturnPolicy]:
    """All that were ever saved, the newest first."""
    return session.scalars(select(ReturnPolicy).order_by(ReturnPolicy.id.desc())).all()


def save_policy(policy: Policy, *, seen: int, note: str, by: Staff, now: datetime) -> ReturnPolicy:
    """A new version, which holds at once for whoever opens the form from now on.

    `seen` is the version that the page showed. Raises Refused without a reason, and when somebody was quicker.
    """
    check_note(note)
    session.execute(ONE_EDITOR)
    if current_policy().version != seen:
        raise Refused(_("Somebody else has saved the policy meanwhile. Look at it, then change it again."))
    terms = {name: value for name, value in asdict(policy).items() if name != "version"}
    saved = ReturnPolicy(made_at=now, made_by_id=by.id, note=note.strip(), window_days=policy.window_days, terms=terms)
    session.add(saved)
    session.flush()
    return saved


# --- the policy that a customer saw -----------------------------------------------------------------------------------


def seal(policy: Policy, order_id: int, *, now: datetime) -> str:
    """What the form carries, so that who opened it under a policy keeps it: signed, for one order, for a time."""
    said = f"{policy.version}.{int(now.timestamp())}"
    return f"{said}.{_signed(said, order_id)}"


def seen_policy(sealed: str, order_id: int, *, now: datetime) -> tuple[Policy, bool]:
    """The policy that the form was opened under while that counts, else the one that holds now; and whether it is the
    one that the customer saw.
    """
    said, _dot, mark = sealed.rpartition(".")
    if not hmac.compare_digest(mark.encode(), _signed(said, order_id).encode()):
        return current_policy(), not sealed
    version, at = (int(part) for part in said.split("."))
    if 0 <= now.timestamp() - at <= KEPT_FOR.total_seconds():
        return policy_of(version), True
    holds = current_policy()
    return holds, holds.version == version


def _signed(said: str, order_id: int) -> str:
    secret = str(current_app.config["SETTINGS"].secret_key).encode()
    return hmac.new(secret, f"return-policy:{order_id}:{said}".encode("utf-8", "replace"), sha256).hexdigest()
