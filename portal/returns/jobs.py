"""The worker's door."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.returns import withdrawals


@task(queue="orders")
def match_withdrawal(withdrawal_id: int) -> None:
    """Find the order that a statement is about, out of sight of who made it."""
    with transaction():
        withdrawals.match(withdrawal_id, now=clock.now())
