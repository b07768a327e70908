"""Where goods were paid that went out anew for others: the order that was bought first holds their money."""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import select

from portal.db import session
from portal.orders.models import INSTEAD, Order, OrderLine, Payment
from portal.refunds.rules import RefundPart
from portal.returns.models import ReturnLine, SentInstead


def paid_line(line: OrderLine) -> OrderLine:
    """The line that was paid: this one, or, of what was sent instead, the one in whose place it went out at first."""
    found = select(OrderLine).join(ReturnLine, ReturnLine.order_line_id == OrderLine.id)
    found = found.join(SentInstead, SentInstead.return_line_id == ReturnLine.id)
    while line.order.channel == INSTEAD:
        before = session.scalar(found.where(SentInstead.order_line_id == line.id))
        if before is None:
            break
        line = before
    return line


def paid_order(order: Order) -> Order:
    """The order whose payment the goods of this one were bought with."""
    if order.channel != INSTEAD:
        return order
    firsts = [paid_line(line).order for line in order.lines if line.kind == "item"]
    return next((first for first in firsts if first.channel != INSTEAD), order)


def payment_of(order: Order) -> Payment | None:
    return paid_order(order).payment


def where_paid(order: Order, parts: Iterable[RefundPart]) -> tuple[Order, list[RefundPart]]:
    """The same parts for the lines that were paid, and their order."""
    first, found = paid_order(order), list(parts)
    if first is order:
        return order, found
    lines, merged = {line.id: line for line in order.lines}, dict[int, RefundPart]()
    for part in found:
        line_id = paid_line(lines[part.order_line_id]).id
        so_far = merged.get(line_id, RefundPart(line_id, 0, 0))
        note = "; ".join(filter(None, (so_far.note, part.note)))
        merged[line_id] = replace(
            so_far, quantity=so_far.quantity + part.quantity, amount=so_far.amount + part.amount, note=note
        )
    return first, list(merged.values())
