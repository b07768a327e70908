"""The worker's door: ask when it is time, remind once, stop listening when it is over."""

from datetime import datetime, timedelta

from flask import current_app

from portal.db import session, transaction
from portal.feedback import alarms, asking, case_rules, cases, causes, mail_reading, rollups, watching
from portal.feedback.models import SurveyInvitation
from portal.feedback.timing import terms
from portal.jobs import defer, follows, task
from portal.lib import clock
from portal.refunds.models import Refund

COMPARED_FOR = timedelta(days=120)


@follows("order.delivered")
@task(queue="feedback")
def schedule(order_id: int) -> None:
    """The last parcel arrived: in some days we ask."""
    with transaction():
        _owe(asking.schedule_survey(order_id, now=clock.now()))


def _owe(invitation: SurveyInvitation | None) -> None:
    if invitation:
        due = invitation.due_at
        defer(send, at=due, invitation_id=invitation.id, due=due.isoformat())


@follows("refund.settled")
@task(queue="feedback")
def schedule_after_return(refund_id: int) -> None:
    """What went back is settled: how that went is the better question."""
    with transaction():
        refund = session.get(Refund, refund_id)
        if refund and refund.return_id:
            _owe(asking.schedule_survey(refund.order_id, now=clock.now(), reason="return_settled"))


@follows("case.solved")
@task(queue="feedback")
def schedule_after_case(order_id: int) -> None:
    """The customer says that it is solved."""
    with transaction():
        _owe(asking.schedule_survey(order_id, now=clock.now(), reason="case_closed"))


@task(queue="feedback")
def send(invitation_id: int, due: str) -> None:
    """It is time to ask."""
    with transaction():
        invitation, days = asking.send_survey(invitation_id, due=due, now=clock.now()), terms().remind_days
        if not invitation or not invitation.sent_at:
            return
        defer(expire, at=invitation.closes_at, invitation_id=invitation.id)
        if days:
            defer(remind, at=invitation.sent_at + timedelta(days=days), invitation_id=invitation.id)


@task(queue="feedback")
def remind(invitation_id: int) -> None:
    """No answer yet: once more, and then never again."""
    with transaction():
        asking.remind(invitation_id, now=clock.now())


@follows("parcel.arrived")
@follows("return.changed")
@task(queue="feedback")
def count(order_id: int) -> None:
    """Something about the order changed by which answers are counted: late or not, what came back and why."""
    with transaction():
        rollups.count_again([order_id])


def count_everything(since: datetime | None = None) -> int:
    """How many orders had to be counted again; some hundreds at a time, so that nobody waits for it."""
    wrong = 0
    for batch in rollups.batches(since):
        with transaction():
            if found := rollups.stale(batch):
                rollups.count_again(found)
                wrong += len(found)
    return wrong


@task(queue="sweeps", periodic="23 2 * * *")
def count_by_night() -> None:
    """What was missed is counted: orders of the last months are compared with what is so."""
    count_everything(clock.now() - COMPARED_FOR)
    with transaction():
        rollups.forget_words()


@task(queue="feedback", periodic="40 5 * * *")
def watch_scores() -> None:
    """In the morning: what fell is told, what has recovered is no longer an alarm."""
    with transaction():
        alarms.watch(now=clock.now())


@task(queue="feedback", periodic="*/20 * * * *")
def watch_cases() -> None:
    """Each case has an owner who is here; what nobody answered in time goes up; what the customer let rest ends."""
    for case_id in watching.without_owner(now=clock.now()):
        with transaction():
            watching.give_an_owner(case_id, now=clock.now())
    for case_id in watching.overdue(now=clock.now()):
        with transaction():
            watching.send_up(case_id, now=clock.now())
    for case_id in watching.silent(now=clock.now()):
        with transaction():
            watching.close_silent(case_id, now=clock.now())


@task(queue="feedback", periodic="*/20 * * * *")
def open_cases() -> None:
    """Late parcels and returns that rules open cases for, before anybody complains; and what fits finds its cause."""
    now, zone = clock.now(), current_app.config["SETTINGS"].shop_timezone
    with transaction():
        found = [(rule, case_rules.due(rule, now=now, zone=zone)) for rule in case_rules.by_themselves()]
    for rule, order_ids in found:
        for order_id in order_ids:
            with transaction():
                cases.open_by_rule(order_id, rule, now=now)
    with transaction():
        causes.gather_lately(now=now)


@follows("mail.came")
@task(queue="feedback")
def hear(message_id: int) -> None:
    """Read a mail that was kept."""
    with transaction():
        mail_reading.work_off(message_id, now=clock.now())


@task(queue="feedback")
def expire(invitation_id: int) -> None:
    """The time to answer is over."""
    with transaction():
        asking.expire_survey(invitation_id)
