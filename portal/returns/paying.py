"""Money that a return brings by itself: proposed as far as anybody knows, and a second person approves it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask import current_app

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.flags import tell
from portal.refunds.actions import open_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.returns import settlement
from portal.returns.dates import money_back_by
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.origins import where_paid
from portal.returns.settlement import Settlement
from portal.staff.models import Actor


def pay_by(ret: Return) -> date | None:
    """The legal latest day (Directive 2011/83/EU, Art. 13(1)). A claim has none; another return may be a withdrawal."""
    if ret.kind == "claim":
        return None
    return money_back_by(ret.requested_at, ret.released_at, current_app.config["SETTINGS"])


def propose(ret: Return, parts: Sequence[RefundPart], *, by: Actor, now: datetime) -> Refund:
    """Ask finance for the money, where it was paid: what was sent instead of other goods was paid with those.

    Raises Refused when it can't go back.
    """
    order, paid = where_paid(ret.order, parts)
    about: dict[str, Any] = {"reason": f"return:{ret.rma}", "return_id": ret.id, "due_on": pay_by(ret)}
    refund = open_refund(order, paid, **about, by=by, now=now)
    ret.money_proposed_at = ret.money_proposed_at or now
    return refund


def propose_by_itself(ret: Return, *, by: Actor, now: datetime) -> Settlement:
    """What is due as far as anybody knows; where it can't be proposed by itself a person does it."""
    settled = settlement.work_out(ret, read(ret.order, now=now, besides=ret.id))
    if settled.total:
        try:
            with session.begin_nested():
                propose(ret, settled.parts(), by=by, now=now)
        except Refused:
            tell(ret.order_id, "refund_by_hand", by=by, now=now)
    return settled
