"""Is it well? For the load balancer (`/healthz`, `/readyz`) and for who watches over it (`/metrics`)."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, abort, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from portal.db import session
from portal.inbox.sources import SOURCES

MIGRATIONS = Path(__file__).parents[1] / "migrations"
bp = Blueprint("pulse", __name__)
watched = Blueprint("watched", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the process answers and its database does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """200 when this process may be given work: the tables are there, and not older than the code."""
    found = MigrationContext.configure(session.connection()).get_current_revision()
    if found is None or found in older():
        return {"status": "the tables are older than the code: run `portal migrate`"}, 503
    return {"status": "ready"}


@cache
def older() -> frozenset[str]:
    """The revisions before ours. One that we do not know is a newer release's, beside which we go on."""
    steps = ScriptDirectory(str(MIGRATIONS))
    return frozenset(step.revision for step in steps.walk_revisions()) - {steps.get_current_head() or ""}


def has_metrics_token() -> ResponseReturnValue | None:
    """The guard of `/metrics`: the token of the settings; without one there is nothing here."""
    token, sent = current_app.config["SETTINGS"].metrics_token, request.authorization
    given = sent.token if sent and sent.type == "bearer" and sent.token else ""
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        abort(404)
    return None


@watched.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Everything that should raise an alarm, read from the database when it is asked for."""
    registry = CollectorRegistry()
    registry.register(Pulse())
    return generate_latest(registry), 200, {"Content-Type": CONTENT_TYPE_LATEST}


class Pulse(Collector):
    """The figures as Prometheus collects them."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in GAUGES:
            family = GaugeMetricFamily(f"aftersale_{gauge.name}", gauge.told, labels=gauge.labels)
            for *labels, value in session.execute(text(gauge.sql), {"sources": list(SOURCES)}):
                family.add_metric(labels, float(value))
            yield family


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure per label, by one statement that reads no table as a whole."""

    name: str
    told: str
    labels: tuple[str, ...]
    sql: str


GAUGES = (
    Gauge(
        "jobs_due", "Jobs that could be done now.", ("queue",),
        "SELECT queue_name, count(*) FROM procrastinate_jobs"
        " WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now() GROUP BY 1",
    ),
    Gauge(
        "jobs_due_seconds", "How long the first job waits that could be done now.", ("queue",),
        "SELECT queue_name, extract(epoch FROM now() - greatest(scheduled_at, (SELECT min(at) FROM procrastinate_events"
        " WHERE job_id = job.id))) FROM procrastinate_jobs job WHERE id IN (SELECT min(id) FROM procrastinate_jobs"
        " WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now() GROUP BY queue_name)",
    ),
    Gauge(
        "jobs_given_up", "Jobs that failed for good.", ("task",),
        "SELECT task_name, count(*) FROM procrastinate_jobs WHERE status = 'failed' GROUP BY 1",
    ),
    Gauge(
        "workers", "Workers that gave a sign of life within two minutes.", (),
        "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '2 minutes'",
    ),
    Gauge(
        "letters_unsent", "Letters that wait, or that a person must look at (dead).", ("state",),
        "SELECT state, count(*) FROM letters WHERE state IN ('queued', 'sending', 'failed', 'dead') GROUP BY 1",
    ),
    Gauge(
        "pushes_open", "What sales channels are still to be told, or what a person must look at (failed).",
        ("channel", "state"),
        "SELECT channel, state, count(*) FROM channel_pushes WHERE state IN ('waiting', 'sending', 'unknown')"
        " GROUP BY 1, 2 UNION ALL"
        " SELECT channel, state, count(*) FROM channel_pushes WHERE state = 'failed' GROUP BY 1, 2",
    ),
    Gauge(
        "refunds_unsettled", "Refunds that are decided and not settled.", ("state",),
        "SELECT state, count(*) FROM refunds WHERE state IN ('approved', 'sending', 'unknown', 'pending',"
        " 'needs_review') GROUP BY 1",
    ),
    Gauge(
        "refunds_unknown_seconds", "How long the oldest refund is unknown.", (),
        "SELECT coalesce(extract(epoch FROM now() - min(first_sent_at)), 0) FROM refunds WHERE state = 'unknown'",
    ),
    Gauge(
        "webhooks_silent_seconds", "Since the last genuine message of each sender.", ("source",),
        "SELECT sender, extract(epoch FROM now() - last.at) FROM unnest(CAST(:sources AS text[])) AS sender, LATERAL"
        " (SELECT max(received_at) AS at FROM inbox_messages WHERE source = sender) last WHERE last.at IS NOT NULL",
    ),
    Gauge(
        "webhooks_unread", "Genuine messages that could not be read and wait for a person.", ("source",),
        "SELECT source, count(*) FROM inbox_messages WHERE state = 'failed' GROUP BY 1",
    ),
)  # fmt: skip
