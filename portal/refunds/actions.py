"""Decide about money: ask for it, approve it, reduce it, refuse it; and say what was done about money that failed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from portal.adapters.stripe import API_VERSION
from portal.db import move, session
from portal.jobs import defer
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.flags import tell
from portal.orders.models import INSTEAD, Order
from portal.orders.payments import release, reserve
from portal.orders.timeline import record, words
from portal.refunds.credit import issue_credit
from portal.refunds.credit_notes import cancel_note
from portal.refunds.facts import give_back_balance
from portal.refunds.jobs import send_refund
from portal.refunds.limits import check_limits
from portal.refunds.models import HOLDING, WENT_WRONG, Refund, RefundLine
from portal.refunds.rules import (
    RefundPart,
    check_four_eyes,
    check_lines,
    check_note,
    check_parts,
    facts_mark,
    new_identity,
    refundable_payment,
)
from portal.refunds.ways import usual_way
from portal.staff.models import Actor, Staff

words("refund.requested", staff=_l("%(amount)s proposed to be given back"))
words(
    "refund.approved",
    staff=_l("%(amount)s approved to be given back"),
    customer=_l("%(amount)s is being given back"),
)
words("refund.reduced", staff=_l("Money back reduced from %(before)s to %(amount)s: %(note)s"))
words("refund.rejected", staff=_l("%(amount)s back were refused: %(note)s"))
words("refund.repeated", staff=_l("%(amount)s that failed were proposed again"))
words("refund.handled", staff=_l("Money that failed, %(amount)s, was taken care of: %(note)s"))
words("refund.dropped", staff=_l("A person looked, and %(amount)s did not move: %(note)s"))


def open_refund(
    order: Order,
    lines: Sequence[RefundPart],
    *,
    reason: str,
    by: Actor,
    now: datetime,
    return_id: int | None = None,
    due_on: date | None = None,
    way: str | None = None,
    instead_of: Refund | None = None,
) -> Refund:
    """Ask for money to be given back; its amount is taken from the payment's balance in this transaction.

    It goes the way it came unless another is named; `instead_of` is a failed one that it replaces. Raises Refused when
    it can't go that way, is more than is left or than was paid for a line, or when a refund of the return is alive.
    """
    way = way or usual_way(order)
    payment, amount = refundable_payment(order, way), check_parts(lines)
    reserve(payment, amount)  # locks the payment: what follows sees all that was decided before
    check_lines(order, lines)
    refund = Refund(
        order_id=order.id, payment_id=payment.id, return_id=return_id, amount=amount, currency=payment.currency,
        decision_no=_next_decision(return_id, instead_of), reason=reason, way=way, requested_at=now, due_on=due_on,
        requested_by_id=by.id if isinstance(by, Staff) else None,
        instead_of_id=instead_of.id if instead_of else None, **new_identity(),
    )  # fmt: skip
    refund.lines = [RefundLine(**_columns(part)) for part in lines if part.amount or part.quantity]
    session.add(refund)
    session.flush()
    record(order.id, "refund.requested", by=by, now=now, amount=refund.money)
    return refund


def _columns(part: RefundPart) -> dict[str, Any]:
    return {
        "order_line_id": part.order_line_id, "quantity": part.quantity, "asked": part.amount, "amount": part.amount,
        "note": part.note,
    }  # fmt: skip


def _next_decision(return_id: int | None, instead_of: Refund | None) -> int:
    """One decision at a time; beside what is made anew, other parts of its decision may live."""
    if return_id is None:
        return 1
    alive = select(Refund.id).where(Refund.return_id == return_id, Refund.state.in_(HOLDING))
    if instead_of is None and session.scalar(alive.limit(1)) is not None:
        raise Refused(_("Money for this return is already being decided or sent."))
    last = session.scalar(select(func.max(Refund.decision_no)).where(Refund.return_id == return_id))
    return (last or 0) + 1


def give_all_back(order: Order, *, by: Actor, now: datetime, due_on: date | None = None) -> None:
    """Propose all that was paid for an order that is not sent; through a sales channel it is given back there.

    When part of it was given back before, what is due for which line is for a person to say.
    """
    payment = order.payment
    if order.channel == INSTEAD and any(line.paid for line in order.lines):
        tell(order.id, "refund_by_hand", by=by, now=now)  # its money is with the order that was bought first
        return
    if payment is None or payment.left.amount == 0:
        return
    if payment.left.amount != sum(line.paid for line in order.lines):
        tell(order.id, "refund_by_hand", by=by, now=now)
        return
    parts = [RefundPart(line.id, line.quantity, line.paid) for line in order.lines if line.paid]
    open_refund(order, parts, reason=f"cancelled:{order.number}", by=by, now=now, due_on=due_on)


def approve_refund(
    refund: Refund, *, by: Staff, now: datetime, shown: int | None = None, facts: str | None = None
) -> None:
    """Say yes as the second pair of eyes: the parameters are frozen, and the worker owes the call to Stripe.

    Store credit is given at once; what goes back through the channel or by hand becomes a person's task.

    `shown` is the amount that the person saw, `facts` the mark of all that they saw (`rules.facts_mark`);
    when it has changed since, nothing happens.
    """
    check_four_eyes(refund, by)
    check_limits(refund, by, now=now)
    _lock_waiting(refund, refund.amount if shown is None else shown)
    _check_facts(refund, facts)
    look_at = now if refund.way == "card" else None
    move(
        refund, "state", "approve", approved_by_id=by.id, approved_at=now, params=_frozen(refund), next_look_at=look_at
    )
    record(refund.order_id, "refund.approved", by=by, now=now, amount=refund.money)
    if refund.way == "card":
        defer(send_refund, refund_id=refund.id)
    elif refund.way == "credit":
        issue_credit(refund, by=by, now=now)


def _lock_waiting(refund: Refund, amount: int) -> None:
    """One at a time decides. Raises Refused when it was decided meanwhile, or is about another amount now."""
    session.refresh(refund, with_for_update={"of": Refund})
    if refund.state != "requested":
        raise Refused(_("Somebody else has decided about this money already. Nothing was changed."))
    if refund.amount != amount:
        raise Refused(
            _("The amount has changed to %(amount)s meanwhile. Please look again.", amount=_told(refund.money))
        )


def _check_facts(refund: Refund, facts: str | None) -> None:
    """Raises Refused when the order's money has moved since the person looked."""
    if facts is None:
        return
    session.refresh(refund.payment, with_for_update=True)
    if facts != facts_mark(refund):
        raise Refused(_("Something about this money has changed since you opened the page. Please look again."))


def _told(money: Money) -> str:
    return money.format(str(get_locale() or "en"))


def _frozen(refund: Refund) -> dict[str, Any]:
    """What Stripe will be asked, the same on every try. No personal data, no customer's words."""
    if refund.way != "card":
        return {"amount": refund.amount, "way": refund.way}
    return {
        "payment_intent": refund.payment.payment_intent,
        "amount": refund.amount,
        "reason": "requested_by_customer",
        "metadata": {"rf": refund.uuid, "return": str(refund.return_id or "")},
        "api_version": API_VERSION,
    }


def reduce_refund(
    refund: Refund, amounts: dict[int, int], *, note: str, by: Staff, now: datetime, shown: int | None = None
) -> None:
    """Ask for less: `amounts` by the refund's lines, those not named stay. Approval still has to follow."""
    check_note(note)
    _lock_waiting(refund, refund.amount if shown is None else shown)
    before = refund.money
    for line in refund.lines:
        line.amount = _less(line, amounts.get(line.id, line.amount))
    refund.amount = sum(line.amount for line in refund.lines)
    if not 0 < refund.amount < before.amount:
        raise Refused(_("A reduced amount is more than nothing and less than %(amount)s.", amount=_told(before)))
    refund.decision_note = note
    release(refund.payment, before.amount - refund.amount)
    record(refund.order_id, "refund.reduced", by=by, now=now, before=before, amount=refund.money, note=note)


def _less(line: RefundLine, amount: int) -> int:
    if type(amount) is not int or not 0 <= amount <= line.amount:
        raise Refused(_("%(title)s: a reduced amount is not more than it was.", title=line.line.title))
    return amount


def refuse_refund(refund: Refund, *, note: str, by: Staff, now: datetime) -> None:
    """Say no with a reason; the amount goes back to the payment's balance."""
    check_note(note)
    _lock_waiting(refund, refund.amount)
    move(refund, "state", "refuse", decision_note=note, settled_at=now)
    release(refund.payment, refund.amount)
    record(refund.order_id, "refund.rejected", by=by, now=now, amount=refund.money, note=note)


def repeat_refund(refund: Refund, *, by: Staff, now: datetime, way: str | None = None) -> Refund:
    """Propose the same money anew after a definite failure, perhaps another way: a row and an approval of its own."""
    _lock_wrong(refund)
    if refund.state == "needs_review":
        raise Refused(_("Nobody knows yet whether this money has moved. Look at Stripe first."))
    parts = [RefundPart(line.order_line_id, line.quantity, line.amount, line.note) for line in refund.lines]
    _mark_handled(refund, _("Proposed again"), by=by, now=now)
    again = open_refund(
        refund.order, parts, reason=refund.reason, by=by, now=now, return_id=refund.return_id, due_on=refund.due_on,
        way=way or refund.way, instead_of=refund,
    )  # fmt: skip
    record(refund.order_id, "refund.repeated", by=by, now=now, amount=refund.money)
    return again


def close_failure(refund: Refund, *, note: str, by: Staff, now: datetime) -> None:
    """A person took care of it otherwise, and says how."""
    check_note(note)
    _lock_wrong(refund)
    _mark_handled(refund, note, by=by, now=now)
    record(refund.order_id, "refund.handled", by=by, now=now, amount=refund.money, note=note)


def drop_refund(refund: Refund, *, note: str, by: Staff, now: datetime) -> None:
    """A person looked at Stripe and is sure that the money did not move: it is free again."""
    check_note(note)
    _lock_wrong(refund)
    spent_twice = refund.failure_reason == "spent_twice"
    move(refund, "state", "drop", failure_reason="not_moved", decision_note=note, settled_at=now)
    if not spent_twice:
        give_back_balance(refund)
    record(refund.order_id, "refund.dropped", by=by, now=now, amount=refund.money, note=note)
    cancel_note(refund, now=now)


def _lock_wrong(refund: Refund) -> None:
    session.refresh(refund, with_for_update={"of": Refund})
    if refund.state not in WENT_WRONG or refund.handled_at:
        raise Refused(_("Somebody has taken care of this money already. Nothing was changed."))


def _mark_handled(refund: Refund, note: str, *, by: Staff, now: datetime) -> None:
    refund.handled_by_id, refund.handled_at, refund.handled_note = by.id, now, note
