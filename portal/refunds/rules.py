"""What is allowed with money."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from flask_babel import gettext as _
from sqlalchemy import func, select

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.models import Order, Payment
from portal.refunds.models import HOLDING, Refund, RefundLine
from portal.staff.models import Staff


@dataclass(frozen=True, slots=True)
class RefundPart:
    """What part of a refund is for which line of the order, in minor units; the note says what was deducted and why."""

    order_line_id: int
    quantity: int
    amount: int
    note: str = ""


def new_identity() -> dict[str, str]:
    """What tells a new refund from all others, here and at Stripe: never made of its amount."""
    uuid = str(uuid4())
    return {"uuid": uuid, "idem_key": f"refund:{uuid}"}


def refundable_payment(order: Order, way: str) -> Payment:
    """The payment whose money is to go back this way. Raises Refused when it can't."""
    if order.payment is None:
        raise Refused(_("Nothing was paid for this order."))
    check_way(order.payment, way)
    return order.payment


def ways_of(payment: Payment) -> tuple[str, ...]:
    """The ways this payment's money can go back: the one it came, or as credit, or by hand."""
    return ("card" if payment.route == "stripe" else "channel", "credit", "hand")


def check_way(payment: Payment, way: str) -> None:
    """Raises Refused for Stripe when the money is with the sales channel, and the other way round."""
    if way in ways_of(payment):
        return
    if payment.route != "stripe":
        raise Refused(_("This money is with the sales channel. Give it back there."))
    raise Refused(_("This money is in our Stripe account, not with the sales channel."))


def check_parts(parts: Sequence[RefundPart]) -> int:
    """The parts' sum. Raises Refused for less than nothing, and for a line named twice."""
    if any(type(part.amount) is not int or part.amount < 0 or part.quantity < 0 for part in parts):
        raise Refused(_("An amount can't be less than nothing."))
    if len({part.order_line_id for part in parts}) != len(parts):
        raise Refused(_("The same line is there twice."))
    return sum(part.amount for part in parts)


def check_lines(order: Order, parts: Sequence[RefundPart], besides: int | None = None) -> None:
    """Raises Refused when a line is not of this order or would get back more than was paid for it.

    `besides` is a refund whose own lines don't count. Call it with the payment's row locked (after `reserve`).
    """
    paid = {line.id: line for line in order.lines}
    taken = taken_per_line(paid, besides)
    for part in parts:
        line = paid.get(part.order_line_id)
        if line is None:
            raise Refused(_("This line is not part of the order."))
        if part.amount + taken.get(line.id, 0) > line.paid:
            raise Refused(_("%(title)s: that is more than was paid for it.", title=line.title))


def taken_per_line(lines: Iterable[int], besides: int | None = None) -> dict[int, int]:
    """Minor units of each line that live refunds have taken already."""
    taken = (
        select(RefundLine.order_line_id, func.sum(RefundLine.amount))
        .join(Refund, Refund.id == RefundLine.refund_id)
        .where(RefundLine.order_line_id.in_(list(lines)), Refund.state.in_(HOLDING), Refund.id != (besides or 0))
        .group_by(RefundLine.order_line_id)
    )
    return {line_id: int(amount) for line_id, amount in session.execute(taken)}


def check_note(note: str) -> None:
    """Raises Refused for a decision without a reason."""
    if not note.strip():
        raise Refused(_("Say why, so that everybody can understand it later."))


def check_four_eyes(refund: Refund, by: Staff) -> None:
    """Raises Refused when the person asked for this money; the database refuses it too."""
    if refund.requested_by_id == by.id:
        raise Refused(_("You asked for this money yourself. A second person has to approve it."))
    if (refund.order.customer.email or "").lower() == by.email.lower():
        raise Refused(_("This money would go to yourself. Somebody else has to approve it."))


def facts_mark(refund: Refund) -> str:
    """A mark of what a decision rests on: the refund's lines, and what is left of its payment.

    It is in the form of who decides; when it has changed by then, they would decide about other facts than they saw.
    """
    payment, lines = refund.payment, [(line.id, line.amount, line.note) for line in refund.lines]
    facts = (refund.amount, refund.currency, refund.way, payment.captured, payment.reserved, payment.external, lines)
    return sha256(repr(facts).encode()).hexdigest()
