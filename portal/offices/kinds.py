"""What the offices have to do, read from returns, withdrawals, money and cases themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, null, select

from portal.db import Base
from portal.feedback.case_models import Case, CaseMessage
from portal.refunds.models import Refund, tasks, wrong_and_waiting
from portal.returns import lists as returns
from portal.returns.models import Return
from portal.returns.withdrawals import Withdrawal

NOBODY = cast(null(), BigInteger)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work: whose it is, what it is called, where it is done.

    `waits` says which rows are to be done and `since` from when on, `asked_by` and `done_by` who of the shop asked for
    it or did it, as far as that is known.
    """

    office: str
    name: Any
    table: type[Any]
    waits: Callable[[], ColumnElement[bool]]
    since: Any
    address: str
    asked_by: Any = None
    done_by: Any = None

    def waiting(self) -> Select[Any]:
        """What is to be done now: id, order, since when, who asked."""
        asked = NOBODY if self.asked_by is None else self.asked_by
        columns = (self.table.id, self.table.order_id, self.since.label("since"), asked.label("asked_by_id"))
        return select(*columns).where(self.waits())

    def doers(self, ids: list[int]) -> Select[Any]:
        """Who did it, by id."""
        done = NOBODY if self.done_by is None else self.done_by
        return select(self.table.id, done).where(self.table.id.in_(ids))


def _of(table: type[Base], column: str, value: str) -> Callable[[], ColumnElement[bool]]:
    return lambda: getattr(table, column) == value


def _last_words() -> Any:
    """When something was written last in a case: from then on an open one waits for us."""
    last = select(func.max(CaseMessage.at)).where(CaseMessage.case_id == Case.id).correlate(Case).scalar_subquery()
    return func.coalesce(last, Case.opened_at)


KINDS: dict[str, Kind] = {
    "decision": Kind(
        "returns", _l("Return to decide"), Return, lambda: returns.belongs_to("requested"), Return.requested_at,
        "/desk/returns/{}", done_by=Return.decided_by_id,
    ),
    "inspection": Kind(
        "returns", _l("Return to inspect"), Return, lambda: returns.belongs_to("to_inspect"), Return.received_at,
        "/desk/returns/{}", asked_by=Return.received_by_id,
    ),
    "proposal": Kind(
        "returns", _l("Money to propose"), Return, lambda: returns.belongs_to("to_settle"), Return.inspected_at,
        "/desk/returns/{}",
    ),
    "withdrawal": Kind(
        "support", _l("Withdrawal to look at"), Withdrawal, _of(Withdrawal, "state", "received"),
        Withdrawal.stated_at, "/desk/withdrawals/{}", done_by=Withdrawal.settled_by_id,
    ),
    "case": Kind(
        "support", _l("Case to answer"), Case, _of(Case, "state", "open"), _last_words(), "/desk/cases/{}",
        asked_by=Case.owner_id, done_by=Case.owner_id,
    ),
    "approval": Kind(
        "finance", _l("Money to approve"), Refund, _of(Refund, "state", "requested"), Refund.requested_at,
        "/desk/refunds/{}", asked_by=Refund.requested_by_id, done_by=Refund.approved_by_id,
    ),
    "by_hand": Kind(
        "finance", _l("Money to give back by hand"), Refund, tasks,
        func.coalesce(Refund.approved_at, Refund.requested_at), "/desk/refunds/{}",
        asked_by=Refund.approved_by_id, done_by=Refund.proven_by_id,
    ),
    "failed": Kind(
        "finance", _l("Money that failed"), Refund, wrong_and_waiting,
        func.coalesce(Refund.settled_at, Refund.looked_at, Refund.requested_at), "/desk/refunds/{}",
        done_by=Refund.handled_by_id,
    ),
}  # fmt: skip
