"""Money back under everything at once, as a state machine: people, workers that die, lost replies, webhooks in any
order and number, a bank that changes its mind, a dashboard, a clock.

The real adapter speaks to the stand-in's core without a network. Whatever happens, the invariants hold after every
step; and once everything is quiet, our rows and Stripe's refunds tell the same.
"""

import time
from datetime import timedelta
from typing import Any

from flask import Flask
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import func, select

from portal.db import session
from portal.demo.stripe import StandIn
from portal.demo.stripe.calls import Call
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Payment
from portal.refunds import actions
from portal.refunds.facts import MEANS
from portal.refunds.jobs import sweep, try_key
from portal.refunds.models import GIVEN_UP, HOLDING, Refund
from portal.refunds.rules import RefundPart
from tests.refunds.hands import paid
from tests.stage import ONE_AT_A_TIME, Died, Line, Stage
from tests.standin import KEY

CARDS = st.sampled_from(["pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail"])
YES_OR_NO = st.booleans()
AMOUNTS = st.sampled_from([500, 1500, 3900])


class MoneyBack(Stage):
    """Alice has paid 84 euros. Rita asks for money, Fran and Max decide, workers send, the world misbehaves."""

    def __init__(self, app: Flask, stand_in: StandIn, line: Line) -> None:
        super().__init__(app, stand_in, line)
        self.captured = paid(self.world.alice).captured
        self.intent = self.control.pay({"amount": self.captured, "currency": "eur", "id": "pi_alice"})
        session.commit()

    # people

    @initialize(card=CARDS, reply_lost=YES_OR_NO, sent=YES_OR_NO, amounts=st.lists(AMOUNTS, min_size=1, max_size=2))
    def some_refunds_are_on_their_way(self, card: str, reply_lost: bool, sent: bool, amounts: list[int]) -> None:
        self.stand_in.book.the("charges", self.intent["latest_charge"])["payment_method"] = card
        if reply_lost:
            self.stripe_stumbles("cut", "after", "POST")
        for line, amount in enumerate(amounts):
            self.somebody_asks(line, amount, approved=True)
        if sent:
            self.workers_take_all_jobs()

    @rule(line=st.integers(0, 1), amount=AMOUNTS, approved=st.booleans())
    def somebody_asks(self, line: int, amount: int, approved: bool) -> None:
        order, now = self.world.alice, clock.now()
        part = RefundPart(order.lines[line].id, 1, amount)

        def ask() -> None:
            refund = actions.open_refund(order, [part], reason="", by=self.world.rita, now=now)
            if approved:
                actions.approve_refund(refund, by=self.world.fran, now=now)

        self._try(ask)

    @rule(which=ONE_AT_A_TIME, who=st.sampled_from(["fran", "max", "rita"]))
    def somebody_approves(self, which: int, who: str) -> None:
        if refund := self._one(which, "requested"):
            by = getattr(self.world, who)
            self._try(lambda: actions.approve_refund(refund, by=by, now=clock.now()))

    @rule(which=ONE_AT_A_TIME, less=st.sampled_from([100, 1499]))
    def somebody_reduces(self, which: int, less: int) -> None:
        if refund := self._one(which, "requested"):
            amounts = {refund.lines[0].id: refund.amount - less}
            self._try(lambda: actions.reduce_refund(refund, amounts, note="worn", by=self.world.fran, now=clock.now()))

    @rule(which=ONE_AT_A_TIME)
    def somebody_refuses(self, which: int) -> None:
        if refund := self._one(which, "requested"):
            self._try(lambda: actions.refuse_refund(refund, note="no", by=self.world.max, now=clock.now()))

    @rule(which=ONE_AT_A_TIME)
    def somebody_proposes_it_again(self, which: int) -> None:
        if refund := self._one(which, *GIVEN_UP):
            self._try(lambda: actions.repeat_refund(refund, by=self.world.rita, now=clock.now()))

    # workers

    @rule(which=ONE_AT_A_TIME)
    def a_worker_takes_a_job(self, which: int) -> None:
        due = self._due()
        if due:
            self._work(due[which % len(due)])

    @rule()
    def workers_take_all_jobs(self) -> None:
        self._work_off()

    @rule(when=st.sampled_from(["before", "after"]))
    def the_next_worker_dies_while_it_sends(self, when: str) -> None:
        self.line.dies = when

    @rule()
    def the_sweep_comes_round(self) -> None:
        sweep()

    @rule()
    def somebody_tries_the_key(self) -> None:
        try:
            try_key()
        except Died:
            session.rollback()

    # Stripe, the bank, the dashboard

    @rule(
        what=st.sampled_from(["cut", "500", "503", "409", "429", "401", "html"]),
        when=st.sampled_from(["before", "after"]),
        match=st.sampled_from(["POST", "POST", "GET /v1/refunds", "GET"]),
    )
    def stripe_stumbles(self, what: str, when: str, match: str) -> None:
        assume(when == "before" or what in ("cut", "500", "html"))  # a 4xx is said by one who executed nothing
        self.control.answer("POST", "faults", {"what": what, "when": when, "match": match})

    @rule(which=ONE_AT_A_TIME, times=st.integers(1, 3))
    def a_webhook_comes(self, which: int, times: int) -> None:
        events = self.stand_in.book.all("events")
        for _ in range(times):
            self._tell(events[which % len(events)])

    @precondition(lambda self: self._live_at_stripe())
    @rule(which=ONE_AT_A_TIME, status=st.sampled_from(["failed", "failed", "requires_action", "succeeded"]))
    def the_bank_changes_its_mind(self, which: int, status: str) -> None:
        live = self._live_at_stripe()
        why = {"failure_reason": "declined"} if status == "failed" else {}
        self.control.change_refund({"id": live[which % len(live)]["id"], "status": status, **why})

    @rule(amount=st.sampled_from([700, 3000]))
    def somebody_gives_money_back_in_the_dashboard(self, amount: int) -> None:
        call = Call("POST", "/v1/refunds", {"payment_intent": "pi_alice", "amount": str(amount)}, self._key())
        self.stand_in.api.answer(call)

    @rule(opened=st.booleans())
    def the_customers_bank_disputes_or_lets_it_be(self, opened: bool) -> None:
        if opened:
            self.control.open_dispute({"payment_intent": "pi_alice"})
        else:
            self.stand_in.book.the("charges", self.intent["latest_charge"])["disputed"] = False

    @rule(minutes=st.sampled_from([1, 3, 20, 90, 25 * 60, 3 * 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self._forward(timedelta(minutes=minutes))

    # what always holds

    @invariant()
    def nothing_is_lost_twice_or_misreported(self) -> None:
        self._look()
        self._each_decision_moved_money_at_most_once()
        self._what_is_held_is_what_lives()
        self._money_at_stripe_is_held_here()
        self._nobody_was_told_sent_before_stripe_said_so()

    def _look(self) -> None:
        """Our rows, the balance and the letters as they are now."""
        self.rows = list(session.execute(select(Refund.__table__).order_by(Refund.id)))
        balance = select(Payment.captured, Payment.reserved, Payment.external).where(
            Payment.payment_intent == "pi_alice"
        )
        self.balance = session.execute(balance).one()
        told = select(Letter.about, Letter.kind).where(Letter.about.like("refund:%"))
        self.letters = [(row.about, row.kind) for row in session.execute(told)]
        session.commit()

    def _each_decision_moved_money_at_most_once(self) -> None:
        ours = [made["metadata"]["rf"] for made in self._at_stripe() if made["metadata"]]
        assert len(ours) == len(set(ours)), "two refunds for one decision"
        assert set(ours) <= {row.uuid for row in self.rows if row.approved_at}, "money moved that nobody approved"
        assert not [row for row in self.rows if row.approved_by_id and row.approved_by_id == row.requested_by_id]

    def _what_is_held_is_what_lives(self) -> None:
        for source, sum_here in (("ours", self.balance.reserved), ("external", self.balance.external)):
            live = [row.amount for row in self.rows if row.source == source and row.state in HOLDING]
            assert sum_here == sum(live), f"the balance and the live refunds differ: {source}"
        assert self.balance.reserved <= self.balance.captured, "more is promised back than was paid"
        assert sum(made["amount"] for made in self._live_at_stripe()) <= self.balance.captured

    def _money_at_stripe_is_held_here(self) -> None:
        states = {row.uuid: row.state for row in self.rows}
        for made in self._live_at_stripe():
            if made["metadata"]:
                assert states[made["metadata"]["rf"]] in HOLDING, "it left, and its amount is free for another"

    def _nobody_was_told_sent_before_stripe_said_so(self) -> None:
        once = {event["data"]["object"]["id"] for event in self.stand_in.book.all("events") if _said_sent(event)}
        for row in self.rows:
            sent = self.letters.count((f"refund:{row.id}", "refund-on-its-way"))
            corrected = self.letters.count((f"refund:{row.id}", "refund-corrected"))
            assert row.stripe_refund_id in once or (row.state != "succeeded" and not sent), "“sent” was said too early"
            assert corrected <= sent
            assert row.state != "failed" or corrected == bool(sent), "what was told was not taken back"

    def teardown(self) -> None:
        """Everything falls quiet: faults end, people and banks have spoken, weeks pass. Then both books must agree."""
        try:
            self._fall_quiet()
            self.nothing_is_lost_twice_or_misreported()
            self._compare()
        finally:
            self.undo.close()

    def _fall_quiet(self) -> None:
        self.stand_in.faults.forget()
        self.line.dies = ""
        for event in self.stand_in.book.all("events"):  # webhooks about ours stay lost; nothing else tells of others'
            if event["type"] == "refund.created" and not event["data"]["object"]["metadata"]:
                self._tell(event)
        for made in self._live_at_stripe():
            if made["status"] != "succeeded":  # the bank makes up its mind
                self.control.change_refund({"id": made["id"], "status": "succeeded"})
        for _ in range(60):
            try_key()
            self._work_off()
            sweep()
            self._work_off()
            waits = session.scalar(select(func.min(Refund.next_look_at)))
            if waits is None:
                return
            self._forward(max(waits - clock.now(), timedelta()) + timedelta(minutes=2))
        self._look()
        raise AssertionError(f"it never falls quiet: {[(row.id, row.state) for row in self.rows]}")

    def _compare(self) -> None:
        rows = {row.stripe_refund_id: row for row in self.rows if row.stripe_refund_id}
        for made in self._at_stripe():
            row = rows.pop(made["id"], None)
            assert row is not None, f"Stripe has {made['id']}, we have not"
            assert row.state in (MEANS[made["status"]], "needs_review"), (row.state, made["status"])
            assert (row.amount, row.source == "ours") == (made["amount"], bool(made["metadata"]))
        assert rows == {}, "we have refunds that Stripe has not"
        unsettled = [row.state for row in self.rows if row.state in ("approved", "sending", "unknown")]
        assert unsettled == []

    # how

    def _one(self, which: int, *states: str) -> Refund | None:
        rows = list(session.scalars(select(Refund).where(Refund.state.in_(states)).order_by(Refund.id)))
        rows = [row for row in rows if row.source == "ours"]
        return rows[which % len(rows)] if rows else None

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"dashboard-{time.monotonic_ns()}"}


def _said_sent(event: Any) -> bool:
    about = event["data"]["object"]
    return about["object"] == "refund" and about["status"] == "succeeded"
