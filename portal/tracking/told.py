"""A customer's page ready for its template: every text in words, every list as it stands there.

The template that is rendered most has no macros, filters or blocks: they cost more than all else (docs/adr/0011).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.config import Settings
from portal.returns.dates import four_dates
from portal.tracking import words
from portal.tracking.models import MoneyBack, Tracked, TrackedParcel
from portal.tracking.words import Told, Words

SHOWN = 3
"""Entries of a parcel's story that stand open; older ones are folded."""


@dataclass(slots=True)
class Parcel:
    """One card: its title, where it is, when it comes, what is in it, what happened."""

    title: str
    badge: str
    tone: str
    due: str
    items: Sequence[Any]
    shown: Sequence[tuple[Told, str]]
    folded: Sequence[tuple[Told, str]]
    older: str


def parcels(tracked: Tracked, told: Words) -> list[Parcel]:
    several = len(tracked.parcels) + bool(tracked.waiting) > 1
    return [_parcel(parcel, n, tracked, told, several) for n, parcel in enumerate(tracked.parcels, start=1)]


def _parcel(parcel: TrackedParcel, n: int, tracked: Tracked, told: Words, several: bool) -> Parcel:
    total = len(tracked.parcels)
    badge, tone = told.badge(parcel)
    story = [(entry, told.moment(entry.at)) for entry in told.story(parcel)]
    older = len(story) - SHOWN
    return Parcel(
        title=_("Parcel %(n)s of %(total)s", n=n, total=total) if total > 1 else _("Your parcel"),
        badge=badge,
        tone=tone,
        due=told.due(parcel) if several else "",
        items=parcel.items,
        shown=story[:SHOWN],
        folded=story[SHOWN:],
        older=ngettext("%(num)s older entry", "%(num)s older entries", older) if older > 0 else "",
    )


def beside(tracked: Tracked, told: Words) -> list[str]:
    """What goes out for a return of this order, or that this order is what goes out for one."""
    found = []
    if tracked.behind:
        first = {"rma": tracked.behind.rma, "number": tracked.behind.number}
        found.append(_("We send you this for return %(rma)s of order %(number)s. There is nothing to pay.", **first))
    for other in tracked.sent_instead:
        if other.state != "cancelled":
            found.append(
                _(
                    "For your return we send you order %(number)s, by %(day)s. There is nothing to pay; "
                    "the letter about it has its own link.",
                    number=other.number,
                    day=told.day(other.promised_on),
                )
            )
    return found


@dataclass(slots=True)
class Case:
    """What we are making right: what it is called, until when, where it leads."""

    title: str
    text: str
    label: str
    href: str
    quiet: bool


def cases(tracked: Tracked, told: Words) -> list[Case]:
    found = []
    for case in tracked.cases:
        title, label = words.case_words(case)
        soon = case.state == "open" and case.due_at > told.now
        text = _("You hear from us by %(moment)s.", moment=told.moment(case.due_at)) if soon else ""
        found.append(Case(title, text, label, f"/orders/{tracked.ref}/cases/{case.id}", case.state == "open"))
    return found


@dataclass(slots=True)
class GoesBack:
    """A return: its number, how far it is, what becomes of the money."""

    title: str
    href: str
    text: str
    money: list[tuple[str, str]]


def returns(tracked: Tracked, told: Words, acts: bool) -> list[GoesBack]:
    found = []
    for ret in tracked.returns:
        text, _tone = words.returned(ret)
        if ret.goods == "awaited" and ret.send_back_by:
            text = f"{text} {_('Please send it by %(day)s.', day=told.day(ret.send_back_by))}"
        title = _("Return %(rma)s", rma=ret.rma)
        money = [money_line(back, told, acts) for back in ret.money]
        found.append(GoesBack(title, f"/orders/{tracked.ref}/returns/{ret.rma}", text, money))
    return found


def money_line(back: MoneyBack, told: Words, acts: bool) -> tuple[str, str]:
    """What the customer reads of money, and when it was sent."""
    said = [_amount(back, told, acts), words.money_words(back)]
    credit = back.way == "credit"
    if back.state == "succeeded" and credit and back.left is not None and acts:
        said.append(_("Left of it: %(amount)s.", amount=back.left.format(told.locale)))
    sent = back.state == "succeeded" and not (credit and back.left is not None and acts)
    at = back.settled_at if sent else None
    return " ".join(said), _("Sent %(moment)s.", moment=told.moment(at)) if at else ""


def _amount(back: MoneyBack, told: Words, acts: bool) -> str:
    if not acts:
        return _("Money back.")
    amount = back.amount.format(told.locale)
    if back.way == "credit":
        return _("Store credit: %(amount)s.", amount=amount)
    return _("Money back: %(amount)s.", amount=amount)


@dataclass(slots=True)
class Way:
    """Something that the customer can do."""

    title: str
    text: str
    href: str
    icon: str


def ways(tracked: Tracked, told: Words, settings: Settings, owns: bool) -> list[Way]:
    """Send back and withdraw while they may, then what is always there."""
    _ = told.gettext
    at, found = f"/orders/{tracked.ref}", []
    if tracked.may_return(settings, told.now):
        until = tracked.return_until(settings)
        text = _("You choose what and why.")
        if until:
            text = _("Until %(day)s. You choose what and why.", day=told.day(until))
        found.append(Way(_("Send something back"), text, f"{at}/returns/new", "back"))
    if tracked.may_withdraw(settings, told.now):
        until = tracked.withdraw_until(settings)
        text = _("You don't have to say why.")
        if until:
            text = _("Until %(day)s. You don't have to say why.", day=told.day(until))
        found.append(Way(_("Withdraw from contract here"), text, f"{at}/withdrawal", "door"))
    if tracked.state != "cancelled":
        text = _("Damaged, wrong, missing, broken, or it never arrived.")
        found.append(Way(_("Something is wrong"), text, f"{at}/claims/new", "alert"))
    shown = _("Yours to see in this browser.") if owns else _("We send a code to your e-mail address first.")
    found.append(Way(_("Address and tracking number"), shown, f"{at}/details", "person"))
    subject = f"mailto:{settings.shop_email}?subject={quote(_('Order %(number)s', number=tracked.number))}"
    found.append(Way(_("Ask a question"), _("Write to %(email)s", email=settings.shop_email), subject, "talk"))
    return found


def dates(tracked: Tracked, told: Words, settings: Settings) -> list[tuple[str, str]]:
    """The four that an order has, as far as they are known: until when the customer may, and until when we must."""
    if tracked.state == "cancelled":
        return []
    known = four_dates(tracked.delivered_at, tracked.country, tracked.returns, settings, guarantee=tracked.guarantee)
    return known.told(told.locale)
