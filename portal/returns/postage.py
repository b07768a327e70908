"""What a customer paid to send back what is broken: that way is the shop's to pay (Directive (EU) 2019/771)."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.flags import drop_flags, tell
from portal.orders.timeline import record, words
from portal.returns.actions import lock_whole, needs_words
from portal.returns.claims_models import Claim
from portal.returns.letters import write
from portal.staff.models import Actor, Staff

MOST = 100_000
"""Minor units: more than that nobody pays for a parcel without a word with us first."""

words(
    "claim.postage",
    staff=_l("Claim %(rma)s: the customer paid %(amount)s for the way back"),
    customer=_l("You paid %(amount)s for the way back of %(rma)s"),
)
words(
    "claim.postage_paid",
    staff=_l("Claim %(rma)s: %(amount)s for the way back given back. %(note)s"),
    customer=_l("We gave you back %(amount)s for the way back of %(rma)s"),
)


def tell_postage(claim: Claim, amount: int, *, by: Actor, now: datetime) -> None:
    """Write down what it cost, in minor units; told again it takes the place of what was told before."""
    lock_whole(claim.ret)
    if not claim.takes_postage:
        raise Refused(_("There is nothing to tell for this way back."))
    if not 0 < amount <= MOST:
        raise Refused(_("That can't be right. Please write to us."))
    claim.postage = amount
    record(claim.ret.order_id, "claim.postage", by=by, now=now, rma=claim.ret.rma, amount=_money(claim))
    tell(claim.ret.order_id, "postage", by=by, now=now)


def _money(claim: Claim) -> Money:
    return Money(claim.postage or 0, claim.ret.order.currency)


def pay_postage(claim: Claim, shown: int, *, note: str, by: Staff, now: datetime) -> None:
    """A person gave it back, and says how. `shown` is the amount that they saw."""
    needs_words(note)
    lock_whole(claim.ret)
    if claim.postage != shown or claim.postage_paid_at:
        raise Refused(_("The amount has changed while you looked at it. Look again."))
    claim.postage_paid_at, claim.postage_paid_by_id, claim.postage_note = now, by.id, note.strip()
    order = claim.ret.order
    told: dict[str, Any] = {"amount": _money(claim), "note": note.strip()}
    record(order.id, "claim.postage_paid", by=by, now=now, rma=claim.ret.rma, **told)
    drop_flags(order.id, ["postage"], now=now)
    write("postage-back", claim.ret, now, amount=_money(claim).format(order.locale), note=note.strip())
