"""The worker's door: whether a new link is sent is decided here, out of sight of who asked."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.tracking.actions import send_new_link


@task(queue="mail")
def find_order(number: str, email: str) -> None:
    """Write to the customer if there is such an order of theirs."""
    with transaction():
        send_new_link(number, email, now=clock.now())
