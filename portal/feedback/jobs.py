"""The worker's door: ask when it is time, stop listening when it is over."""

from portal.db import transaction
from portal.feedback.actions import expire_survey, schedule_survey, send_survey
from portal.jobs import defer, follows, task
from portal.lib import clock


@follows("order.delivered")
@task(queue="feedback")
def schedule(order_id: int) -> None:
    """The last parcel arrived: in some days we ask."""
    with transaction():
        invitation = schedule_survey(order_id, now=clock.now())
        if invitation:
            due = invitation.due_at
            defer(send, at=due, invitation_id=invitation.id, due=due.isoformat())


@task(queue="feedback")
def send(invitation_id: int, due: str) -> None:
    """It is time to ask."""
    with transaction():
        invitation = send_survey(invitation_id, due=due, now=clock.now())
        if invitation:
            defer(expire, at=invitation.closes_at, invitation_id=invitation.id)


@task(queue="feedback")
def expire(invitation_id: int) -> None:
    """The time to answer is over."""
    with transaction():
        expire_survey(invitation_id)
