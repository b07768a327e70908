"""Why an attempt at a job failed; Procrastinate itself only logs it."""

import logging
from collections.abc import Sequence
from datetime import datetime

from procrastinate.jobs import Job
from sqlalchemy import delete, func, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib import clock
from portal.lib.logs import mask

log = logging.getLogger(__name__)


class JobFailure(Base):
    """One failed attempt, with its reason, for staff to read."""

    __tablename__ = "job_failures"
    job_id: Mapped[int] = mapped_column(index=True)
    task: Mapped[str]
    attempt: Mapped[int]
    error: Mapped[str]
    failed_at: Mapped[datetime]


def note_failure(job: Job, error: BaseException) -> None:
    """Keep the reason of a failed attempt, in a transaction of its own; while the database is away, the log has it."""
    session.rollback()
    values = {
        "job_id": job.id,
        "task": job.task_name,
        "attempt": job.attempts + 1,
        "error": mask(f"{type(error).__name__}: {error}")[:2000],
        "failed_at": clock.now(),
    }
    try:
        session.execute(insert(JobFailure).values(values))
        session.commit()
    except DBAPIError as away:
        log.warning("the failure of job %s could not be noted: %s", job.id, type(away).__name__)


def forget_arguments(needles: Sequence[str]) -> None:
    """Drop finished and failed jobs, and reasons of failures, that name one of these; what is still owed goes too."""
    for needle in needles:
        session.execute(
            text("DELETE FROM procrastinate_jobs WHERE status <> 'doing' AND strpos(args::text, :it) > 0"),
            {"it": needle},
        )
        session.execute(delete(JobFailure).where(func.strpos(JobFailure.error, needle) > 0))
