"""What may come back: small rules with a sentence each. The page, the action and the desk ask the same list."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from portal.lib import days
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.returns.goods import Facts, Goods
from portal.returns.policy import CONDITIONS, Rule
from portal.returns.policy_rules import KINDS, bites, message, of_goods, worth_too_much
from portal.returns.reasons import find, is_fault

MOST_WORDS = 1000


class Answer(StrEnum):
    """What a rule says; `ask` means that a person must look."""

    yes = "yes"
    ask = "ask"
    no = "no"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's answer and its sentence; `field` is what the sentence is about, when it is a part of a wish.

    `policy` is the kind of the shop's own rule that said so: over such a "no" a person may decide otherwise.
    """

    answer: Answer
    message: str = ""
    field: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer wants to send back of one line, why, in what state it is, and what they would like for it.

    `variant` is the SKU of what it is to be exchanged for, `pictures` how many came with it.
    """

    line_id: int
    quantity: int
    reason: str
    words: str = ""
    condition: str = ""
    choice: str = "money"
    variant: str = ""
    pictures: int = 0


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
    """Until the window's last day; while we don't know the last delivery the window is open.

    A policy with a window of its own says so itself.
    """
    if facts.policy.window_days is not None or facts.last_day is None or facts.today <= facts.last_day:
        return YES
    day = days.spelled(facts.last_day, facts.today, str(get_locale() or "en"))
    return Verdict(Answer.no, _("The time to send something back ended on %(day)s.", day=day), policy="window")


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


def is_an_item(goods: Goods, _wish: Wish, _facts: Facts) -> Verdict:
    return YES if goods.line.kind == "item" else _no(_("%(title)s can't be sent back.", title=goods.line.title))


def has_arrived(goods: Goods, _wish: Wish, _facts: Facts) -> Verdict:
    if goods.arrived + goods.unsure:
        return YES
    return _no(_("%(title)s has not arrived yet.", title=goods.line.title), "quantity")


def quantity_fits(goods: Goods, wish: Wish, _facts: Facts) -> Verdict:
    """No more than arrived, less what is in other returns."""
    if goods.stays and not goods.left:
        return _no(_("You keep %(title)s, and have part of its money.", title=goods.line.title), "quantity")
    if goods.claimed and not goods.left:
        return _no(_("%(title)s is in a return already.", title=goods.line.title), "quantity")
    if wish.quantity < 1:
        return _no(_("Choose how many pieces."), "quantity")
    if wish.quantity > goods.left:
        most = ngettext("Only one piece can come back.", "Only %(num)s pieces can come back.", goods.left)
        return _no(most, "quantity")
    return YES


def money_is_left(goods: Goods, _wish: Wish, _facts: Facts) -> Verdict:
    if not goods.line.paid or goods.given < goods.line.paid:
        return YES
    return _no(_("The money for %(title)s was given back before.", title=goods.line.title), "quantity")


def has_a_reason(goods: Goods, wish: Wish, facts: Facts) -> Verdict:
    """One that is offered for articles of this type, with the words that it asks for."""
    reason = find(wish.reason, facts.types.get(goods.line.sku, ""), facts.today)
    if reason is None:
        return _no(_("Choose a reason."), "reason")
    if reason.words == "required" and not wish.words.strip():
        return _no(_("Please tell us a little more."), "words")
    return YES if len(wish.words) <= MOST_WORDS else _no(_("That is too long."), "words")


def has_a_state(_goods: Goods, wish: Wish, facts: Facts) -> Verdict:
    """Where a rule or a fee depends on it."""
    asked = facts.policy.asks_condition and wish.condition not in CONDITIONS
    return _no(_("Choose in what state it is."), "condition") if asked else YES


def has_pictures(goods: Goods, wish: Wish, facts: Facts) -> Verdict:
    """Where the reason needs them. The shop asks for them, so a person of the shop may do without."""
    reason = find(wish.reason, facts.types.get(goods.line.sku, ""), facts.today)
    if reason is None or reason.photo != "required" or wish.pictures:
        return YES
    about = _("Please add a picture of %(title)s: this reason needs one.", title=goods.line.title)
    return Verdict(Answer.no, about, "photos", policy=PICTURES)


PICTURES = "pictures"
"""What the shop's own wish for pictures is called, where a person overrules it."""


def surely_arrived(goods: Goods, wish: Wish, _facts: Facts) -> Verdict:
    if wish.quantity <= goods.arrived - goods.claimed:
        return YES
    return _ask(_("No courier told us that %(title)s arrived. We look at it before we answer.", title=goods.line.title))


def nothing_wrong_with_it(goods: Goods, wish: Wish, _facts: Facts) -> Verdict:
    if not is_fault(wish.reason):
        return YES
    return _ask(_("Something is wrong with %(title)s. We look at it before we answer.", title=goods.line.title))


def may_be_chosen(goods: Goods, wish: Wish, facts: Facts) -> Verdict:
    """What the policy offers for these goods; another variant while there are enough of it."""
    if wish.choice not in choices_for(goods, wish.quantity, facts):
        return _no(_("Choose what you would like instead."), "choice")
    if wish.choice != "exchange":
        return YES
    other = next((one for one in facts.variants.get(goods.line.sku, ()) if one.sku == wish.variant), None)
    if other is None:
        return _no(_("Choose what you would like to have instead."), "variant")
    if not other.has(wish.quantity):
        return _no(_("%(variant)s is gone meanwhile. Please choose something else.", variant=other.told), "variant")
    return YES


def choices_for(goods: Goods, pieces: int, facts: Facts) -> list[str]:
    """What can be had for so many pieces: as the policy says, and as far as there is something to exchange for."""
    policy, currency = facts.policy, facts.order.currency
    pieces = max(1, min(pieces, goods.left))
    small = 0 < goods.worth(pieces, goods.claimed + goods.stays).amount <= policy.keep.get(currency, 0)
    there = {
        "money": True,
        "exchange": any(other.has(pieces) for other in facts.variants.get(goods.line.sku, ())),
        "credit": facts.order.payment is not None,
        "keep": small and facts.order.payment is not None,
    }
    return [choice for choice in policy.choices if there.get(choice)] or ["money"]


LINE_RULES: tuple[Callable[[Goods, Wish, Facts], Verdict], ...] = (
    is_an_item, has_arrived, quantity_fits, money_is_left, has_a_reason, has_a_state, has_pictures, may_be_chosen,
    surely_arrived, nothing_wrong_with_it,
)  # fmt: skip


def of_order(facts: Facts) -> list[Verdict]:
    """What speaks against a return of this order, or for a second look; nothing when all is well."""
    house = [verdict for rule in ORDER_RULES if (verdict := rule(facts)) is not YES]
    return house + [_said(rule, facts) for rule in facts.policy.rules if not of_goods(rule) and bites(rule, facts)]


def _said(rule: Rule, facts: Facts, goods: Goods | None = None) -> Verdict:
    field = "condition" if rule.what == "condition" else ""
    return Verdict(Answer(rule.answer), message(rule, facts, goods), field, policy=rule.what)


def of_line(goods: Goods, wish: Wish, facts: Facts) -> list[Verdict]:
    """The same of one line; after the first "no" nothing else is asked, but for pictures, which a person may forgo."""
    said: list[Verdict] = []
    for verdict in _of_line(goods, wish, facts):
        said.append(verdict)
        if verdict.answer is Answer.no and verdict.policy != PICTURES:
            break
    return [verdict for verdict in said if verdict.answer is Answer.no] or said


def _of_line(goods: Goods, wish: Wish, facts: Facts) -> Iterator[Verdict]:
    yield from (verdict for rule in LINE_RULES if (verdict := rule(goods, wish, facts)) is not YES)
    for rule in facts.policy.rules:
        if of_goods(rule) and bites(rule, facts, goods, wish):
            yield _said(rule, facts, goods)


def why_not(goods: Goods, facts: Facts) -> str:
    """Why nothing of this line can be chosen, whatever its reason and state; empty when something can."""
    open_questions = ("reason", "condition", "words", "photos", "choice", "variant")
    verdicts = of_line(goods, Wish(goods.line.id, 1, "other", condition="sealed"), facts)
    return next((one.message for one in verdicts if one.answer is Answer.no and one.field not in open_questions), "")


def of_wishes(facts: Facts, wishes: Sequence[Wish]) -> list[Verdict]:
    """All that speaks against what the customer wants, or for a second look."""
    said = [*of_order(facts), *_of_list(facts, wishes)]
    for wish in wishes:
        if goods := facts.of(wish.line_id):
            said += of_line(goods, wish, facts)
    return said + [_said(rule, facts) for rule in facts.policy.rules if worth_too_much(rule, facts, wishes)]


@dataclass(frozen=True, slots=True)
class Said:
    """One of the policy's rules, what it is about, and what it said: for people who want to know why."""

    label: str
    about: str
    verdict: Verdict


def heard(facts: Facts, wishes: Sequence[Wish]) -> list[Said]:
    """All of the policy's rules in their order, and what each says of these wishes; a yes too."""
    return [said for rule in facts.policy.rules for said in _heard(rule, facts, wishes)]


def _heard(rule: Rule, facts: Facts, wishes: Sequence[Wish]) -> Iterator[Said]:
    label = str(KINDS[rule.what].label)
    if not of_goods(rule) or rule.what == "value":
        bit = worth_too_much(rule, facts, wishes) if rule.what == "value" else bites(rule, facts)
        yield Said(label, "", _said(rule, facts) if bit else YES)
        return
    for wish in wishes:
        if goods := facts.of(wish.line_id):
            yield Said(label, goods.line.title, _said(rule, facts, goods) if bites(rule, facts, goods, wish) else YES)


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


def insist(facts: Facts, wishes: Sequence[Wish], *, overriding: bool = False) -> list[Verdict]:
    """All that speaks for a second look. Raises Refused with the first rule that says no; who is `overriding` is told
    what the shop's own rules said.
    """
    said = of_wishes(facts, wishes)
    if why := refusal(said if not overriding else [one for one in said if not one.policy]):
        raise Refused(why)
    return said


def spoken(money: Money) -> str:
    """The amount as the reader writes it."""
    return money.format(str(get_locale() or "en"))
