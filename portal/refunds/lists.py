"""The desk's lists of money, and all that one refund's page tells: a fixed number of statements each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, not_, or_, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from portal.db import paging, session
from portal.db.counting import Counts, bounded
from portal.db.paging import PAGE, Page
from portal.lib import clock
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.refunds.models import UNDER_WAY, WAITING, MoneyAlarm, Refund, tasks, wrong_and_waiting

LISTS = ("requested", "urgent", "tasks", "wrong", "under_way", "done")
SOON = timedelta(days=3)


Day = date | ColumnElement[date]


def _belongs_to(name: str, soon: Day) -> ColumnElement[bool]:
    if name == "urgent":
        return _urgent(soon)
    lists = {
        "requested": Refund.state == "requested",
        "wrong": wrong_and_waiting(),
        "tasks": tasks(),
        "under_way": and_(Refund.state.in_(UNDER_WAY), not_(tasks())),
    }
    return lists[name] if name in lists else not_(or_(*lists.values()))


def _urgent(soon: Day) -> ColumnElement[bool]:
    """Money that a person has to move on, and whose legal latest day is near or over."""
    waits = or_(Refund.state == "requested", tasks(), wrong_and_waiting())
    return and_(waits, Refund.due_on <= soon)


def _listed(name: str, soon: Day) -> ColumnElement[bool]:
    """By what is said twice PostgreSQL sees that the index of what is not over has all of them."""
    found = _belongs_to(name, soon)
    return found if name == "done" else and_(literal_column(f"({WAITING})"), found)


def _soon() -> date:
    return clock.now().date() + SOON


def page_of(name: str, at: str) -> Page[Refund]:
    """One page of a list. What is due or waits longest stands first; what is done, last first."""
    found = select(Refund).join(Refund.order).where(_listed(name, _soon()))
    whole = found.options(contains_eager(Refund.order), joinedload(Refund.requested_by), joinedload(Refund.approved_by))
    if name == "done":
        return paging.page_of(whole, Refund.id, at=at, last_first=True)
    return paging.page_of(whole, Refund.due_on.is_(None), Refund.due_on, Refund.requested_at, Refund.id, at=at)


def counts() -> dict[str, int]:
    """How many refunds each list holds, as far as anybody counts, in one statement; of what is done, nobody does."""
    return _counts().run(soon=_soon())


@cache
def _counts() -> Counts:
    lists = {name: select(Refund.id).where(_listed(name, bindparam("soon"))) for name in LISTS if name != "done"}
    return Counts({name: bounded(found) for name, found in lists.items()}, "soon")


def find(refund_id: int) -> Refund | None:
    """A refund with all that its page shows of it."""
    people = (
        joinedload(Refund.requested_by),
        joinedload(Refund.approved_by),
        joinedload(Refund.handled_by),
        joinedload(Refund.proven_by),
    )
    about = (joinedload(Refund.order).joinedload(Order.customer), joinedload(Refund.payment))
    rest = (selectinload(Refund.lines), selectinload(Refund.log))
    return session.scalar(select(Refund).where(Refund.id == refund_id).options(*people, *about, *rest))


@dataclass(frozen=True, slots=True)
class Purse:
    """What became of a payment: its refunds besides this one, and what they add up to."""

    others: Sequence[Refund]
    captured: Money
    given_back: Money
    on_its_way: Money
    left: Money


def purse(refund: Refund) -> Purse:
    payment = refund.payment
    same = select(Refund).where(Refund.payment_id == payment.id, Refund.id != refund.id)
    others = session.scalars(same.order_by(Refund.id.desc())).all()

    def together(*states: str) -> Money:
        return Money(sum(other.amount for other in others if other.state in states), payment.currency)

    return Purse(
        others=others,
        captured=Money(payment.captured, payment.currency),
        given_back=together("succeeded"),
        on_its_way=together("requested", "needs_review", *UNDER_WAY),
        left=payment.left,
    )


def letters(refund: Refund) -> Sequence[Any]:
    """What the customer was told about this money and the return behind it, newest first."""
    about = [f"refund:{refund.id}", *([f"return:{refund.return_id}"] if refund.return_id else [])]
    columns = (Letter.id, Letter.subject, Letter.created_at, Letter.state)
    found = select(*columns).where(Letter.order_id == refund.order_id, Letter.about.in_(about))
    return session.execute(found.order_by(Letter.id.desc())).all()


def alarms() -> tuple[Sequence[MoneyAlarm], Sequence[MoneyAlarm]]:
    """What does not fit now, the oldest first; and what was closed last, up to a page of it."""
    whole = select(MoneyAlarm).options(joinedload(MoneyAlarm.order), joinedload(MoneyAlarm.explained_by))
    still = session.scalars(whole.where(MoneyAlarm.closed_at.is_(None)).order_by(MoneyAlarm.found_at, MoneyAlarm.id))
    gone = whole.where(MoneyAlarm.closed_at.is_not(None)).order_by(MoneyAlarm.closed_at.desc(), MoneyAlarm.id.desc())
    return still.all(), session.scalars(gone.limit(PAGE)).all()


def find_alarm(alarm_id: int) -> MoneyAlarm | None:
    return session.get(MoneyAlarm, alarm_id)
