"""The customer's keys: minted when a letter leaves, exchanged for a cookie, looked up by hash."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import BindParameter, ColumnElement, Text, bindparam, cast, delete, exists, func, null, select, update
from sqlalchemy.dialects.postgresql import insert

from portal.db import session
from portal.db.prepared import Prepared
from portal.lib.tokens import LINK_LENGTH, digest
from portal.lib.tokens import mint as new_secret
from portal.mail.links import minted_by
from portal.orders.models import Code, Grant, Link, Order
from portal.orders.timeline import record, words
from portal.staff.models import Actor

words("links.ended", staff=_l("All links in letters were ended; the next letter brings a new one"))
LIVES = {
    "track": timedelta(days=90),
    "return": timedelta(days=44),
    "survey": timedelta(days=30),
    "case": timedelta(days=60),
    "unsubscribe": timedelta(days=3650),
    "trap": timedelta(days=30),
}
OPENS = {
    "track": {"track", "return", "survey", "case", "code"},
    "return": {"return", "code"},
    "survey": {"survey", "case", "code"},
    "case": {"case", "code"},
    "trap": set(),
}
"""What a browser may open that came through a link of this purpose: a survey leads on to the case that it opened, and
all of them to the page where a code is asked for. A trap, which only machines follow, opens nothing."""
ABOUT_A_CASE = ("survey", "case")
"""Sent by mail in the exchange itself: what is said there may be read without a code."""
GRANT_LASTS = timedelta(hours=24)


@minted_by
def mint(order_id: int, purpose: str, subject: int | None, now: datetime) -> str:
    """A new link's secret; only its hash is stored."""
    token = new_secret()
    given = {"digest": digest(token), "order_id": order_id, "purpose": purpose, "subject": subject}
    NEW.run(**given, created_at=now, expires_at=now + LIVES[purpose])
    return token


KEPT = ("digest", "order_id", "purpose", "subject", "created_at", "expires_at")
NEW = Prepared(insert(Link).values({name: bindparam(name) for name in KEPT}), *KEPT)


def find(token: str, *, now: datetime) -> Link | None:
    """The live link with this secret; None for unknown, expired and revoked alike."""
    if len(token) != LINK_LENGTH:
        return None
    live = (Link.digest == digest(token), Link.revoked_at.is_(None), Link.expires_at > now)
    return session.scalar(select(Link).where(*live))


def grant(link: Link, browser: str, *, now: datetime) -> None:
    """Let this browser in, once more if it was here before."""
    until = min(now + GRANT_LASTS, link.expires_at)
    new = insert(Grant).values(browser=digest(browser), link_id=link.id, expires_at=until)
    session.execute(new.on_conflict_do_update(index_elements=["browser", "link_id"], set_={"expires_at": until}))


def end_all(order_id: int, *, by: Actor, now: datetime) -> None:
    """Links of this order open nothing any more, nor do browsers that came through them; only unsubscribing works."""
    live = (Link.order_id == order_id, Link.revoked_at.is_(None), Link.purpose != "unsubscribe")
    session.execute(update(Link).where(*live).values(revoked_at=now))
    record(order_id, "links.ended", by=by, now=now)


def forget_grants(*, now: datetime) -> None:
    """Remove what has ended by itself; links stay, as part of what happened."""
    session.execute(delete(Grant).where(Grant.expires_at < now))


class Tier(IntEnum):
    """How much a browser is shown: what any link shows, what a young one does, what only a code opens (L6)."""

    looks = 0
    acts = 1
    owns = 2


Brings = Callable[[], ColumnElement[Any]]
"""What a page needs of `Order`, as one value that the link's own statement brings along."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The order that a browser may see, how much of it, and what the page asked to be brought, as JSON's text.

    `held` are the purposes of the links it came through, of those that lead here.
    """

    order_id: int
    ref: str
    locale: str
    tier: Tier
    brought: str | None = None
    held: Sequence[str] = ()

    def leads_to(self, purpose: str) -> bool:
        """Whether one of the links opens that too."""
        return any(purpose in OPENS[held] for held in self.held)


def opened_order(
    ref: str, browser: str, purpose: str, *, now: datetime, acts_for: timedelta, brings: Brings | None = None
) -> Opened | None:
    """The order with this reference if this browser came through a link that opens `purpose`.

    A link lets its bearer act for so long after it was sent. A conversation is open to the links that were sent about
    it, and to all of the order's once the browser has shown a code.
    """
    asked = {"ref": ref, "browser": digest(browser), "now": now, "shown_since": now - GRANT_LASTS}
    row = _opening(purpose, brings).row(**asked)
    if row is None:
        return None
    order_id, ref, locale, sent_at, about_it, held, shown, brought = row
    owns = shown or (purpose == "case" and about_it)
    acts = Tier.acts if sent_at > now - acts_for else Tier.looks
    return Opened(order_id, ref, locale, Tier.owns if owns else acts, brought, held)


@cache
def _opening(purpose: str, brings: Brings | None) -> Prepared:
    me: BindParameter[str] = bindparam("browser")
    now: BindParameter[datetime] = bindparam("now")
    purposes = [held for held, opened in OPENS.items() if purpose in opened]
    live = (Grant.browser == me, Grant.expires_at > now, Link.expires_at > now, Link.revoked_at.is_(None))
    shown = exists().where(Code.order_id == Order.id, Code.browser == me, Code.used_at > bindparam("shown_since"))
    about_it = func.bool_or(Link.purpose.in_(ABOUT_A_CASE)).label("about_it")
    brought = cast(brings(), Text) if brings else null()
    held = func.array_agg(Link.purpose.distinct()).label("held")
    columns = (Order.id, Order.ref, Order.locale, func.max(Link.created_at).label("sent_at"), about_it, held)
    found = select(*columns, shown.label("shown"), brought.label("brought")).join(Link, Link.order_id == Order.id)
    found = found.join(Grant).group_by(Order.id)
    found = found.where(Order.ref == bindparam("ref"), Link.purpose.in_(purposes), *live)
    return Prepared(found, "ref", "browser", "now", "shown_since")
