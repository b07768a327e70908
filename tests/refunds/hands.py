"""Short ways to ask for money, approve it, and look at what became of it."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, text

from portal.adapters.stripe import Account
from portal.db import session
from portal.demo.stripe import Remote
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Order, Payment
from portal.refunds import jobs
from portal.refunds.actions import approve_refund, open_refund
from portal.refunds.models import MoneyAlarm, Refund, RefundAttempt
from portal.refunds.rules import RefundPart
from tests.world import World


def paid_at_stripe(stripe: Remote, order: Order, card: str = "pm_card_visa") -> str:
    """The order's payment, as Stripe has it."""
    payment = paid(order)
    return stripe.pay(payment.captured, payment.currency, id=payment.payment_intent, payment_method=card)


def paid(order: Order) -> Payment:
    session.expire_all()
    return session.scalars(select(Payment).where(Payment.order_id == order.id)).one()


def in_the_dashboard(stripe: Remote, amount: int, payment: str = "pi_alice") -> str:
    """Somebody gives money back in Stripe's own dashboard."""
    session.commit()
    account = Account("sk_test_dashboard", stripe.address)
    return account.create_refund({"payment_intent": payment, "amount": amount}, key=f"dashboard-{payment}-{amount}").id


def parts(order: Order, *amounts: int) -> list[RefundPart]:
    """So much for each of the order's lines."""
    return [RefundPart(line.id, 1, amount) for line, amount in zip(order.lines, amounts, strict=False) if amount]


def asked(world: World, *amounts: int, order: Order | None = None, **more: Any) -> Refund:
    """Rita asks for money; by default for Alice's two mugs."""
    order = order or world.alice
    refund = open_refund(
        order, parts(order, *(amounts or (4000,))), reason="Return TEST", by=world.rita, now=clock.now(), **more
    )
    session.commit()
    return refund


def approved(world: World, *amounts: int, **more: Any) -> Refund:
    """Rita asks, Fran approves."""
    refund = asked(world, *amounts, **more)
    approve_refund(refund, by=world.fran, now=clock.now())
    session.commit()
    return refund


def again(refund: Refund) -> Refund:
    """The row as it is now."""
    session.expire_all()
    return session.get_one(Refund, refund.id)


def balance(order: Order) -> tuple[int, int, int]:
    """Captured, reserved, given back elsewhere."""
    payment = paid(order)
    return payment.captured, payment.reserved, payment.external


def make_due(refund: Refund) -> None:
    """The waiting time of this refund is over, its lease as well, for the database's clock can't be moved."""
    past = clock.now() - timedelta(hours=1)
    session.execute(
        text("UPDATE refunds SET next_look_at = :past, lease_until = LEAST(lease_until, :past) WHERE id = :id"),
        {"past": past, "id": refund.id},
    )
    session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE task_name LIKE 'refunds.%'"))
    session.commit()


def send(refund: Refund) -> Refund:
    """The worker tries, now."""
    make_due(refund)
    jobs.send_refund(refund.id)
    return again(refund)


def sent_ago(refund: Refund, ago: timedelta) -> None:
    """Its first try was so long ago."""
    session.execute(
        text("UPDATE refunds SET first_sent_at = :then WHERE id = :id"), {"then": clock.now() - ago, "id": refund.id}
    )
    session.commit()


def steps(refund: Refund) -> list[str]:
    """The states it went through."""
    rows = session.scalars(select(RefundAttempt).where(RefundAttempt.refund_id == refund.id).order_by(RefundAttempt.id))
    return [row.to_state for row in rows]


def letters(order: Order) -> list[str]:
    """The kinds of letters written about an order's money."""
    kinds = select(Letter.kind).where(Letter.order_id == order.id, Letter.kind.like("refund%")).order_by(Letter.id)
    return list(session.scalars(kinds))


def open_alarms() -> list[tuple[str, str]]:
    """What does not fit about money just now: kind and figures."""
    session.expire_all()
    rows = session.execute(select(MoneyAlarm.kind, MoneyAlarm.detail).where(MoneyAlarm.closed_at.is_(None)))
    return [(row.kind, row.detail) for row in rows]


def alarms_told() -> list[tuple[str, str]]:
    """To whom, and under which subject, letters about alarms were written."""
    rows = session.execute(select(Letter.to_address, Letter.subject).where(Letter.kind == "money-alarm"))
    return [(row.to_address, row.subject) for row in rows.all()]


def money_moved(stripe: Remote) -> list[dict[str, Any]]:
    """The POSTs that asked for money."""
    return [line for line in stripe.requests("POST /v1/refunds") if line["path"] == "/v1/refunds"]
