"""Time in the demo's past: people act and jobs are done in the order they would have happened, on a moved clock."""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import text

from portal import jobs
from portal.db import session
from portal.lib import clock

Story = Iterator[datetime]
"""Acts, and yields the time of its next act."""

DUE = text(
    """
    SELECT id, task_name, args, scheduled_at FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= :until)
    ORDER BY scheduled_at NULLS FIRST, id LIMIT 1
    """
)


class Simulation:
    """Runs stories side by side, and the worker's jobs between their acts, up to `end`."""

    def __init__(self, end: datetime) -> None:
        self.end = end
        self.waiting: list[tuple[datetime, int, Story]] = []
        self.counter = count()
        self.reached = datetime.min.replace(tzinfo=end.tzinfo)

    def add(self, begin: datetime, story: Story) -> None:
        heapq.heappush(self.waiting, (begin, next(self.counter), story))

    def run(self) -> None:
        """What lies after the end does not happen; jobs that are due later stay for the worker."""
        while self.waiting and self.waiting[0][0] < self.end:
            when, _, story = heapq.heappop(self.waiting)
            self._work_until(when)
            with self._at(when):
                following = next(story, None)
                session.commit()
            if following:
                self.add(following, story)
        self._work_until(self.end)

    def _work_until(self, until: datetime) -> None:
        while job := session.execute(DUE, {"until": until}).first():
            session.commit()
            with self._at(max(self.reached, job.scheduled_at or self.reached)):
                jobs.app.tasks[job.task_name].func(**job.args)
            session.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": job.id})
            session.commit()

    @contextmanager
    def _at(self, when: datetime) -> Iterator[Any]:
        self.reached = max(self.reached, when)
        with clock.moved(self.reached - clock.now()):
            yield
