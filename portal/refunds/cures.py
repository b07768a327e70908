"""What a person can do about money that does not fit: one cure for each kind. None of them decides about money."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.db import session
from portal.jobs import defer
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.models import Payment
from portal.orders.timeline import record, words
from portal.refunds.alarms import close_alarm
from portal.refunds.comparison import held
from portal.refunds.jobs import fetch_undelivered, look_at_refund, reconcile, send_refund
from portal.refunds.models import MoneyAlarm
from portal.staff.models import Staff

CURES: Mapping[str, Any] = {
    "unknown_here": _l("Bring it to our books"),
    "too_much": _l("Compare with Stripe now"),
    "missing_at_stripe": _l("Ask Stripe about it"),
    "differs": _l("Ask Stripe about it"),
    "unknown_long": _l("Ask Stripe about it"),
    "pending_long": _l("Ask Stripe about it"),
    "silent": _l("Fetch what was missed"),
    "balance": _l("Set the balance to the sum of its refunds"),
}
"""The button of each kind. What is not here ends by itself, or needs a person elsewhere."""

words(
    "payment.mended",
    staff=_l("The payment's balance was set to the sum of its refunds: %(before)s became %(amount)s"),
)


def mend(alarm: MoneyAlarm, *, by: Staff, now: datetime) -> None:
    """Do what cures this kind. Raises Refused when it is closed, has no cure, or when the sum can't be right."""
    session.refresh(alarm, with_for_update={"of": MoneyAlarm})
    if alarm.closed_at is not None:
        raise Refused(_("This is closed already. Nothing was changed."))
    if alarm.kind == "balance":
        _sum_up(alarm, by=by, now=now)
    elif alarm.kind in ("unknown_here", "too_much"):
        defer(reconcile)
    elif alarm.kind == "silent":
        defer(fetch_undelivered)
    elif alarm.kind in CURES and alarm.refund_id is not None:
        defer(send_refund if alarm.kind == "unknown_long" else look_at_refund, refund_id=alarm.refund_id)
    else:
        raise Refused(_("No button cures this. Nothing was changed."))


def _sum_up(alarm: MoneyAlarm, *, by: Staff, now: datetime) -> None:
    """The refunds are right and the balance follows; whoever wants money of this payment meanwhile waits for it."""
    payment = session.get_one(Payment, int(alarm.key), with_for_update=True)
    ours, external = held(payment.id)
    if ours > payment.captured:
        raise Refused(_("More is promised back than was paid. Look at its refunds first. Nothing was changed."))
    before = Money(payment.reserved + payment.external, payment.currency)
    payment.reserved = ours
    payment.external = external if payment.route == "stripe" else payment.external
    after = Money(payment.reserved + payment.external, payment.currency)
    record(payment.order_id, "payment.mended", by=by, now=now, before=before, amount=after)
    close_alarm(alarm.kind, alarm.key, now=now)
