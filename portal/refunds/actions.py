"""Decide about money: ask for it, approve it, reduce it, refuse it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal.db import move, session
from portal.jobs import defer
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.models import Order
from portal.orders.payments import release, reserve
from portal.orders.timeline import record, words
from portal.refunds.jobs import send_refund
from portal.refunds.models import HOLDING, Refund, RefundLine
from portal.refunds.rules import RefundPart, check_four_eyes, check_lines, check_parts, refundable_payment
from portal.staff.models import Staff

words("refund.requested", staff=_l("%(amount)s proposed to be given back"))
words("refund.approved", staff=_l("%(amount)s approved to be given back"), customer=_l("%(amount)s are being given back"))
words("refund.reduced", staff=_l("Money back reduced from %(before)s to %(amount)s: %(note)s"))
words("refund.rejected", staff=_l("%(amount)s back were refused: %(note)s"))


def open_refund(
    order: Order,
    lines: Sequence[RefundPart],
    *,
    reason: str,
    by: Staff,
    now: datetime,
    return_id: int | None = None,
    due_on: date | None = None,
) -> Refund:
    """Ask for money to be given back; its amount is taken from the payment's balance in this transaction.

    Raises Refused when the money is not ours to give, more than is left, more than a line was paid, or when a refund of the same
    return is still alive.
    """
    payment, amount = refundable_payment(order), check_parts(lines)
    reserve(payment, amount)  # locks the payment: what follows sees all that was decided before
    check_lines(order, lines)
    refund = Refund(
        order_id=order.id, payment_id=payment.id, return_id=return_id, decision_no=_next_decision(return_id), amount=amount,
        currency=payment.currency, reason=reason, requested_by_id=by.id, requested_at=now, due_on=due_on, **_identity(),
    )  # fmt: skip
    refund.lines = [RefundLine(**_columns(part)) for part in lines if part.amount or part.quantity]
    session.add(refund)
    session.flush()
    record(order.id, "refund.requested", by=by, now=now, amount=refund.money)
    return refund


def _identity() -> dict[str, str]:
    uuid = str(uuid4())
    return {"uuid": uuid, "idem_key": f"refund:{uuid}"}


def _columns(part: RefundPart) -> dict[str, Any]:
    return {"order_line_id": part.order_line_id, "quantity": part.quantity, "amount": part.amount, "note": part.note}


def _next_decision(return_id: int | None) -> int:
    if return_id is None:
        return 1
    alive = select(Refund.id).where(Refund.return_id == return_id, Refund.state.in_(HOLDING))
    if session.scalar(alive.limit(1)) is not None:
        raise Refused(_("Money for this return is already on its way through the desk."))
    last = session.scalar(select(func.max(Refund.decision_no)).where(Refund.return_id == return_id))
    return (last or 0) + 1


def approve_refund(refund: Refund, *, by: Staff, now: datetime) -> None:
    """Say yes as the second pair of eyes: the parameters are frozen and the worker owes the call to Stripe."""
    check_four_eyes(refund, by)
    move(refund, "state", "approve", approved_by_id=by.id, approved_at=now, params=_frozen(refund), next_look_at=now)
    record(refund.order_id, "refund.approved", by=by, now=now, amount=refund.money)
    defer(send_refund, refund_id=refund.id)


def _frozen(refund: Refund) -> dict[str, Any]:
    """What Stripe will be asked, the same on every try. No personal data, no customer's words."""
    return {
        "payment_intent": refund.payment.payment_intent,
        "amount": refund.amount,
        "reason": "requested_by_customer",
        "metadata": {"rf": refund.uuid, "return": str(refund.return_id or "")},
    }


def reduce_refund(refund: Refund, parts: Sequence[RefundPart], *, note: str, by: Staff, now: datetime) -> None:
    """Ask for less, line by line; a reason is owed, and the approval still has to follow."""
    _needs_reason(note)
    before, amount = refund.money, check_parts(parts)
    if not 0 < amount < before.amount:
        raise Refused(_("A reduced amount is more than nothing and less than %(amount)s.", amount=before.format()))
    locked = session.get_one(Refund, refund.id, with_for_update=True, populate_existing=True)
    if locked.state != "requested" or locked.amount != before.amount:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    release(locked.payment, before.amount - amount)
    check_lines(locked.order, parts, besides=locked.id)
    wanted = {part.order_line_id: part for part in parts}
    for line in locked.lines:
        line.amount = wanted[line.order_line_id].amount if line.order_line_id in wanted else 0
    locked.amount, locked.decision_note = amount, note
    record(locked.order_id, "refund.reduced", by=by, now=now, before=before, amount=Money(amount, before.currency), note=note)


def refuse_refund(refund: Refund, *, note: str, by: Staff, now: datetime) -> None:
    """Say no with a reason; the amount goes back to the payment's balance."""
    _needs_reason(note)
    move(refund, "state", "refuse", decision_note=note, settled_at=now)
    release(refund.payment, refund.amount)
    record(refund.order_id, "refund.rejected", by=by, now=now, amount=refund.money, note=note)


def _needs_reason(note: str) -> None:
    if not note.strip():
        raise Refused(_("Say why, so that everybody can understand it later."))
