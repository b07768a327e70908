"""The worker's door: who has the offices' work is brought up to date, and who answers for it hears of it."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.offices import actions, news
from portal.offices.models import OFFICES


@task(queue="sweeps", periodic="* * * * *")
def watch_offices() -> None:
    """Every minute: nothing is without an owner, and who answers for an office hears of what waits."""
    with transaction():
        actions.follow(now=clock.now())
    for office in OFFICES:
        with transaction():
            news.tell(office, now=clock.now())
