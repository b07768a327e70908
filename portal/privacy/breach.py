"""When something leaked: who could have seen what of whom, and one act that ends every way in (GDPR Art. 33 and 34)."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import BigInteger, cast, delete, func, insert, literal, select, update

from portal.db import session
from portal.lib.sheets import as_csv
from portal.orders.keys import all_keys, make_key, revoke
from portal.orders.looks import Look
from portal.orders.models import Code, Customer, Grant, Link, Order, TimelineEntry
from portal.staff import codes
from portal.staff.journal import note
from portal.staff.models import Staff, StaffEvent, StaffInvitation, StaffSession

PURPOSES: Mapping[str, Any] = {
    "track": _l("how far it is"), "return": _l("a return"), "survey": _l("the survey"), "case": _l("a case"),
}  # fmt: skip
SHOWN = 50


@dataclass
class Exposed:
    """One order: links that lived at the time, whether a code had been typed in, and who of the staff looked."""

    number: str
    email: str
    links: tuple[str, ...] = ()
    codes: int = 0
    people: list[str] = field(default_factory=list)


def exposed(since: datetime, until: datetime) -> list[Exposed]:
    """Per order, those first of which most could be seen: looked at by staff, behind a code, by a link alone."""
    found: dict[int, Exposed] = {}
    for order_id, purposes in session.execute(_links(since, until)):
        _of(found, order_id).links = tuple(sorted(purposes))
    for order_id, count in session.execute(_codes(since, until)):
        _of(found, order_id).codes = count
    for order_id, name, role in session.execute(_looks(since, until)):
        _of(found, order_id).people.append(f"{name} ({role})")
    _name(found)
    return sorted(found.values(), key=lambda one: (-len(one.people), -one.codes, -len(one.links), one.number))


def _of(found: dict[int, Exposed], order_id: int) -> Exposed:
    return found.setdefault(order_id, Exposed("", ""))


def _links(since: datetime, until: datetime) -> Any:
    ended = func.least(Link.expires_at, Link.revoked_at)
    lived = (Link.created_at <= until, ended >= since, Link.purpose.in_(PURPOSES))
    return select(Link.order_id, func.array_agg(Link.purpose.distinct())).where(*lived).group_by(Link.order_id)


def _codes(since: datetime, until: datetime) -> Any:
    typed = Code.used_at.between(since, until)
    return select(Code.order_id, func.count()).where(typed).group_by(Code.order_id)


def _looks(since: datetime, until: datetime) -> Any:
    """A look is noted once a day: the day counts, not the minute."""
    days = Look.on.between(since.date(), until.date())
    found = select(Look.order_id, Staff.name, Look.role).join(Staff, Staff.id == Look.staff_id).where(days)
    return found.distinct().order_by(Look.order_id, Staff.name)


def _name(found: dict[int, Exposed]) -> None:
    who = select(Order.id, Order.number, Customer.email).join(Order.customer).where(Order.id.in_(found))
    for order_id, number, email in session.execute(who):
        found[order_id].number, found[order_id].email = number, email or ""


def signed_in(since: datetime, until: datetime) -> Sequence[StaffEvent]:
    """Who came in at the desk meanwhile, and from which browser."""
    came = (StaffEvent.kind == "signed_in", StaffEvent.at.between(since, until))
    return session.scalars(select(StaffEvent).where(*came).order_by(StaffEvent.id.desc()).limit(SHOWN)).all()


def as_sheet(rows: Sequence[Exposed]) -> str:
    """All of it as CSV: who has to be told."""
    cells = ((row.number, row.email, " ".join(row.links), row.codes, "; ".join(row.people)) for row in rows)
    return as_csv(("order", "email", "links", "codes", "staff"), cells)


@dataclass(frozen=True, slots=True)
class Locked:
    """What was ended. `keys` are the new ones, shown this once: shop, name, secret."""

    links: int
    browsers: int
    sessions: int
    keys: tuple[tuple[str, str, str], ...] = ()


def lock(*, by: Staff | None, but: StaffSession | None = None, now: datetime) -> Locked:
    """End every link in a letter, every browser that came through one, every session and invitation at the desk.

    Links to unsubscribe stay. `but` is the session of who does it. Customers ask for a new link as ever.
    """
    live = (Link.revoked_at.is_(None), Link.expires_at > now, Link.purpose != "unsubscribe")
    _record(live, by, now)
    links: Any = session.execute(update(Link).where(*live).values(revoked_at=now))
    browsers: Any = session.execute(delete(Grant))
    session.execute(delete(Code))
    mine = StaffSession.id != (but.id if but else 0)
    sessions: Any = session.execute(delete(StaffSession).where(mine))
    session.execute(update(StaffInvitation).where(StaffInvitation.used_at.is_(None)).values(used_at=now))
    note("locked_down", by.id if by else None, now=now)
    return Locked(links.rowcount, browsers.rowcount, sessions.rowcount)


def _record(live: tuple[Any, ...], by: Staff | None, now: datetime) -> None:
    who, staff_id = (by.name, by.id) if by else ("system", None)
    by_id, facts = cast(staff_id, BigInteger), cast({}, TimelineEntry.facts.type)
    orders = (
        select(Link.order_id, literal(now), literal("links.ended"), literal(who), by_id, facts).where(*live).distinct()
    )
    session.execute(insert(TimelineEntry).from_select(["order_id", "at", "kind", "by", "staff_id", "facts"], orders))


def renew_keys(*, by: Staff | None, now: datetime) -> tuple[tuple[str, str, str], ...]:
    """Take back every key of a shop's own system, and make one of the same name for each that opened something."""
    living = [key for key in all_keys() if key.revoked_at is None and key.channel.disabled_at is None]
    named = [(key.channel.code.removeprefix("api:"), key.name) for key in living]
    for key in living:
        revoke(key, by=by, now=now)
    return tuple((shop, name, make_key(shop, name, by=by, now=now)) for shop, name in named)


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """A new SECRET_KEY, shown this once. So many apps' secrets are sealed under it; the `lost` ones open no more."""

    key: str
    apps: int
    lost: int


def renew_secret_key() -> Rekeyed:
    """Make another SECRET_KEY and seal under it what is sealed. Cookies and open forms end with the old one."""
    key = secrets.token_hex(32)
    return Rekeyed(key, *codes.seal_anew(key))
