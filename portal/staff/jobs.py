"""The worker's door."""

from portal.db import transaction
from portal.jobs import task
from portal.lib import clock
from portal.staff import seals
from portal.staff.actions import forget_what_ended
from portal.staff.people import reset_asked


@task(queue="mail")
def send_reset(email: str) -> None:
    """Whether a letter goes out is decided here, out of sight of who asked."""
    with transaction():
        reset_asked(email, now=clock.now())


@task(queue="sweeps", periodic="17 3 * * *")
def sweep_sessions() -> None:
    """What ended by itself is removed at night."""
    with transaction():
        forget_what_ended(now=clock.now())


@task(queue="sweeps", periodic="*/5 * * * *")
def seal_entries() -> None:
    """Cover what happened lately, so that nobody can change it unseen."""
    while True:
        with transaction():
            if not seals.seal_new(now=clock.now()):
                return
