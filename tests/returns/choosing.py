"""The same with all that may be chosen: a policy at random, goods exchanged or kept for part of their money, offers of
the desk, fees that somebody takes less of, claims and how they are met, and what went out instead and comes back too.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from sqlalchemy import select

from portal.db import session
from portal.lib import clock, tokens
from portal.orders import stock
from portal.orders.models import INSTEAD, Order
from portal.refunds.models import Refund
from portal.returns import actions, claims, withdrawals
from portal.returns.articles import import_articles
from portal.returns.claims import Decision
from portal.returns.claims_models import Claim, claims_where
from portal.returns.claims_rules import Wrong
from portal.returns.easing import ease, taken_from
from portal.returns.exchanges import orders_for
from portal.returns.keeping import offer_keeping, take_offer
from portal.returns.models import Return, whole
from portal.returns.policy import Policy, save_policy
from portal.returns.rules import Wish
from tests.returns.hands import delivered
from tests.returns.machine import PIECES, REASONS, WHICH_LINE, GoodsBack
from tests.stage import ONE_AT_A_TIME

ALL = ("money", "exchange", "keep")


class GoodsBackByChoice(GoodsBack):
    """Alice may choose. Whatever she does, no more goes back than was bought and paid, on whichever order."""

    @initialize(
        itself=st.booleans(), at_once=st.booleans(), share=st.sampled_from([1, 60, 100]), fee=st.sampled_from([0, 490])
    )
    def the_shop_has_a_policy(self, itself: bool, at_once: bool, share: int, fee: int) -> None:
        blank = {"type": "", "title": "", "price": "20", "product": "mug"}
        import_articles([{**blank, "sku": f"MUG-0{n}", "variant": name} for n, name in ((1, "Moss"), (2, "Ash"))])
        item = stock.begin_counting("MUG-02", stock.main_place())
        stock.set_count(item, 3, "counted", "", by="system", now=clock.now())
        policy = Policy(
            choices=ALL, keep={"EUR": 7000}, keep_share=share, fee={"EUR": fee}, restocking={"too_small": 10},
            accepts_itself=itself, sends_at_once=at_once,
        )  # fmt: skip
        save_policy(policy, seen=0, note="Spring", by=self.world.max, now=clock.now())
        session.commit()

    @rule(line=WHICH_LINE, pieces=PIECES, reason=REASONS, choice=st.sampled_from(ALL))
    def the_customer_chooses(self, line: int, pieces: int, reason: str, choice: str) -> None:
        variant = "MUG-02" if choice == "exchange" else ""
        wish = Wish(self._lines()[line].id, pieces, reason, choice=choice, variant=variant)
        about: dict[str, Any] = {"key": tokens.mint(), "by": "customer", "now": clock.now()}
        self._try(lambda: actions.request_return(self.order_id, [wish], **about))
        self._nothing_is_announced_twice()

    @rule(line=WHICH_LINE, pieces=st.integers(1, 3))
    def what_is_kept_is_withdrawn_from_later(self, line: int, pieces: int) -> None:
        """Part of the money was given for keeping it; the law takes it back for what is left."""
        row, now, rita = self._lines()[line], clock.now(), self.world.rita

        def go_through() -> None:
            wish, about = Wish(row.id, pieces, "changed_mind", choice="keep"), {"by": "customer", "now": now}
            kept = actions.request_return(self.order_id, [wish], key=tokens.mint(), **about)
            if kept.decision == "requested":
                actions.approve_return(kept, by=rita, now=now)
            ret = withdrawals.withdraw(self.order_id, {row.id: row.quantity}, key=tokens.mint(), now=now).ret
            assert ret
            actions.receive_return(ret, by=rita, now=now)
            self._end(session.scalars(whole(Return.id == ret.id)).one())

        self._try(go_through)

    @rule(which=ONE_AT_A_TIME, share=st.sampled_from([1, 50, 100]), takes=st.booleans())
    def the_desk_offers_to_let_them_keep_it(self, which: int, share: int, takes: bool) -> None:
        self._with(which, lambda ret: offer_keeping(ret, share, by=self.world.rita, now=clock.now()))
        if takes:
            self._with(which, lambda ret: take_offer(ret, share, by="customer", now=clock.now()))

    @rule(which=ONE_AT_A_TIME, part=st.sampled_from([0, 1, 100]))
    def somebody_takes_less(self, which: int, part: int) -> None:
        def take_less(ret: Return) -> None:
            amounts = {one.key: part for one in taken_from(ret)}
            ease(ret, amounts, note="A good customer.", by=self.world.sam, now=clock.now())

        self._with(which, take_less)

    # claims

    @rule(
        line=WHICH_LINE, pieces=PIECES, fault=st.sampled_from(["damaged", "defective", "missing"]),
        wish=st.sampled_from(["replacement", "repair", "part_money", "money"]),
    )  # fmt: skip
    def something_is_wrong(self, line: int, pieces: int, fault: str, wish: str) -> None:
        wrong = Wrong({self._lines()[line].id: pieces}, fault, wish)
        about: dict[str, Any] = {"key": tokens.mint(), "by": "customer", "now": clock.now()}
        self._try(lambda: claims.open_claim(self.order_id, wrong, **about))

    @rule(
        which=ONE_AT_A_TIME, back=st.booleans(), amount=st.sampled_from([1, 900, 2000]),
        remedy=st.sampled_from(["replacement", "repair", "part_money", "keep_money", "money", "no"]),
    )  # fmt: skip
    def the_claim_is_met(self, which: int, back: bool, amount: int, remedy: str) -> None:
        def meet(claim: Claim) -> None:
            about: dict[str, Any] = {"by": self.world.rita, "now": clock.now()}
            amounts = {row.id: amount for row in claim.ret.lines}
            if remedy == "no":
                claims.decline_claim(claim, note="no", **about)
            else:
                claims.accept_claim(claim, Decision(remedy, back, "so it is", amounts), **about)

        self._with_claim(which, meet)

    @rule(which=ONE_AT_A_TIME)
    def the_new_one_goes_out(self, which: int) -> None:
        self._with_claim(which, lambda claim: claims.send_replacement(claim, by=self.world.rita, now=clock.now()))

    # what went out instead

    @rule(which=ONE_AT_A_TIME, withdraws=st.booleans())
    def what_was_sent_instead_comes_back_too(self, which: int, withdraws: bool) -> None:
        sent = [order for order in self._sent_instead() if order.state != "cancelled"]
        if sent:
            self._try(lambda: self._bring_back(sent[which % len(sent)], withdraws))

    def _bring_back(self, order: Order, withdraws: bool) -> None:
        now, rita = clock.now(), self.world.rita
        if order.state == "accepted":
            delivered(self.world, order, now)
        items = {line.id: line.quantity for line in order.lines}
        if withdraws:
            ret = withdrawals.withdraw(order.id, items, key=tokens.mint(), now=now).ret
            assert ret
        else:
            wishes = [Wish(line, pieces, "changed_mind") for line, pieces in items.items()]
            ret = actions.request_return(order.id, wishes, key=tokens.mint(), by="customer", now=now)
        if ret.decision == "requested":
            actions.approve_return(ret, by=rita, now=now)
        actions.receive_return(ret, by=rita, now=now)
        self._end(session.scalars(whole(Return.id == ret.id)).one())

    # how

    def _with_claim(self, which: int, act: Callable[[Claim], object]) -> None:
        rows = list(session.scalars(claims_where(Return.order_id == self.order_id).order_by(Claim.id)))
        if rows:
            self._try(lambda: act(rows[which % len(rows)]))

    def _sent_instead(self) -> list[Order]:
        """Orders that went out for returns of Alice's, and for returns of those."""
        found: list[Order] = []
        of = [self.order_id]
        while of:
            ids = list(session.scalars(select(Return.id).where(Return.order_id.in_(of))))
            more = [order for _id, order in orders_for(ids)] if ids else []
            found, of = found + more, [order.id for order in more]
        return found

    def _returns(self) -> list[Return]:
        ids = [self.order_id, *(order.id for order in self._sent_instead() if order.channel == INSTEAD)]
        return list(session.scalars(whole(Return.order_id.in_(ids)).order_by(Return.id)))

    def _fall_quiet(self) -> None:
        """Claims are answered first; one whose money finance refused is proposed once more."""
        about: dict[str, Any] = {"by": self.world.rita, "now": clock.now()}
        for claim in session.scalars(claims_where(Return.order_id == self.order_id).order_by(Claim.id)).all():
            if claim.ret.decision == "requested":
                claims.decline_claim(claim, note="no", **about)
                session.commit()
        super()._fall_quiet()

    def _end(self, ret: Return) -> None:
        refused = select(Refund.amount).where(Refund.return_id == ret.id).order_by(Refund.id.desc()).limit(1)
        claim = session.scalar(claims_where(Claim.return_id == ret.id))
        if claim is None or ret.inspected_at or ret.goods == "received":
            super()._end(ret)
        elif (last := session.scalar(refused)) is not None:
            amounts = {row.id: last // len(ret.lines) for row in ret.lines}
            claims.pay_again(claim, amounts, by=self.world.rita, now=clock.now())
