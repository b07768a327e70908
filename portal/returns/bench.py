"""The bench: what came is counted beside what was announced, graded, and goes where it is to go.

Pieces of one line may be in several states: each state is a finding of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.db import session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders import stock, workshop
from portal.orders.models import OrderLine
from portal.orders.timeline import record, words
from portal.pictures.actions import attach, drop, hand_over
from portal.returns import deciding, dispatch, settlement
from portal.returns.actions import close_exchange
from portal.returns.exchanges import send_exchanges
from portal.returns.goods import Facts, read
from portal.returns.models import FOUND, Inspection, Return, ReturnLine
from portal.returns.rules import YES, Answer, Verdict, spoken
from portal.staff.models import Staff

MOST_STATES = 3
"""In so many states the pieces of one line may be."""

words("return.line_found", staff=_l("Found in return %(rma)s: %(title)s"))
words("return.inspected", staff=_l("Return %(rma)s inspected"), customer=_l("Return %(rma)s: we looked at everything"))


@dataclass(frozen=True, slots=True)
class Finding:
    """Pieces of a return's line that are in one state; `deduction` is in minor units, for all of them. `shown` is the
    key under which their pictures wait.
    """

    line_id: int
    counted: int
    grade: str | None = None
    disposition: str | None = None
    deduction: int = 0
    note: str = ""
    shown: str = ""

    @property
    def kept(self) -> int:
        """Pieces of this very line that came and stay."""
        return 0 if self.grade == "wrong_item" or self.disposition == "back_to_customer" else self.counted


def of_finding(finding: Finding, worth: Money) -> Verdict:
    """What is missing in the bench's words about pieces that are worth so much."""
    if finding.counted < 0:
        return _no(_("Count the pieces; none is 0."), "counted")
    if finding.counted and not finding.grade:
        return _no(_("Say in what state it is."), "grade")
    if finding.counted and not finding.disposition:
        return _no(_("Say what becomes of it."), "disposition")
    if not 0 <= finding.deduction <= worth.amount:
        return _no(_("No more than what it is worth: %(most)s.", most=spoken(worth)), "deduction")
    if finding.deduction and not finding.note.strip():
        return _no(_("Say why; the customer reads it."), "note")
    return YES


def _no(message: str, field: str) -> Verdict:
    return Verdict(Answer.no, message, field)


def of_line(row: ReturnLine, findings: Sequence[Finding], facts: Facts) -> Iterator[tuple[Finding, Verdict]]:
    """What is missing in each finding of one line; each is measured against what its own pieces are worth."""
    before = 0
    for finding in findings:
        _pieces, worth = settlement.worth_of(row, finding.kept, facts, before=before)
        before += finding.kept
        yield finding, of_finding(finding, worth)


def add_found_line(ret: Return, line: OrderLine, *, by: Staff, now: datetime) -> ReturnLine:
    """Something of the order that nobody announced was in the parcel: it is counted like the rest."""
    _refuse_unless_at_the_bench(ret)
    if line.order_id != ret.order_id or line.kind != "item":
        raise Refused(_("This line is not part of the order."))
    if any(row.order_line_id == line.id for row in ret.lines):
        raise Refused(_("%(title)s is in this return already: count it there.", title=line.title))
    row = ReturnLine(order_line_id=line.id, quantity=0, reason=FOUND)
    ret.lines.append(row)
    ret.inspected_at = None
    session.flush()
    record(ret.order_id, "return.line_found", by=by, now=now, rma=ret.rma, title=line.title)
    announce("return.changed", order_id=ret.order_id)
    return row


def _refuse_unless_at_the_bench(ret: Return) -> None:
    if ret.goods != "received":
        raise Refused(_("Receive the parcel first."))
    if not ret.to_count:
        raise Refused(_("This return is settled. What was found can't be changed any more."))


def inspect_return(ret: Return, findings: Sequence[Finding], *, by: Staff, now: datetime) -> None:
    """Count and grade each line; once more replaces what was found before, until money is proposed."""
    _refuse_unless_at_the_bench(ret)
    if not ret.lines:
        raise Refused(_("Say first what was in the parcel."))
    by_line = {row.id: [finding for finding in findings if finding.line_id == row.id] for row in ret.lines}
    if not all(by_line.values()) or sum(map(len, by_line.values())) != len(findings):
        raise Refused(_("Each line of the return is counted once; none is 0."))
    _check(ret, by_line, now)
    noted = [pair for row in ret.lines for pair in _note_down(row, by_line[row.id], by, now)]
    ret.inspected_at = now
    session.flush()
    for found, finding in noted if any(finding.shown for finding in findings) else ():
        attach(ret.order_id, finding.shown, f"inspection:{found.id}")
    for row in ret.lines:
        _put_away(row, by, now)
    record(ret.order_id, "return.inspected", by=by, now=now, rma=ret.rma)
    send_exchanges(ret, {row.id: sum(one.kept for one in row.inspections) for row in ret.lines}, by=by, now=now)
    deciding.look_at_count(ret, by=by, now=now)
    announce("return.changed", order_id=ret.order_id)
    dispatch.set_right(ret, by=by, now=now)
    close_exchange(ret, by=by, now=now)


def _check(ret: Return, by_line: dict[int, list[Finding]], now: datetime) -> None:
    bound = ret.kind == "withdrawal" and not current_app.config["SETTINGS"].withdrawal_notice
    if bound and any(finding.deduction for findings in by_line.values() for finding in findings):
        raise Refused(_("Nothing may be deducted: your shop does not tell customers of their right to withdraw."))
    facts = read(ret.order, now=now, besides=ret.id)
    for row in ret.lines:
        for _finding, verdict in of_line(row, by_line[row.id], facts):
            if verdict.answer is Answer.no:
                raise Refused(_("%(title)s: %(why)s", title=row.line.title, why=verdict.message))


def _note_down(
    row: ReturnLine, findings: Sequence[Finding], by: Staff, now: datetime
) -> Iterator[tuple[Inspection, Finding]]:
    """One row per state; what is found anew takes the rows that are there, so that what hangs on them stays. Pictures
    of a state that is no more go to the first.
    """
    counted = [finding for finding in findings if finding.counted] or [findings[0]]
    while len(row.inspections) > len(counted):
        hand_over(f"inspection:{row.inspections[-1].id}", f"inspection:{row.inspections[0].id}")
        session.delete(row.inspections.pop())
    for place, finding in enumerate(counted):
        found = row.inspections[place] if place < len(row.inspections) else Inspection()
        found.counted, found.deduction, found.note = finding.counted, finding.deduction, finding.note.strip()
        found.grade = finding.grade if finding.counted else None
        found.disposition = finding.disposition if finding.counted else None
        found.inspected_by_id, found.inspected_at = by.id, now
        row.believed = 0
        if place == len(row.inspections):
            row.inspections.append(found)
        yield found, finding


def take_away(ret: Return, picture_id: int) -> None:
    """A picture that shows the wrong thing. Raises Refused once money was proposed: it may be the reason."""
    _refuse_unless_at_the_bench(ret)
    drop(picture_id, [f"inspection:{found.id}" for row in ret.lines for found in row.inspections])


def _put_away(row: ReturnLine, by: Staff, now: datetime) -> None:
    """Only the article itself is counted where its like lies: something else in its place is not."""
    if not row.line.sku:
        return
    like = [one for one in row.inspections if one.grade != "wrong_item"]
    sellable, broken = (sum(one.counted for one in like if one.disposition == to) for to in ("restock", "refurbish"))
    stock.bring_back(row.line.sku, sellable, "restock", f"return-line:{row.id}", by=by, now=now)
    workshop.set_aside(row.line.sku, broken, f"return-line:{row.id}:repair", by=by, now=now)
