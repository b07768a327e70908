"""The queues at the left of the desk: what waits for whom, counted in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select

from portal.db import Base
from portal.db.counting import Counts, bounded, told
from portal.feedback.alarms import ScoreAlarm
from portal.feedback.case_models import Case
from portal.feedback.cause_models import Cause
from portal.fulfilment import handoff_lists, lists
from portal.fulfilment.shorts import ShortPick
from portal.fulfilment.waves import Wave
from portal.mail.models import Letter
from portal.offices import lists as offices
from portal.orders.models import OrderFlag
from portal.orders.pushes import ChannelPush
from portal.orders.shelves import StockClaim, StockItem, sold
from portal.refunds.models import MoneyAlarm, Refund, tasks, wrong_and_waiting
from portal.returns import lists as returns
from portal.returns.models import Return
from portal.returns.oddities import Oddity
from portal.returns.withdrawals import Withdrawal
from portal.staff.models import Staff


@dataclass(frozen=True, slots=True)
class Queue:
    """A list of work that some people may see."""

    name: str
    label: Any
    icon: str
    href: str
    permission: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """A queue with how many things wait in it; None where nothing waits for anybody."""

    name: str
    label: Any
    icon: str
    href: str
    count: int | None
    tone: str
    current: bool

    @property
    def many(self) -> str:
        """The count as it is shown."""
        return told(self.count or 0)


@dataclass(frozen=True, slots=True)
class Group:
    """Queues that belong together."""

    label: Any
    queues: list[Counted]


GROUPS: tuple[tuple[Any, tuple[Queue, ...]], ...] = (
    (
        _l("Orders"),
        (
            Queue("attention", _l("Needs attention"), "alert", "/desk/attention", "orders.see", bad=True),
            Queue("pushes", _l("Channels not told"), "alert", "/desk/pushes", "orders.see", bad=True),
        ),
    ),
    (
        _l("Warehouse"),
        (
            Queue("handed", _l("Handed to you"), "check", "/desk/handoffs", "parcels.see"),
            Queue("to_pick", _l("To pick"), "scan", "/desk/parcels?state=to_pick", "parcels.see"),
            Queue("waves", _l("Waves"), "basket", "/desk/waves", "parcels.see"),
            Queue("to_pack", _l("To pack"), "box", "/desk/parcels?state=to_pack", "parcels.see"),
            Queue("to_ship", _l("To ship"), "truck", "/desk/parcels?state=to_ship", "parcels.see"),
            Queue("short_picks", _l("Missing goods"), "help", "/desk/short-picks", "parcels.see", bad=True),
            Queue("couriers", _l("Couriers' days"), "truck", "/desk/couriers", "parcels.see"),
            Queue("at_risk", _l("Promise at risk"), "clock", "/desk/parcels?state=at_risk", "parcels.see", bad=True),
            Queue("stuck", _l("Stuck parcels"), "alert", "/desk/parcels?state=stuck", "parcels.see", bad=True),
            Queue(
                "came_back", _l("Came back or lost"), "back", "/desk/parcels?state=came_back", "parcels.see", bad=True
            ),
            Queue("short", _l("Can't be promised"), "basket", "/desk/stock?state=short", "stock.see", bad=True),
        ),
    ),
    (
        _l("Returns and money"),
        (
            Queue("to_decide", _l("Returns to decide"), "back", "/desk/returns?state=requested", "returns.see"),
            Queue("withdrawals", _l("Withdrawals to look at"), "alert", "/desk/withdrawals", "returns.see", bad=True),
            Queue("odd", _l("Odd parcels"), "alert", "/desk/oddities", "returns.see", bad=True),
            Queue("to_inspect", _l("Returns to inspect"), "search", "/desk/returns?state=to_inspect", "returns.see"),
            Queue("workshop", _l("Workshop"), "box", "/desk/workshop", "stock.see"),
            Queue("to_settle", _l("Money to propose"), "money", "/desk/returns?state=to_settle", "refunds.request"),
            Queue("to_approve", _l("Money to approve"), "money", "/desk/refunds?state=requested", "refunds.see"),
            Queue("tasks", _l("Money to give back by hand"), "money", "/desk/refunds?state=tasks", "refunds.see"),
            Queue("wrong", _l("Money that failed"), "alert", "/desk/refunds?state=wrong", "refunds.see", bad=True),
            Queue("credit", _l("Store credit"), "money", "/desk/credit", "refunds.see"),
            Queue("credit_notes", _l("Credit notes"), "money", "/desk/credit-notes", "refunds.see"),
            Queue(
                "differs", _l("Money that does not fit"), "alert", "/desk/refunds/differences", "refunds.see", bad=True
            ),
        ),
    ),
    (
        _l("Customers"),
        (
            Queue("office_work", _l("Work of the offices"), "check", "/desk/offices", "orders.see"),
            Queue("cases", _l("Open cases"), "talk", "/desk/cases", "cases.see"),
            Queue("causes", _l("Causes"), "search", "/desk/causes", "cases.see"),
            Queue(
                "letters", _l("Letters that failed"), "letter", "/desk/letters?state=failed", "letters.see", bad=True
            ),
        ),
    ),
    (
        _l("Shop"),
        (
            Queue("stock", _l("Stock"), "box", "/desk/stock", "stock.see"),
            Queue("boxes", _l("Boxes and sizes"), "box", "/desk/boxes", "parcels.see"),
            Queue("label_numbers", _l("Numbers on labels"), "scan", "/desk/label-numbers", "promise.set"),
            Queue("kept", _l("Promise kept"), "check", "/desk/insight/promise", "insight.see"),
            Queue("satisfied", _l("Satisfaction"), "talk", "/desk/insight/satisfaction", "insight.see", bad=True),
            Queue("policy", _l("Return policy"), "back", "/desk/return-policy", "returns.see"),
            Queue("reasons", _l("Return reasons"), "back", "/desk/return-reasons", "returns.policy"),
            Queue("exempt", _l("Exempt from withdrawal"), "cross", "/desk/withdrawals/exemptions", "returns.exempt"),
            Queue("claim_terms", _l("Terms for claims"), "calendar", "/desk/claims/terms", "claims.set"),
            Queue("limits", _l("Limits for money"), "money", "/desk/limits", "refunds.limit"),
            Queue("calendar", _l("Working calendar"), "calendar", "/desk/calendar", "promise.set"),
            Queue("keys", _l("API keys"), "door", "/desk/keys", "keys.manage"),
            Queue("surveys", _l("Surveys"), "talk", "/desk/surveys", "surveys.set"),
            Queue("case_rules", _l("Rules for cases"), "talk", "/desk/cases/rules", "cases.set"),
            Queue("snippets", _l("Building blocks"), "talk", "/desk/cases/snippets", "cases.work"),
            Queue("absences", _l("Who is away"), "person", "/desk/absences", "desk.see"),
            Queue("privacy", _l("Customers' data"), "person", "/desk/privacy", "privacy.manage"),
        ),
    ),
)
LETTERS_THAT_FAILED = ("failed", "dead")


def counted(person: Staff, here: str, *, now: datetime) -> list[Group]:
    """The queues that the person may see; `here` is the address of the page they look at."""
    counts = _counts().run(me=person.id, now=now)
    theirs = [(label, [queue for queue in queues if person.may(queue.permission)]) for label, queues in GROUPS]
    current = _current([queue.href for _label, queues in theirs for queue in queues], here)
    return [Group(label, [_count(queue, counts, current) for queue in queues]) for label, queues in theirs if queues]


def _current(hrefs: Sequence[str], here: str) -> str:
    """The queue that the page belongs to: its own address, else the longest one below which it stands."""
    above = [href for href in hrefs if f"{here.partition('?')[0]}/".startswith(f"{href}/")]
    return here if here in hrefs else max(above, key=len, default="")


@cache
def _counts() -> Counts:
    me: ColumnElement[int] = bindparam("me")
    attention = select(func.count(func.distinct(OrderFlag.order_id))).where(OrderFlag.settled_at.is_(None))
    workshop = select(func.coalesce(func.sum(StockItem.on_hand), 0)).join(StockItem.place).where(~sold())
    waiting = {
        **lists.numbers(bindparam("now")),
        "handed": handoff_lists.for_me(me).scalar_subquery(),
        "office_work": offices.for_me(me).scalar_subquery(),
        "attention": attention.scalar_subquery(),
        "pushes": _number(ChannelPush, ChannelPush.state == "failed"),
        "to_decide": _number(Return, returns.belongs_to("requested")),
        "withdrawals": _number(Withdrawal, Withdrawal.state == "received"),
        "odd": _number(Oddity, Oddity.state == "open"),
        "workshop": workshop.scalar_subquery(),
        "to_inspect": _number(Return, returns.belongs_to("to_inspect")),
        "to_settle": _number(Return, returns.belongs_to("to_settle")),
        "to_approve": _number(Refund, Refund.state == "requested"),
        "tasks": _number(Refund, tasks()),
        "wrong": _number(Refund, wrong_and_waiting()),
        "differs": _number(MoneyAlarm, MoneyAlarm.closed_at.is_(None)),
        "cases": _number(Case, Case.state == "open"),
        "causes": _number(Cause, Cause.state == "open", Cause.owner_id == me, ~Cause.changes.any()),
        "satisfied": _number(ScoreAlarm, ScoreAlarm.closed_at.is_(None)),
        "waves": _number(Wave, Wave.ended_at.is_(None)),
        "short_picks": _number(ShortPick, ShortPick.state == "open"),
        "short": _number(StockClaim, StockClaim.item_id.is_(None)),
        "letters": _number(Letter, Letter.state.in_(LETTERS_THAT_FAILED)),
    }
    return Counts(waiting, "me", "now")


def _number(table: type[Base], *where: ColumnElement[bool]) -> ScalarSelect[int]:
    return bounded(select(table.id).where(*where))


def _count(queue: Queue, counts: Mapping[str, int], current: str) -> Counted:
    count = counts.get(queue.name)
    tone = "none" if not count else "bad" if queue.bad else ""
    return Counted(queue.name, queue.label, queue.icon, queue.href, count, tone, current=queue.href == current)
