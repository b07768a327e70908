"""An offer to keep the goods of a return for its money or part of it: the desk makes it, the customer takes it."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.timeline import record, words
from portal.returns.actions import lock_whole, pay_for_what_stays
from portal.returns.exchanges import let_go
from portal.returns.goods import Facts, read
from portal.returns.letters import write
from portal.returns.models import Return
from portal.returns.settlement import kept_amounts
from portal.staff.models import Actor, Staff

words(
    "return.keep_offered",
    staff=_l("Return %(rma)s: offered that the customer keeps it, for %(amount)s"),
    customer=_l("Return %(rma)s: you may keep it, and get %(amount)s back"),
)
words(
    "return.keep_taken",
    staff=_l("Return %(rma)s: the customer keeps it"),
    customer=_l("Return %(rma)s: you keep it"),
)


def offered(ret: Return, facts: Facts, share: int) -> Money:
    """What so many percent come to; the facts are read besides the return."""
    amounts = kept_amounts(ret, facts, share)
    return Money(sum(one.money.amount for one in amounts), facts.order.currency)


def offer_keeping(ret: Return, share: int, *, by: Staff, now: datetime) -> None:
    """Offer so many percent of the money when the goods stay where they are; a new offer takes the old one's place.

    Raises Refused behind the law's door, for claims, which have their own remedies, and when it was sent already.
    """
    lock_whole(ret)
    _refuse_unless_open(ret)
    if not 1 <= share <= 100:
        raise Refused(_("Write percent from 1 to 100."))
    money = offered(ret, read(ret.order, now=now, besides=ret.id), share)
    if ret.order.payment is None or not 0 < money.amount <= ret.order.payment.left.amount:
        raise Refused(_("So much of its money can't be given back."))
    ret.keep_share = share
    record(ret.order_id, "return.keep_offered", by=by, now=now, rma=ret.rma, amount=money)
    write("return-keep-offered", ret, now, amount=money.format(ret.order.locale))


def _refuse_unless_open(ret: Return) -> None:
    if ret.kind != "return" or any(row.sent_instead for row in ret.lines):
        raise Refused(_("This can't be kept for part of the money."))
    waits = ret.decision in ("requested", "approved") and ret.goods in ("not_expected", "awaited")
    if not waits or ret.stays or ret.sent_at or ret.closed_at:
        raise Refused(_("It is too late for that: it was sent or settled. Nothing was changed."))


def take_offer(ret: Return, shown: int, *, by: Actor, now: datetime) -> None:
    """The customer keeps it: nothing is awaited any more, no fee is taken, and the money is proposed.

    `shown` is the percentage that the page said; when another was offered meanwhile, nothing happens.
    """
    lock_whole(ret)
    if ret.keep_offer is None or ret.keep_offer != shown:
        raise Refused(_("This offer is not open any more. Please look again."))
    let_go(ret, now=now)
    if ret.goods == "awaited":
        move(ret, "goods", "call_off")
        announce("return.ended", return_id=ret.id)
    for row in ret.lines:
        row.choice, row.variant_sku, row.fees = "keep", "", []
    if ret.decision == "requested":
        move(ret, "decision", "approve", decided_at=now)
    ret.send_back_by = None
    session.flush()
    record(ret.order_id, "return.keep_taken", by=by, now=now, rma=ret.rma)
    pay_for_what_stays(ret, by=by, now=now)
