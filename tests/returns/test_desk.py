"""Staff decide, receive, and find what is next in their lists."""

import pytest

from portal.db import session
from portal.lib import clock
from portal.refunds.actions import refuse_refund
from portal.returns import actions
from portal.staff.models import Staff
from tests.conftest import nothing_appears, owed, statements
from tests.returns.hands import approved, at_the_bench, inspected, page_of, post, received, requested, wish
from tests.world import open_link, sign_in


def test_approving_awaits_the_goods_and_tells_the_customer_where_and_until_when(desk, world, work, mails):
    ret = requested(world.alice)
    work()
    mails.clear()
    assert post(desk, ret, "approval").status_code == 303
    assert (ret.decision, ret.goods, ret.decided_by_id) == ("approved", "awaited", world.rita.id)
    work()
    (letter,) = mails
    assert letter["Subject"].startswith("Please send it back by ")
    text = letter.get_body(("plain",)).get_content()
    assert ret.rma in text
    assert "Stoneware mug, Moss" in text


def test_two_people_approve_and_the_customer_gets_one_letter(desk, world):
    ret = requested(world.alice)
    post(desk, ret, "approval")
    sign_in(desk, world.sam)
    with nothing_appears():
        answer = post(desk, ret, "approval")
    assert answer.status_code == 409
    assert "somebody else was quicker" in answer.text
    assert ret.decided_by_id == world.rita.id


def test_nobody_declines_what_was_approved(desk, world):
    ret = approved(world, world.alice)
    with nothing_appears():
        assert post(desk, ret, "refusal", note="no").status_code == 409
    assert ret.decision == "approved"


def test_declining_needs_a_reason(desk, world):
    ret = requested(world.alice)
    for note in ("", "   "):
        with nothing_appears():
            answer = post(desk, ret, "refusal", note=note)
        assert answer.status_code == 422
        assert "Say why; the customer reads it." in answer.text
    assert ret.decision == "requested"


def test_the_customer_reads_why_it_was_declined(desk, world, work, mails):
    ret = requested(world.alice)
    work()
    mails.clear()
    post(desk, ret, "refusal", note="It was made for you <3")
    work()
    (letter,) = mails
    assert "It was made for you <3" in letter.get_body(("plain",)).get_content()
    assert "made for you &lt;3" in letter.get_body(("html",)).get_content()
    open_link(desk, world.alice)
    assert "made for you &lt;3" in desk.get(f"/orders/{world.alice.ref}/returns/{ret.rma}").text


def test_we_stop_waiting_and_say_so(desk, world, work, mails):
    ret = approved(world, world.alice)
    work()
    mails.clear()
    assert post(desk, ret, "cancellation", note="It never came.").status_code == 303
    assert (ret.decision, ret.goods) == ("cancelled", "not_expected")
    work()
    assert "It never came." in mails[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("person", ["cleo", "pat", "fran"])
@pytest.mark.parametrize(
    "door", ["approval", "refusal", "acceptance", "receipt", "inspection", "lines", "cancellation"]
)
def test_people_without_the_right_change_nothing(desk, world, person, door):
    ret = requested(world.alice)
    sign_in(desk, getattr(world, person))
    with nothing_appears():
        assert post(desk, ret, door, note="x").status_code == 403


def test_a_scanned_number_opens_the_return(desk, world):
    ret = approved(world, world.alice)
    for scanned in (
        ret.rma,
        ret.rma.lower(),
        f" {ret.rma[:4]}-{ret.rma[4:]} ",
        ret.rma.replace("O", "0").replace("I", "1"),
    ):
        answer = desk.get("/desk/returns/bench", query_string={"code": scanned})
        assert answer.location == f"/desk/returns/{ret.id}?scanned=1"


@pytest.mark.parametrize("scanned", ["", "AS123456789", "x" * 5000, "💥", "%"])
def test_an_unknown_number_says_so_and_waits_for_the_next(desk, scanned):
    answer = desk.get("/desk/returns/bench", query_string={"code": scanned})
    assert answer.status_code == 404
    assert "Look for the order instead" in answer.text
    assert 'name="code"' in answer.text


def test_receiving_tells_the_customer_once(desk, world, work, mails):
    ret = approved(world, world.alice)
    work()
    mails.clear()
    post(desk, ret, "receipt")
    with nothing_appears():
        assert post(desk, ret, "receipt").status_code == 409
    assert (ret.goods, ret.received_by_id) == ("received", world.rita.id)
    work()
    assert [mail["Subject"] for mail in mails] == [f"Your parcel is here: return {ret.rma}"]


@pytest.mark.parametrize("end", ["declined", "cancelled"])
def test_what_nobody_wanted_arrives_anyway_and_can_be_accepted(desk, world, end):
    ret = requested(world.alice)
    if end == "declined":
        actions.decline_return(ret, note="no", by=world.rita, now=clock.now())
    else:
        actions.cancel_return(ret, now=clock.now())
    session.commit()
    with nothing_appears():
        assert post(desk, ret, "acceptance").status_code == 409
    assert post(desk, ret, "receipt").status_code == 303
    assert post(desk, ret, "inspection", **at_the_bench(ret)).status_code == 303
    with nothing_appears():
        assert post(desk, ret, "refund", amount=2000).status_code == 409
    assert post(desk, ret, "acceptance").status_code == 303
    assert post(desk, ret, "refund", amount=2000).status_code == 303


def test_what_is_here_before_anybody_decided_can_be_approved_without_a_letter_about_sending(desk, world, work, mails):
    ret = requested(world.alice)
    post(desk, ret, "receipt")
    assert "The parcel is here already" in page_of(desk, ret)
    work()
    mails.clear()
    assert post(desk, ret, "approval").status_code == 303
    assert (ret.decision, ret.goods) == ("approved", "received")
    assert owed("mail.send_letter") == []


def test_the_desk_sees_what_the_rules_say(desk, world):
    assert "All rules say yes." in page_of(desk, requested(world.alice))
    faulty = requested(world.alice, wish(world.alice, "SHIRT-M", reason="defective"))
    assert "Something is wrong with Linen shirt." in page_of(desk, faulty)


LISTS = ("requested", "awaited", "to_inspect", "to_settle", "done")


def test_each_return_stands_in_the_list_of_what_is_next(desk, world):
    ret = requested(world.alice)
    people: dict[str, Staff] = {"by": world.rita}
    steps = {
        "requested": lambda: None,
        "awaited": lambda: actions.approve_return(ret, **people, now=clock.now()),
        "to_inspect": lambda: actions.receive_return(ret, **people, now=clock.now()),
        "to_settle": lambda: post(desk, ret, "inspection", **at_the_bench(ret)),
        "done": lambda: post(desk, ret, "refund", amount=2000),
    }
    for name, step in steps.items():
        step()
        session.commit()
        shown = [each for each in LISTS if ret.rma in desk.get(f"/desk/returns?state={each}").text]
        assert shown == [name]


def test_a_return_whose_money_finance_refused_waits_for_money_again(desk, world):
    ret = inspected(world, world.alice)
    post(desk, ret, "refund", amount=2000)
    refuse_refund(ret.refunds[0], note="Too much", by=world.fran, now=clock.now())
    session.commit()
    assert [each for each in LISTS if ret.rma in desk.get(f"/desk/returns?state={each}").text] == ["to_settle"]
    assert post(desk, ret, "refund", amount=2000).status_code == 303
    assert [each for each in LISTS if ret.rma in desk.get(f"/desk/returns?state={each}").text] == ["done"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_as_many_statements_whatever_its_length(desk, world, name):
    taken = []
    for more in (0, 4):
        for _ in range(more):
            actions.cancel_return(requested(world.alice, wish(world.alice, "SHIRT-M")), now=clock.now())
            actions.cancel_return(approved(world, world.alice, wish(world.alice, "SHIRT-M")), now=clock.now())
        if more:
            received(world, world.alice, wish(world.alice, "SHIRT-M"))
            requested(world.alice), approved(world, world.alice)
        session.commit()
        session.expire_all()
        with statements() as seen:
            assert desk.get(f"/desk/returns?state={name}").status_code == 200
        taken.append(len(seen))
    assert taken[0] == taken[1] <= 6


@pytest.mark.parametrize("query", ["state=nonsense", "page=99999999999", "state=done&page=20000"])
def test_a_list_that_does_not_exist_is_not_found(desk, query):
    assert desk.get(f"/desk/returns?{query}").status_code == 404


def test_a_return_that_does_not_exist_is_not_found(desk):
    assert desk.get("/desk/returns/999").status_code == 404
    with nothing_appears():
        assert desk.post("/desk/returns/999/approval").status_code == 404


def test_a_return_s_page_takes_as_many_statements_whatever_it_holds(desk, world):
    small = inspected(world, world.alice)
    with statements() as few:
        page_of(desk, small)
    large = inspected(world, world.alice, wish(world.alice), wish(world.alice, "SHIRT-M"))
    session.expire_all()
    with statements() as many:
        page_of(desk, large)
    assert len(few) == len(many) <= 27
