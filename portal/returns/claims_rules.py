"""What may be claimed, and how a claim may be met: small rules with a sentence each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from portal.lib import days
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.returns import rules
from portal.returns.claims_models import CURES, FAULTS, NOT_THERE, Claim
from portal.returns.goods import Facts, Goods
from portal.returns.rules import Answer, Wish
from portal.returns.undelivered import Searched

OFFERED: Mapping[str, tuple[str, ...]] = {
    "damaged": ("replacement", "repair", "part_money", "money"),
    "defective": ("repair", "replacement", "part_money", "money"),
    "wrong_item": ("replacement", "part_money", "money"),
    "not_as_described": ("replacement", "part_money", "money"),
    "missing": ("replacement", "money"),
    "never_arrived": ("replacement", "money"),
}
"""What the customer may wish for, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What the customer says: pieces by line, what is wrong with them, what they would like."""

    pieces: Mapping[int, int]
    fault: str
    wish: str
    words: str = ""


def free(goods: Goods, pending: Mapping[int, int]) -> int:
    """Pieces of a line with which something may be wrong: they arrived, and are in no return and no other claim."""
    return max(0, goods.there - pending.get(goods.line.id, 0))


def of_order(facts: Facts, until: date | None) -> str:
    """Why nothing of the order can be claimed on this page; empty when something can."""
    if said := rules.refusal([rules.not_cancelled(facts)]):
        return said
    if until is not None and facts.today > until:
        day = days.spelled(until, facts.today, str(get_locale() or "en"))
        return _("The guarantee ended on %(day)s. Write to us all the same: a person looks at it.", day=day)
    return ""


def of_goods(goods: Goods, pending: Mapping[int, int], facts: Facts) -> str:
    """Why no piece of this line can be claimed; empty when one can."""
    probe = Wish(goods.line.id, 1, "other")
    verdicts = [rule(goods, probe, facts) for rule in (rules.is_an_item, rules.has_arrived, rules.money_is_left)]
    if said := next((verdict.message for verdict in verdicts if verdict.answer is Answer.no), ""):
        return said
    if not goods.there:
        return _("%(title)s is in a return already.", title=goods.line.title)
    if not free(goods, pending):
        return _("We are looking into %(title)s already.", title=goods.line.title)
    return ""


def of_pieces(goods: Goods, pieces: int, pending: Mapping[int, int], facts: Facts) -> str:
    """Why so many pieces of this line can't be claimed; empty when they can."""
    if said := of_goods(goods, pending, facts):
        return said
    if not 1 <= pieces <= free(goods, pending):
        return ngettext("Only one piece is left.", "Only %(num)s pieces are left.", free(goods, pending))
    return ""


def insist(facts: Facts, wrong: Wrong, pending: Mapping[int, int], until: date | None) -> None:
    """Raises Refused with the first rule that says no."""
    said = [of_order(facts, until)]
    if not wrong.pieces:
        said.append(_("Choose what is wrong."))
    for line_id, pieces in wrong.pieces.items():
        goods = facts.of(line_id)
        said.append(of_pieces(goods, pieces, pending, facts) if goods else _("This line is not part of the order."))
    said.append(of_wish(wrong.fault, wrong.wish))
    if len(wrong.words) > rules.MOST_WORDS:
        said.append(_("That is too long."))
    if message := next(filter(None, said), ""):
        raise Refused(message)


def of_wish(fault: str, wish: str) -> str:
    if fault not in FAULTS:
        return _("Choose what is wrong.")
    return "" if wish in OFFERED[fault] else _("Choose what you would like.")


def insist_missing(searched: Searched | None, wish: str, known: Claim | None) -> None:
    """Raises Refused when the parcel is not one to search for, or is searched for already."""
    if searched is None:
        raise Refused(_("This parcel is not part of the order."))
    if known is not None:
        raise Refused(_("We are looking for this parcel already."))
    if not searched.may_claim:
        raise Refused(_("The parcel is still on its way. Please give it a little more time."))
    if said := of_wish("never_arrived", wish):
        raise Refused(said)


# --- how a claim is met ---


def remedies(claim: Claim) -> list[str]:
    """What a claim may end with, what the customer would like first."""
    if claim.fault == "never_arrived":
        undelivered = claim.parcel is not None and claim.parcel.delivered_at is None
        fitting = ["send_again" if undelivered else "replacement", "money"]
    elif claim.fault in NOT_THERE:
        fitting = ["replacement", "money"]
    else:
        fitting = [one for one in OFFERED[claim.fault] if one != "money"] + ["keep_money", "money"]
    wished = "send_again" if "send_again" in fitting and claim.wish == "replacement" else claim.wish
    return sorted(fitting, key=lambda one: one != wished)


def insist_on_remedy(claim: Claim, remedy: str, note: str, failed: Claim | None) -> None:
    """Raises Refused for what does not fit, for a second try against the customer's wish, and for another remedy than
    the one wished for without a word to the customer.
    """
    if remedy not in remedies(claim):
        raise Refused(_("Choose how the claim is met."))
    wants_money = claim.wish in ("part_money", "money")
    if failed is not None and wants_money and remedy in CURES:
        raise Refused(
            _("A repair or replacement has failed before, and the customer wants money: the law gives it to them.")
        )
    if not fulfils(remedy, claim.wish) and not note.strip():
        raise Refused(_("The customer would like something else. Say why; they read it."))


def fulfils(remedy: str, wish: str) -> bool:
    """Whether it is what the customer would like, or more."""
    also = {"send_again": "replacement", "keep_money": "money"}
    return wish in (remedy, also.get(remedy)) or (remedy == "keep_money" and wish == "part_money")


def must_come_back(claim: Claim, remedy: str, goods_back: bool) -> bool:
    """Whether the goods are to be sent: a repair needs them, money for what stays does not, the rest staff say."""
    if claim.fault in NOT_THERE or remedy in ("part_money", "keep_money"):
        return False
    return remedy == "repair" or goods_back


def insist_on_pieces(claim: Claim, facts: Facts) -> None:
    """Raises Refused when what is claimed is in another return by now. The facts are read besides the claim."""
    for row in claim.ret.lines:
        goods = facts.of(row.order_line_id)
        if goods is None or row.quantity > (goods.unclaimed if claim.parcel_id else goods.there):
            raise Refused(_("%(title)s is in a return already.", title=row.line.title))


def worth_of(claim: Claim, facts: Facts) -> dict[int, Money]:
    """By line of the return, what was really paid for the claimed pieces and not given back yet."""
    worth = {}
    for row in claim.ret.lines:
        goods = facts.of(row.order_line_id)
        worth[row.id] = goods.worth(row.quantity, goods.given_pieces) if goods else Money(0, facts.order.currency)
    return worth
