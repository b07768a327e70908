"""The worker's door: customers are forgotten as soon as nothing of theirs is open, and old things by themselves."""

from flask import current_app

from portal.db import transaction
from portal.jobs import follows, task
from portal.lib import clock
from portal.lib.errors import Refused
from portal.privacy import actions, ledger, retention


@follows("customer.redacted")
@task(queue="privacy")
def ask(customer_id: int) -> None:
    """A sales channel passes on that a customer wants to be forgotten; who is forgotten already stays so."""
    with transaction():
        try:
            actions.ask(customer_id, by=None, now=clock.now())
        except Refused:
            return


@follows("erasure.asked")
@task(queue="privacy")
def erase(erasure_id: int) -> None:
    """Note it beside the database first: then a copy from before can't bring them back."""
    with transaction():
        refs = actions.begin(erasure_id, now=clock.now())
    if not refs:
        return
    ledger.note(current_app.config["SETTINGS"].erasure_ledger, refs, now=clock.now())
    with transaction():
        actions.finish(erasure_id, now=clock.now())


@task(queue="privacy", periodic="17 2 * * *")
def sweep_erasures() -> None:
    """Those that wait are looked at each night, and receipts that have left are forgotten."""
    with transaction():
        waiting = actions.waiting()
        actions.wipe_receipts()
    for erasure_id in waiting:
        erase(erasure_id)


@task(queue="privacy", periodic="37 2 * * *")
def sweep_old() -> None:
    """What has been kept long enough goes, a step per kind."""
    for kind in retention.KINDS:
        with transaction():
            retention.apply(kind, now=clock.now())
