"""The worker's door."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.staff.sessions import forget_sessions


@task(queue="sweeps", periodic="17 3 * * *")
def sweep_sessions() -> None:
    """Sessions that ended by themselves are removed at night."""
    with transaction():
        forget_sessions(now=clock.now())
