"""What a table knows of customers: what their copy shows, and what is taken out when they are forgotten."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, inspect, select, update

from portal.db import Base, session

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Kept:
    """One table with rows about customers.

    `of` says which rows belong to orders with these ids. `shown` are the columns of the customer's copy, `taken` what
    columns hold afterwards, `stays` text that says nothing about a person or that the law keeps; `gone`: the rows go.
    """

    model: type[Base]
    of: Callable[[Ids], ColumnElement[bool]]
    shown: tuple[str, ...] = ()
    taken: Mapping[str, Any] = field(default_factory=dict)
    stays: tuple[str, ...] = ()
    gone: bool = False

    @property
    def table(self) -> Table:
        return inspect(self.model).local_table  # type: ignore[return-value]


def told(kept: Kept, orders: Ids) -> list[dict[str, Any]]:
    """The rows as the customer's copy shows them, in the order in which they came."""
    columns = [kept.table.c[name] for name in kept.shown]
    found = select(*columns).where(kept.of(orders)).order_by(kept.table.c.id)
    return [dict(row._mapping) for row in session.execute(found)] if columns else []


def take_out(kept: Kept, orders: Ids) -> None:
    """Forget what these orders' rows say of a person."""
    if kept.gone:
        session.execute(delete(kept.model).where(kept.of(orders)).execution_options(synchronize_session=False))
    elif kept.taken:
        changed = update(kept.model).where(kept.of(orders)).values(dict(kept.taken))
        session.execute(changed.execution_options(synchronize_session=False))
