"""What may come back: small rules with a sentence each. The page, the action and the desk ask the same list."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask_babel import get_locale, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.lib import days
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.returns.goods import Facts, Goods

REASONS: dict[str, Any] = {
    "too_small": _l("It is too small"),
    "too_large": _l("It is too large"),
    "changed_mind": _l("I changed my mind"),
    "too_late": _l("It came too late"),
    "not_as_described": _l("It is not as described"),
    "wrong_item": _l("I got something else"),
    "damaged": _l("It arrived damaged"),
    "defective": _l("It does not work"),
    "other": _l("Another reason"),
}
FAULTS = ("not_as_described", "wrong_item", "damaged", "defective")
MOST_WORDS = 1000


class Answer(StrEnum):
    """What a rule says; `ask` means that a person must look."""

    yes = "yes"
    ask = "ask"
    no = "no"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's answer and its sentence; `field` is what the sentence is about, when it is a part of a wish."""

    answer: Answer
    message: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer wants to send back of one line, and why."""

    line_id: int
    quantity: int
    reason: str
    words: str = ""


YES = Verdict(Answer.yes)


def _no(message: str, field: str = "") -> Verdict:
    return Verdict(Answer.no, message, field)


def _ask(message: str) -> Verdict:
    return Verdict(Answer.ask, message)


def not_cancelled(facts: Facts) -> Verdict:
    cancelled = facts.order.state == "cancelled"
    return _no(_("This order was cancelled. There is nothing to send back.")) if cancelled else YES


def something_arrived(facts: Facts) -> Verdict:
    if any(goods.arrived + goods.unsure for goods in facts.goods if goods.line.kind == "item"):
        return YES
    return _no(_("Nothing has arrived yet. As soon as it is with you, you can send it back."))


def in_time(facts: Facts) -> Verdict:
    """Until the window's last day; while we don't know the last delivery the window is open."""
    if facts.last_day is None or facts.today <= facts.last_day:
        return YES
    day = days.spelled(facts.last_day, facts.today, str(get_locale() or "en"))
    return _no(_("The time to send something back ended on %(day)s.", day=day))


def unchanged(facts: Facts) -> Verdict:
    if not facts.order.attention:
        return YES
    return _ask(_("The order was changed after it was placed. We look at it before we answer."))


def no_money_elsewhere(facts: Facts) -> Verdict:
    if facts.order.payment is None or not facts.order.payment.external:
        return YES
    return _ask(_("Part of the money was given back elsewhere. We look at it before we answer."))


ORDER_RULES: tuple[Callable[[Facts], Verdict], ...] = (
    not_cancelled, something_arrived, in_time, unchanged, no_money_elsewhere,
)  # fmt: skip


def is_an_item(goods: Goods, _wish: Wish) -> Verdict:
    return YES if goods.line.kind == "item" else _no(_("%(title)s can't be sent back.", title=goods.line.title))


def has_arrived(goods: Goods, _wish: Wish) -> Verdict:
    if goods.arrived + goods.unsure:
        return YES
    return _no(_("%(title)s has not arrived yet.", title=goods.line.title), "quantity")


def quantity_fits(goods: Goods, wish: Wish) -> Verdict:
    """No more than arrived, less what is in other returns."""
    if goods.claimed and not goods.left:
        return _no(_("%(title)s is in a return already.", title=goods.line.title), "quantity")
    if wish.quantity < 1:
        return _no(_("Choose how many pieces."), "quantity")
    if wish.quantity > goods.left:
        most = ngettext("Only one piece can come back.", "Only %(num)s pieces can come back.", goods.left)
        return _no(most, "quantity")
    return YES


def money_is_left(goods: Goods, _wish: Wish) -> Verdict:
    if not goods.line.paid or goods.given < goods.line.paid:
        return YES
    return _no(_("The money for %(title)s was given back before.", title=goods.line.title), "quantity")


def has_a_reason(_goods: Goods, wish: Wish) -> Verdict:
    if wish.reason not in REASONS:
        return _no(_("Choose a reason."), "reason")
    return YES if len(wish.words) <= MOST_WORDS else _no(_("That is too long."), "words")


def surely_arrived(goods: Goods, wish: Wish) -> Verdict:
    if wish.quantity <= goods.arrived - goods.claimed:
        return YES
    return _ask(_("No courier told us that %(title)s arrived. We look at it before we answer.", title=goods.line.title))


def nothing_wrong_with_it(goods: Goods, wish: Wish) -> Verdict:
    if wish.reason not in FAULTS:
        return YES
    return _ask(_("Something is wrong with %(title)s. We look at it before we answer.", title=goods.line.title))


LINE_RULES: tuple[Callable[[Goods, Wish], Verdict], ...] = (
    is_an_item, has_arrived, quantity_fits, money_is_left, has_a_reason, surely_arrived, nothing_wrong_with_it,
)  # fmt: skip


def of_order(facts: Facts) -> list[Verdict]:
    """What speaks against a return of this order, or for a second look; nothing when all is well."""
    return [verdict for rule in ORDER_RULES if (verdict := rule(facts)) is not YES]


def of_line(goods: Goods, wish: Wish) -> list[Verdict]:
    """The same of one line; after the first "no" nothing else is asked."""
    said: list[Verdict] = []
    for rule in LINE_RULES:
        verdict = rule(goods, wish)
        if verdict.answer is Answer.no:
            return [verdict]
        if verdict is not YES:
            said.append(verdict)
    return said


def why_not(goods: Goods) -> str:
    """Why nothing of this line can be chosen; empty when something can."""
    verdicts = of_line(goods, Wish(goods.line.id, 1, "other"))
    return next((verdict.message for verdict in verdicts if verdict.answer is Answer.no), "")


def of_wishes(facts: Facts, wishes: Sequence[Wish]) -> list[Verdict]:
    """All that speaks against what the customer wants, or for a second look."""
    said = [*of_order(facts), *_of_list(facts, wishes)]
    for wish in wishes:
        if goods := facts.of(wish.line_id):
            said += of_line(goods, wish)
    return said


def _of_list(facts: Facts, wishes: Sequence[Wish]) -> Iterable[Verdict]:
    if not wishes:
        yield _no(_("Choose what you want to send back."))
    if len({wish.line_id for wish in wishes}) != len(wishes):
        yield _no(_("The same line is there twice."))
    if any(facts.of(wish.line_id) is None for wish in wishes):
        yield _no(_("This line is not part of the order."))


def refusal(verdicts: Iterable[Verdict]) -> str:
    """The first "no", as a sentence; empty when there is none."""
    return next((verdict.message for verdict in verdicts if verdict.answer is Answer.no), "")


def insist(facts: Facts, wishes: Sequence[Wish]) -> None:
    """Raises Refused with the first rule that says no."""
    if message := refusal(of_wishes(facts, wishes)):
        raise Refused(message)


def spoken(money: Money) -> str:
    """The amount as the reader writes it."""
    return money.format(str(get_locale() or "en"))
