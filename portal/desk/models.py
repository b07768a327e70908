"""One order with all that hangs on it, in as many statements for a large one as for a small."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import attributes, joinedload, selectinload

from portal.config import Settings
from portal.db import session
from portal.desk.letters import listed
from portal.feedback.case_models import Case
from portal.feedback.models import Answer, SurveyInvitation
from portal.fulfilment.models import Parcel, ParcelLine
from portal.fulfilment.promises import PromiseBreak, latest_break
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders import pushes
from portal.orders.flags import open_flags
from portal.orders.models import INSTEAD, ChannelRefund, Customer, Order, OrderFlag, OrderLine
from portal.orders.pushes import ChannelPush
from portal.orders.shelves import missing
from portal.orders.timeline import Entry, for_staff
from portal.refunds.models import UNDER_WAY, Refund
from portal.returns.claims_terms import terms_of
from portal.returns.dates import FourDates, four_dates
from portal.returns.exchanges import orders_for, return_behind
from portal.returns.goods import counts, last_delivery
from portal.returns.models import Return

MOST_AT_RISK = 10


@dataclass(frozen=True, slots=True)
class Purse:
    """What was paid and what became of it."""

    paid: Money
    back: Money
    on_its_way: Money
    elsewhere: Money
    left: Money


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """One order with all that hangs on it."""

    order: Order
    parcels: Sequence[Parcel]
    returns: Sequence[Return]
    refunds: Sequence[Refund]
    cases: Sequence[Case]
    letters: Sequence[Any]
    timeline: list[Entry]
    survey: tuple[SurveyInvitation, Answer | None] | None
    zone: ZoneInfo
    broken: PromiseBreak | None
    lacks: int
    flags: Sequence[OrderFlag]
    given_by_channel: Sequence[ChannelRefund]
    pushes: Sequence[ChannelPush]
    takes_notes: bool
    sent_instead: Sequence[Order]
    behind: Return | None
    dates: FourDates

    @property
    def risks(self) -> list[str]:
        """Why the promise is at risk, each reason once."""
        return sorted({parcel.risk for parcel in self.parcels if parcel.risk and parcel.delivered_at is None})

    @property
    def delivered_on(self) -> date | None:
        """The shop's day on which the last parcel arrived; None while one is still to come."""
        travelling = [parcel for parcel in self.parcels if parcel.state != "cancelled"]
        if not travelling or any(parcel.delivered_at is None for parcel in travelling):
            return None
        last = max(parcel.delivered_at for parcel in travelling if parcel.delivered_at)
        return last.astimezone(self.zone).date()

    @property
    def expected_on(self) -> date:
        """The courier's latest estimate, else ours as things stand, else our promise."""
        coming = [parcel for parcel in self.parcels if parcel.delivered_at is None and parcel.state != "cancelled"]
        days = [day for parcel in coming if (day := parcel.estimate_on or parcel.expected_on)]
        return max(days, default=self.order.promised_on)

    def promise(self, today: date) -> str:
        """Kept, missed, at risk or running, as the facts say."""
        if self.order.state == "cancelled":
            return "cancelled"
        if self.order.accepted_at is None:
            return "none"
        if self.delivered_on:
            return "kept" if self.delivered_on <= self.order.promised_on else "missed"
        if today > self.order.promised_on:
            return "missed"
        return "at_risk" if self.risks or self.expected_on > self.order.promised_on else "running"

    @property
    def purse(self) -> Purse | None:
        payment = self.order.payment
        if payment is None:
            return None

        def sum_of(*states: str) -> Money:
            ours = (refund.amount for refund in self.refunds if refund.state in states and refund.source == "ours")
            return Money(sum(ours), payment.currency)

        return Purse(
            paid=Money(payment.captured, payment.currency),
            back=sum_of("succeeded"),
            on_its_way=sum_of("requested", "needs_review", *UNDER_WAY),
            elsewhere=Money(payment.external, payment.currency),
            left=payment.left,
        )


def find_order(order_id: int, locale: str, settings: Settings) -> WholeOrder | None:
    """The order and all that hangs on it."""
    loads = (selectinload(Order.lines), joinedload(Order.payment))
    people = (joinedload(Refund.requested_by), joinedload(Refund.approved_by))
    order = session.scalar(select(Order).where(Order.id == order_id).options(*loads))
    if order is None:
        return None
    parcels = session.scalars(_of(Parcel, order_id, selectinload(Parcel.lines).joinedload(ParcelLine.line))).all()
    refunds = session.scalars(_of(Refund, order_id, *people)).all()
    returns = session.scalars(_of(Return, order_id, selectinload(Return.lines))).all()
    return WholeOrder(
        order=order,
        parcels=parcels,
        returns=returns,
        refunds=refunds,
        cases=session.scalars(_of(Case, order_id, joinedload(Case.owner))).all(),
        letters=session.execute(listed().where(Letter.order_id == order_id)).all(),
        timeline=for_staff(order_id, locale),
        survey=_survey(order_id),
        zone=settings.zone,
        broken=latest_break(order_id),
        lacks=missing([order_id]).get(order_id, 0),
        flags=open_flags(order_id),
        given_by_channel=session.scalars(_given_by_channel(order_id)).all(),
        pushes=pushes.of_order(order_id),
        takes_notes=pushes.takes(order.channel, "note"),
        sent_instead=[other for _return_id, other in orders_for([ret.id for ret in returns])] if returns else [],
        behind=return_behind(order) if order.channel == INSTEAD else None,
        dates=_dates(order, parcels, returns, refunds, settings),
    )


def _dates(
    order: Order, parcels: Sequence[Parcel], returns: Sequence[Return], refunds: Sequence[Refund], settings: Settings
) -> FourDates:
    """As the customer reads them, from what was read already."""
    for ret in returns:
        attributes.set_committed_value(ret, "refunds", [one for one in refunds if one.return_id == ret.id])
    sent = [packed for parcel in parcels if counts(parcel) for packed in parcel.lines]
    months = terms_of(order.country).guarantee_months
    return four_dates(last_delivery(order.lines, sent), order.country, returns, settings, guarantee=months)


def _given_by_channel(order_id: int) -> Any:
    """What the channel gave back of its own; what we had asked for stands among the refunds."""
    return _of(ChannelRefund, order_id).where(ChannelRefund.amount > 0, ChannelRefund.refund_id.is_(None))


def _of(table: Any, order_id: int, *loads: Any) -> Select[Any]:
    return select(table).where(table.order_id == order_id).order_by(table.id).options(*loads)


def _survey(order_id: int) -> tuple[SurveyInvitation, Answer | None] | None:
    found = select(SurveyInvitation, Answer).outerjoin(Answer, Answer.invitation_id == SurveyInvitation.id)
    loads = (joinedload(SurveyInvitation.version), joinedload(Answer.version), selectinload(Answer.stars))
    row = session.execute(found.where(SurveyInvitation.order_id == order_id).options(*loads)).first()
    return None if row is None else (row[0], row[1])


def at_risk(today: date) -> Sequence[Any]:
    """Open orders of which something is still to arrive and whose promise is at risk by the last look ahead, or whose
    promised day has come or gone; the promise that ends first leads.
    """
    coming = (Parcel.order_id == Order.id, Parcel.state != "cancelled", Parcel.delivered_at.is_(None))
    risks = select(func.array_remove(func.array_agg(Parcel.risk.distinct()), None)).where(*coming).scalar_subquery()
    columns = (Order.id, Order.number, Order.promised_on, Order.state, Customer.name, risks.label("risks"))
    due = exists().where(*coming, or_(Order.promised_on <= today, Parcel.risk.is_not(None))).correlate(Order)
    found = select(*columns).join(Order.customer).where(Order.state.in_(("accepted", "on_hold")), due)
    first = found.where(Order.accepted_at.is_not(None)).order_by(Order.promised_on, Order.id)
    return session.execute(first.limit(MOST_AT_RISK)).all()


def lines_of(order: Order) -> list[OrderLine]:
    """The goods of the order, without its shipping."""
    return [line for line in order.lines if line.kind == "item"]
