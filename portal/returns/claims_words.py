"""How a claim is told: names for the desk, whole sentences for the customer."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.adapters.couriers import Tracking
from portal.fulfilment.told import SCANS
from portal.orders.timeline import names
from portal.returns import words
from portal.returns.claims_models import FAULTS, Claim
from portal.returns.undelivered import Searched
from portal.returns.words import Headline, Step

WISH: dict[str, Any] = {
    "repair": _l("Repair it"),
    "replacement": _l("Send me a new one"),
    "part_money": _l("I keep it, with part of the money back"),
    "money": _l("All the money back"),
}
WISH_MISSING: dict[str, Any] = {
    "replacement": _l("Send me what is missing"),
    "money": _l("Give me the money for it"),
}
REMEDY: dict[str, Any] = {
    "repair": _l("Repair"),
    "replacement": _l("Send a new one"),
    "part_money": _l("Part of the money back, the customer keeps it"),
    "keep_money": _l("All the money back, the customer keeps it"),
    "money": _l("All the money back"),
    "send_again": _l("Send the lost parcel again"),
}
TOLD: dict[str, Any] = {
    "repair": _l("We repair it"),
    "replacement": _l("We send you a new one"),
    "part_money": _l("You keep it and get part of the money back"),
    "keep_money": _l("You keep it and get the money back"),
    "money": _l("You get the money back"),
    "send_again": _l("We send it again"),
}
names({f"fault:{code}": name for code, name in FAULTS.items()})
names({f"remedy:{code}": name for code, name in REMEDY.items()})
PHOTO_HELP: dict[str, Any] = {
    "damaged": _l("Best: the damage from near, the whole thing, and the box with its label."),
    "defective": _l("If it can be seen: what happens, or what does not."),
    "wrong_item": _l("Best: what you got, and the label on the box."),
    "not_as_described": _l("Best: what is different, from near."),
    "missing": _l("Best: the open box with all that was in it, and its label."),
}
SEARCHED: dict[str, Any] = {
    "here": _l("It is still with us and is being packed."),
    "on_its_way": _l("It is on its way."),
    "collect": _l("It waits for you at a pick-up point."),
    "missed": _l("The courier was at your door and could not hand it over."),
    "delivered": _l("The courier says that it was handed over."),
    "stuck": _l("Something went wrong on its way."),
    "too_long": _l("It has taken too long."),
}
ADVICE: dict[str, Any] = {
    "here": _l("Please wait until it is there. We write to you when it leaves."),
    "on_its_way": _l("Please give it until then. If it is not there, come back to this page."),
    "collect": _l("The courier's card or message says where it is and how long it stays. Take an identity card along."),
    "missed": _l("Look for a card in your letter box. Most couriers try again on the next working day."),
    "delivered": _l(
        "Please ask at home and at your neighbours', and look where parcels are put down: porch, garage, garden. "
        "Is it nowhere? Then it is our turn: tell us below."
    ),
    "stuck": _l("You don't have to wait any longer. Tell us what you would like."),
    "too_long": _l("You don't have to wait any longer. Tell us what you would like."),
}


def wishes(fault: str) -> dict[str, Any]:
    """What the customer may wish for, as they would say it."""
    return WISH_MISSING if fault in ("missing", "never_arrived") else WISH


def said(searched: Searched) -> str:
    """What the courier said last; nothing when it said nothing."""
    return str(SCANS[Tracking(searched.said.status)]) if searched.said else ""


def headline(claim: Claim, today: date) -> Headline:
    """Where the claim stands, in one sentence and what follows from it."""
    return _undecided(claim) or _met(claim) or words.headline(claim.ret, today)


def _undecided(claim: Claim) -> Headline | None:
    if claim.ret.decision == "declined":
        lead = _("We wrote to you why. You see it differently? Answer that mail.")
        return Headline(_("We could not accept it"), lead)
    if claim.ret.decision != "requested":
        return None
    if claim.asks:
        return Headline(_("We have a question"), _("As soon as you have answered it, we go on."))
    if claim.fault == "never_arrived":
        return Headline(_("We are looking for your parcel"), _("We ask the courier and write to you."))
    return Headline(_("We are looking into it"), _("We write to you soon. Please keep everything, the box too."))


def _met(claim: Claim) -> Headline | None:
    """What was decided where nothing has to come back first, or has come back."""
    ret = claim.ret
    if ret.decision != "approved" or ret.parts:
        return None
    if claim.remedy == "send_again":
        return Headline(_("We send it again"), _("You find the new parcel on your order's page."))
    if any(row.sent_instead for row in ret.lines):
        lead = _("We wrote to you with its own number, so that you can follow it.")
        return Headline(_("It is being sent to you"), lead)
    if claim.remedy == "repair" and ret.inspected_at:
        return Headline(_("We are repairing it"), _("You get a letter when it leaves."))
    return None


def steps(claim: Claim, zone: Any) -> list[Step]:
    """Told us, decided, here again where it comes back, done."""
    named = list(_moments(claim))
    reached = max(index for index, (_label, at) in enumerate(named) if at)
    last = len(named) - 1
    return [
        Step(label, words.short(at, zone) if at else "", words.state(at, index, reached, last))
        for index, (label, at) in enumerate(named)
    ]


def _moments(claim: Claim) -> Iterator[tuple[str, datetime | None]]:
    ret = claim.ret
    yield _("You told us"), ret.requested_at
    yield _("Decided"), ret.decided_at
    if claim.goods_back:
        yield _("Arrived"), ret.received_at
    yield _("Done"), ret.money.settled_at if ret.money and ret.money.state == "succeeded" else ret.closed_at
