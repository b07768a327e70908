"""Money that does not go back through Stripe: as credit, in the channel, by hand; each needs what it needs to count."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from portal.adapters.channels import IncomingRefund
from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.actions import take_refunds
from portal.orders.timeline import for_customer
from portal.refunds import actions, credit, ways
from portal.refunds.credit import StoreCredit
from portal.refunds.models import Refund
from portal.refunds.sending import begin_sending
from portal.refunds.words import for_customer as told
from portal.tracking.models import read
from tests.conftest import nothing_appears, owed
from tests.refunds.hands import again, approved, asked, balance
from tests.refunds.test_desk import seen, text_of
from tests.world import World, open_link, sign_in

Work = Callable[..., int]


def proven(refund: Refund, world: World, by: str = "rita", **more: Any) -> None:
    what = {"reference": "SHOP-77", "on": clock.now().date(), **more}
    ways.prove(refund, **what, by=getattr(world, by), now=clock.now())
    session.commit()


def chosen(refund: Refund, world: World, way: str, *amounts: int, by: str = "rita") -> Refund:
    """Somebody lets so much of each line go another way."""
    taken = {line.id: amount for line, amount in zip(refund.lines, amounts, strict=False)}
    part = ways.choose_way(refund, way, taken, note="as agreed", by=getattr(world, by), now=clock.now())
    session.commit()
    return part


def credited(world: World, amount: int = 4000) -> StoreCredit:
    found = credit.credit_of(approved(world, amount, way="credit"))
    assert found is not None
    return found


def spent(world: World, of: StoreCredit, amount: int) -> credit.CreditEntry:
    entry = credit.spend(of, amount, note="order 1010", by=world.sam, now=clock.now())
    session.commit()
    return entry


def letters(world: World) -> list[str]:
    return list(session.scalars(select(Letter.kind).where(Letter.order_id == world.alice.id).order_by(Letter.id)))


@pytest.mark.parametrize(("way", "state"), [("credit", "succeeded"), ("hand", "approved")])
def test_what_does_not_go_through_stripe_never_owes_a_call_to_it(world: World, way: str, state: str) -> None:
    refund = approved(world, 4000, way=way)
    assert (refund.state, refund.next_look_at, refund.stripe_refund_id) == (state, None, None)
    assert owed("refunds.send_refund") == []
    assert begin_sending(refund.id) is None
    assert balance(world.alice) == (8400, 4000, 0)


def test_the_channels_money_becomes_a_task_and_counts_with_its_proof(world: World) -> None:
    assert world.alice.payment is not None
    world.alice.payment.route = "channel"
    refund = approved(world, 4000)
    assert (refund.way, refund.state, refund.is_task) == ("channel", "approved", True)
    assert told(refund.state, None, refund.way) == "Being processed."
    proven(refund, world)
    assert (again(refund).state, refund.proof, refund.proven_by) == ("succeeded", "SHOP-77", world.rita)
    assert letters(world)[-1] == "refund-by-hand"
    letter = session.scalars(select(Letter).where(Letter.kind == "refund-by-hand")).one()
    assert "gave it back where you ordered" in letter.text
    assert "SHOP-77" in letter.text
    assert for_customer(world.alice.id)[0].text == "€40.00 sent back to you"


@pytest.mark.parametrize(
    ("what", "said"),
    [({"reference": " "}, "Write the reference"), ({"on": clock.now().date() + timedelta(days=1)}, "The day lies"),
     ({"on": clock.now().date() - timedelta(days=1)}, "The day lies"), ({"by": "fran"}, "second person")],
)  # fmt: skip
def test_without_a_good_proof_by_a_second_person_it_does_not_count(
    world: World, what: dict[str, Any], said: str
) -> None:
    refund = approved(world, 4000, way="hand")
    with nothing_appears(), pytest.raises(Refused, match=said):
        proven(refund, world, **what)
    session.rollback()
    assert again(refund).state == "approved"


@pytest.mark.parametrize(
    ("values", "constraint"),
    [("state = 'succeeded'", "proof"),
     ("state = 'succeeded', proof = 'X', proven_on = now(), proven_by_id = approved_by_id", "second_person"),
     ("stripe_refund_id = 're_1'", "not_stripe"), ("way = 'cash'", "way"), ("amount = 1", "frozen")],
)  # fmt: skip
def test_the_database_holds_it_too(world: World, values: str, constraint: str) -> None:
    refund = approved(world, 4000, way="hand")
    with pytest.raises(IntegrityError, match=f"ck_refunds_{constraint}"):
        session.execute(text(f"UPDATE refunds SET {values} WHERE id = :id"), {"id": refund.id})
    session.rollback()


def test_it_is_proven_once(world: World) -> None:
    refund = approved(world, 4000, way="hand")
    proven(refund, world)
    with nothing_appears(), pytest.raises(Refused, match="any more"):
        proven(refund, world, by="sam")


def test_what_could_not_be_done_frees_its_money_and_is_proposed_another_way(world: World) -> None:
    refund = approved(world, 4000, way="hand")
    ways.call_off(refund, note="the account is closed", by=world.rita, now=clock.now())
    session.commit()
    assert (again(refund).state, balance(world.alice)) == ("failed", (8400, 0, 0))
    assert refund.waits_for_a_person
    other = actions.repeat_refund(refund, way="card", by=world.rita, now=clock.now())
    assert (other.way, other.instead_of_id, balance(world.alice)) == ("card", refund.id, (8400, 4000, 0))


def told_by_channel(world: World, amount: int, external_id: str = "R-1") -> None:
    world.alice.payment.route = "channel"
    take_refunds(world.alice, [IncomingRefund(external_id, amount, clock.now())], now=clock.now())
    session.commit()


@pytest.mark.parametrize("proven_first", [True, False])
def test_what_the_channel_tells_of_our_task_is_the_same_money(world: World, work: Work, proven_first: bool) -> None:
    told_by_channel(world, 100, "R-0")
    refund = approved(world, 4000)
    if proven_first:
        proven(refund, world)
    told_by_channel(world, 4000)
    work(task="refunds.know_again_what_channel_gave")
    assert balance(world.alice) == (8400, 4000, 100)
    if not proven_first:
        proven(refund, world)
    told_by_channel(world, 4000, "R-2")
    work(task="refunds.know_again_what_channel_gave")
    assert (refund.state, balance(world.alice)) == ("succeeded", (8400, 4000, 4100))
    assert [str(back.amount.amount) for back in read(world.alice.id).money] == ["100", "4000", "4000"]


def test_it_refuses_to_call_off_what_the_channel_says_was_done(world: World, work: Work) -> None:
    told_by_channel(world, 100, "R-0")
    refund = approved(world, 4000)
    told_by_channel(world, 4000)
    work(task="refunds.know_again_what_channel_gave")
    with nothing_appears(), pytest.raises(Refused, match="says that this money went back"):
        ways.call_off(refund, note="not possible", by=world.rita, now=clock.now())


def test_part_of_a_proposal_goes_another_way_and_the_sum_stays(world: World) -> None:
    refund = asked(world, 4000, 3900)
    part = chosen(refund, world, "credit", 1000, 3900, by="sam")
    assert [(again(one).way, one.amount) for one in (refund, part)] == [("card", 3000), ("credit", 4900)]
    assert [(line.quantity, line.amount) for line in refund.lines] == [(1, 3000), (0, 0)]
    assert [(line.quantity, line.amount) for line in part.lines] == [(0, 1000), (1, 3900)]
    assert balance(world.alice) == (8400, 7900, 0)
    assert (part.requested_by_id, refund.requested_by_id) == (world.sam.id, world.rita.id)


def test_whoever_chooses_the_way_does_not_approve_it(world: World) -> None:
    refund = chosen(asked(world, 4000), world, "hand", 4000, by="fran")
    with nothing_appears(), pytest.raises(Refused, match="second person"):
        actions.approve_refund(refund, by=world.fran, now=clock.now())


@pytest.mark.parametrize(
    ("way", "amount", "said"),
    [("channel", 100, "in our Stripe account"), ("card", 100, "that way already"), ("credit", 0, "more than nothing"),
     ("hand", 4001, "not more than")],
)  # fmt: skip
def test_a_way_that_can_not_be_is_refused(world: World, way: str, amount: int, said: str) -> None:
    refund = asked(world, 4000)
    with nothing_appears(), pytest.raises(Refused, match=said):
        chosen(refund, world, way, amount)
    session.rollback()
    assert (again(refund).way, refund.amount, balance(world.alice)) == ("card", 4000, (8400, 4000, 0))


def test_credit_and_refunds_together_never_exceed_what_was_paid(world: World) -> None:
    credited(world, 4000)
    approved(world, 0, 3900)
    with nothing_appears(), pytest.raises(Refused, match="more than what is left"):
        asked(world, 0, 0, 501)


def test_credit_is_given_at_once_with_a_letter_that_holds_its_code(world: World) -> None:
    one = credited(world)
    assert (one.left.amount, one.currency, one.customer_id) == (4000, "EUR", world.alice.customer_id)
    letter = session.scalars(select(Letter).where(Letter.kind == "store-credit")).one()
    assert one.code in letter.text
    assert for_customer(world.alice.id)[0].text == "€40.00 given to you as store credit"


def test_credit_is_spent_bit_by_bit_and_never_below_nothing(world: World) -> None:
    one = credited(world)
    spent(world, one, 1500)
    spent(world, one, 2500)
    with nothing_appears(), pytest.raises(Refused, match="more than what is left"):
        spent(world, one, 1)
    assert [(entry.number, entry.kind, entry.amount, entry.balance) for entry in one.entries] == [
        (1, "issued", 4000, 4000), (2, "spent", -1500, 2500), (3, "spent", -2500, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("amount", [0, -1, 1.5, True])
def test_nothing_less_and_half_a_cent_is_not_spent(world: World, amount: Any) -> None:
    one = credited(world)
    with nothing_appears(), pytest.raises(Refused, match="more than nothing"):
        spent(world, one, amount)


def test_what_was_spent_is_put_back_once(world: World) -> None:
    one = credited(world)
    entry = spent(world, one, 1500)
    credit.undo_spending(entry, note="order cancelled", by=world.fran, now=clock.now())
    session.commit()
    assert one.left.amount == 4000
    with nothing_appears(), pytest.raises(Refused, match="already"):
        credit.undo_spending(entry, note="again", by=world.fran, now=clock.now())


def test_unspent_credit_is_taken_back_and_its_money_goes_another_way(world: World) -> None:
    one = credited(world)
    credit.take_back(one, note="they want their money", by=world.fran, now=clock.now())
    session.commit()
    refund = session.get_one(Refund, one.refund_id)
    assert (refund.state, refund.waits_for_a_person, balance(world.alice)) == ("failed", True, (8400, 0, 0))
    assert one.left.amount == 0
    assert letters(world)[-2:] == ["store-credit", "store-credit-back"]
    assert told("failed", None, "credit").startswith("The store credit was taken back.")


def test_credit_that_is_partly_spent_stays(world: World) -> None:
    one = credited(world)
    spent(world, one, 1)
    with nothing_appears(), pytest.raises(Refused, match="is spent"):
        credit.take_back(one, note="no", by=world.fran, now=clock.now())


@pytest.mark.parametrize(
    ("statement", "said"),
    [("UPDATE credit_entries SET amount = 1", "permission denied"), ("DELETE FROM credit_entries", "permission denied"),
     ("INSERT INTO credit_entries (credit_id, number, kind, amount, balance, at, by_id, note) "
      "SELECT credit_id, 2, 'spent', -4001, -1, at, by_id, '' FROM credit_entries", "ck_credit_entries_balance"),
     ("INSERT INTO credit_entries (credit_id, number, kind, amount, balance, at, by_id, note) "
      "SELECT credit_id, 1, 'spent', -1, 3999, at, by_id, '' FROM credit_entries", "credit_entries")],
)  # fmt: skip
def test_the_ledger_keeps_what_was_written(world: World, statement: str, said: str) -> None:
    credited(world)
    with pytest.raises(DBAPIError, match=said):
        session.execute(text(statement))
    session.rollback()


def test_from_the_proposal_to_spent_credit_at_the_desk(client: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    rita = sign_in(client, world.rita)
    form = {"shown": 4000, "way": "credit", f"line_{refund.lines[0].id}": "40", "note": "she said so on the phone"}
    with nothing_appears():
        assert "Ask the customer first" in rita.post(f"/desk/refunds/{refund.id}/way", data=form).text
    assert rita.post(f"/desk/refunds/{refund.id}/way", data={**form, "agreed": "y"}).status_code == 303
    fran = sign_in(client, world.fran)
    assert "The customer gets store credit at once" in fran.get(f"/desk/refunds/{refund.id}").text
    assert fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(again(refund), 4000)).status_code == 303
    one = credit.credit_of(again(refund))
    assert one is not None
    assert one.code in fran.get(f"/desk/credit?q={one.code.lower()}").text
    answer = fran.post(f"/desk/credit/{one.id}/spendings", data={"amount": "15,50", "note": "order 1010"})
    assert answer.status_code == 303
    page = text_of(fran.get(f"/desk/credit/{one.id}").text)
    assert "€24.50" in page
    assert "order 1010" in page
    assert "Take it back" not in page
    customer = text_of(open_link(client, world.alice).get(f"/orders/{world.alice.ref}").text)
    assert "Store credit: €40.00. You have it as store credit." in customer
    assert "Left of it: €24.50." in customer
    assert one.code not in customer


def test_a_task_is_listed_proven_at_the_desk_and_told_to_the_customer(client: FlaskClient, world: World) -> None:
    refund = approved(world, 4000, way="hand")
    own = text_of(sign_in(client, world.fran).get(f"/desk/refunds/{refund.id}").text)
    assert "You approved this yourself. A second person has to prove" in own
    rita = sign_in(client, world.rita)
    assert "€40.00" in rita.get("/desk/refunds?state=tasks").text
    assert "€40.00" not in rita.get("/desk/refunds?state=under_way").text
    with nothing_appears():
        assert rita.post(f"/desk/refunds/{refund.id}/proof", data={"reference": "", "on": ""}).status_code == 422
    proof = {"reference": "SEPA-5", "on": clock.now().date().isoformat()}
    assert rita.post(f"/desk/refunds/{refund.id}/proof", data=proof).status_code == 303
    customer = text_of(open_link(client, world.alice).get(f"/orders/{world.alice.ref}").text)
    assert (
        "Money back: €40.00. Sent to you. It can take some days until you see it. Its reference is SEPA-5." in customer
    )
