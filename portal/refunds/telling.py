"""The sales channel hears of money that went back without it; what it gave back itself it is not told."""

from datetime import datetime

from portal.orders import pushes
from portal.refunds.models import Refund
from portal.refunds.words import WAY


def tell_given(refund: Refund, *, now: datetime) -> None:
    """It reached the customer. Refunds made in Stripe's dashboard are told by the shop's own gateway."""
    if refund.source == "ours" and refund.way != "channel":
        proof = refund.proof or refund.stripe_refund_id or ""
        pushes.tell_refunded(refund.order, _key(refund), refund.money, how=WAY[refund.way], proof=proof, now=now)


def tell_returned(refund: Refund, *, now: datetime) -> None:
    """It had been given back, and is here again."""
    if refund.source == "ours" and refund.way != "channel":
        pushes.tell_returned(refund.order, _key(refund), refund.money, now=now)


def _key(refund: Refund) -> str:
    return refund.uuid.replace("-", "")[:12]
