"""While Stripe does not let our key in, refunds wait. The open alarm is the pause: told once, seen by all."""

from datetime import datetime

from sqlalchemy import or_, select, update

from portal.db import session
from portal.refunds.alarms import Trouble, close_alarm, raise_alarms
from portal.refunds.models import TO_SEND, MoneyAlarm, Refund

KIND, KEY = "key_refused", "stripe"


def paused() -> datetime | None:
    """Since when; None while Stripe takes our key as far as we know."""
    still = (MoneyAlarm.kind == KIND, MoneyAlarm.key == KEY, MoneyAlarm.closed_at.is_(None))
    return session.scalar(select(MoneyAlarm.found_at).where(*still))


def pause(reason: str, *, now: datetime) -> None:
    """Stripe refused our key: one alarm, however many find it out."""
    raise_alarms([Trouble(KIND, KEY, reason)], now=now)


def first_waiting(now: datetime) -> int | None:
    """The refund that is to be sent first when the door opens."""
    free = or_(Refund.lease_until.is_(None), Refund.lease_until <= now)
    waiting = select(Refund.id).where(Refund.state.in_(TO_SEND), free)
    return session.scalar(waiting.order_by(Refund.approved_at, Refund.id).limit(1))


def resume(*, at: datetime, now: datetime) -> None:
    """Stripe takes our key again: the alarm ends, and what waited is due since `at`."""
    if close_alarm(KIND, KEY, now=now):
        waiting = (Refund.state.in_(TO_SEND), Refund.lease_until.is_(None))
        session.execute(update(Refund).where(*waiting).values(next_look_at=at))
