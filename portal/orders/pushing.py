"""Telling channels: what is due is taken one at a time per channel, and whatever comes of it is written down."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update

from portal.adapters.channels import Push
from portal.adapters.errors import Permanent, Trouble, Unknown
from portal.db import limits, move, session
from portal.orders.pushes import OPEN, ChannelPush, say

LEASE = timedelta(minutes=10)
"""Longer than any try takes: after that its worker is gone."""
PACE, PER = 60, timedelta(minutes=1)
"""Things told to one channel. Each is a few requests: below Shopify's limit, and bearable for a small shop."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
MOST_ATTEMPTS = 12
"""A day and a half, with pauses that double."""


@dataclass(frozen=True, slots=True)
class Due:
    """What to tell now."""

    id: int
    push: Push


def begin(channel: str, *, now: datetime) -> Due | None:
    """Take what waits longest; None while another worker is telling this channel, or when it was told enough.

    One at a time, because a note is read before it is written.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"push:{channel}"})
    if _somebody_is_telling(channel, now):
        return None
    row = _next(channel, now)
    if row is None or not limits.take("push", channel, PACE, PER, now):
        return None
    if row.order.erased_at is not None:
        move(row, "state", "forget", note="erased", lease_until=None)
        return begin(channel, now=now)
    move(row, "state", "begin", attempts=row.attempts + 1, lease_until=now + LEASE)
    return Due(row.id, Push(row.kind, row.key, row.order.external_id, **row.body))


def _somebody_is_telling(channel: str, now: datetime) -> bool:
    telling = (ChannelPush.channel == channel, ChannelPush.state == "sending", ChannelPush.lease_until > now)
    return session.scalar(select(ChannelPush.id).where(*telling).limit(1)) is not None


def _next(channel: str, now: datetime) -> ChannelPush | None:
    found = select(ChannelPush).join(ChannelPush.order).where(ChannelPush.channel == channel, _is_due(now))
    first = found.order_by(ChannelPush.next_try_at, ChannelPush.id).limit(1)
    return session.scalar(first.with_for_update(of=ChannelPush).execution_options(populate_existing=True))


def _is_due(now: datetime) -> ColumnElement[bool]:
    left_behind = and_(ChannelPush.state == "sending", ChannelPush.lease_until <= now)
    waits = and_(ChannelPush.state.in_(("waiting", "unknown")), ChannelPush.next_try_at <= now)
    return or_(left_behind, waits)


def due(now: datetime) -> list[str]:
    """The channels for which something is due."""
    found = select(ChannelPush.channel).where(ChannelPush.state.in_(OPEN), _is_due(now))
    return list(session.scalars(found.distinct().order_by(ChannelPush.channel)))


def record_told(push_id: int, remote_id: str, *, now: datetime) -> None:
    """It is there; a worker that was taken for dead may say so a second time."""
    push = session.get_one(ChannelPush, push_id, with_for_update=True)
    if push.state == "sending":
        told = {"told_at": now, "remote_id": remote_id[:200], "trouble": "", "lease_until": None}
        move(push, "state", "record", **told)
        say(push, "channel.told", by="system", now=now)


def record_trouble(push_id: int, trouble: Trouble, *, now: datetime) -> None:
    """It was not told, or nobody knows. It is tried again later, until a person must look."""
    push = session.get_one(ChannelPush, push_id, with_for_update=True)
    if push.state != "sending":
        return
    why = {"trouble": str(trouble)[:500], "lease_until": None}
    if isinstance(trouble, Permanent) or push.attempts >= MOST_ATTEMPTS:
        move(push, "state", "give_up", **why)
        say(push, "channel.not_told", by="system", now=now)
        return
    again = now + max(_pause(push.attempts), timedelta(seconds=trouble.wait))
    move(push, "state", "lose" if isinstance(trouble, Unknown) else "postpone", next_try_at=again, **why)
    if trouble.wait:
        _leave_alone(push.channel, now + timedelta(seconds=trouble.wait))


def _pause(attempts: int) -> timedelta:
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1))


def _leave_alone(channel: str, until: datetime) -> None:
    """The shop asked for a pause: that is meant for all that it is to be told."""
    waiting = (ChannelPush.channel == channel, ChannelPush.state.in_(("waiting", "unknown")))
    later = func.greatest(ChannelPush.next_try_at, until)
    session.execute(update(ChannelPush).where(*waiting).values(next_try_at=later))
