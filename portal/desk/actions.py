"""What the desk does with several features at once: send a letter once more, turn a parcel into money."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import mail
from portal.db import may
from portal.fulfilment import shorts, watching
from portal.fulfilment.models import Parcel
from portal.fulfilment.shorts import ShortPick
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.refunds.actions import open_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.returns.goods import read
from portal.returns.undelivered import money_for
from portal.staff.models import Staff

words("letter.resent", staff=_l('Letter sent again: "%(subject)s"'))


def resend_letter(letter: Letter, *, by: Staff, now: datetime) -> None:
    """One that failed is tried again; of one that left, a copy goes out with new links. Raises Refused for others."""
    if may(letter, "state", "revive"):
        mail.send_again(letter)
    elif letter.state == "sent":
        mail.send_copy(letter, now=now)
    else:
        raise Refused(_("This letter waits to be sent already, or is no longer true. Nothing was sent."))
    if letter.order_id is not None:
        record(letter.order_id, "letter.resent", by=by, now=now, subject=letter.subject)


def give_up_parcel(parcel: Parcel, *, goods_are_fine: bool, by: Staff, now: datetime) -> Refund | None:
    """It will not arrive: what was paid for its goods is proposed, and the delivery when it was the whole order.

    None when we know of no payment.
    """
    watching.give_up(parcel, goods_are_fine=goods_are_fine, by=by, now=now)
    order = parcel.order
    if order.payment is None:
        return None
    return open_refund(order, money_for(parcel), reason=f"undelivered:{parcel.ref}", by=by, now=now)


def cancel_short(short: ShortPick, *, by: Staff, now: datetime) -> Refund | None:
    """The customer does without what we do not have: its money is proposed, and the customer is told at once.

    With the order's last goods the delivery is given back too. None when the money is with the sales channel.
    """
    parcel = shorts.cancel(short, by=by, now=now)
    order, refund = parcel.order, None
    if order.payment is not None and order.payment.route == "stripe":
        parts = _paid_for_short(short, order, now)
        refund = open_refund(order, parts, reason=f"unavailable:{parcel.ref}", by=by, now=now)
    what = f"{short.line.title}, {short.line.variant}" if short.line.variant else short.line.title
    write(
        "line-cancelled",
        order,
        about=f"short-pick:{short.id}",
        now=now,
        rows=[(what, f"× {short.quantity}")],
        amount=refund.money if refund else None,
        all_of_it=order.state == "cancelled",
    )
    return refund


def _paid_for_short(short: ShortPick, order: Order, now: datetime) -> list[RefundPart]:
    goods = read(order, now=now).of(short.order_line_id)
    worth = goods.worth(short.quantity, goods.given_pieces).amount if goods else 0
    parts = [RefundPart(short.order_line_id, short.quantity, worth)]
    if order.state == "cancelled":
        parts += [RefundPart(line.id, line.quantity, line.paid) for line in order.lines if line.kind != "item"]
    return parts
