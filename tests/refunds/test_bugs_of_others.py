"""Refunds went wrong in other shops' software in these ways, forty-five reports of them. What holds each here:

the webhook is worked off before the reply, and a second refund is recorded
    test_webhooks: test_the_webhook_before_the_reply_is_enough_and_the_reply_changes_nothing
one refund is shown twice, and the order as given back in full
    test_races: test_the_same_word_from_three_sides_is_one_transition
only the last refund's number is kept, so an event about the first one makes another
    test_an_event_about_the_first_refund_after_the_second_finds_the_first
the webhook looks before the transaction with the refund has ended
    test_killed_worker: test_a_worker_killed_while_stripe_talks_loses_nothing_and_pays_once
refunds have no identity of their own
    test_facts: test_a_second_refund_under_one_id_is_for_a_person
each charge.refunded records a refund
    test_webhooks: test_the_same_event_three_times_is_one_message_and_one_letter
a call repeated without a stable key pays twice
    test_faults: test_a_line_cut_before_anything_happened_is_tried_again_under_the_same_key
a double click pays twice
    test_desk: test_a_form_posted_twice_approves_once
Stripe took it, the write here failed, the next try pays again
    test_faults: test_a_reply_lost_after_the_money_moved_is_found_and_nothing_is_sent_again
it was made and not recorded, and the next try is "more than is left"
    test_faults: test_a_refusal_of_what_was_done_before_is_no_refusal
the key is the order's, and a later part collides with it
    test_two_equal_parts_of_one_payment_are_two_movements
the key is the session's, and a second part is answered with the first
    test_two_equal_parts_of_one_payment_are_two_movements
the key is made of amounts, and changes with what was given back meanwhile (two reports)
    test_the_key_stays_when_other_money_went_back_meanwhile
two of 60 on 100 both pass
    test_races: test_eight_refunds_of_60_on_100_and_one_wins
less than nothing is less than what is left
    test_decisions: test_nothing_and_less_is_no_refund
a ticket is given back by two at once
    test_races: test_eight_ask_for_the_same_return_and_one_wins
what is left is shown as less than nothing while one waits
    test_what_is_left_is_never_less_than_nothing
it is recorded before the gateway has answered, and stays when that says no
    test_sending: test_nobody_is_told_and_nothing_is_refunded_before_stripe_says_so
a refusal at once is not noticed, and the goods are back in stock
    test_faults: test_a_refusal_is_definite_and_frees_the_money
18.15 are told and 12.10 were paid
    test_facts: test_what_is_not_what_we_asked_for_is_for_a_person_and_keeps_its_id
one that failed late is told as done
    test_facts: test_a_refund_that_fails_late_frees_its_money_once_and_corrects_what_we_told
one that failed stays, or the order is unpaid all at once
    test_facts: test_a_refund_that_fails_late_frees_its_money_once_and_corrects_what_we_told
there is no state for one that failed
    test_facts: test_a_refund_cancelled_in_the_dashboard_has_failed
one that failed is set right by a hand that can pay twice
    test_facts: test_what_failed_can_be_proposed_again_as_a_row_of_its_own
one that waits is stored as failed, and is paid again
    test_facts: test_a_pending_refund_is_said_to_wait_and_then_to_be_done
one that waits is shown as an error
    test_facts: test_a_pending_refund_is_said_to_wait_and_then_to_be_done
whatever comes back counts as done
    test_facts: test_what_is_not_what_we_asked_for_is_for_a_person_and_keeps_its_id
one that was cancelled is not understood, and its amount is lost
    test_facts: test_a_refund_cancelled_in_the_dashboard_has_failed
only refund.updated is listened to, which a card never sends
    test_sending: test_an_approved_refund_is_sent_once_and_stripe_says_when_it_is_done
an old event about a refund is asked for as a charge, for days
    test_an_event_of_the_old_kind_is_asked_for_as_the_refund_it_is_about
a mistake while working off is answered with 200, and the event is lost
    test_webhooks: test_stripe_away_keeps_the_message_for_later
the second refund is ignored, for the order is in that state already
    test_two_equal_parts_of_one_payment_are_two_movements
a payment made twice is given back once, and the order is cancelled
    test_facts: test_a_refund_of_a_payment_that_is_not_ours_is_nobodys_business
a refund in the dashboard cancels the order and leaves no record
    test_webhooks: test_a_refund_made_in_the_dashboard_comes_in_by_its_webhook
"already refunded" counts as our success
    test_facts: test_more_than_everything_may_be_given_back_elsewhere_and_is_recorded
refunds in the dashboard never reach the shop
    test_comparison: test_a_refund_made_elsewhere_whose_webhook_was_lost_is_adopted_by_night
5,800 yen are sent as 580,000 or as 58, Uganda's shillings as cents
    test_currencies: test_it_is_asked_for_in_stripes_figures_and_told_in_peoples
87.957975 were paid, and 87.96 are more than that
    lib/test_lib: test_what_is_no_exact_amount_is_refused
lines are rounded one by one, and together are a cent too much
    test_currencies: test_three_thirds_are_the_whole_and_nothing_is_left
    returns/test_settlement: test_the_last_piece_takes_the_remainder
the price on the list is given back for what was bought cheaper, the tax on shipping is not
    adapters/test_shopify: test_discount_and_tax_of_the_whole_order_are_spread_and_add_up
the whole payment goes back in place of a part
    adapters/test_stripe: test_an_amount_that_is_none_never_leaves
another currency is noticed after the money has moved
    test_faults: test_a_payment_in_another_currency_is_not_even_tried
the bank takes the money back while it is given back
    test_faults: test_a_disputed_payment_is_not_even_tried
    test_webhooks: test_a_dispute_after_a_refund_is_an_alarm_until_it_is_won
what was charged back can neither be given back nor closed
    test_facts: test_money_paid_another_way_is_written_down_with_how
the refund went well, a step after it did not, and all of it is told as failed
    test_letters: test_a_customer_without_an_address_gets_no_letter_and_the_money_all_the_same
"""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from portal.db import session
from portal.demo.stripe import Remote
from tests.refunds.hands import again, approved, balance, in_the_dashboard, letters, money_moved, paid, send
from tests.refunds.test_webhooks import told
from tests.rows import held_by
from tests.world import World

Work = Callable[..., int]
pytestmark = pytest.mark.usefixtures("impatient")


def test_each_report_has_its_test() -> None:
    assert len(held_by(__file__)) == 47


def test_an_event_about_the_first_refund_after_the_second_finds_the_first(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    first, second = send(approved(world, 1000)), send(approved(world, 500))
    session.commit()
    stripe.change_refund(first.stripe_refund_id or "", status="failed", failure_reason="declined")
    for event in [event for event in stripe.undelivered() if event["data"]["object"]["id"] == first.stripe_refund_id]:
        assert told(client, event).status_code == 200
    work(task="refunds.work_off_stripe")
    assert (again(first).state, again(second).state) == ("failed", "succeeded")
    assert balance(world.alice) == (8400, 500, 0)


def test_two_equal_parts_of_one_payment_are_two_movements(world: World, stripe: Remote) -> None:
    first, second = send(approved(world, 1000)), send(approved(world, 1000))
    assert (first.state, second.state) == ("succeeded", "succeeded")
    assert first.stripe_refund_id != second.stripe_refund_id
    assert len({post["key"] for post in money_moved(stripe)}) == 2
    assert balance(world.alice) == (8400, 2000, 0)
    assert letters(world.alice) == ["refund-on-its-way"] * 2


def test_the_key_stays_when_other_money_went_back_meanwhile(world: World, stripe: Remote) -> None:
    stripe.fault("cut")
    refund = send(approved(world, 1000))
    in_the_dashboard(stripe, 700)
    refund = send(refund)
    assert refund.state == "succeeded"
    assert [post["key"] for post in money_moved(stripe) if post["params"]["amount"] == "1000"] == [refund.idem_key] * 2


def test_what_is_left_is_never_less_than_nothing(world: World, stripe: Remote) -> None:
    stripe.fault("cut")
    refund = send(approved(world, 4000))
    in_the_dashboard(stripe, 8400)
    assert send(refund).state == "refused_by_stripe"
    session.commit()
    approved(world, 3000)
    payment = paid(world.alice)
    payment.external = 8400
    assert payment.left.amount == 0


def test_an_event_of_the_old_kind_is_asked_for_as_the_refund_it_is_about(
    world: World, stripe: Remote, client: FlaskClient, work: Work
) -> None:
    refund = send(approved(world, 1000))
    session.commit()
    stripe.change_refund(refund.stripe_refund_id or "", status="failed", failure_reason="declined")
    [event] = [event for event in stripe.undelivered() if event["type"] == "refund.failed"]
    assert told(client, {**event, "id": "evt_old", "type": "charge.refund.updated"}).status_code == 200
    work(task="refunds.work_off_stripe")
    assert again(refund).state == "failed"
