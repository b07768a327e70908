"""The worker's door: letters leave by SMTP, with no transaction open."""

from portal.adapters import smtp
from portal.adapters.errors import Permanent, Temporary
from portal.db import transaction
from portal.jobs import task, unfinished
from portal.lib import clock
from portal.mail.actions import begin_sending, give_up_forgotten, record_failure, record_sent


@task(queue="mail")
def send_letter(letter_id: int) -> None:
    """At least once, always under one Message-ID: a reply lost after the mail was taken sends it again."""
    with transaction():
        outgoing = begin_sending(letter_id, now=clock.now())
    if outgoing is None:
        return
    try:
        smtp.send(
            to=outgoing.to,
            subject=outgoing.subject,
            html=outgoing.html,
            text=outgoing.text,
            message_id=outgoing.message_id,
            headers=outgoing.headers,
        )
    except (Temporary, Permanent) as error:
        with transaction():
            again = record_failure(letter_id, str(error), for_good=isinstance(error, Permanent))
        if again:
            raise
        return
    record_sent(letter_id, now=clock.now())


@task(queue="sweeps", periodic="*/10 * * * *")
def sweep_letters() -> None:
    """Letters that nothing will send any more come to the staff's list of those that failed."""
    with transaction():
        give_up_forgotten(unfinished(send_letter, "letter_id"), now=clock.now())
