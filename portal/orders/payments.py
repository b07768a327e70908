"""The balance of a payment: taken and given back by one guarded UPDATE each."""

from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select, update

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.models import Payment


def reserve(payment: Payment, amount: int) -> None:
    """Take `amount` minor units of what is left. Raises Refused when less is left; pending money counts."""
    if type(amount) is not int or amount <= 0:
        raise Refused(_("The amount must be more than nothing."))
    enough = Payment.reserved + Payment.external + amount <= Payment.captured
    if _update(payment, (Payment.id == payment.id, enough), reserved=Payment.reserved + amount) != 1:
        raise Refused(_("That is more than what is left of this payment. Nothing was changed."))


def release(payment: Payment, amount: int) -> None:
    """Give back what a refund took that will not be paid."""
    enough = Payment.reserved >= amount
    if _update(payment, (Payment.id == payment.id, enough), reserved=Payment.reserved - amount) != 1:
        raise ValueError(f"payment {payment.id} has less than {amount} reserved")


def add_external(payment: Payment, amount: int) -> None:
    """Money given back elsewhere reduces what is left."""
    _update(payment, (Payment.id == payment.id,), external=Payment.external + amount)


def recapture(payment: Payment, captured: int) -> None:
    """The channel says that more or less was captured; never less than what is promised back already."""
    _update(payment, (Payment.id == payment.id,), captured=func.greatest(captured, Payment.reserved))


def may_be_proven(order_id: int) -> bool:
    """Whether money can only go back through the channel so far."""
    return session.scalar(select(Payment.route).where(Payment.order_id == order_id)) == "channel"


def prove(order_id: int, intent: str, currency: str, received: int) -> None:
    """Our key reads this payment, so money goes back that way; not when another order's, or some went back already."""
    payment = session.scalar(select(Payment).where(Payment.order_id == order_id).with_for_update())
    if payment is None or payment.route == "stripe" or payment.reserved or payment.external:
        return
    taken = session.scalar(select(Payment.id).where(Payment.payment_intent == intent))
    if taken is None and currency == payment.currency and received >= payment.captured:
        payment.route, payment.payment_intent = "stripe", intent
        session.flush()


def _update(payment: Payment, where: tuple[Any, ...], **values: Any) -> int:
    session.flush()
    statement = update(Payment).where(*where).values(values).execution_options(synchronize_session=False)
    done: Any = session.execute(statement)
    session.refresh(payment, ["captured", "reserved", "external"])
    return int(done.rowcount)
