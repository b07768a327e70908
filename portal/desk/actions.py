"""What the desk's front page does by itself: send a letter once more."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import mail
from portal.db import may
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.timeline import record, words
from portal.staff.models import Staff

words("letter.resent", staff=_l('Letter sent again: "%(subject)s"'))


def resend_letter(letter: Letter, *, by: Staff, now: datetime) -> None:
    """One that failed is tried again; of one that left, a copy goes out with new links. Raises Refused for others."""
    if may(letter, "state", "revive"):
        mail.send_again(letter)
    elif letter.state == "sent":
        mail.send_copy(letter, now=now)
    else:
        raise Refused(_("This letter waits to be sent already, or is no longer true. Nothing was sent."))
    if letter.order_id is not None:
        record(letter.order_id, "letter.resent", by=by, now=now, subject=letter.subject)
