"""Money back as a table for whoever keeps the books: one row per refund that came to an end in a time."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib.money import Money
from portal.lib.sheets import as_csv
from portal.refunds.credit_notes import CreditNote, called
from portal.refunds.models import Refund

HEAD = (
    "refund", "order", "channel", "how", "made", "state", "amount", "currency", "asked_at", "asked_by", "approved_at",
    "approved_by", "ended_at", "credit_note", "cancelled_by_note", "stripe_refund", "stripe_payment", "bank_reference",
    "reference", "why_failed",
)  # fmt: skip


def sheet(first: date, last: date, zone: ZoneInfo) -> str:
    """Refunds that succeeded or failed from the first to the last day, as CSV.

    Amounts are decimals with a point; what a table program could take for a formula begins with an apostrophe.
    """
    refunds = _ended(datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone))
    papers = _papers(refunds)
    return as_csv(HEAD, (_row(refund, papers, zone) for refund in refunds))


def _ended(since: datetime, before: datetime) -> list[Refund]:
    about = (
        joinedload(Refund.order), joinedload(Refund.payment), joinedload(Refund.requested_by),
        joinedload(Refund.approved_by),
    )  # fmt: skip
    over = (Refund.state.in_(("succeeded", "failed")), Refund.settled_at >= since, Refund.settled_at < before)
    return list(session.scalars(select(Refund).where(*over).options(*about).order_by(Refund.settled_at, Refund.id)))


def _papers(refunds: Iterable[Refund]) -> dict[tuple[int, bool], str]:
    """Numbers of credit notes, by refund and by whether they take one back."""
    columns = (CreditNote.refund_id, CreditNote.cancels_id, CreditNote.number)
    found = select(*columns).where(CreditNote.refund_id.in_([refund.id for refund in refunds]))
    return {(row.refund_id, row.cancels_id is not None): called(row.number) for row in session.execute(found)}


def _row(refund: Refund, papers: dict[tuple[int, bool], str], zone: ZoneInfo) -> Iterator[Any]:
    yield from (refund.id, refund.order.number, refund.order.channel, refund.way, refund.source, refund.state)
    yield from (amount(refund.money), refund.currency)
    yield from (_moment(refund.requested_at, zone), refund.requested_by.name if refund.requested_by else "")
    yield from (_moment(refund.approved_at, zone), refund.approved_by.name if refund.approved_by else "")
    yield from (_moment(refund.settled_at, zone), papers.get((refund.id, False)), papers.get((refund.id, True)))
    yield from (refund.stripe_refund_id, refund.payment.payment_intent, refund.bank_reference, refund.proof)
    yield refund.failure_reason


def amount(money: Money) -> str:
    """Plain digits and a point, as many decimals as the currency moves with."""
    return f"{money.decimal:f}"


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if at else ""
