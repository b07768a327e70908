"""Keep a copy of everything, and come back from it without mailing anybody twice or paying twice."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flask import current_app
from sqlalchemy import func, inspect, select, text

from portal import jobs
from portal.db import dump, roles, session, transaction
from portal.jobs import worker
from portal.lib import clock
from portal.mail import actions as mail
from portal.orders.models import Order
from portal.privacy import actions as privacy
from portal.privacy import ledger
from portal.refunds import sending


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and what now waits for a person because it may have happened after the copy was made."""

    made_at: datetime
    orders: int
    letters: int
    refunds: int
    forgotten: int


WHY = "restored from a backup: it may have been sent before"


def back_up(file: Path) -> None:
    """Write a copy of the database to the file. Raises dump.NoCopy."""
    dump.write_copy(roles.owners_url(), file)


def restore(file: Path, migrate: Callable[[], None]) -> Restored:
    """Fill the empty, idle database from the copy, and hold back whatever may have left the house since.

    What was owed when the copy was made is done up to its letters: they may have gone out, so a person decides about
    each. Refunds look for themselves at Stripe before they are sent. Who was forgotten since is forgotten once more.
    Raises dump.NoCopy.
    """
    made_at = dump.made_at(file)
    with transaction():
        _refuse_unless_empty_and_idle()
    dump.read_copy(roles.owners_url(), file)
    migrate()
    with transaction():
        forgotten = privacy.replay(ledger.refs(current_app.config["SETTINGS"].erasure_ledger), now=clock.now())
    with transaction():
        letters, refunds = mail.hold_back(WHY), sending.look_first(made_at)
        jobs.take_back()
    worker.run(current_app._get_current_object(), wait=False, queues=jobs.WITHIN)  # type: ignore[attr-defined]
    with transaction():
        letters += mail.hold_back(WHY)
    orders = session.scalars(select(func.count()).select_from(Order)).one()
    return Restored(made_at=made_at, orders=orders, letters=letters, refunds=refunds, forgotten=forgotten)


def _refuse_unless_empty_and_idle() -> None:
    """A worker would begin to send before it is known what to hold back."""
    if inspect(session.connection()).get_table_names():
        raise dump.NoCopy("This database is not empty. Restore into a new one, and let DATABASE_URL name it.")
    if others := session.execute(text(BUSY)).scalar_one():
        raise dump.NoCopy(f"{others} other connections are open to this database. Stop web and workers first.")


BUSY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
"""PostgreSQL's own autovacuum comes by as well."""
