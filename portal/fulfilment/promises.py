"""Promises watched over: the estimate and the risk of every open parcel, the news when one breaks, and the choice."""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, and_, func, select, update
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Mapped, mapped_column

from portal import mail
from portal.db import Base, move, session
from portal.fulfilment import buying, shorts
from portal.fulfilment.models import Lane, Parcel, ParcelLine
from portal.fulfilment.risk import Facts, Outlook, Road, Roads, look_ahead
from portal.fulfilment.rules import SILENT_AFTER
from portal.lib import days
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders import calendar, shelves, stock
from portal.orders.calendar import Terms
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.departments import answering
from portal.staff.models import Actor

CHOICES = ("wait", "another_day", "cancel")
OFFERED = 5
"""How many days the customer may choose among."""
TOO_OLD = timedelta(days=7)
"""Nobody is written to about a promise that was broken longer ago, as when the portal sees old orders first."""
NOT_AGAIN_WITHIN = timedelta(days=2)
"""A date that moves every day is told when it has settled."""
BATCH = 1000
LEARNT_FROM, ENOUGH = timedelta(days=90), 10
"""A lane is known when so many parcels were delivered on it lately."""

words("promise.broken", staff=_l("The promise will break. The customer was told: %(told)s"))
words("promise.wait", staff=_l("The customer waits"), customer=_l("You chose to wait"))
words(
    "promise.another_day",
    staff=_l("The customer wants it on another day: %(day)s"),
    customer=_l("You chose another day: %(day)s"),
)
words("promise.cancel", staff=_l("The customer cancels, because we break our promise"))
words("order.cancelled", staff=_l("Order cancelled"), customer=_l("Your order was cancelled"))


class PromiseBreak(Base):
    """A promise that will not be kept: what the customer was told, and what they chose. One row per news told."""

    __tablename__ = "promise_breaks"
    __table_args__ = (
        UniqueConstraint("order_id", "number"),
        CheckConstraint(f"choice IN {CHOICES}", name="choice"),
        CheckConstraint("num_nulls(choice, chosen_at) IN (0, 2)", name="chosen"),
        Index("ix_promise_breaks_latest", "order_id", "id"),
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int]
    noticed_at: Mapped[datetime]
    promised_on: Mapped[date]
    expected_on: Mapped[date | None]
    choice: Mapped[str | None]
    chosen_on: Mapped[date | None]
    chosen_at: Mapped[datetime | None]

    @property
    def told(self) -> date | None:
        """The day the customer counts on now."""
        return self.chosen_on or self.expected_on


def latest_break(order_id: int) -> PromiseBreak | None:
    found = select(PromiseBreak).where(PromiseBreak.order_id == order_id).order_by(PromiseBreak.id.desc())
    return session.scalar(found.limit(1))


# --- looking ahead ----------------------------------------------------------------------------------------------------


def lanes(now: datetime) -> dict[tuple[str, str], Road]:
    """How long each courier took to each country lately, in one statement."""
    took = func.date(Parcel.delivered_at) - func.date(Parcel.handed_over_at)
    median = func.percentile_cont(0.5).within_group(sql_cast(took, Integer))
    found = select(Parcel.courier, Order.country, median, func.count()).join(Parcel.order)
    found = found.where(Parcel.delivered_at > now - LEARNT_FROM, Parcel.handed_over_at.is_not(None))
    rows = session.execute(found.group_by(Parcel.courier, Order.country).having(func.count() >= ENOUGH))
    return {(courier or "", country or ""): Road(float(days_), count) for courier, country, days_, count in rows}


def watch(after: int, *, now: datetime) -> tuple[int | None, dict[int, date]]:
    """Bring estimate and risk of a batch of open parcels (ids above `after`) up to date.

    The last id of the batch, None when it was the last one, and the orders whose promise will break, with its day.
    """
    terms, learnt = calendar.terms(), lanes(now)
    rows = session.execute(_open_parcels().where(Parcel.id > after).order_by(Parcel.id).limit(BATCH)).all()
    lacks = _lacks([row.order_id for row in rows if row.state != "handed_over"])
    seen = {row.id: look_ahead(_facts(row, lacks), terms, learnt, now) for row in rows}
    changed = [
        {"id": row.id, "expected_on": seen[row.id].expected_on, "risk": seen[row.id].risk}
        for row in rows
        if (row.expected_on, row.risk) != (seen[row.id].expected_on, seen[row.id].risk)
    ]
    if changed:
        session.execute(update(Parcel), changed)
    breaking = {row.order_id: row.promised_on for row in rows if seen[row.id].breaks and row.order_state == "accepted"}
    return rows[-1].id if len(rows) == BATCH else None, breaking


def _lacks(order_ids: Collection[int]) -> dict[int, int]:
    """By order, how many pieces it lacks: what the count says, else what a picker did not find."""
    return {**shorts.missing(order_ids), **shelves.missing(order_ids)}


def _open_parcels() -> Any:
    order = (Order.country, Order.promised_on, Order.paid_at, Order.state.label("order_state"))
    columns = (
        Parcel.id, Parcel.order_id, Parcel.state, Parcel.tracking_status, Parcel.courier, Parcel.handed_over_at,
        Parcel.last_event_at, Parcel.estimate_on, Parcel.expected_on, Parcel.risk,
    )  # fmt: skip
    open_still = (Parcel.state != "cancelled", Parcel.delivered_at.is_(None), Parcel.tracking_status != "returned")
    lane = and_(Lane.courier == Parcel.courier, Lane.country == Order.country)
    found = select(*columns, *order, Lane.silent_after).join(Parcel.order).outerjoin(Lane, lane)
    return found.where(*open_still, Order.state.in_(("accepted", "on_hold")))


def _facts(row: Any, lacks: dict[int, int]) -> Facts:
    return Facts(
        state=row.state,
        tracking=row.tracking_status,
        courier=row.courier,
        country=row.country,
        promised_on=row.promised_on,
        paid_at=row.paid_at,
        handed_over_at=row.handed_over_at,
        heard_at=row.last_event_at or row.handed_over_at,
        says_on=row.estimate_on,
        lacks=lacks.get(row.order_id, 0),
        silence=row.silent_after or SILENT_AFTER,
    )


def outlook(order_id: int, terms: Terms, learnt: Roads, now: datetime) -> list[Outlook]:
    """What is to be expected of each open parcel of one order, as things stand this moment."""
    rows = session.execute(_open_parcels().where(Parcel.order_id == order_id)).all()
    lacks = _lacks([order_id])
    return [look_ahead(_facts(row, lacks), terms, learnt, now) for row in rows]


# --- the news ---------------------------------------------------------------------------------------------------------


def may_be_news(before: PromiseBreak | None, promised_on: date, *, now: datetime) -> bool:
    """Whether to look closer: not when it was told lately, nor when it broke long before we looked."""
    if before is None:
        return now.date() <= promised_on + TOO_OLD
    return now - before.noticed_at >= NOT_AGAIN_WITHIN


def tell_of_break(order_id: int, *, now: datetime) -> PromiseBreak | None:
    """Write to the customer that the promise will break, once per break: again only when what was told is broken too.

    None when there is no news: the parcels have caught up, the customer knows, or it is too long ago.
    """
    order = session.get_one(Order, order_id, with_for_update={"of": Order}, populate_existing=True)
    terms = calendar.terms()
    seen, before = outlook(order_id, terms, {}, now), latest_break(order_id)
    if order.state != "accepted" or not any(each.breaks for each in seen):
        return None
    expected = _all_by(seen)
    if not _is_news(order, before, expected, terms, now):
        return None
    number = before.number + 1 if before else 1
    news = PromiseBreak(
        order_id=order_id, number=number, noticed_at=now, promised_on=order.promised_on, expected_on=expected
    )
    session.add(news)
    session.flush()
    _write_late(order, news, now.astimezone(terms.calendar.zone))
    return news


def _all_by(seen: Iterable[Outlook]) -> date | None:
    """The day by which the last parcel comes; None when nobody can say."""
    expected = [each.expected_on for each in seen]
    known = [day for day in expected if day is not None]
    return max(known) if known and len(known) == len(expected) else None


def _is_news(order: Order, before: PromiseBreak | None, expected: date | None, terms: Terms, now: datetime) -> bool:
    if before is None or not may_be_news(before, order.promised_on, now=now):
        return may_be_news(before, order.promised_on, now=now)
    if before.told is None:
        return expected is not None
    today = now.astimezone(terms.calendar.zone).date()
    return expected > before.told if expected is not None else today > before.told


def _write_late(order: Order, news: PromiseBreak, now: datetime) -> None:
    told = news.expected_on.isoformat() if news.expected_on else "–"
    record(order.id, "promise.broken", by="system", now=now, told=told)
    if _heard_of_the_delay(order.id, now):
        return
    write(
        "late",
        order,
        about=f"promise-break:{news.id}",
        now=now,
        not_after=now + timedelta(days=2),
        promised_on=days.spelled(news.promised_on, now.date(), order.locale),
        expected_on=days.spelled(news.expected_on, now.date(), order.locale) if news.expected_on else "",
        here=not has_left(order.id),
    )


def _heard_of_the_delay(order_id: int, now: datetime) -> bool:
    """Whether the courier's delay was written about just now: one letter is enough."""
    lately = (Letter.order_id == order_id, Letter.kind == "delayed", Letter.created_at > now - NOT_AGAIN_WITHIN)
    return session.scalar(select(Letter.id).where(*lately).limit(1)) is not None


# --- the choice -------------------------------------------------------------------------------------------------------


def offered_days(order_id: int, terms: Terms, now: datetime) -> list[date]:
    """Days on which it could come instead, for goods that are still here."""
    expected = _all_by(outlook(order_id, terms, {}, now))
    if expected is None:
        return []
    return [terms.calendar.add(expected, n) for n in range(1, OFFERED + 1)]


def may_choose(order_id: int) -> bool:
    """Whether the goods are all still here: then another day or a cancellation is possible."""
    return not has_left(order_id)


def choose(order_id: int, choice: str, day: date | None, *, now: datetime) -> None:
    """What the customer wants after a promise broke. Cancelling is `cancel_order`'s.

    Raises Refused when no promise was broken, when it has left meanwhile, or for a day that was not offered.
    """
    order = session.get_one(Order, order_id, with_for_update={"of": Order, "key_share": True}, populate_existing=True)
    news = latest_break(order_id)
    if news is None or order.state != "accepted" or choice not in CHOICES:
        raise Refused(_("There is nothing to choose any more. Nothing was changed."))
    if choice != "wait":
        _refuse_when_gone(order_id)
    if choice == "another_day" and day not in offered_days(order_id, calendar.terms(), now):
        raise Refused(_("This day is no longer possible. Please choose another one."))
    news.choice, news.chosen_at, news.chosen_on = choice, now, day if choice == "another_day" else None
    facts = {"day": day} if news.chosen_on else {}
    record(order_id, f"promise.{choice}", by="customer", now=now, **facts)
    _tell_staff(order, news, now)


def _tell_staff(order: Order, news: PromiseBreak, now: datetime) -> None:
    """Who answers customers hears of it, and the warehouse too where it has to do something else; once per choice."""
    concerned = ("support",) if news.choice == "wait" else ("support", "shipping")
    for person in answering(*concerned):
        mail.queue(
            "customer-chose",
            to=person.email,
            locale=person.locale,
            now=now,
            order_id=order.id,
            about=f"promise-break:{news.id}",
            once=f"customer-chose:{news.id}:{news.choice}:{news.chosen_on}:{person.id}",
            number=order.number,
            order=order.id,
            choice=news.choice,
            day=news.chosen_on,
            promised_on=news.promised_on,
        )


def cancel_order(order: Order, *, by: Actor, now: datetime) -> None:
    """Nothing of it is sent: its parcels are cancelled, their labels given back, and what was kept back for it is free.

    Money is not moved.

    Raises Refused when something of it has left the house.
    """
    session.refresh(order, with_for_update={"of": Order, "key_share": True})
    _refuse_when_gone(order.id)
    move(order, "state", "cancel")
    for parcel in session.scalars(select(Parcel).where(Parcel.order_id == order.id, Parcel.state != "cancelled")):
        move(parcel, "state", "cancel", risk=None, expected_on=None)
        buying.give_up(parcel.id, now=now)
    stock.release_order(order, "", by=by, now=now)
    record(order.id, "order.cancelled", by=by, now=now)


def _refuse_when_gone(order_id: int) -> None:
    if has_left(order_id):
        raise Refused(_("Your parcel has left our house already, so we can't change it any more. Nothing was changed."))


def has_left(order_id: int) -> bool:
    """Whether some of it has left the house."""
    left = select(Parcel.id).where(Parcel.order_id == order_id, Parcel.state == "handed_over").limit(1)
    return session.scalar(left) is not None


def lies_here(order_id: int, line_ids: Collection[int]) -> bool:
    """Whether some of these lines are in a parcel that has not left the house yet."""
    found = select(ParcelLine.id).join(ParcelLine.parcel).where(ParcelLine.order_line_id.in_(line_ids))
    waits = Parcel.state.not_in(("handed_over", "cancelled"))
    return session.scalar(found.where(Parcel.order_id == order_id, waits).limit(1)) is not None


def broken(order_ids: Collection[int]) -> dict[int, PromiseBreak]:
    """The latest break of each of these orders, in one statement."""
    rows = session.scalars(
        select(PromiseBreak).where(PromiseBreak.order_id.in_(order_ids)).order_by(PromiseBreak.id)
    ).all()
    return {row.order_id: row for row in rows}
