"""What an answer can carry: money back, store credit, goods anew. Each is the action that it is anywhere else.

Nothing here decides about money: a refund is proposed, under its own limits, and a second person approves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.feedback.case_models import Case
from portal.lib.errors import Refused
from portal.orders.models import Order, OrderLine
from portal.refunds.actions import open_refund
from portal.refunds.rules import RefundPart, check_lines, check_parts, refundable_payment
from portal.refunds.ways import usual_way
from portal.returns.exchanges import Substitute, send_instead
from portal.returns.models import Return, ReturnLine
from portal.staff.models import Staff

KINDS: dict[str, Any] = {
    "": _l("Only words"),
    "refund": _l("Money back"),
    "credit": _l("Store credit"),
    "replacement": _l("Goods anew"),
}
NEEDS = {"refund": "refunds.request", "credit": "refunds.request", "replacement": "returns.decide"}


@dataclass(frozen=True, slots=True)
class Act:
    """`line_id` is the order's line for money, the return's line for goods; `amount` is in minor units."""

    kind: str
    line_id: int
    amount: int = 0
    pieces: int = 0

    @property
    def mark(self) -> str:
        """What stands in the form once it was shown: another act is shown anew."""
        return f"{self.kind}:{self.line_id}:{self.amount}:{self.pieces}"


def kinds_for(by: Staff) -> dict[str, Any]:
    """What this person may give with an answer."""
    return {kind: name for kind, name in KINDS.items() if kind not in NEEDS or by.may(NEEDS[kind])}


def check(case: Case, act: Act, *, by: Staff) -> dict[str, Any]:
    """What would be done, as the answer tells it; nothing is. Raises Refused for what the action would refuse."""
    if act.kind not in NEEDS or not by.may(NEEDS[act.kind]):
        raise Refused(_("You may not give this."))
    if act.kind == "replacement":
        row = _return_line(case.order, act.line_id)
        if not 0 < act.pieces <= row.quantity - row.sent_instead or row.ret.money:
            raise Refused(_("%(title)s: that is more than comes back.", title=row.line.title))
        return {"kind": act.kind, "title": row.line.title, "pieces": act.pieces}
    line, way = _line(case.order, act.line_id), "credit" if act.kind == "credit" else usual_way(case.order)
    payment, part = refundable_payment(case.order, way), RefundPart(act.line_id, 0, act.amount)
    if check_parts([part]) <= 0:
        raise Refused(_("The amount must be more than nothing."))
    check_lines(case.order, [part])
    if act.amount > payment.left.amount:
        raise Refused(_("%(title)s: that is more than was paid for it.", title=line.title))
    return {"kind": act.kind, "title": line.title, "amount": act.amount, "currency": payment.currency}


def carry_out(case: Case, act: Act, *, key: str, by: Staff, now: datetime) -> dict[str, Any]:
    """Do it, in the caller's transaction; what was done, as the answer tells it."""
    told = check(case, act, by=by)
    if act.kind == "replacement":
        row = _return_line(case.order, act.line_id)
        sent = send_instead(row.ret, [Substitute(row, act.pieces)], key=key, by=by, now=now)
        return {**told, "number": sent.number, "order_id": sent.id}
    way = "credit" if act.kind == "credit" else None
    part = RefundPart(act.line_id, 0, act.amount, _("Case, in the answer to the customer"))
    refund = open_refund(case.order, [part], reason=f"case:{case.id}", by=by, now=now, way=way)
    return {**told, "refund_id": refund.id}


def _line(order: Order, line_id: int) -> OrderLine:
    line = next((line for line in order.lines if line.id == line_id), None)
    if line is None:
        raise Refused(_("This line is not part of the order."))
    return line


def _return_line(order: Order, line_id: int) -> ReturnLine:
    row = next((row for row in replaceable(order) if row.id == line_id), None)
    if row is None:
        raise Refused(_("Goods go out anew for an approved return or claim. There is none for this."))
    return row


def replaceable(order: Order) -> Sequence[ReturnLine]:
    """Lines of approved returns of which pieces can still be sent anew."""
    about = (joinedload(ReturnLine.ret).selectinload(Return.refunds), joinedload(ReturnLine.line))
    found = select(ReturnLine).join(Return, Return.id == ReturnLine.return_id).options(*about)
    rows = session.scalars(found.where(Return.order_id == order.id, Return.decision == "approved")).all()
    return [row for row in rows if row.quantity > row.sent_instead and row.ret.closed_at is None and not row.ret.money]
