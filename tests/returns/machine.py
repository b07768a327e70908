"""Goods and money going back, as a state machine: a split, discounted, perhaps partly cancelled order; customers who
withdraw, ask, call off; couriers who deliver, lose, scan; a bench that finds what nobody announced; finance; a clock.

After every step no more is given back than was bought and paid, what the customer reads is what the money does, and a
withdrawal in time was not refused. Once everything is quiet, every return has come to an end.
"""

from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from sqlalchemy import func, select

from portal.adapters.channels import IncomingLine
from portal.adapters.couriers import Tracking
from portal.db import session
from portal.demo.stripe import StandIn
from portal.desk.actions import cancel_short, give_up_parcel
from portal.fulfilment import actions as fulfilment
from portal.fulfilment import shorts, watching
from portal.fulfilment.models import Parcel
from portal.fulfilment.shorts import ShortPick
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.actions import accept_order
from portal.orders.models import Order, Payment
from portal.orders.promise import on_or_after
from portal.refunds import actions as refunds
from portal.refunds.models import HOLDING, Refund, RefundLine
from portal.refunds.words import CUSTOMER
from portal.returns import actions, bench, dispatch, settlement, words
from portal.returns.bench import Finding
from portal.returns.goods import read
from portal.returns.models import DISPOSITIONS, GRADES, Return, whole
from portal.returns.rules import Wish
from portal.returns.withdrawal_rules import right_of
from portal.returns.withdrawals import withdraw
from tests.fulfilment.hands import checked
from tests.stage import ONE_AT_A_TIME, Line, Stage
from tests.world import ALICES_ORDER, open_link, replace

MUGS, SHIRTS = 3, 2
CARDS_ORDER = replace(
    ALICES_ORDER,
    external_id="A-1003",
    number="1003",
    total=12500,
    captured=12500,
    lines=(
        IncomingLine("L1", "Stoneware mug", MUGS, 2000, 5000, sku="MUG-01", variant="Moss"),
        IncomingLine("L2", "Linen shirt", SHIRTS, 3900, 7000, sku="SHIRT-M", variant="M"),
        IncomingLine("SHIP", "Standard delivery", 1, 500, 500, kind="shipping"),
    ),
    payment_intent="pi_1003",
)
"""Discounted: a mug is a third of 50 euros, which is no whole number of cents."""
PIECES, WHICH_LINE = st.integers(0, 4), st.integers(0, 1)
REASONS = st.sampled_from(["changed_mind", "too_small", "damaged"])
TOO_LATE = "The time to withdraw ended"


class GoodsBack(Stage):
    """Alice has bought three mugs and two shirts. Whatever happens, goods and money add up and nothing is stuck."""

    works = ("refunds.%", "returns.%")

    def __init__(self, app: Flask, stand_in: StandIn, line: Line) -> None:
        super().__init__(app, stand_in, line)
        order, _new = accept_order(CARDS_ORDER, by="channel", now=clock.now())
        self.order_id = order.id
        self.intent = self.control.pay({"amount": 12500, "currency": "eur", "id": "pi_1003"})
        self.arrivals: dict[int, datetime | None] = {}
        session.commit()

    # the order leaves

    @initialize(
        lacking=st.integers(1, 2), then=st.sampled_from(["all there", "cancelled", "later", "a week later"]),
        arrived=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def the_order_is_sent(self, lacking: int, then: str, arrived: bool) -> None:
        """Of the mugs so many are not there: the order does without them, or they go later."""
        parcel = fulfilment.plan_parcels(self.order_id, now=clock.now())
        assert parcel is not None
        cleo = self.world.cleo
        fulfilment.start_picking(parcel, by=cleo, now=clock.now())
        if then != "all there":
            packed = next(each for each in parcel.lines if each.line.sku == "MUG-01")
            shorts.report(packed, lacking, "damaged", "", by=cleo, now=clock.now())
            short = session.scalars(select(ShortPick).where(ShortPick.parcel_id == parcel.id)).one()
            decide = cancel_short if then == "cancelled" else shorts.split
            decide(short, by=self.world.max, now=clock.now())
        session.commit()
        self._leaves(parcel)
        if arrived:
            self.a_courier_says(0, "delivered")
        if then == "a week later":
            self.time_passes(6)
            self.a_parcel_leaves(0)
            self.a_courier_says(0, "delivered")

    @rule(which=ONE_AT_A_TIME)
    def a_parcel_leaves(self, which: int) -> None:
        here = self._parcels(Parcel.state.in_(("to_pick", "picking")))
        if here:
            self._try(lambda: self._leaves(here[which % len(here)]))

    def _leaves(self, parcel: Parcel) -> None:
        now, cleo = clock.now(), self.world.cleo
        if parcel.state == "to_pick":
            fulfilment.start_picking(parcel, by=cleo, now=now)
        for short in session.scalars(select(ShortPick).where(ShortPick.parcel_id == parcel.id)).all():
            if short.state == "split":
                shorts.find(short, by=cleo, now=now)
        session.refresh(parcel, ["lines"])
        for packed in parcel.lines:
            fulfilment.pick(packed, packed.left, by=cleo)
        fulfilment.finish_picking(parcel, by=cleo, now=now)
        checked(parcel, self.world.pat, now)
        fulfilment.pack(parcel, 900, by=self.world.pat, now=now)
        fulfilment.make_label(parcel, by=self.world.pat, now=now)
        fulfilment.hand_over(parcel, "own", parcel.tracking_number or "", by=self.world.pat, now=now)
        session.commit()

    @rule(which=ONE_AT_A_TIME, what=st.sampled_from(["delivered", "delivered", "lost", "returned"]))
    def a_courier_says(self, which: int, what: str) -> None:
        sent = self._parcels(Parcel.state == "handed_over", Parcel.delivered_at.is_(None))
        if not sent:
            return
        parcel, pat, now = sent[which % len(sent)], self.world.pat, clock.now()
        if what == "lost":
            self._try(lambda: watching.count_as_lost(parcel, "nobody finds it", by=pat, now=now))
        else:
            self._try(lambda: fulfilment.say(parcel, Tracking(what), "", by=pat, now=now))

    @rule(which=ONE_AT_A_TIME, again=st.booleans())
    def what_is_lost_is_sent_again_or_paid_back(self, which: int, again: bool) -> None:
        lost = [one for one in self._parcels(Parcel.state == "handed_over") if watching.may_end(one)]
        if lost:
            act = watching.send_again if again else give_up_parcel
            self._try(lambda: act(lost[which % len(lost)], goods_are_fine=True, by=self.world.sam, now=clock.now()))

    # the customer

    @rule(line=WHICH_LINE, pieces=PIECES, reason=REASONS, twice=st.booleans())
    def the_customer_asks(self, line: int, pieces: int, reason: str, twice: bool) -> None:
        wish, key = Wish(self._lines()[line].id, pieces, reason), tokens.mint()
        for _ in range(1 + twice):
            ask = lambda: actions.request_return(self.order_id, [wish], key=key, by="customer", now=clock.now())  # noqa: E731
            self._try(ask)
        self._nothing_is_announced_twice()

    @rule(line=WHICH_LINE, reason=REASONS)
    def two_tabs_ask_for_all_of_it(self, line: int, reason: str) -> None:
        """The second form was opened before the first was sent."""
        row = self._lines()[line]
        for key in (tokens.mint(), tokens.mint()):
            wish = Wish(row.id, row.quantity, reason)
            ask = lambda: actions.request_return(self.order_id, [wish], key=key, by="customer", now=clock.now())  # noqa: E731, B023
            self._try(ask)
        self._nothing_is_announced_twice()

    def _nothing_is_announced_twice(self) -> None:
        """Pieces in returns that live: counted where the bench has counted, else as announced. What stays with the
        customer can still be withdrawn from, and something may be wrong with what is in no return.
        """
        announced: dict[int, int] = {}
        for ret in self._returns():
            stays = ret.kind == "claim" or (ret.stays and ret.decision == "approved")
            if not stays and (ret.decision in ("requested", "approved") or ret.goods == "received"):
                for row in ret.lines:
                    found = sum(min(one.kept, row.quantity) for one in row.inspections)
                    pieces = found if row.inspections else row.quantity
                    announced[row.order_line_id] = announced.get(row.order_line_id, 0) + pieces
        for line in self._lines():
            assert announced.get(line.id, 0) <= line.quantity, f"{line.title}: more comes back than was bought"
        session.commit()

    @rule(mugs=PIECES, shirts=PIECES)
    def the_customer_withdraws(self, mugs: int, shirts: int) -> None:
        mug, shirt, *_ = self._lines()
        chosen = {line.id: pieces for line, pieces in ((mug, mugs), (shirt, shirts)) if pieces}
        last_day, key = self._last_day(), tokens.mint()
        try:
            with session.begin_nested():
                withdraw(self.order_id, chosen, key=key, now=clock.now())
        except Refused as refused:
            late = str(refused).startswith(TOO_LATE)
            assert not late or (last_day and self._today() > last_day), "a withdrawal was refused in time"
            session.rollback()
        else:
            assert last_day is None or self._today() <= last_day, "a withdrawal was taken after the last day"
        session.commit()
        self._nothing_is_announced_twice()

    def _last_day(self) -> date | None:
        """Thirty days, which the shop gives, after the last delivery, on a working day; None while more may arrive."""
        parcels = self._parcels(Parcel.state != "cancelled")
        if not parcels or not all(parcel.delivered_at for parcel in parcels):
            return None
        last = max(parcel.delivered_at for parcel in parcels if parcel.delivered_at)
        return on_or_after(last.date() + timedelta(days=30), "DE")

    @rule(which=ONE_AT_A_TIME)
    def the_customer_calls_it_off(self, which: int) -> None:
        self._with(which, lambda ret: actions.cancel_return(ret, now=clock.now()))

    @rule(line=WHICH_LINE, reason=REASONS, comes=st.booleans())
    def it_is_called_off_at_once(self, line: int, reason: str, comes: bool) -> None:
        """And perhaps it was on its way already."""
        wish, key = Wish(self._lines()[line].id, 1, reason), tokens.mint()

        def call_off() -> None:
            ret = actions.request_return(self.order_id, [wish], key=key, by="customer", now=clock.now())
            actions.cancel_return(ret, now=clock.now())
            if comes:
                actions.receive_return(ret, by=self.world.rita, now=clock.now())

        self._try(call_off)

    # the way back

    @rule(which=ONE_AT_A_TIME, yes=st.booleans())
    def somebody_decides(self, which: int, yes: bool) -> None:
        rita, now = self.world.rita, clock.now()
        if yes:
            self._with(which, lambda ret: actions.approve_return(ret, by=rita, now=now), Return.decision == "requested")
        else:
            asked = Return.decision == "requested"
            self._with(which, lambda ret: actions.decline_return(ret, note="no", by=rita, now=now), asked)

    @rule(which=ONE_AT_A_TIME)
    def a_receipt_is_shown(self, which: int) -> None:
        self._with(which, lambda ret: dispatch.show_dispatch(ret, "receipt", by=self.world.rita, now=clock.now()))

    @rule(which=ONE_AT_A_TIME)
    def it_gets_lost(self, which: int) -> None:
        self._with(which, lambda ret: dispatch.lose(ret, by="courier", now=clock.now()), Return.goods == "in_transit")

    @rule(which=ONE_AT_A_TIME)
    def it_is_here(self, which: int) -> None:
        """Whatever was decided: a parcel that was called off arrives as well."""
        away = Return.goods != "received"
        self._with(which, lambda ret: actions.receive_return(ret, by=self.world.rita, now=clock.now()), away)

    @rule(which=ONE_AT_A_TIME)
    def it_is_taken_after_all(self, which: int) -> None:
        no = Return.decision.in_(("declined", "cancelled"))
        self._with(which, lambda ret: actions.accept_anyway(ret, by=self.world.rita, now=clock.now()), no)

    @rule(which=ONE_AT_A_TIME, line=WHICH_LINE)
    def something_else_is_in_it(self, which: int, line: int) -> None:
        here, found, rita = Return.goods == "received", self._lines()[line], self.world.rita
        self._with(which, lambda ret: bench.add_found_line(ret, found, by=rita, now=clock.now()), here)

    @rule(
        which=ONE_AT_A_TIME,
        differs=st.sampled_from([0, 0, -1, -9, 1]),
        grade=st.sampled_from(GRADES),
        disposition=st.sampled_from(DISPOSITIONS),
        deduction=st.sampled_from([0, 0, 1, 700]),
    )
    def the_bench_counts(self, which: int, differs: int, grade: str, disposition: str, deduction: int) -> None:
        def count(ret: Return) -> None:
            findings = [
                Finding(row.id, max(0, row.quantity + differs), grade, disposition, deduction, "worn")
                for row in ret.lines
            ]
            bench.inspect_return(ret, findings, by=self.world.rita, now=clock.now())

        self._with(which, count, Return.goods == "received")

    @rule(line=WHICH_LINE, pieces=st.integers(1, 3), reason=REASONS, times=st.sampled_from([1, 2]))
    def a_whole_return_goes_through(self, line: int, pieces: int, reason: str, times: int) -> None:
        """Asked for, accepted, here, as new, proposed: without anything odd, as most are; perhaps once more."""
        rita, wish = self.world.rita, Wish(self._lines()[line].id, pieces, reason)

        def go_through() -> None:
            ret = actions.request_return(self.order_id, [wish], key=tokens.mint(), by="customer", now=clock.now())
            if ret.decision == "requested":
                actions.approve_return(ret, by=rita, now=clock.now())
            actions.receive_return(ret, by=rita, now=clock.now())
            self._end(session.scalars(whole(Return.id == ret.id)).one())

        for _ in range(times):
            self._try(go_through)
        self._nothing_is_announced_twice()

    # the money

    @rule(which=ONE_AT_A_TIME)
    def it_is_proposed(self, which: int) -> None:
        self._with(which, lambda ret: self._propose(ret), Return.decision == "approved")

    def _propose(self, ret: Return) -> None:
        actions.propose_refund(ret, self._amount(ret), by=self.world.rita, now=clock.now())

    def _amount(self, ret: Return) -> Money:
        """What the desk's page shows."""
        return settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total

    @rule(which=ONE_AT_A_TIME, yes=st.booleans())
    def finance_decides(self, which: int, yes: bool) -> None:
        asked = self._refunds("requested")
        if asked:
            self._decide(asked[which % len(asked)], yes)

    def _decide(self, refund: Refund, yes: bool) -> None:
        fran, now = self.world.fran, clock.now()
        if yes:
            self._try(lambda: refunds.approve_refund(refund, by=fran, now=now))
        else:
            self._try(lambda: refunds.refuse_refund(refund, note="look again", by=fran, now=now))

    @rule()
    def workers_take_all_jobs(self) -> None:
        self._work_off()

    @rule(which=ONE_AT_A_TIME)
    def the_bank_takes_it_back(self, which: int) -> None:
        if live := self._live_at_stripe():
            made = live[which % len(live)]["id"]
            self.control.change_refund({"id": made, "status": "failed", "failure_reason": "declined"})
            self._tell(self.stand_in.book.all("events")[-1])

    @rule(days=st.sampled_from([1, 6, 15, 40]))
    def time_passes(self, days: int) -> None:
        self._forward(timedelta(days=days))
        now = clock.now()
        for listed, act in ((dispatch.to_remind, dispatch.remind), (dispatch.never_sent, dispatch.expire)):
            for return_id in listed(now):
                act(return_id, now=now)
        session.commit()

    # what always holds

    @invariant()
    def no_more_goes_back_than_was_bought_and_paid(self) -> None:
        lives = (Refund.order_id == self.order_id, Refund.state.in_(HOLDING))
        sums = (func.sum(RefundLine.amount), func.sum(RefundLine.quantity))
        found = select(RefundLine.order_line_id, *sums).join(RefundLine.refund).where(*lives)
        given = {line: (amount, pieces) for line, amount, pieces in session.execute(found.group_by("order_line_id"))}
        for line in self._lines():
            amount, pieces = given.get(line.id, (0, 0))
            assert pieces <= line.quantity, f"{line.title}: more goes back than was bought"
            assert amount <= line.paid, f"{line.title}: more money goes back than was paid"
        payment = session.scalars(select(Payment).where(Payment.order_id == self.order_id)).one()
        assert payment.reserved + payment.external <= payment.captured
        assert payment.reserved == sum(amount for amount, _pieces in given.values())
        session.commit()

    @invariant()
    def what_the_customer_reads_is_what_the_money_does(self) -> None:
        for ret in self._returns():
            title = words.headline(ret, self._today()).title
            said_sent, is_sent = title.startswith(("We have sent you", "You have ")), ret.paid_back
            decided = ret.decision == "approved" and not ret.closed_as
            assert said_sent == (is_sent and decided), f"{title!r}, and the money: {[one.state for one in ret.parts]}"
        session.commit()

    @invariant()
    def the_last_day_to_withdraw_counts_from_the_last_parcel(self) -> None:
        """Where all have arrived; what was lost on the way is nobody's last parcel."""
        expected = self._last_day()
        assert expected is None or right_of(self._order(), now=clock.now()).until == expected
        session.commit()

    @rule(which=ONE_AT_A_TIME)
    def the_customer_looks(self, which: int) -> None:
        if rows := self._returns():
            self._look_at(rows[which % len(rows)])

    def _look_at(self, ret: Return) -> None:
        """The page says of each part of the money what is true, and names the amount."""
        open_link(self.client, ret.order)
        page = self.client.get(f"/orders/{ret.order.ref}/returns/{ret.rma}", follow_redirects=True)
        assert page.status_code == 200, page.status_code
        shown = page.text.replace("\xa0", " ")
        for part in ret.parts:
            assert part.money.format("en") in shown
            by_card = [one.state for one in ret.parts if one.way == "card"]
            assert (str(CUSTOMER["succeeded"]) in shown) == ("succeeded" in by_card)

    def teardown(self) -> None:
        """Everything falls quiet: what is asked is decided, what is awaited arrives, what was called off or declined
        arrives all the same and is taken, and then nothing may be open.
        """
        try:
            self._fall_quiet()
            self.no_more_goes_back_than_was_bought_and_paid()
            self.what_the_customer_reads_is_what_the_money_does()
            for ret in self._returns():
                self._look_at(ret)
                over = ret.paid_back or ret.closed_as or ret.decision in ("declined", "cancelled")
                assert over, f"it never ends: {ret.decision}, {ret.goods}, {[one.state for one in ret.parts]}"
        finally:
            self.undo.close()

    def _fall_quiet(self) -> None:
        rita, now = self.world.rita, clock.now()
        self._settle_money()
        for ret in self._returns():
            if ret.decision == "requested":
                actions.approve_return(ret, by=rita, now=now)
            if ret.decision in ("declined", "cancelled") and ret.kind != "claim":
                if ret.goods != "received":
                    actions.receive_return(ret, by=rita, now=now)
                actions.accept_anyway(ret, by=rita, now=now)
            if ret.decision == "approved" and ret.goods in ("awaited", "in_transit", "lost"):
                actions.receive_return(ret, by=rita, now=now)
            session.commit()
        for ret in self._returns():
            if ret.decision == "approved" and not ret.closed_as and not ret.paid_back:
                self._end(ret)
                session.commit()
        self._settle_money()

    def _end(self, ret: Return) -> None:
        """As a person does who reads what the desk says."""
        if ret.to_count and not ret.inspected_at:
            findings = [Finding(row.id, row.quantity, "as_new", "restock") for row in ret.lines]
            bench.inspect_return(ret, findings, by=self.world.rita, now=clock.now())
            ret = session.scalars(whole(Return.id == ret.id)).one()
        if ret.closed_at:
            return  # the count settled it by itself
        if ret.money is None and self._amount(ret):
            self._propose(ret)
        elif ret.money is None:
            actions.close_return(ret, note="nothing is due", by=self.world.rita, now=clock.now())

    def _settle_money(self) -> None:
        """Finance says yes, and repeats what failed, until Stripe has sent all of it."""
        for _ in range(4):
            for refund in self._refunds("failed", "refused_by_stripe"):
                self._try(lambda: refunds.repeat_refund(refund, by=self.world.rita, now=clock.now()))  # noqa: B023
            for refund in self._refunds("requested"):
                self._decide(refund, yes=True)
            self._work_off()

    # how

    def _today(self) -> date:
        return clock.now().date()

    def _order(self) -> Order:
        return session.get_one(Order, self.order_id)

    def _lines(self) -> list[Any]:
        return self._order().lines

    def _parcels(self, *where: Any) -> list[Parcel]:
        mine = select(Parcel).where(Parcel.order_id == self.order_id, *where).order_by(Parcel.id)
        return list(session.scalars(mine.execution_options(populate_existing=True)))

    def _returns(self) -> list[Return]:
        return list(session.scalars(whole(Return.order_id == self.order_id).order_by(Return.id)))

    def _refunds(self, *states: str) -> list[Refund]:
        mine = select(Refund).where(Refund.order_id == self.order_id, Refund.state.in_(states)).order_by(Refund.id)
        return list(session.scalars(mine))

    def _with(self, which: int, act: Any, *where: Any) -> None:
        """Somebody does this with one of the returns."""
        rows = list(session.scalars(whole(Return.order_id == self.order_id, *where).order_by(Return.id)))
        if rows:
            self._try(lambda: act(rows[which % len(rows)]))
