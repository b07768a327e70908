"""The worker's door: forms that nobody sent lose their pictures."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.pictures import actions


@task(queue="sweeps", periodic="41 * * * *")
def sweep_drafts() -> None:
    """Each hour."""
    with transaction():
        actions.sweep_drafts(now=clock.now())
