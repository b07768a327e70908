"""What the house forgets by night: counters that are full again, and jobs that failed long ago."""

from datetime import datetime, timedelta

from sqlalchemy import delete, text

from portal.db import limits, session, transaction
from portal.jobs import task
from portal.jobs.failures import JobFailure
from portal.lib import clock

KEPT = timedelta(days=90)
OLD_JOBS = text(
    """
    DELETE FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')
    AND id NOT IN (SELECT job_id FROM procrastinate_events WHERE at >= :before)
    """
)


@task(queue="sweeps", periodic="7 3 * * *")
def forget() -> None:
    """Once a night."""
    now = clock.now()
    with transaction():
        limits.forget(now=now)
        forget_failures(now - KEPT)


def forget_failures(before: datetime) -> None:
    session.execute(delete(JobFailure).where(JobFailure.failed_at < before))
    session.execute(OLD_JOBS, {"before": before})
