"""The statement that brings a customer's page: PostgreSQL builds it whole, as JSON. It owns no tables."""

from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, exists, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased

from portal.feedback.case_models import UNSOLVED, Case
from portal.feedback.models import SurveyInvitation
from portal.feedback.questions import QuestionVersion, SurveyQuestion
from portal.fulfilment.models import BackParcel, CourierEvent, Parcel, ParcelLine
from portal.fulfilment.promises import PromiseBreak
from portal.orders.models import ChannelRefund, Order, OrderLine
from portal.refunds.credit import CreditEntry, StoreCredit
from portal.refunds.models import Refund
from portal.returns.claims_terms import guarantee_months
from portal.returns.models import Return, ReturnLine, SentInstead
from portal.returns.policy import ReturnPolicy

Json = ColumnElement[Any]


def page() -> Json:
    """All that the page of `Order` tells, as one value for a statement that selects from the orders."""
    return _object(
        ref=Order.ref,
        number=Order.number,
        state=Order.state,
        country=Order.country,
        guarantee=guarantee_months(Order.country),
        placed_at=Order.placed_at,
        promised_on=Order.promised_on,
        survey=_survey(),
        broken=_broken(),
        parcels=_parcels(),
        waiting=_waiting(),
        returns=_returns(),
        money=_money(Refund.order_id == Order.id, Refund.return_id.is_(None)),
        elsewhere=_elsewhere(),
        cases=_cases(),
        sent_instead=_sent_instead(),
        behind=_behind(),
        window=_window(),
    )


def _survey() -> ScalarSelect[Any]:
    put = _object(
        kind=SurveyQuestion.kind, low=QuestionVersion.low, high=QuestionVersion.high, texts=QuestionVersion.texts
    )
    told = _object(state=SurveyInvitation.state, closes_at=SurveyInvitation.closes_at, put=put)
    found = select(told).join(SurveyInvitation.version).join(QuestionVersion.question)
    last = found.where(SurveyInvitation.order_id == Order.id).order_by(SurveyInvitation.id.desc()).limit(1)
    return last.correlate(Order).scalar_subquery()


def _broken() -> ScalarSelect[Any]:
    told = _object(
        expected_on=PromiseBreak.expected_on, choice=PromiseBreak.choice, chosen_on=PromiseBreak.chosen_on
    )  # fmt: skip
    last = select(told).where(PromiseBreak.order_id == Order.id).order_by(PromiseBreak.id.desc()).limit(1)
    return last.correlate(Order).scalar_subquery()


def _parcels() -> Json:
    """Cancelled ones are left out: nothing of them travels."""
    told = _object(
        id=Parcel.id,
        status=Parcel.tracking_status,
        action_required=Parcel.action_required,
        estimate_on=func.coalesce(Parcel.estimate_on, Parcel.expected_on),
        packed_at=Parcel.packed_at,
        handed_over_at=Parcel.handed_over_at,
        delivered_at=Parcel.delivered_at,
        items=_items(),
        scans=_scans(),
    )
    there = (Parcel.order_id == Order.id, Parcel.state != "cancelled")
    return _all(select(_listed(told, Parcel.id)).where(*there).correlate(Order))


def _items() -> Json:
    told = _object(title=OrderLine.title, variant=OrderLine.variant, quantity=ParcelLine.quantity)
    found = select(_listed(told, OrderLine.id, ParcelLine.id)).join(ParcelLine.line)
    return _all(found.where(ParcelLine.parcel_id == Parcel.id, OrderLine.kind == "item").correlate(Parcel))


def _scans() -> Json:
    told = _object(at=CourierEvent.at, status=CourierEvent.status, detail=CourierEvent.code)
    found = select(_listed(told, CourierEvent.at.desc()))
    return _all(found.where(CourierEvent.parcel_id == Parcel.id).correlate(Parcel))


def _waiting() -> Json:
    """Goods that are in no parcel, and were not given up for their money."""
    placed = select(func.coalesce(func.sum(ParcelLine.quantity), 0)).join(Parcel, Parcel.id == ParcelLine.parcel_id)
    gone = or_(Parcel.state != "cancelled", Parcel.fate == "money_back")
    left = OrderLine.quantity - (
        placed.where(ParcelLine.order_line_id == OrderLine.id, gone).correlate(OrderLine).scalar_subquery()
    )
    told = _object(title=OrderLine.title, variant=OrderLine.variant, quantity=left)
    goods = (OrderLine.order_id == Order.id, OrderLine.kind == "item", left > 0)
    return _all(select(_listed(told, OrderLine.id)).where(*goods).correlate(Order))


def _returns() -> Json:
    told = _object(
        rma=Return.rma,
        kind=Return.kind,
        decision=Return.decision,
        goods=Return.goods,
        send_back_by=Return.send_back_by,
        closed_as=Return.closed_as,
        requested_at=Return.requested_at,
        released_at=func.coalesce(_sent_back_at(), Return.received_at),
        money=_money(Refund.return_id == Return.id),
    )
    return _all(select(_listed(told, Return.id.desc())).where(Return.order_id == Order.id).correlate(Order))


def _sent_back_at() -> Json:
    """When it was proven that the goods are on their way back."""
    living = (BackParcel.return_id == Return.id, BackParcel.ended_at.is_(None))
    return select(func.min(BackParcel.scanned_at)).where(*living).correlate(Return).scalar_subquery()


def _money(*which: ColumnElement[bool]) -> Json:
    """Refunds that the customer is told of: one that failed is no news once another was made in its place."""
    other = aliased(Refund)
    replaced = exists().where(other.order_id == Refund.order_id, other.instead_of_id == Refund.id)
    told = _object(
        amount=Refund.amount,
        currency=Refund.currency,
        state=Refund.state,
        settled_at=Refund.settled_at,
        reference=func.coalesce(Refund.bank_reference, Refund.proof),
        way=Refund.way,
        left=_credit_left(),
    )
    found = select(_listed(told, Refund.decision_no, Refund.id))
    return _all(found.where(*which, Refund.state != "rejected_by_us", ~replaced).correlate(Order, Return))


def _credit_left() -> ScalarSelect[Any]:
    """What is left of a refund's store credit."""
    last = select(CreditEntry.balance).join(CreditEntry.credit).where(StoreCredit.refund_id == Refund.id)
    return last.order_by(CreditEntry.number.desc()).limit(1).correlate(Refund).scalar_subquery()


def _elsewhere() -> Json:
    """Money that the channel gave back by itself."""
    told = _object(
        amount=ChannelRefund.amount,
        currency=ChannelRefund.currency,
        state=literal_column("'succeeded'"),
        settled_at=ChannelRefund.given_at,
        way=literal_column("'channel'"),
    )
    of_its_own = (ChannelRefund.amount > 0, ChannelRefund.refund_id.is_(None))
    found = select(_listed(told, ChannelRefund.id)).where(ChannelRefund.order_id == Order.id, *of_its_own)
    return _all(found.correlate(Order))


def _cases() -> Json:
    told = _object(id=Case.id, state=Case.state, due_at=Case.due_at)
    found = select(_listed(told, Case.id.desc())).where(Case.order_id == Order.id, Case.state.in_(UNSOLVED))
    return _all(found.correlate(Order))


def _sent_instead() -> Json:
    """Orders that go out for this one's returns, once each."""
    other, returned = aliased(Order), aliased(Return)
    told = _object(number=other.number, promised_on=other.promised_on, state=other.state)
    lines = select(OrderLine.order_id).join(SentInstead, SentInstead.order_line_id == OrderLine.id)
    lines = lines.join(ReturnLine, ReturnLine.id == SentInstead.return_line_id)
    mine = lines.join(returned, returned.id == ReturnLine.return_id).where(returned.order_id == Order.id)
    return _all(select(_listed(told, other.id)).where(other.id.in_(mine.correlate(Order))).correlate(Order))


def _behind() -> ScalarSelect[Any]:
    """The return for which this order goes out, and the order that it belongs to."""
    first, returned = aliased(Order), aliased(Return)
    found = select(_object(rma=returned.rma, number=first.number)).join(first, first.id == returned.order_id)
    found = found.join(ReturnLine, ReturnLine.return_id == returned.id)
    found = found.join(SentInstead, SentInstead.return_line_id == ReturnLine.id)
    found = found.join(OrderLine, OrderLine.id == SentInstead.order_line_id)
    return found.where(OrderLine.order_id == Order.id).limit(1).correlate(Order).scalar_subquery()


def _window() -> ScalarSelect[Any]:
    """Days that the shop's own policy gives to send something back, where it has some."""
    return select(ReturnPolicy.window_days).order_by(ReturnPolicy.id.desc()).limit(1).scalar_subquery()


def _object(**told: Any) -> Json:
    return func.json_build_object(*chain.from_iterable((literal_column(f"'{name}'"), told[name]) for name in told))


def _listed(each: Json, *order: Any) -> Json:
    return func.json_agg(aggregate_order_by(each, *order))


def _all(found: Any) -> Json:
    return func.coalesce(found.scalar_subquery(), literal_column("'[]'"))
