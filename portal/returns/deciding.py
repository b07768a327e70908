"""What is done about odd parcels: each choice does what it says."""

from collections.abc import Iterable
from datetime import datetime

from flask_babel import gettext as _

from portal.db import session
from portal.lib.errors import Refused
from portal.returns import lists, oddities
from portal.returns.actions import accept_anyway, lock_whole, receive_return, take_unasked
from portal.returns.going_back import goods_go_back
from portal.returns.letters import write
from portal.returns.models import Inspection, Return, ReturnLine
from portal.returns.oddities import COUNTED, Oddity, settle
from portal.staff.models import Staff


def look_at_count(ret: Return, *, by: Staff, now: datetime) -> None:
    """What the count says that nobody announced. Counted again, what is no longer odd is settled."""
    odd = set(_odd(ret))
    oddities.drop(ret.id, [kind for kind in COUNTED if kind not in odd], by=by, now=now)
    for kind in sorted(odd):
        oddities.find(kind, ret, by=by, now=now)


def _odd(ret: Return) -> Iterable[str]:
    counted = {row.id: sum(one.counted for one in row.inspections) for row in ret.lines}
    if not any(counted.values()):
        yield "empty"
        return
    for row in ret.lines:
        if counted[row.id] < row.quantity:
            yield "less"
        if counted[row.id] > row.quantity:
            yield "more"
        if any(one.grade == "wrong_item" for one in row.inspections):
            yield "other"


def decide(oddity: Oddity, choice: str, note: str, *, number: str = "", by: Staff, now: datetime) -> None:
    """Carry out a choice. `number` is that of the return, or of the order, to which a parcel without one belongs."""
    if choice in oddity.about.choices and oddity.about.choices[choice].told and not note.strip():
        raise Refused(_("Say why; the customer reads it."))
    ret = oddity.ret
    if ret is not None:
        lock_whole(ret)
    settle(oddity, choice, note.strip(), by=by, now=now)
    if choice == "believe" and ret is not None:
        _believe(ret, oddity.kind)
    elif choice == "send_back" and ret is not None:
        _turn_back(ret, oddity.kind, by, now)
    elif choice == "accept" and ret is not None:
        accept_anyway(ret, by=by, now=now)
    elif choice == "both" and oddity.other is not None:
        receive_return(oddity.other, by=by, now=now)
    elif choice == "belongs":
        _give_to(oddity, number, by, now)
    elif choice == "unasked":
        _take_unasked(oddity, number, by, now)
    if ret is not None and oddity.about.choices[choice].told:
        write("return-decided", ret, now, note=note.strip(), once=f"return-decided:{oddity.id}")


def _believe(ret: Return, kind: str) -> None:
    """Pieces that are paid though nobody counted them as what they should be."""
    _refuse_if_proposed(ret)
    for row in ret.lines:
        kept = sum(one.kept for one in row.inspections)
        wrong = any(one.grade == "wrong_item" for one in row.inspections)
        if kept < row.quantity and (wrong if kind == "other" else True):
            row.believed = row.quantity - kept
    session.flush()


def _refuse_if_proposed(ret: Return) -> None:
    if ret.money or ret.closed_at:
        raise Refused(_("This return is settled. What was found can't be changed any more."))


def _turn_back(ret: Return, kind: str, by: Staff, now: datetime) -> None:
    if kind == "unwanted":
        goods_go_back(ret, [(row, row.quantity) for row in ret.lines if row.quantity], by=by, now=now)
        return
    _refuse_if_proposed(ret)
    for row in ret.lines:
        if kind == "more":
            _surplus_back(row)
        else:
            for one in row.inspections:
                one.disposition = "back_to_customer" if one.grade == "wrong_item" else one.disposition
    session.flush()


def _surplus_back(row: ReturnLine) -> None:
    """What is more than was announced is a state of its own, and goes back."""
    over = sum(one.counted for one in row.inspections) - row.quantity
    for one in reversed(list(row.inspections)):
        pieces = min(over, one.counted - (1 if len(row.inspections) == 1 else 0))
        if pieces > 0 and one.disposition != "back_to_customer":
            over -= pieces
            one.counted -= pieces
            row.inspections.append(
                Inspection(
                    counted=pieces, grade=one.grade, disposition="back_to_customer", deduction=0, note="",
                    inspected_by_id=one.inspected_by_id, inspected_at=one.inspected_at,
                )
            )  # fmt: skip


def _give_to(oddity: Oddity, number: str, by: Staff, now: datetime) -> None:
    ret = lists.find_scanned(number)
    if ret is None:
        raise Refused(_("No return has the number %(code)s.", code=number[:40] or "–"))
    oddity.return_id = ret.id
    receive_return(ret, by=by, now=now)


def _take_unasked(oddity: Oddity, number: str, by: Staff, now: datetime) -> None:
    order = lists.order_of(number)
    if order is None:
        raise Refused(_("No order has the number %(code)s.", code=number[:40] or "–"))
    oddity.order_id, oddity.return_id = order.id, take_unasked(order.id, by=by, now=now).id
