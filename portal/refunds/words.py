"""How a refund is told, wherever it is: to the desk, and to the customer."""

import re
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib.money import EXPONENTS, Money

CODE = re.compile(r"(?<=\d )[A-Z]{3}\b")
FIGURE = re.compile(r"\b\d+\b")
STATE: dict[str, tuple[Any, str]] = {
    "requested": (_l("to approve"), "warn"),
    "approved": (_l("approved"), "info"),
    "sending": (_l("being sent"), "info"),
    "unknown": (_l("being looked up"), "info"),
    "pending": (_l("waits for the bank"), "info"),
    "succeeded": (_l("given back"), "good"),
    "rejected_by_us": (_l("refused by us"), "neutral"),
    "needs_review": (_l("needs a look"), "bad"),
    "refused_by_stripe": (_l("refused by Stripe"), "bad"),
    "failed": (_l("failed"), "bad"),
}
WAY: dict[str, Any] = {
    "card": _l("the way it was paid"),
    "credit": _l("as store credit"),
    "channel": _l("in the sales channel"),
    "hand": _l("by hand"),
}
CREDIT: dict[str, Any] = {
    "issued": _l("Given"),
    "bonus": _l("Bonus"),
    "spent": _l("Spent"),
    "undone": _l("Put back"),
    "taken_back": _l("Taken back"),
}
OTHERWISE: dict[tuple[str, str], Any] = {
    ("credit", "succeeded"): _l("You have it as store credit. The code is in our letter."),
    ("credit", "failed"): _l("The store credit was taken back. We will write to you about the money."),
    ("channel", "succeeded"): _l("Sent back where you ordered. It can take some days until you see it."),
    ("hand", "succeeded"): _l("Sent to you. It can take some days until you see it."),
}
"""What the customer reads of money that does not go back through Stripe."""
BEING_PROCESSED = _l("Being processed.")
CUSTOMER: dict[str, Any] = {
    "pending": _l("Waiting for your bank."),
    "succeeded": _l("Sent. It takes five to ten days until your bank shows it."),
    "refused_by_stripe": _l("We could not send it. We will write to you."),
    "failed": _l("We could not send it. We will write to you."),
}
"""What the customer reads of a state; of every other one it is `BEING_PROCESSED`."""
REASONS: dict[str, Any] = {
    "return": _l("Return %(number)s"),
    "undelivered": _l("Not delivered: parcel %(number)s"),
    "cancelled": _l("Order %(number)s, cancelled before it was sent"),
    "unavailable": _l("Not available: parcel %(number)s"),
}
"""What the money is for, by the kind that stands before the colon in `Refund.reason`."""
KINDS: dict[str, Any] = {
    "": _l("any"),
    "return": _l("returns"),
    "undelivered": _l("not delivered"),
    "cancelled": _l("cancelled orders"),
    "unavailable": _l("not available"),
}
"""The same kinds, as limits name them."""
RANKS: dict[str, Any] = {
    "finance": _l("Finance"),
    "manager": _l("Managers"),
    "admin": _l("Admins"),
}
HIGHER: dict[str, Any] = {
    "manager": _l("A manager has to approve it."),
    "admin": _l("An admin has to approve it."),
}
"""Who decides what is beyond somebody's limit."""
ALARM: dict[str, tuple[Any, Any]] = {
    "unknown_here": (_l("Stripe has a refund that we do not"), _l("Ours: nothing. Stripe: %(detail)s.")),
    "missing_at_stripe": (_l("Stripe does not list a refund that we have"), _l("Ours: %(detail)s.")),
    "differs": (_l("Stripe says something else than we do"), _l("Ours / Stripe's: %(detail)s.")),
    "balance": (_l("The payment's balance is not the sum of its refunds"), _l("Balance / refunds: %(detail)s.")),
    "too_much": (_l("More was given back than was paid"), _l("Given back / paid: %(detail)s.")),
    "unknown_long": (_l("Nobody knows for an hour whether it was sent"), _l("Ours: %(detail)s.")),
    "pending_long": (_l("The bank has not taken it for three days"), _l("Ours: %(detail)s.")),
    "silent": (_l("Stripe has told us nothing for a day with refunds"), _l("Its webhook may be switched off.")),
    "bad_signature": (
        _l("Messages in Stripe's name have a wrong signature"),
        _l("The webhook's secret may be another one by now, or this server's clock is wrong."),
    ),
    "key_refused": (
        _l("Stripe does not let our key in: no money is sent"),
        _l("All refunds wait until it does. Stripe says: %(detail)s"),
    ),
    "disputed": (
        _l("The customer's bank disputes a payment that we gave money back of"),
        _l("The money may leave twice. Disputed / given back: %(detail)s."),
    ),
}
"""What does not fit, and its figures."""
WHY: dict[str, Any] = {
    "alive_again": _l("Stripe said that it failed, and now it is alive again"),
    "charge_already_refunded": _l("nothing is left of this payment at Stripe"),
    "charge_disputed": _l("the customer's bank disputes this payment"),
    "charge_for_pending_refund_disputed": _l("the customer's bank took the money back at the same time"),
    "declined": _l("the customer's bank declined it"),
    "differs": _l("Stripe has another amount or another payment for it"),
    "expired_or_canceled_card": _l("the card has expired or was cancelled"),
    "insufficient_funds": _l("there was not enough money in the Stripe account"),
    "credit_taken_back": _l("the store credit was taken back"),
    "not_done": _l("it could not be given back this way"),
    "key_reused": _l("its key was used for something else"),
    "lost_or_stolen_card": _l("the card was lost or stolen"),
    "merchant_request": _l("it was cancelled in Stripe's dashboard"),
    "not_moved": _l("a person looked: the money did not move"),
    "other_currency": _l("Stripe has this payment in another currency"),
    "refund_disputed_payment": _l("the customer's bank disputes this payment"),
    "resource_missing": _l("Stripe does not know this payment"),
    "second_refund": _l("Stripe has two refunds for it"),
    "spent_twice": _l("Stripe says that it is alive again, and its money has been given back otherwise"),
    "too_old": _l("it was sent more than 23 hours ago, and Stripe does not know it"),
    "unknown": _l("Stripe does not say why"),
    "vanished": _l("Stripe does not know it any more"),
    "unknown_status": _l("Stripe says something that we do not know"),
}
ADVICE: dict[str, Any] = {
    "failed": _l("The money is back in your Stripe account. Propose it again, or give it back another way."),
    "refused_by_stripe": _l(
        "No money has moved. Propose it again when the reason is gone, or give it back another way."
    ),
    "needs_review": _l(
        "Nobody knows yet whether the money has moved. Look for it in Stripe's dashboard before anything."
    ),
}


def advice(state: str, way: str) -> str:
    """What can be done about money that went wrong."""
    if state == "failed" and way != "card":
        return _("No money has moved, and it is free again. Propose it again, or let it go another way.")
    return str(ADVICE[state])


def for_customer(state: str, reference: str | None = None, way: str = "card") -> str:
    """Where the money is, in the customer's words; with the reference once it was sent and that is known."""
    said = str(OTHERWISE.get((way, state)) or CUSTOMER.get(state, BEING_PROCESSED))
    if state != "succeeded" or not reference:
        return said
    if way != "card":
        return f"{said} {_('Its reference is %(reference)s.', reference=reference)}"
    return f"{said} {_('Your bank finds it by this reference: %(reference)s.', reference=reference)}"


def purpose(reason: str) -> str:
    """What the money is for, in the reader's language; what a person wrote stays as it is."""
    kind, colon, number = reason.partition(":")
    return str(REASONS[kind]) % {"number": number} if colon and kind in REASONS else reason


def kind_of(reason: str) -> str:
    """The kind of a reason, as limits know it; empty for what a person wrote."""
    kind, colon, _number = reason.partition(":")
    return kind if colon and kind in REASONS else ""


def why(code: str | None) -> Any:
    """A code of Stripe's, or of ours, in words; what nobody has words for stays as it is."""
    return WHY.get(code or "unknown", code)


def alarm(kind: str, detail: str) -> tuple[str, str]:
    """What does not fit about money, and by how much."""
    title, figures = ALARM[kind]
    return str(title), str(figures) % {"detail": _in_money(detail)}


def _in_money(detail: str) -> str:
    """Stripe's figures as amounts of money; what names no currency stays as it is."""
    codes = CODE.findall(detail)
    if not codes or any(code not in EXPONENTS for code in codes):
        return detail
    parts = detail.split(" / ")
    return " / ".join(_amounts(part, (CODE.findall(part) or codes)[-1]) for part in parts)


def _amounts(part: str, code: str) -> str:
    locale = str(get_locale() or "en")
    return FIGURE.sub(lambda found: Money(int(found[0]), code).format(locale), part.replace(f" {code}", ""))
