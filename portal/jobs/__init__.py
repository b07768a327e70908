"""Deferred work: Procrastinate on the portal's own database.

`defer` writes the job on the session's own connection, so it commits with the change that owes it or not at all.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, current_app
from procrastinate import App, JobContext, PsycopgConnector, RetryDecision, RetryStrategy
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from procrastinate.tasks import Task
from procrastinate.worker import Worker
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, Select, String, bindparam, cast, column, func, null, select, table, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType

from portal.db import LIFELINE, session
from portal.db.prepared import Prepared
from portal.jobs.failures import note_failure
from portal.lib.errors import Refused
from portal.lib.logs import about

P = ParamSpec("P")
R = TypeVar("R")


class Patience(RetryStrategy):
    """Tries again after whatever may pass; "no" is an answer and stays one."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, Refused):
            return None
        return super().get_retry_decision(exception=exception, job=job)


PATIENT = Patience(max_attempts=8, exponential_wait=4)
"""Waits 4, 16, 64 … seconds: eight more tries within a day, for mail and for what others may have down for hours."""


class Connector(PsycopgConnector):
    """Jobs owe jobs on a session's synchronous connection, also in the worker, where the asynchronous pool is open."""

    def get_sync_connector(self) -> BaseConnector:
        if self._sync_connector is None:
            self._sync_connector = SyncPsycopgConnector(**self._pool_args)
        return self._sync_connector


app = App(connector=Connector())
JOBS = table("procrastinate_jobs", column("task_name"), column("status"), column("args", JSONB))
_flask: Flask | None = None


def init_app(flask: Flask) -> None:
    """Tasks run inside this application's context; its database holds the jobs."""
    global _flask
    _flask = flask


def task(
    queue: str, retry: RetryStrategy | None = PATIENT, periodic: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a plain function a job. It stays a plain function: call it to run it now, `defer` it to owe it.

    `periodic` is a cron line (UTC); the function then takes no arguments and runs once per period over all workers.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        name = f"{function.__module__.removeprefix('portal.').removesuffix('.jobs')}.{function.__name__}"
        body = _without_timestamp(function) if periodic else function
        registered = app.task(name=name, queue=queue, retry=retry or False, task_middleware=[in_application])(body)
        if periodic:
            app.periodic(cron=periodic)(registered)
        function.task = registered  # type: ignore[attr-defined]
        return function

    return register


def _without_timestamp(function: Callable[..., R]) -> Callable[..., R]:
    @wraps(function)
    def run(**_timestamp: int) -> R:
        return function()

    return run


def in_application(call_next: Callable[[], Any], context: JobContext, _worker: Worker) -> Any:
    """Around every job: the application's context, a session of its own, and the reason kept when it fails."""
    if _flask is None:
        raise RuntimeError("jobs.init_app was not called")
    with _flask.app_context(), about(job=f"{context.job.id}"):
        try:
            return call_next()
        except BaseException as error:
            note_failure(context.job, error)
            raise


def defer(job: Callable[..., Any], at: datetime | None = None, lock: str | None = None, **ids: int | str) -> None:
    """Owe this job (from `at` on), in the caller's transaction. Jobs with the same `lock` run one after another."""
    _owe([job], ids, at, lock)


def _owe(
    jobs: Collection[Callable[..., Any]], ids: Mapping[str, Any], at: datetime | None = None, lock: str | None = None
) -> None:
    called = [called_by(job) for job in jobs]
    queues, tasks = [one["queue"] for one in called], [one["task"] for one in called]
    OWE.run(queues=queues, tasks=tasks, args=Jsonb(ids), at=at, lock=lock)


def called_by(job: Callable[..., Any]) -> dict[str, str]:
    """By which names Procrastinate knows the job: its `queue` and its `task`."""
    named: Task[..., Any, Any] = job.task  # type: ignore[attr-defined]
    return {"queue": named.queue, "task": named.name}


class JobRow(UserDefinedType[Any]):
    """Procrastinate's own row of what is to be owed."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "procrastinate_job_to_defer_v1"


def job_row(queue: Any, task: Any, args: Any, *, lock: Any = None, at: Any = None) -> ColumnElement[Any]:
    """A job in a statement that owes it by `func.procrastinate_defer_jobs_v1`, beside what it writes itself."""
    return cast(func.row(queue, task, 0, lock, null(), args, at), JobRow())


def _owing() -> Prepared:
    each = func.unnest(cast(bindparam("queues"), ARRAY(String)), cast(bindparam("tasks"), ARRAY(String)))
    named = each.table_valued("queue", "task").render_derived()
    rows = job_row(named.c.queue, named.c.task, bindparam("args"), lock=bindparam("lock"), at=bindparam("at"))
    owed = func.procrastinate_defer_jobs_v1(func.array_agg(rows))
    return Prepared(select(owed).select_from(named), "queues", "tasks", "args", "lock", "at")


OWE = _owing()
"""Procrastinate's own SQL function, without the way to it through its Python: that took longer than the rest."""


def unfinished(job: Callable[..., Any], argument: str) -> Select[tuple[int]]:
    """The ids that jobs of this kind hold as `argument` and that are still to be worked on: to find what has none."""
    named: Task[..., Any, Any] = job.task  # type: ignore[attr-defined]
    alive = JOBS.c.status.cast(String).in_(("todo", "doing"))
    return select(JOBS.c.args[argument].as_integer()).where(JOBS.c.task_name == named.name, alive)


def take_back() -> None:
    """In a database that came back from a copy: the workers that it knows are gone, their jobs are owed again."""
    session.execute(text("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE status = 'doing'"))
    session.execute(text("DELETE FROM procrastinate_workers"))


def conninfo() -> str:
    """How Procrastinate reaches the application's database."""
    uri = str(current_app.config["SQLALCHEMY_DATABASE_URI"]).replace("postgresql+psycopg://", "postgresql://")
    return make_conninfo(uri, **LIFELINE)


WITHIN = ("orders", "fulfilment", "couriers", "feedback")
"""Queues whose jobs change rows and owe letters; the others talk to the world."""
FOLLOWERS: dict[str, list[Callable[..., Any]]] = {}


def follows(fact: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """This job is owed whenever the fact is announced; stands above `@task` in the feature that wants to know."""

    def register(job: Callable[P, R]) -> Callable[P, R]:
        FOLLOWERS.setdefault(fact, []).append(job)
        return job

    return register


def announce(fact: str, **ids: int | str) -> None:
    """Owe every job that follows this fact, in the caller's transaction: how a feature tells those below it."""
    if followers := FOLLOWERS.get(fact):
        _owe(followers, ids)
