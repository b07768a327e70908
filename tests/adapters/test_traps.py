"""Stripe's library does these things behind one's back, or does not do what one thinks. Each has a fence and a test.

it tries again by itself, or does not, by a setting that only the old style reads
    test_one_call_is_one_try_whatever_stripe_suggests
    test_stripe: test_each_trouble_has_its_meaning
it waits 80 seconds for an answer
    test_nobody_waits_for_80_seconds
it does not try again after 429, and does not read Retry-After
    refunds/test_faults: test_a_429_was_surely_not_executed_and_backs_off_in_the_worker
each call invents a new idempotency key
    test_stripe: test_the_key_is_a_header_and_the_amount_a_parameter
a key among the parameters is no key
    test_stripe: test_the_key_is_a_header_and_the_amount_a_parameter
an amount of None is dropped, and Stripe gives back everything that is left
    test_stripe: test_an_amount_that_is_none_never_leaves
    test_stripe: test_a_forgotten_amount_never_leaves
10.5 is sent as 10.5
    test_stripe: test_an_amount_that_is_none_never_leaves
an empty payment is sent
    test_stripe: test_a_payment_that_is_none_never_leaves
metadata that are numbers become texts, those that are None are dropped
    test_metadata_that_would_be_changed_or_dropped_never_leave
a key that is not ASCII is a lost connection
    test_stripe: test_a_key_that_no_header_can_carry_never_leaves
an empty API key builds and calls
    test_stripe: test_a_wrong_key_or_a_strangers_address_is_refused_before_any_call
each status has an error of its own, and a conflict is one of all sorts
    test_stripe: test_each_trouble_has_its_meaning
a proxy's page with status 200 is an error of no kind
    test_stripe: test_trouble_after_the_money_moved_is_unknown_and_a_look_finds_it
what is absent raises AttributeError
    test_what_stripe_leaves_out_is_empty
an error has a code only sometimes
    test_stripe_contract: test_more_than_is_left_is_refused_by_its_parameter
it sends timings, and writes a file into the home folder
    test_stripe: test_the_library_reports_nothing_to_its_makers
    test_stripe: test_it_says_who_calls_and_nothing_of_the_machine
it tells Stripe by whose tool it runs
    test_stripe: test_it_says_who_calls_and_nothing_of_the_machine
a replay tells the past
    refunds/test_faults: test_a_replay_after_a_late_failure_tells_the_present
who asks support needs the request's number
    test_every_answer_and_every_trouble_carries_stripes_number_for_the_request
the age of a signature is not checked with a tolerance of 0
    test_stripe: test_a_signature_that_is_not_ours_is_refused
bytes that are no text, a list, an event without a type: errors of other kinds
    test_stripe: test_bytes_that_are_no_text_are_refused
    test_stripe: test_what_is_signed_and_no_event_is_malformed
"""

from typing import Any

import pytest
import stripe as sdk

from portal.adapters import stripe as adapter
from portal.adapters.errors import Permanent, Temporary, Unknown
from portal.adapters.stripe import Account, Declined
from portal.demo.stripe import Remote
from tests.rows import held_by


def test_each_trap_has_its_test() -> None:
    assert len(held_by(__file__)) == 25


@pytest.fixture
def account(stripe: Remote) -> Account:
    return Account("sk_test_traps", stripe.address)


def params(payment: str, amount: int = 2500, **more: Any) -> dict[str, Any]:
    return {"payment_intent": payment, "amount": amount, "metadata": {"rf": "row-1"}, **more}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the library's client was made with."""
    seen: dict[str, Any] = {}
    build = sdk.StripeClient

    def client(key: str, **how: Any) -> sdk.StripeClient:
        seen.update(how)
        return build(key, **how)

    monkeypatch.setattr(sdk, "StripeClient", client)
    Account("sk_test_traps")
    return seen


def test_one_call_is_one_try_whatever_stripe_suggests(given: dict[str, Any]) -> None:
    assert given["max_network_retries"] == 0, "said, not left to a setting that is not read"
    again = given["http_client"]._should_retry((b"", 409, {"stripe-should-retry": "true"}), None, 0, 0)
    assert again is False


def test_nobody_waits_for_80_seconds(given: dict[str, Any]) -> None:
    assert given["http_client"]._timeout == adapter.TIMEOUT == (3.05, 20.0)


@pytest.mark.parametrize("value", [None, 7, True])
def test_metadata_that_would_be_changed_or_dropped_never_leave(account: Account, stripe: Remote, value: Any) -> None:
    payment = stripe.pay(10_000)
    with pytest.raises(Declined) as refused:
        account.create_refund({**params(payment), "metadata": {"rf": value}}, key="k")
    assert refused.value.param == "metadata"
    assert stripe.requests() == []


def test_what_stripe_leaves_out_is_empty(account: Account, stripe: Remote) -> None:
    made = account.create_refund(params(stripe.pay(10_000)), key="k")
    assert (made.failure_reason, made.bank_reference) == ("", "")


@pytest.mark.parametrize("what", ["429", "401", "409", "503"])
def test_every_answer_and_every_trouble_carries_stripes_number_for_the_request(
    account: Account, stripe: Remote, what: str
) -> None:
    payment = stripe.pay(10_000)
    assert account.create_refund(params(payment), key="k").request_id.startswith("req_")
    stripe.fault(what)
    with pytest.raises((Temporary, Permanent, Unknown)) as raised:
        account.create_refund(params(payment), key="l")
    assert raised.value.request_id.startswith("req_")
    assert "req_" not in str(raised.value), "the reason is for people"
