"""Money that a return brings by itself: proposed as far as anybody knows, and a second person approves it."""

from datetime import date, datetime

from flask import current_app

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.flags import tell
from portal.refunds.actions import open_refund
from portal.refunds.models import Refund
from portal.returns import settlement
from portal.returns.dates import money_back_by
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.settlement import Settlement
from portal.staff.models import Actor


def pay_by(ret: Return) -> date | None:
    """The legal latest day (Directive 2011/83/EU, Art. 13(1)). A claim has none; another return may be a withdrawal."""
    if ret.kind == "claim":
        return None
    return money_back_by(ret.requested_at, ret.released_at, current_app.config["SETTINGS"])


def propose(ret: Return, settled: Settlement, *, by: Actor, now: datetime) -> Refund:
    """Ask finance for what was worked out. Raises Refused when it can't go back."""
    reason = f"return:{ret.rma}"
    return open_refund(
        ret.order, settled.parts(), reason=reason, return_id=ret.id, due_on=pay_by(ret), by=by, now=now
    )


def propose_by_itself(ret: Return, *, by: Actor, now: datetime) -> Settlement:
    """What is due as far as anybody knows; where it can't be proposed by itself a person does it."""
    settled = settlement.work_out(ret, read(ret.order, now=now, besides=ret.id))
    if settled.total:
        try:
            with session.begin_nested():
                propose(ret, settled, by=by, now=now)
        except Refused:
            tell(ret.order_id, "refund_by_hand", by=by, now=now)
    return settled
