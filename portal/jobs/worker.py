"""The worker: takes due jobs until it is told to stop, and looks after those that a dead worker left behind."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable

import psycopg
from flask import Flask
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from sqlalchemy import text

from portal import jobs
from portal.db import session
from portal.lib.logs import Masked

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 12
STALLED_AFTER = 30.0
"""Seconds without a heartbeat after which a worker counts as dead and its jobs are taken up by others."""


class Discreet(Masked):
    """Names a job without its arguments: they may hold a customer's address."""

    def filter(self, record: logging.LogRecord) -> bool:
        if job := getattr(record, "job", None):
            record.msg = str(record.msg).replace(job["call_string"], f"{job['task_name']}[{job['id']}]")
        return super().filter(record)


logging.getLogger("procrastinate.worker").addFilter(Discreet())


def run(
    flask: Flask,
    concurrency: int = 4,
    wait: bool = True,
    stalled_after: float = STALLED_AFTER,
    queues: Iterable[str] | None = None,
) -> None:
    """Work until SIGTERM or SIGINT (running jobs end first), or, without `wait`, until nothing is due in `queues`.

    A database that goes away ends a round; the worker waits and starts the next one.
    """
    with flask.app_context():
        conninfo = jobs.conninfo()
    while True:
        try:
            asyncio.run(_work(conninfo, concurrency, wait, stalled_after, list(queues) if queues else None))
            if wait or not _more_is_due(flask, queues):
                return
        except (ConnectorException, psycopg.OperationalError) as error:
            if not wait:
                raise
            log.warning("the database is away (%s); trying again in 2 s", type(error).__name__)
            time.sleep(2)


def _more_is_due(flask: Flask, queues: Iterable[str] | None) -> bool:
    """The last job of a round may have owed another."""
    due = text(
        "SELECT FROM procrastinate_jobs WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now()"
        " AND (CAST(:queues AS text[]) IS NULL OR queue_name = ANY(:queues))"
    )
    with flask.app_context():
        found = session.execute(due, {"queues": list(queues) if queues else None}).first()
        session.remove()
    return found is not None


async def _work(conninfo: str, concurrency: int, wait: bool, stalled_after: float, queues: list[str] | None) -> None:
    connector = jobs.Connector(conninfo=conninfo, min_size=1, max_size=concurrency + 2)
    jobs.app.connector = connector
    jobs.app.job_manager.connector = connector
    async with jobs.app.open_async():
        sweeping = asyncio.create_task(_rescue_again_and_again(stalled_after))
        try:
            await jobs.app.run_worker_async(
                queues=queues,  # type: ignore[arg-type] # None is all of them
                concurrency=concurrency,
                wait=wait,
                fetch_job_polling_interval=1.0,
                update_heartbeat_interval=stalled_after / 3,
                stalled_worker_timeout=stalled_after,
                shutdown_graceful_timeout=20,
                delete_jobs="successful",
            )
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping


async def _rescue_again_and_again(stalled_after: float) -> None:
    while True:
        with contextlib.suppress(ConnectorException):
            await rescue(stalled_after)
        await asyncio.sleep(stalled_after / 2)


async def rescue(stalled_after: float) -> None:
    """Put the jobs of workers that died back in the queue; one that keeps killing its worker is given up."""
    manager = jobs.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=stalled_after):
        if job.attempts >= MOST_ATTEMPTS:
            log.error("job %s (%s) ended its worker %s times and is given up", job.id, job.task_name, job.attempts)
            await manager.finish_job(job, status=Status.FAILED, delete_job=False)
        else:
            await manager.retry_job(job)
