"""What we believe of Stripe: proven against the stand-in always, against a test account when STRIPE_TEST_KEY is set."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe as sdk

from portal.adapters.errors import Permanent
from portal.adapters.stripe import API_VERSION, Account, Declined, KeyReused, StripeRefund
from portal.demo.stripe import Remote, StandIn
from portal.lib.stripe_key import STRIPE

REAL_KEY = os.environ.get("STRIPE_TEST_KEY", "")
SLOWEST = 180.0  # seconds that a test account may take to change a refund by itself


@dataclass
class Bank:
    """A Stripe to try things on: an account, and a way to be paid."""

    account: Account
    pay: Callable[..., str]
    forward: Callable[[float], None]
    real: bool

    def refund(self, payment: str, amount: int, our_id: str = "", key: str = "") -> StripeRefund:
        our_id = our_id or str(uuid4())
        params = {
            "payment_intent": payment,
            "amount": amount,
            "reason": "requested_by_customer",
            "metadata": {"rf": our_id},
        }
        return self.account.create_refund(params, key=key or f"refund:{our_id}")

    def becomes(self, refund: StripeRefund, status: str) -> StripeRefund:
        until = time.monotonic() + (SLOWEST if self.real else 5)
        while time.monotonic() < until:
            if (now := self.account.get_refund(refund.id)).status == status:
                return now
            time.sleep(2 if self.real else 0.05)
        raise AssertionError(f"it is still {now.status}")


@pytest.fixture(params=["stand-in", *(["test account"] if REAL_KEY else [])])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    if request.param == "test account":
        yield Bank(Account(REAL_KEY), payer(REAL_KEY, STRIPE), forward=lambda _: None, real=True)
        return
    stand_in = StandIn(tmp_path / "stripe.json")
    address = stand_in.start()
    account, key = Account("sk_test_contract", address), "sk_test_contract"
    yield Bank(account, payer(key, address), Remote(address).forward, real=False)
    stand_in.stop()


def payer(key: str, base: str) -> Callable[..., str]:
    client = sdk.StripeClient(key, base_addresses={"api": base}, stripe_version=API_VERSION).v1

    def pay(amount: int = 10_000, card: str = "pm_card_visa", currency: str = "eur", confirm: bool = True) -> str:
        methods: Any = {"enabled": True, "allow_redirects": "never"}
        made: Any = {"amount": amount, "currency": currency, "automatic_payment_methods": methods}
        return str(
            client.payment_intents.create(made | ({"payment_method": card, "confirm": True} if confirm else {})).id
        )

    return pay


def test_stripe_itself_was_asked() -> None:
    if not REAL_KEY:
        pytest.skip("NOT RUN against Stripe: set STRIPE_TEST_KEY to the secret key of a test account")
    assert Account(REAL_KEY).mode == "test"


def test_a_card_refund_succeeds_at_once_and_tells_whose_it_is(bank: Bank) -> None:
    payment = bank.pay()
    refund = bank.refund(payment, 4000, our_id="row-1")
    assert (refund.status, refund.amount, refund.currency) == ("succeeded", 4000, "EUR")
    assert (refund.payment_intent, refund.our_id, refund.failure_reason) == (payment, "row-1", "")
    assert refund.id
    assert refund.request_id.startswith("req_")


def test_a_payment_tells_what_was_received_and_that_nobody_disputes_it(bank: Bank) -> None:
    payment = bank.account.payment(bank.pay(2500))
    assert (payment.status, payment.received, payment.currency) == ("succeeded", 2500, "EUR")
    assert not payment.disputed
    assert not payment.livemode


def test_a_currency_without_decimals_is_counted_in_whole_ones(bank: Bank) -> None:
    payment = bank.pay(1200, currency="jpy")
    assert (bank.refund(payment, 700).amount, bank.account.payment(payment).currency) == (700, "JPY")


def test_the_same_key_moves_the_money_once_and_the_answer_is_the_present(bank: Bank) -> None:
    payment = bank.pay()
    first = bank.refund(payment, 3000, our_id="row-2")
    again = bank.refund(payment, 3000, our_id="row-2")
    assert again.id == first.id
    assert [refund.id for refund in bank.account.refunds_of(payment)] == [first.id]


def test_two_equal_refunds_under_two_keys_are_two(bank: Bank) -> None:
    payment = bank.pay()
    assert bank.refund(payment, 3000).id != bank.refund(payment, 3000).id
    assert len(bank.account.refunds_of(payment)) == 2


def test_another_amount_under_a_used_key_is_neither_done_nor_a_refusal(bank: Bank) -> None:
    payment = bank.pay()
    bank.refund(payment, 3000, our_id="row-3")
    with pytest.raises(KeyReused):
        bank.refund(payment, 3001, our_id="row-3")
    assert [refund.amount for refund in bank.account.refunds_of(payment)] == [3000]


def test_more_than_is_left_is_refused_by_its_parameter(bank: Bank) -> None:
    payment = bank.pay()
    bank.refund(payment, 7000)
    with pytest.raises(Declined) as refusal:
        bank.refund(payment, 4000)
    assert (refusal.value.code, refusal.value.param) == ("", "amount")


def test_nothing_left_is_refused_by_its_code(bank: Bank) -> None:
    payment = bank.pay()
    bank.refund(payment, 10_000)
    with pytest.raises(Declined) as refusal:
        bank.refund(payment, 1)
    assert refusal.value.code == "charge_already_refunded"


def test_a_refusal_is_remembered_under_its_key(bank: Bank) -> None:
    payment = bank.pay()
    bank.refund(payment, 10_000)
    for _ in range(2):
        with pytest.raises(Declined, match="already been refunded"):
            bank.refund(payment, 500, our_id="row-4")


def test_a_payment_that_nobody_knows_is_refused(bank: Bank) -> None:
    with pytest.raises(Declined) as refusal:
        bank.refund("pi_3NobodyKnowsThisOne000000", 100)
    assert refusal.value.code == "resource_missing"


def test_an_unpaid_payment_is_refused(bank: Bank) -> None:
    with pytest.raises(Declined):
        bank.refund(bank.pay(confirm=False), 100)


def test_a_refund_that_nobody_knows_is_refused(bank: Bank) -> None:
    with pytest.raises(Declined):
        bank.account.get_refund("re_3NobodyKnowsThisOne000000")


def test_refunds_are_found_by_our_id_newest_first(bank: Bank) -> None:
    payment = bank.pay()
    made = [bank.refund(payment, 100, our_id=f"row-{n}") for n in range(3)]
    assert [refund.id for refund in bank.account.refunds_of(payment)] == [refund.id for refund in reversed(made)]
    found = bank.account.find_refund(payment, "row-0")
    assert found is not None
    assert found.id == made[0].id
    assert bank.account.find_refund(payment, "row-9") is None


def test_a_disputed_payment_is_seen_and_can_not_be_refunded(bank: Bank) -> None:
    payment = bank.pay(card="pm_card_createDispute")
    until = time.monotonic() + (SLOWEST if bank.real else 1)
    while not bank.account.payment(payment).disputed and time.monotonic() < until:
        time.sleep(2)
    assert bank.account.payment(payment).disputed
    with pytest.raises(Permanent):
        bank.refund(payment, 100)


def test_a_pending_refund_waits_and_succeeds_later(bank: Bank) -> None:
    refund = bank.refund(bank.pay(card="pm_card_pendingRefund"), 2000)
    assert refund.status == "pending"
    bank.forward(60)
    assert bank.becomes(refund, "succeeded").failure_reason == ""


def test_a_refund_that_fails_late_succeeded_before(bank: Bank) -> None:
    refund = bank.refund(bank.pay(card="pm_card_refundFail"), 2000, our_id="row-5")
    assert refund.status == "succeeded"
    bank.forward(60)
    assert bank.becomes(refund, "failed").failure_reason == "expired_or_canceled_card"
    again = bank.refund(refund.payment_intent, 2000, our_id="row-5")
    assert (again.id, again.status) == (refund.id, "failed"), "a replay of the key tells the present"


def test_the_key_is_allowed_to_read_what_we_read(bank: Bank) -> None:
    bank.account.prove()
