"""How a return is told: names for the desk, whole sentences for the customer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.fulfilment.models import BackParcel
from portal.fulfilment.rules import NAMES
from portal.lib import days
from portal.lib.money import Money
from portal.refunds.models import WENT_WRONG, Refund
from portal.refunds.words import STATE, for_customer
from portal.returns.claims_models import FAULTS, NOT_THERE
from portal.returns.fees import KINDS as FEE
from portal.returns.models import FOUND, WITHDRAWN, Return, ReturnFee, ReturnLine
from portal.returns.policy_rules import CONDITION
from portal.returns.reasons import label
from portal.returns.rules import spoken

CHOSEN = {"credit": _l("Store credit"), "keep": _l("Keeps it, for part of the money or all of it")}
"""What customers want instead of their money, for the desk."""
GRADE = {
    "as_new": _l("As new"),
    "opened": _l("Opened, fine"),
    "worn": _l("Worn"),
    "damaged": _l("Damaged"),
    "wrong_item": _l("Something else"),
}
DISPOSITION = {
    "restock": _l("Back on the shelf"),
    "refurbish": _l("Repair and sell"),
    "recycle": _l("Recycle"),
    "discard": _l("Throw away"),
    "back_to_customer": _l("Back to the customer"),
}
UNPAID = {
    "missing": _l("Not in the parcel"),
    "wrong_item": _l("Something else was in the parcel"),
    "back_to_customer": _l("Goes back to the customer"),
    "surplus": _l("More than was bought: paid as far as it was bought"),
    "sent_instead": _l("Goods were sent instead"),
}
DECISION = {
    "requested": (_l("to decide"), "warn"),
    "approved": (_l("approved"), "good"),
    "declined": (_l("declined"), "bad"),
    "cancelled": (_l("called off"), "neutral"),
}
GOODS = {
    "not_expected": (_l("not expected"), "neutral"),
    "awaited": (_l("awaited"), "info"),
    "in_transit": (_l("on its way"), "info"),
    "received": (_l("here"), "good"),
    "lost": (_l("lost"), "bad"),
}
BACK = NAMES
"""What couriers say of a parcel that comes back."""
BACK_SOURCE = {
    "typed": _l("the customer told us the number"),
    "own": _l("our own label"),
    "bought": _l("a label that we bought"),
    "shown": _l("shown that it was sent"),
}
MONEY = STATE
ENDING = {"nothing_due": _l("closed, nothing due"), "in_channel": _l("money back through the sales channel")}
TOLD_UNPAID = {
    "missing": _l("Not in the parcel"),
    "wrong_item": _l("Something else was in the parcel"),
    "back_to_customer": _l("It goes back to you"),
    "surplus": _l("More than you bought: you get back what you paid"),
    "sent_instead": _l("We sent you other goods instead"),
}
"""The same as `UNPAID`, to the customer."""


def reason(code: str) -> str:
    """Why it comes back; codes that are no longer offered stay readable."""
    if code == WITHDRAWN:
        return _("Withdrawal, no reason needed")
    if code in NOT_THERE:
        return str(FAULTS[code])
    return _("Nobody announced it") if code == FOUND else label(code)


def condition(code: str) -> str:
    """In what state the customer says it is."""
    return str(CONDITION.get(code, ""))


def fee(row: ReturnFee, currency: str) -> str:
    """What is taken, and how much."""
    return _("%(what)s: %(amount)s", what=FEE[row.kind], amount=spoken(Money(row.amount, currency)))


def choice(row: ReturnLine) -> str:
    """What the customer would like for it, for the desk."""
    if row.choice == "exchange":
        return _("Exchange for %(variant)s", variant=f"{row.variant} ({row.variant_sku})")
    return str(CHOSEN.get(row.choice, ""))


@dataclass(frozen=True, slots=True)
class Headline:
    """Where the return stands, in one sentence and what follows from it."""

    title: str
    lead: str = ""


def headline(ret: Return, today: date) -> Headline:
    """The customer's sentence: what was decided, else where the money is, else where the goods are."""
    return _decided(ret) or _settled(ret) or _goods(ret, today)


def _decided(ret: Return) -> Headline | None:
    if ret.decision == "requested" and ret.goods != "received":
        lead = _("We look at it and write to you. Please keep everything until then.")
        return Headline(_("We have your request"), lead)
    if ret.decision == "declined":
        return Headline(_("We can't take this back"), ret.decision_note)
    if ret.decision == "cancelled":
        return Headline(_("This return was called off"), ret.decision_note or _("You don't have to send anything."))
    return None


def _settled(ret: Return) -> Headline | None:
    if ret.closed_as == "in_channel":
        return Headline(_("You get your money back where you paid"), ret.closing_note)
    if ret.closed_as and not ret.closing_note and any(row.sent_instead for row in ret.lines):
        return Headline(_("Your exchange is done"), _("What you chose goes out as an order of its own."))
    if ret.closed_as:
        return Headline(_("This return is closed"), ret.closing_note)
    return _money(_slowest(ret.parts)) if ret.parts else None


def _slowest(parts: list[Refund]) -> Refund:
    """Of all parts the one that still needs news; else the last."""
    return next((part for part in parts if part.state != "succeeded"), parts[-1])


def _money(refund: Refund) -> Headline:
    if refund.state in WENT_WRONG and refund.handled_at:
        return Headline(_("We have taken care of your money"), _("Is it not there yet? Write to us."))
    return Headline(_titled(refund), told(refund))


def told(refund: Refund) -> str:
    """Where this part of the money is, in the customer's words."""
    return for_customer(refund.state, refund.bank_reference or refund.proof, refund.way)


def _titled(refund: Refund) -> str:
    amount = spoken(refund.money)
    if refund.way == "credit" and refund.state == "succeeded":
        return _("You have %(amount)s of store credit", amount=amount)
    if refund.state == "succeeded":
        return _("We have sent you %(amount)s", amount=amount)
    if refund.state in ("failed", "refused_by_stripe"):
        return _("We could not send your money yet")
    if refund.state == "pending":
        return _("On its way to you: %(amount)s", amount=amount)
    return _("You get %(amount)s back", amount=amount)


def _goods(ret: Return, today: date) -> Headline:
    if ret.goods == "received":
        return _here(ret)
    if ret.goods == "in_transit":
        return Headline(_("Your parcel is on its way to us"), _("We write to you when it is here."))
    if ret.goods == "lost":
        return Headline(_("Your parcel got lost on its way to us"), _("We are looking for it, and write to you."))
    if ret.stays:
        return Headline(_("You keep it"), _("We write to you about your money."))
    day = days.spelled(ret.send_back_by or today, today, str(get_locale() or "en"))
    if ret.overdue(today):
        late = _("We asked for it by %(day)s. Have you sent it? Then there is nothing to do.", day=day)
        return Headline(_("We are waiting for your parcel"), late)
    return Headline(_("Please send it back by %(day)s", day=day), _("Put the return slip into the parcel."))


def _here(ret: Return) -> Headline:
    if ret.inspected_at and any(row.sent_instead for row in ret.lines):
        return Headline(_("We have looked at everything"), _("What you chose goes out as an order of its own."))
    if ret.inspected_at:
        return Headline(_("We have looked at everything"), _("Next we write to you about your money."))
    return Headline(_("Your parcel is here"), _("We look at everything, then we write to you."))


@dataclass(frozen=True, slots=True)
class Told:
    """One moment of a timeline."""

    text: str
    at: datetime
    by: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One of five, for the stepper."""

    label: str
    at: str
    state: str


def steps(ret: Return, zone: Any) -> list[Step]:
    """Asked, accepted, arrived, checked, money back; of what the customer keeps nothing arrives."""
    named = list(_moments(ret))
    reached = max(index for index, (_label, at) in enumerate(named) if at)
    return [
        Step(label, short(at, zone) if at else "", state(at, index, reached, last=len(named) - 1))
        for index, (label, at) in enumerate(named)
    ]


def story(parcel: BackParcel) -> list[Told]:
    """What the courier said, newest first, without its words and places: both can give an address away."""
    return [Told(str(NAMES[event.status]), event.at) for event in parcel.events]


def _moments(ret: Return) -> Iterator[tuple[str, datetime | None]]:
    money = ret.money.settled_at if ret.money and ret.money.state == "succeeded" else ret.closed_at
    yield _("Asked"), ret.requested_at
    yield _("Accepted"), ret.decided_at if ret.decision == "approved" else None
    if ret.sent_at:
        yield _("Sent"), ret.sent_at
    if not ret.stays:
        yield _("Arrived"), ret.received_at
        yield _("Checked"), ret.inspected_at
    yield _("Money back"), money


def state(at: datetime | None, index: int, reached: int, last: int) -> str:
    """Money may come before the goods are here: what has no moment is still to come."""
    if at is None:
        return "todo"
    return "current" if index == reached and index != last else "done"


def short(at: datetime, zone: Any) -> str:
    return days.short(at.astimezone(zone).date(), str(get_locale() or "en")).replace(" ", "\N{NO-BREAK SPACE}")
