"""The letters as lists, without their bodies."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Select, select

from portal.db import session
from portal.desk.queues import LETTERS_THAT_FAILED
from portal.mail.models import WAITING, Letter
from portal.orders.models import Order

PAGE = 50
LISTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "failed": LETTERS_THAT_FAILED,
    "waiting": WAITING,
    "sent": ("sent",),
    "dropped": ("suppressed",),
}


def page_of(name: str, before: int | None) -> tuple[Sequence[Any], bool]:
    """One page of letters, newest first, and whether there are older ones."""
    found, states = listed().limit(PAGE + 1), LISTS[name]
    if states:
        found = found.where(Letter.state.in_(states))
    if before:
        found = found.where(Letter.id < before)
    rows = session.execute(found).all()
    return rows[:PAGE], len(rows) > PAGE


def listed() -> Select[Any]:
    """Letters without their bodies, newest first."""
    columns = (
        Letter.id, Letter.kind, Letter.state, Letter.subject, Letter.to_address, Letter.order_id,
        Letter.created_at, Letter.sent_at, Letter.error, Letter.attempts, Order.number,
    )  # fmt: skip
    found = select(*columns).outerjoin(Order, Order.id == Letter.order_id)
    return cast("Select[Any]", found.order_by(Letter.id.desc()))
