"""The other ways for money to go back: chosen for all or part of a proposal, done by a person, and proven."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, exists, func, select

from portal.db import move, session
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.letters import write
from portal.orders.models import ChannelRefund, Order
from portal.orders.payments import add_external, release
from portal.orders.timeline import record, words
from portal.refunds.credit_notes import CreditNote, issue_note
from portal.refunds.models import BY_PEOPLE, Refund, RefundLine
from portal.refunds.rules import check_note, check_way, new_identity
from portal.refunds.telling import tell_given
from portal.refunds.words import WAY
from portal.staff.models import Staff

words("refund.way", staff=_l("%(amount)s to go back another way (%(way)s): %(note)s"))
words(
    "refund.proven",
    staff=_l("%(amount)s given back (%(way)s), reference %(reference)s"),
    customer=_l("%(amount)s sent back to you"),
)
words(
    "refund.not_done",
    staff=_l("%(amount)s could not be given back (%(way)s): %(note)s"),
    customer=_l("We could not send you %(amount)s yet; we will write to you"),
)


def choose_way(refund: Refund, way: str, amounts: Mapping[int, int], *, note: str, by: Staff, now: datetime) -> Refund:
    """Let all or part of a proposal go another way; what moves is a proposal of its own, asked for by this person.

    `amounts` by the refund's lines, in minor units. Raises Refused for a way that this payment does not have, for more
    than a line holds, for nothing, and when it was decided meanwhile.
    """
    check_note(note)
    check_way(refund.payment, way)
    session.refresh(refund, with_for_update={"of": Refund})
    if refund.state != "requested" or refund.source != "ours":
        raise Refused(_("Somebody else has decided about this money already. Nothing was changed."))
    if refund.way == way:
        raise Refused(_("It goes that way already. Nothing was changed."))
    taken = [(line, _within(line, amounts.get(line.id, 0))) for line in refund.lines]
    total = sum(amount for _line, amount in taken)
    if total <= 0:
        raise Refused(_("The amount must be more than nothing."))
    part = refund if total == refund.amount else _split(refund, [pair for pair in taken if pair[1]], total, now)
    part.way, part.requested_by_id, part.decision_note = way, by.id, note
    session.flush()
    record(refund.order_id, "refund.way", by=by, now=now, amount=part.money, way=str(WAY[way]), note=note)
    return part


def _within(line: RefundLine, amount: int) -> int:
    if type(amount) is not int or not 0 <= amount <= line.amount:
        raise Refused(_("%(title)s: not more than is proposed for it.", title=line.line.title))
    return amount


def _split(refund: Refund, taken: Sequence[tuple[RefundLine, int]], total: int, now: datetime) -> Refund:
    """A second row for a part of the money. What the payment holds for both together stays what it was."""
    part = Refund(
        order_id=refund.order_id, payment_id=refund.payment_id, return_id=refund.return_id,
        decision_no=_last_decision(refund) + 1, amount=total, currency=refund.currency, reason=refund.reason,
        requested_at=now, due_on=refund.due_on, **new_identity(),
    )  # fmt: skip
    for line, amount in taken:
        pieces = line.quantity if amount == line.amount else 0
        about = {"order_line_id": line.order_line_id, "quantity": pieces, "note": line.note}
        part.lines.append(RefundLine(asked=amount, amount=amount, **about))
        line.asked, line.amount, line.quantity = line.asked - amount, line.amount - amount, line.quantity - pieces
    refund.amount -= total
    session.add(part)
    return part


def _last_decision(refund: Refund) -> int:
    if refund.return_id is None:
        return 0
    return session.scalars(select(func.max(Refund.decision_no)).where(Refund.return_id == refund.return_id)).one()


def prove(refund: Refund, *, reference: str, on: date, by: Staff, now: datetime) -> None:
    """A person has moved the money: from now on it counts as given back, and the customer is told.

    Raises Refused without a reference, for a day that can't be, and, by hand, for whoever approved it.
    """
    _lock_task(refund)
    if not reference.strip():
        raise Refused(_("Write the reference under which it can be found there."))
    if not (refund.requested_at.date() <= on <= now.date()):
        raise Refused(_("The day lies between the proposal and today."))
    if refund.way == "hand" and refund.approved_by_id == by.id:
        raise Refused(_("You approved this yourself. A second person has to prove that it was paid."))
    proven = {"proof": reference.strip(), "proven_on": on, "proven_by_id": by.id}
    move(refund, "state", "succeed", settled_at=now, **proven)
    told = {"amount": refund.money, "reference": refund.proof}
    record(refund.order_id, "refund.proven", by=by, now=now, way=str(WAY[refund.way]), **told)
    _tell(refund, now, issue_note(refund, now=now))
    tell_given(refund, now=now)
    announce("refund.settled", refund_id=refund.id)


def _tell(refund: Refund, now: datetime, paper: CreditNote | None) -> None:
    order = refund.order
    rows = [(line.line.title, Money(line.amount, refund.currency).format(order.locale)) for line in refund.lines]
    told: dict[str, Any] = {"amount": refund.money, "reference": refund.proof, "day": refund.proven_on, "rows": rows}
    told["paper"] = paper.called if paper else None
    write("refund-by-hand", order, about=f"refund:{refund.id}", now=now, way=refund.way, **told)


def know_again(order_id: int) -> None:
    """What the channel says it gave back is what we asked somebody to give back there, when the amounts are the same:
    it is held once, not twice.
    """
    heard = select(ChannelRefund).where(ChannelRefund.order_id == order_id, ChannelRefund.refund_id.is_(None))
    for given in session.scalars(heard.order_by(ChannelRefund.id).with_for_update()).all():
        task = session.scalar(_tasks(order_id).where(Refund.amount == given.amount).limit(1))
        if task is not None:
            given.refund_id = task.id
            add_external(task.payment, -given.amount)


def _tasks(order_id: int) -> Select[Any]:
    """Refunds in the channel of which it has not told yet."""
    told = exists().where(ChannelRefund.refund_id == Refund.id)
    mine = (Refund.order_id == order_id, Refund.way == "channel", Refund.state.in_(("approved", "succeeded")), ~told)
    return select(Refund).where(*mine).order_by(Refund.id)


def call_off(refund: Refund, *, note: str, by: Staff, now: datetime) -> None:
    """It could not be done this way: the money is free again, and waits for a person to find another.

    Raises Refused when the channel has told that it was done.
    """
    check_note(note)
    _lock_task(refund)
    if session.scalar(select(ChannelRefund.id).where(ChannelRefund.refund_id == refund.id)):
        raise Refused(_("The channel says that this money went back. Write down the reference there."))
    move(refund, "state", "fail", failure_reason="not_done", decision_note=note, settled_at=now)
    release(refund.payment, refund.amount)
    told = {"amount": refund.money, "way": str(WAY[refund.way]), "note": note}
    record(refund.order_id, "refund.not_done", by=by, now=now, **told)
    announce("refund.settled", refund_id=refund.id)


def _lock_task(refund: Refund) -> None:
    session.refresh(refund, with_for_update={"of": Refund})
    if refund.state != "approved" or refund.way not in BY_PEOPLE:
        raise Refused(_("This money does not wait for a person any more. Nothing was changed."))


def usual_way(order: Order) -> str:
    """The way the money came."""
    return "card" if order.payment is not None and order.payment.route == "stripe" else "channel"
