"""How much money goes back for a return, line by line, from what was really paid and what was really found."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask_babel import gettext as _

from portal.lib.money import Money, step
from portal.refunds.models import HOLDING
from portal.refunds.rules import RefundPart
from portal.returns.delivery import Outbound, outbound
from portal.returns.fees import KINDS, Fee, fees_for, taken
from portal.returns.goods import Facts, Goods
from portal.returns.models import Inspection, Return, ReturnFee, ReturnLine
from portal.returns.origins import paid_line, payment_of
from portal.returns.policy_rules import told_share
from portal.returns.rules import Wish, spoken


@dataclass(frozen=True, slots=True)
class Found:
    """What of a line is counted on: as the bench found it, in one or several states; or, once it is proven that it was
    sent and before it is here, as announced.
    """

    states: tuple[Inspection, ...]
    announced: int = 0
    believed: int = 0

    @property
    def counted(self) -> int:
        return self.announced + sum(one.counted for one in self.states)

    @property
    def kept(self) -> int:
        """Pieces of this very line that came and stay."""
        return self.announced + self.believed + sum(one.kept for one in self.states)

    @property
    def deduction(self) -> int:
        """Minor units, for all states together."""
        return sum(one.deduction for one in self.states)

    @property
    def deducted(self) -> list[Inspection]:
        return [one for one in self.states if one.deduction]


def found_of(row: ReturnLine, released: bool = False) -> Found | None:
    """What was found of the line; None before anybody has looked, unless money is due before."""
    if row.inspections:
        return Found(tuple(row.inspections), believed=row.believed)
    return Found((), row.quantity) if released else None


def part_of(money: Money, share: int) -> Money:
    """So many percent; part of what the currency can't move stays with us."""
    least = step(money.currency)
    return Money(money.amount * share // 100 // least * least, money.currency)


@dataclass(frozen=True, slots=True)
class Amount:
    """What one line brings. `paid_pieces` are those of the counted ones that money goes back for."""

    row: ReturnLine
    found: Found
    paid_pieces: int
    worth: Money
    cut: Money
    keep_share: int = 100
    kept: bool = False

    @property
    def stays(self) -> Money:
        """What is not given back, as the customer keeps the goods."""
        return self.worth - part_of(self.worth, self.keep_share)

    @property
    def pieces_back(self) -> int:
        """Pieces that are no longer the customer's."""
        return 0 if self.kept else self.paid_pieces

    @property
    def deduction(self) -> Money:
        return Money(min(self.found.deduction, self.worth.amount), self.worth.currency)

    @property
    def fees(self) -> list[ReturnFee]:
        """What the policy takes, as it was shown when this was asked for; never more than is left of the line, and
        nothing for what stays with the customer.
        """
        return [] if self.kept else taken(self.row, self.paid_pieces, (self.worth - self.deduction).amount)

    @property
    def fee(self) -> Money:
        return Money(sum(fee.amount for fee in self.fees), self.worth.currency)

    @property
    def money(self) -> Money:
        return self.worth - self.stays - self.deduction - self.fee - self.cut

    @property
    def why(self) -> str:
        """Why money goes back for fewer pieces than were counted, a key of `words.UNPAID`; empty when it does not."""
        if not self.found.counted and not self.found.believed:
            return "missing"
        if self.row.sent_instead and self.found.kept:
            return "sent_instead"
        if not self.found.kept:
            wrong = all(one.grade == "wrong_item" for one in self.found.states)
            return "wrong_item" if wrong else "back_to_customer"
        return "surplus" if self.paid_pieces < self.found.kept else ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """All lines, the delivery that goes back with them, and their sum."""

    amounts: tuple[Amount, ...]
    outbound: tuple[Outbound, ...]
    total: Money

    @property
    def cut(self) -> Money:
        """What the lines would bring beyond what is left of the payment."""
        return Money(sum(amount.cut.amount for amount in self.amounts), self.total.currency)

    def parts(self) -> list[RefundPart]:
        """The lines as the refund keeps them."""
        goods = [
            RefundPart(amount.row.order_line_id, amount.pieces_back, amount.money.amount, _deducted(amount))
            for amount in self.amounts
            if amount.paid_pieces
        ]
        return goods + [
            RefundPart(one.line.id, one.line.quantity if one.whole else 0, one.money.amount) for one in self.outbound
        ]


def _deducted(amount: Amount) -> str:
    """Each fee and each loss of value with its reason, as a sentence of its own."""
    currency = amount.worth.currency
    fees = [(KINDS[fee.kind], spoken(Money(fee.amount, currency))) for fee in amount.fees]
    lost = [(spoken(Money(one.deduction, currency)), one.note) for one in amount.found.deducted if amount.deduction]
    said = [_("%(what)s: %(amount)s", what=what, amount=money) for what, money in fees]
    if amount.kept:
        said.insert(0, told_share(amount.keep_share))
    return "; ".join(said + [_("%(amount)s deducted: %(note)s", amount=money, note=note) for money, note in lost])


def work_out(ret: Return, facts: Facts) -> Settlement:
    """The amount of an inspected return, never more than what is left of the payment. The facts are read besides it."""
    bare = (
        kept_amounts(ret, facts, ret.keep_share or 100)
        if ret.stays
        else [_bare(row, found, facts) for row in ret.lines if (found := found_of(row, ret.released))]
    )
    amounts, left = tuple(_cut_down(bare, _left(ret))), _left(ret)
    goods = sum(amount.money.amount for amount in amounts)
    delivery = tuple(outbound(ret, facts, most=None if left is None else left - goods))
    total = goods + sum(one.money.amount for one in delivery)
    return Settlement(amounts, delivery, Money(total, ret.order.currency))


def worth_of(row: ReturnLine, kept: int, facts: Facts, before: int = 0) -> tuple[int, Money]:
    """For how many of the pieces kept money goes back, and how much before deductions; `before` were counted first."""
    goods = facts.of(row.order_line_id)
    if goods is None:
        return 0, Money(0, facts.order.currency)
    pieces = min(kept, max(0, goods.unclaimed - before))
    return pieces, goods.worth(pieces, goods.given_pieces + before)


def kept_amounts(ret: Return, facts: Facts, share: int) -> list[Amount]:
    """What goes back for goods that stay with the customer: so many percent of what was really paid for them."""
    amounts = []
    for row in ret.lines:
        goods = facts.of(row.order_line_id)
        pieces = min(row.quantity, max(0, goods.unclaimed - goods.stays)) if goods else 0
        worth = goods.worth(pieces, goods.given_pieces + goods.stays) if goods else Money(0, facts.order.currency)
        amounts.append(Amount(row, Found((), row.quantity), pieces, worth, Money(0, worth.currency), share, kept=True))
    return amounts


def _bare(row: ReturnLine, found: Found, facts: Facts) -> Amount:
    pieces, worth = worth_of(row, max(0, found.kept - row.sent_instead), facts)
    return Amount(row, found, pieces, worth, Money(0, worth.currency))


def _left(ret: Return) -> int | None:
    """What can be given back, with what this return holds already; None when we know of no payment."""
    payment = payment_of(ret.order)
    if payment is None:
        return None
    held = sum(part.amount for part in ret.parts if part.state in HOLDING)
    return payment.left.amount + held


def _cut_down(amounts: Sequence[Amount], left: int | None) -> Sequence[Amount]:
    """Take from the last lines what the payment no longer has."""
    wanted = sum(amount.money.amount for amount in amounts)
    over = max(0, wanted - left) if left is not None else 0
    fitted: list[Amount] = []
    for amount in reversed(amounts):
        cut = min(over, amount.money.amount)
        over -= cut
        fitted.insert(0, replace(amount, cut=Money(cut, amount.worth.currency)))
    return fitted


def ending_of(ret: Return, facts: Facts) -> str | None:
    """How an inspected return ends without a refund: nothing is due, or we know of no payment; None when one is due."""
    if not work_out(ret, facts).total:
        return "nothing_due"
    return None if payment_of(ret.order) else "in_channel"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line, for whoever reads the return's page."""

    row: ReturnLine
    found: Found | None
    money: Money | None = None
    deduction: Money | None = None
    why: str = ""


def outcome(ret: Return, facts: Facts) -> list[Outcome]:
    """Line by line what was found, and the money for it: as refunded, else as worked out now."""
    if not ret.inspected_at and not (ret.stays and ret.settleable):
        return [Outcome(row, found_of(row)) for row in ret.lines]
    worked_out = work_out(ret, facts).amounts
    if ret.money is None:
        return [Outcome(amount.row, amount.found, amount.money, amount.deduction, amount.why) for amount in worked_out]
    kept = given_for(ret)
    return [
        Outcome(amount.row, amount.found, kept[paid_line(amount.row.line).id], amount.deduction, amount.why)
        for amount in worked_out
    ]


def given_for(ret: Return) -> defaultdict[int, Money]:
    """What the refunds give for each line, together."""
    nothing = Money(0, ret.order.currency)
    kept: defaultdict[int, Money] = defaultdict(lambda: nothing)
    for part in ret.parts:
        for line in part.lines:
            kept[line.order_line_id] += Money(line.amount, part.currency)
    return kept


@dataclass(frozen=True, slots=True)
class Expected:
    """What a customer would get back for a wish if all is well with it."""

    title: str
    detail: str
    quantity: int
    reason: str
    words: str
    condition: str
    choice: str
    variant: str
    fees: tuple[Fee, ...]
    worth: Money
    bonus: Money
    pictures: int = 0
    keep_share: int = 100

    @property
    def money(self) -> Money:
        """What comes back by itself: less the fees, with the bonus, and nothing for what is exchanged."""
        if self.choice == "exchange":
            return Money(0, self.worth.currency)
        if self.choice == "keep":
            return part_of(self.worth, self.keep_share)
        fees = sum(fee.money.amount for fee in self.fees)
        return Money(self.worth.amount - fees + self.bonus.amount, self.worth.currency)


def expect(facts: Facts, wishes: Sequence[Wish]) -> list[Expected]:
    """The preview's lines."""
    fees = fees_for(facts, wishes)
    return [_expected(goods, wish, facts, fees) for wish in wishes if (goods := facts.of(wish.line_id))]


def _expected(goods: Goods, wish: Wish, facts: Facts, fees: Sequence[Fee]) -> Expected:
    mine = tuple(fee for fee in fees if fee.line_id == wish.line_id)
    worth, currency = goods.worth(wish.quantity, goods.claimed + goods.stays), facts.order.currency
    left = worth.amount - sum(fee.money.amount for fee in mine)
    bonus = left * facts.policy.bonus // 100 if wish.choice == "credit" else 0
    others = facts.variants.get(goods.line.sku, ()) if wish.choice == "exchange" else ()
    return Expected(
        goods.line.title, goods.line.variant, wish.quantity, wish.reason, wish.words, wish.condition, wish.choice,
        next((other.told for other in others if other.sku == wish.variant), ""), mine, worth, Money(bonus, currency),
        wish.pictures, facts.policy.keep_share,
    )  # fmt: skip


def total(expected: Sequence[Expected], currency: str) -> Money:
    return Money(sum(one.money.amount for one in expected), currency)
