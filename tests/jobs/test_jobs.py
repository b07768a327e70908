"""Work that is owed: written in the caller's transaction, done by the worker, noted when it fails."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, current_app
from procrastinate.jobs import Job
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from portal import jobs
from portal.db import session, transaction
from portal.jobs import announce, defer, failures, follows, sweeps, task, unfinished, worker
from portal.jobs.failures import JobFailure
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.jobs import send_letter
from tests.conftest import nothing_appears, owed

A_JOB = Job(id=1, queue="tests", lock=None, queueing_lock=None, task_name="tests.note", task_kwargs={})
done: list[tuple[Any, ...]] = []


@pytest.fixture
def note() -> Iterator[Callable[..., None]]:
    """A job that notes its number, for this test only; it fails on numbers below zero and says no to nothing."""

    @task(queue="tests")
    def note(number: int) -> None:
        done.append((number, current_app.name, session().in_transaction()))
        if number < 0:
            raise RuntimeError("below zero\nDETAIL:  Key (name)=(somebody)")
        if number == 0:
            raise Refused("Nothing to note.")

    done.clear()
    yield note
    del jobs.app.tasks[note.task.name]  # type: ignore[attr-defined]


def status_and_attempts() -> list[tuple[str, int]]:
    rows = session.execute(text("SELECT status::text, attempts FROM procrastinate_jobs ORDER BY id"))
    return [(row.status, row.attempts) for row in rows]


def test_a_job_commits_with_the_change_that_owes_it(app: Flask, note: Callable[..., None]) -> None:
    with nothing_appears():
        defer(note, number=1)
        session.rollback()
    defer(note, number=2)
    session.commit()
    assert owed(note.task.name) == [(note.task.name, {"number": 2})]  # type: ignore[attr-defined]


def test_a_step_that_raises_owes_nothing(app: Flask, note: Callable[..., None]) -> None:
    def step() -> None:
        with transaction():
            defer(note, number=1)
            raise RuntimeError

    with nothing_appears(), pytest.raises(RuntimeError):
        step()


def test_a_job_waits_for_its_time(app: Flask, note: Callable[..., None], work: Callable[..., int]) -> None:
    defer(note, at=clock.now() + timedelta(days=14), number=1)
    session.commit()
    assert (work(), done) == (0, [])
    assert work(until=clock.now() + timedelta(days=15)) == 1


def test_a_job_is_still_a_plain_function(app: Flask, note: Callable[..., None]) -> None:
    note(5)
    assert [number for number, *_ in done] == [5]


def test_who_follows_a_fact_is_owed_its_job_in_the_same_commit(app: Flask, note: Callable[..., None]) -> None:
    try:
        follows("tests.happened")(note)
        with nothing_appears():
            announce("tests.happened", number=1)
            session.rollback()
        announce("tests.happened", number=2)
        announce("tests.never", number=3)
        assert [args for _, args in owed()] == [{"number": 2}]
    finally:
        del jobs.FOLLOWERS["tests.happened"]


def test_what_has_no_job_left_can_be_found(app: Flask) -> None:
    defer(send_letter, letter_id=7)
    defer(send_letter, letter_id=8)
    session.execute(text("UPDATE procrastinate_jobs SET status = 'failed' WHERE args->>'letter_id' = '8'"))
    assert session.scalars(unfinished(send_letter, "letter_id")).all() == [7]


# --- the worker ---


def test_the_worker_does_what_is_owed_inside_the_application(real: Flask, note: Callable[..., None]) -> None:
    for number in range(1, 6):
        defer(note, number=number)
    session.commit()
    worker.run(real, wait=False)
    assert sorted(done) == [(number, "portal", False) for number in range(1, 6)]
    assert status_and_attempts() == []


def test_a_job_that_fails_is_tried_again_later_and_says_why(real: Flask, note: Callable[..., None]) -> None:
    defer(note, number=-1)
    session.commit()
    worker.run(real, wait=False)
    assert status_and_attempts() == [("todo", 1)]
    [failure] = session.scalars(select(JobFailure))
    assert (failure.task, failure.attempt) == (note.task.name, 1)  # type: ignore[attr-defined]
    assert failure.error == "RuntimeError: below zero\nDETAIL: …"
    again = session.execute(text("SELECT scheduled_at FROM procrastinate_jobs")).scalar_one()
    assert again - failure.failed_at > timedelta(seconds=3)


def test_no_is_an_answer_and_is_not_asked_again(real: Flask, note: Callable[..., None]) -> None:
    defer(note, number=0)
    session.commit()
    worker.run(real, wait=False)
    assert status_and_attempts() == [("failed", 1)]
    assert session.scalars(select(JobFailure.error)).all() == ["Refused: Nothing to note."]


def test_a_failing_job_is_given_up_within_a_day() -> None:
    waits: list[int] = []
    while decision := jobs.PATIENT.get_retry_decision(exception=RuntimeError(), job=A_JOB.evolve(attempts=len(waits))):
        assert decision.retry_at is not None
        waits.append(round((decision.retry_at - datetime.now(UTC)).total_seconds()))
    assert waits[:3] == [4, 16, 64]
    assert timedelta(hours=20) < timedelta(seconds=sum(waits)) < timedelta(hours=25)


async def rescue() -> None:
    jobs.app.connector = jobs.app.job_manager.connector = jobs.Connector(conninfo=jobs.conninfo(), min_size=1)
    async with jobs.app.open_async():
        await worker.rescue(0.1)


@pytest.mark.parametrize(("attempts", "then"), [(0, "todo"), (11, "todo"), (12, "failed"), (40, "failed")])
def test_the_job_of_a_dead_worker_is_taken_up_unless_it_kills_every_worker(
    real: Flask, attempts: int, then: str
) -> None:
    job = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts) VALUES ('q', 't', 'doing', :attempts)"
    )
    session.execute(text(job), {"attempts": attempts})
    session.commit()
    asyncio.run(rescue())
    assert [status for status, _ in status_and_attempts()] == [then]


def test_a_failure_that_cannot_be_noted_hides_no_error(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(failures.session, "execute", away)
    failures.note_failure(A_JOB, ValueError())


def test_at_night_old_failures_and_full_counters_are_forgotten(app: Flask) -> None:
    now = clock.now()
    session.add_all(
        JobFailure(job_id=n, task="t", attempt=1, error="e", failed_at=now - timedelta(days=age))
        for n, age in ((1, 91), (2, 89))
    )
    session.commit()
    sweeps.forget()
    assert session.scalars(select(JobFailure.job_id)).all() == [2]
