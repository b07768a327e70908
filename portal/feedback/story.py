"""The order's story beside a case: what we promised, what came of it, what went back, what we wrote and heard."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select
from sqlalchemy.orm import contains_eager

from portal.adapters.couriers import Tracking
from portal.db import session
from portal.feedback.models import Answer, SurveyInvitation
from portal.fulfilment.models import Parcel
from portal.fulfilment.rules import NAMES
from portal.mail.models import Letter
from portal.mail.words import STATE as LETTER_STATE
from portal.orders import timeline
from portal.orders.models import Order
from portal.refunds.models import Refund
from portal.refunds.words import STATE
from portal.returns.claims_models import FAULTS, Claim, claims_where
from portal.returns.claims_words import REMEDY, wishes
from portal.returns.models import Return

LETTERS = 8
AT_HOME = {
    "to_pick": _l("To pick"), "picking": _l("Being picked"), "picked": _l("To pack"), "packed": _l("To ship"),
}  # fmt: skip
DECIDED = {"requested": _l("To decide"), "declined": _l("Declined"), "cancelled": _l("Cancelled")}
GOODS = {
    "not_expected": _l("No goods expected"),
    "awaited": _l("Goods awaited"),
    "in_transit": _l("Goods on their way"),
    "received": _l("Goods received"),
    "lost": _l("Goods lost"),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A parcel, a return, money or a letter: where it leads, what it is called, how far it is, since when."""

    id: int
    name: object
    state: object
    tone: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """A claim: what is wrong, what they would like and wrote, and what came of it."""

    id: int
    rma: str
    fault: object
    wish: object
    words: str
    state: object
    at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """One order as the person reads it who makes it right."""

    arrived_at: datetime | None
    days_late: int
    parcels: list[Piece]
    claims: list[Wrong]
    returns: list[Piece]
    money: list[Piece]
    letters: list[Piece]
    answers: list[Answer]
    timeline: list[timeline.Entry]


def story_of(order: Order, locale: str, zone: ZoneInfo, *, now: datetime) -> Story:
    """Read in nine statements, whatever happened."""
    parcels = session.scalars(
        select(Parcel).where(Parcel.order_id == order.id, Parcel.state != "cancelled").order_by(Parcel.id)
    ).all()
    goods = (Return.order_id == order.id, or_(Return.kind != "claim", Return.goods != "not_expected"))
    returns = session.scalars(select(Return).where(*goods).order_by(Return.id)).all()
    arrived = [parcel.delivered_at for parcel in parcels if parcel.delivered_at]
    arrived_at = max(arrived) if arrived and len(arrived) == len(parcels) else None
    return Story(
        arrived_at,
        days_late(order.promised_on, (arrived_at or now).astimezone(zone).date()),
        [Piece(parcel.id, parcel.ref, _parcel_state(parcel)) for parcel in parcels],
        _claims(order),
        [Piece(ret.id, ret.rma, _return_state(ret)) for ret in returns],
        _money(order, locale),
        _letters(order),
        _answers(order),
        timeline.for_staff(order.id, locale),
    )


def _claims(order: Order) -> list[Wrong]:
    lines = contains_eager(Claim.ret).selectinload(Return.lines)
    found = session.scalars(claims_where(Return.order_id == order.id).options(lines).order_by(Claim.id)).all()
    return [
        Wrong(
            one.return_id, one.ret.rma, FAULTS[one.fault], wishes(one.fault)[one.wish], one.ret.lines[0].words,
            _claim_state(one), one.ret.requested_at,
        )
        for one in found
    ]  # fmt: skip


def _claim_state(claim: Claim) -> object:
    if claim.asks:
        return _l("The customer's turn")
    return DECIDED.get(claim.ret.decision) or REMEDY.get(claim.remedy or "", "")


def _money(order: Order, locale: str) -> list[Piece]:
    found = select(Refund).where(Refund.order_id == order.id).order_by(Refund.id)
    rows = session.scalars(found).all()
    return [Piece(one.id, one.money.format(locale), *STATE[one.state], at=one.requested_at) for one in rows]


def _letters(order: Order) -> list[Piece]:
    """The last ones, the newest first."""
    columns = (Letter.id, Letter.subject, Letter.state, Letter.created_at)
    found = select(*columns).where(Letter.order_id == order.id).order_by(Letter.id.desc()).limit(LETTERS)
    rows = session.execute(found).all()
    return [Piece(row.id, row.subject, *LETTER_STATE[row.state], at=row.created_at) for row in rows]


def _answers(order: Order) -> list[Answer]:
    found = select(Answer).join(Answer.invitation).where(SurveyInvitation.order_id == order.id)
    return list(session.scalars(found.order_by(Answer.id)))


def days_late(promised_on: date, that: date) -> int:
    return max(0, (that - promised_on).days)


def _parcel_state(parcel: Parcel) -> object:
    return AT_HOME.get(parcel.state) or NAMES[Tracking(parcel.tracking_status)]


def _return_state(ret: Return) -> object:
    return DECIDED.get(ret.decision) or GOODS[ret.goods]
