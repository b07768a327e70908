"""Make it right: a case has an owner and a deadline, and ends with the customer's word."""

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal.db import limits, move, session
from portal.feedback import acts, case_models, mails
from portal.feedback.built_in import FIVE
from portal.feedback.case_models import UNSOLVED, Case, CaseMessage
from portal.feedback.case_rules import CaseRule, rule_for
from portal.feedback.deadlines import deadline
from portal.feedback.models import Answer
from portal.feedback.owners import owner_for, supervisor
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.orders.letters import write
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Staff

words("case.opened", staff=_l("Case opened"), customer=_l("We look into what went wrong"))
words(
    "case.opened_by_rule",
    staff=_l("Case opened by the rule “%(rule)s”"),
    customer=_l("We look into what went wrong"),
)
words("case.better_score", staff=_l("A better score came later: %(score)s of 5. The case goes on."))
words("case.better_score_of", staff=_l("A better score came later: %(score)s of %(of)s. The case goes on."))
words("case.heard", staff=_l("The customer wrote"), customer=_l("You wrote to us"))
words("case.replied", staff=_l("Answered the customer"), customer=_l("We answered you"))
words("case.asked", staff=_l("Answered, and asked whether it is solved"), customer=_l("We answered you"))
words("case.stranger", staff=_l("A mail about the case came from another address than the customer's"))
words("case.taken_as_theirs", staff=_l("The mail from another address counts as the customer's word"))
words("case.came_back", staff=_l("Our answer could not be delivered (%(why)s): the case is ours again"))
words("case.assigned", staff=_l("The case goes to %(owner)s"))
words("case.solved", staff=_l("The customer says it is solved"), customer=_l("You told us it is solved"))
words("case.reopened", staff=_l("The customer says it is not solved: the case goes to %(owner)s"))

MESSAGES_PER_HOUR = 20


def follow_answer(answer: Answer, order_id: int, before: tuple[int | None, str | None], *, now: datetime) -> None:
    """A bad answer opens its case; what the customer changes later is told to whoever works on it."""
    session.flush()
    case = case_models.case_of_answer(answer.id)
    if case is None:
        if rule := rule_for(answer):
            open_case(order_id, answer, rule, now=now)
        return
    _lock(case)
    if before[0] is not None and answer.score > before[0]:
        _note_better(order_id, answer, now)
    if answer.words and answer.words != before[1] and case.state != "closed":
        _hear(case, answer.words, now)


def _note_better(order_id: int, answer: Answer, now: datetime) -> None:
    """A scale that does not end at five says where it ends."""
    if answer.version.high == FIVE.high:
        record(order_id, "case.better_score", by="customer", now=now, score=answer.score)
    else:
        scale = {"score": answer.score, "of": answer.version.high}
        record(order_id, "case.better_score_of", by="customer", now=now, **scale)


def open_case(order_id: int, answer: Answer, rule: CaseRule, *, now: datetime) -> Case:
    """Promise to make it right: somebody answers for it, until a moment that is told to the customer."""
    case = _new_case(order_id, rule, now, answer_id=answer.id)
    if answer.words:
        case.messages.append(CaseMessage(words=answer.words, at=now))
    session.add(case)
    record(order_id, "case.opened", by="customer", now=now, score=answer.score)
    return case


def open_by_rule(order_id: int, rule: CaseRule, *, now: datetime) -> Case | None:
    """Before the customer complains; None when the order has such a case already."""
    session.get_one(Order, order_id, with_for_update={"of": Order})
    if session.scalar(select(Case.id).where(Case.order_id == order_id, Case.opened_for == rule.trigger)):
        return None
    case = _new_case(order_id, rule, now, opened_for=rule.trigger)
    session.add(case)
    record(order_id, "case.opened_by_rule", by="system", now=now, rule=rule.name)
    return case


def _new_case(order_id: int, rule: CaseRule, now: datetime, **why: Any) -> Case:
    whose = {"owner_id": owner_for(rule.department, now=now, named=rule.owner_id), "department": rule.department}
    until = {"opened_at": now, "due_at": deadline(now, rule.hours), "hours": rule.hours, "severity": rule.severity}
    return Case(order_id=order_id, rule_id=rule.id, **whose, **until, **why)


def _deadline(case: Case, now: datetime) -> datetime:
    return deadline(now, case.hours)


def write_to_shop(case: Case, said: str, *, now: datetime) -> None:
    """The customer writes: the case is ours again. The same words twice in a row are a form posted twice."""
    _lock(case)
    last = case.said[-1] if case.said else None
    if last and last.staff_id is None and last.words == said:
        return
    if not limits.take("case-messages", str(case.id), MESSAGES_PER_HOUR, timedelta(hours=1), now):
        raise Refused(_("That is a lot at once. Please wait a little, we read everything."))
    _hear(case, said, now)


def hear_mail(case: Case, said: str, *, theirs: bool, now: datetime, **mail: Any) -> CaseMessage:
    """A mail came. `theirs`: from the customer's own address; anybody else's waits for a person who judges it."""
    _lock(case)
    if theirs:
        return _hear(case, said, now, via="mail", **mail)
    message = _say(case, said, None, now, via="mail", counts=False, **mail)
    record(case.order_id, "case.stranger", by="system", now=now)
    return message


def take_as_theirs(case: Case, message_id: int, *, by: Staff, now: datetime) -> None:
    """A person is sure that the customer wrote this, from another address: it counts like their own word."""
    _lock(case)
    message = next((one for one in case.messages if one.id == message_id and not one.counts), None)
    if message is None:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    message.counts = True
    if case.state != "open":
        move(case, "state", "hear", due_at=_deadline(case, now), solved_at=None, closed_at=None, escalated=0)
    record(case.order_id, "case.taken_as_theirs", by=by, now=now)


def answer_came_back(case: Case, why: str, *, now: datetime) -> None:
    """Our answer did not arrive: the case is ours again, and silence would mean nothing."""
    _lock(case)
    if case.state == "waiting_for_customer":
        move(case, "state", "come_back", due_at=_deadline(case, now), escalated=0)
    record(case.order_id, "case.came_back", by="system", now=now, why=why)


def _lock(case: Case) -> None:
    session.refresh(case, with_for_update={"of": Case})
    session.expire(case, ["messages"])


def _hear(case: Case, said: str, now: datetime, **mail: Any) -> CaseMessage:
    due_at = case.due_at if case.state == "open" else _deadline(case, now)
    gone_up = case.escalated if case.state == "open" else 0
    move(case, "state", "hear", due_at=due_at, solved_at=None, closed_at=None, escalated=gone_up)
    message = _say(case, said, None, now, **mail)
    record(case.order_id, "case.heard", by="customer", now=now)
    return message


def _say(case: Case, said: str, by: Staff | None, now: datetime, asks: bool = False, **mail: Any) -> CaseMessage:
    message = CaseMessage(case_id=case.id, staff_id=by and by.id, words=said, asks_if_solved=asks, at=now, **mail)
    session.add(message)
    session.flush()
    session.expire(case, ["messages"])
    return message


def reply(
    case: Case, said: str, *, asks: bool, seen: int, by: Staff, now: datetime, act: acts.Act | None = None
) -> None:
    """Answer the customer, who reads it in a mail and on the page. `seen` is the last message that `by` has read.

    What goes with the answer is done with it, or nothing is.
    """
    _lock(case)
    if case.last_message_id != seen:
        raise Refused(_("Something was written here a moment ago. Read it first; your words are still below."))
    move(case, "state", "reply", owner_id=case.owner_id or by.id)
    done = acts.carry_out(case, act, key=f"case-{case.id}-{seen}", by=by, now=now) if act else None
    message = _say(case, said, by, now, asks, done=done)
    record(case.order_id, "case.asked" if asks else "case.replied", by=by, now=now)
    order = case.order
    write(
        "case-reply",
        order,
        about=f"case:{case.id}",
        now=now,
        once=f"case-reply:{message.id}",
        case_id=case.id,
        said=said,
        by=by.name,
        asks=asks,
        done=done,
        amount=message.amount,
        headers=mails.headers_of(case),
        by_mail=mails.address_of(case.id) is not None,
    )


def assign(case: Case, to: Staff, *, instead_of: int | None, by: Staff, now: datetime) -> None:
    """Give the case to somebody, or take it over, from the one who had it when `by` looked."""
    _lock(case)
    if case.owner_id == to.id:
        return
    if case.owner_id != instead_of:
        raise Refused(_("Somebody else took this case a moment ago."))
    if case.state not in UNSOLVED or to.disabled_at or not to.may("cases.work"):
        raise Refused(_("This case can't go to %(name)s.", name=to.name))
    case.owner_id = to.id
    record(case.order_id, "case.assigned", by=by, now=now, owner=to.name)


def say_solved(case: Case, *, now: datetime) -> None:
    """The customer's word ends it."""
    _lock(case)
    if case.state == "solved":
        return
    move(case, "state", "solve", solved_at=now)
    record(case.order_id, "case.solved", by="customer", now=now)
    announce("case.solved", order_id=case.order_id)


def say_not_solved(case: Case, *, now: datetime) -> None:
    """It begins anew and goes up: a manager owns it, with a new deadline. What is open already stays as it is."""
    _lock(case)
    if case.state == "open":
        return
    up = supervisor(case.owner_id, now=now) or case.owner
    anew = {"due_at": _deadline(case, now), "reopened": case.reopened + 1, "solved_at": None, "escalated": 0}
    move(case, "state", "reopen", owner_id=up and up.id, **anew)
    record(case.order_id, "case.reopened", by="customer", now=now, owner=up.name if up else "–")
