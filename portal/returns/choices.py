"""What customers would like for their goods, when it comes to the money: store credit for some lines, with a bonus."""

from datetime import datetime

from flask_babel import gettext as _

from portal.refunds.models import Refund
from portal.refunds.ways import choose_way
from portal.returns.models import Return
from portal.returns.policy import policy_of
from portal.staff.models import Staff


def as_chosen(ret: Return, refund: Refund, *, by: Staff, now: datetime) -> Refund:
    """Let the money for lines whose customer chose credit become credit, with the bonus that was shown.

    The proposal itself is returned; what becomes credit may be a second one beside it.
    """
    lines = {row.order_line_id for row in ret.lines if row.choice == "credit"}
    amounts = {line.id: line.amount for line in refund.lines if line.order_line_id in lines}
    if not sum(amounts.values()):
        return refund
    part = choose_way(refund, "credit", amounts, note=_("Chosen by the customer."), by=by, now=now)
    part.bonus = policy_of(ret.policy_id).bonus
    return refund
