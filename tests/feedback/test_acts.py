"""An answer may carry money, credit or goods: shown before it is sent, done with it or not at all, and told in it."""

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback import acts, cases, snippets
from portal.feedback.acts import Act
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.models import Order
from portal.refunds.actions import open_refund
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart, check_four_eyes
from portal.returns import actions as returns
from portal.returns.rules import Wish
from tests.conftest import nothing_appears
from tests.feedback.scenes import case_of, invited, kinds
from tests.returns import hands
from tests.returns.claim_hands import accepted, claimed
from tests.world import open_link, sign_in


@pytest.fixture
def case(world):
    invited(world.alice)
    return case_of(world.alice)


@pytest.fixture
def sam(client, world):
    return sign_in(client, world.sam)


def form(case, **more) -> dict[str, object]:
    usual = {"words": "We are sorry.", "seen": case.last_message_id, "kind": "", "line": "0", "amount": ""}
    return {**usual, "pieces": "1", "article": "0", "snippet": "0", "sure": "", **more}


def money(case, kind="refund", amount="20,00", **more) -> dict[str, object]:
    return form(case, kind=kind, amount=amount, line=case.order.lines[0].id, **more)


def letter() -> Letter:
    return session.scalars(select(Letter).where(Letter.kind == "case-reply")).one()


def test_money_is_shown_first_and_then_proposed_with_the_answer_that_tells_it(sam, case, world, client):
    address = f"/desk/cases/{case.id}/messages"
    with nothing_appears():
        shown = sam.post(address, data=money(case))
    assert shown.status_code == 200
    assert "We give you €20.00 back for “Stoneware mug”." in shown.text
    assert "Do it and send the answer" in shown.text
    mark = Act("refund", case.order.lines[0].id, 2000).mark
    assert f'value="{mark}"' in shown.text
    assert sam.post(address, data=money(case, sure=mark)).status_code == 303
    refund = session.scalars(select(Refund)).one()
    assert (refund.amount, refund.way, refund.state) == (2000, "card", "requested")
    assert refund.requested_by_id == world.sam.id
    assert refund.reason == f"case:{case.id}"
    assert "We give you €20.00 back for “Stoneware mug”. A colleague confirms it" in letter().text
    assert kinds(world.alice)[-1] == "case.replied"
    assert f"/desk/refunds/{refund.id}" in sam.get(f"/desk/cases/{case.id}").text
    browser = client.application.test_client()
    open_link(browser, world.alice, "case", case.id)
    assert "We give you €20.00 back" in browser.get(f"/orders/{world.alice.ref}/cases/{case.id}").text


def test_four_eyes_stay(case, world):
    reply(case, world.sam, Act("refund", case.order.lines[0].id, 2000))
    with pytest.raises(Refused):
        check_four_eyes(session.scalars(select(Refund)).one(), world.sam)


def test_credit_goes_as_credit(case, world):
    reply(case, world.sam, Act("credit", case.order.lines[0].id, 500))
    assert session.scalars(select(Refund)).one().way == "credit"
    assert "€5.00 as store credit" in letter().text


def reply(case, by, act: Act) -> None:
    session.expire_all()
    seen = case.last_message_id
    cases.reply(case, "We are sorry.", asks=False, seen=seen, by=by, now=clock.now(), act=act)
    session.commit()


def test_what_was_changed_after_it_was_shown_is_shown_anew(sam, case):
    mark = Act("refund", case.order.lines[0].id, 2000).mark
    with nothing_appears():
        shown = sam.post(f"/desk/cases/{case.id}/messages", data=money(case, amount="30.00", sure=mark))
    assert "We give you €30.00 back" in shown.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"amount": "40.01"}, "that is more than was paid for it"),
        ({"amount": "0"}, "The amount must be more than nothing."),
        ({"amount": "-5"}, ""),
        ({"amount": ""}, "Write the amount like 12.50."),
        ({"amount": "a lot"}, "Write the amount like 12.50."),
        ({"amount": "1.005"}, "Write the amount like 12.50."),
        ({"line": "999999"}, "This line is not part of the order."),
        ({"kind": "replacement"}, "Goods go out anew for an approved return or claim."),
    ],
)
def test_it_refuses_what_the_action_refuses_and_keeps_the_words(sam, case, more, said):
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data={**money(case), **more})
    assert answer.status_code == 409
    assert said in answer.text
    assert "We are sorry.</textarea>" in answer.text


def test_a_kind_that_nobody_offers_is_refused(sam, case):
    with nothing_appears():
        assert sam.post(f"/desk/cases/{case.id}/messages", data=money(case, kind="gold")).status_code == 422


def test_money_that_was_taken_meanwhile_stops_the_answer_too(sam, case, world):
    part = RefundPart(case.order.lines[0].id, 0, 3000)
    open_refund(world.alice, [part], reason="goodwill", by=world.rita, now=clock.now())
    session.commit()
    mark = Act("refund", case.order.lines[0].id, 2000).mark
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data=money(case, sure=mark))
    assert answer.status_code == 409
    assert session.scalars(select(Letter).where(Letter.kind == "case-reply")).all() == []


def test_an_answer_posted_twice_gives_once(sam, case):
    mark = Act("refund", case.order.lines[0].id, 2000).mark
    data = money(case, sure=mark)
    sam.post(f"/desk/cases/{case.id}/messages", data=data)
    with nothing_appears():
        assert sam.post(f"/desk/cases/{case.id}/messages", data=data).status_code == 409


def test_who_may_not_propose_money_gives_none(case, world):
    with nothing_appears(), pytest.raises(Refused):
        reply(case, world.cleo, Act("refund", case.order.lines[0].id, 2000))
    assert acts.kinds_for(world.cleo) == {"": acts.KINDS[""]}


def claim(world) -> int:
    """Alice's claim about a mug is approved; the id of its line."""
    hands.delivered(world, world.alice)
    wish = [Wish(world.alice.lines[0].id, 1, "damaged", "Broken.")]
    ret = returns.request_return(world.alice.id, wish, key="one", by="customer", now=clock.now())
    if ret.decision == "requested":
        returns.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    return ret.lines[0].id


def test_goods_go_out_anew_for_a_claim_and_the_answer_says_so(sam, case, world):
    line = claim(world)
    data = form(case, kind="replacement", article=line, pieces="1", sure=Act("replacement", line, pieces=1).mark)
    assert sam.post(f"/desk/cases/{case.id}/messages", data=data).status_code == 303
    sent = session.scalars(select(Order).where(Order.channel == "instead")).one()
    assert sent.lines[0].title == "Stoneware mug"
    assert "We send you “Stoneware mug” anew (1×)." in letter().text
    session.expire_all()
    assert case.messages[-1].done["number"] == sent.number


def test_it_refuses_more_pieces_than_come_back(case, world):
    line = claim(world)
    with nothing_appears(), pytest.raises(Refused):
        reply(case, world.sam, Act("replacement", line, pieces=2))


# --- building blocks ---


def test_a_block_in_the_customers_language_is_put_into_the_answer_and_nothing_is_sent(sam, case, world):
    world.alice.locale = "de"
    session.commit()
    own = {"language": "de", "name": "Lager", "words": "Guten Tag {name}, Ihre Bestellung {order} wird gesucht."}
    assert sam.post("/desk/cases/snippets", data=own).status_code == 303
    (kept,) = snippets.all_snippets()
    with nothing_appears():
        page = sam.post(f"/desk/cases/{case.id}/messages", data=form(case, insert="yes", snippet=kept.id)).text
    assert "We are sorry.\n\nGuten Tag Alice Ångström, Ihre Bestellung 1001 wird gesucht.</textarea>" in page
    with nothing_appears():
        page = sam.post(f"/desk/cases/{case.id}/messages", data=form(case, words="", insert="yes")).text
    assert "Es tut uns leid, dass das schiefgegangen ist." in page


def test_a_block_that_is_gone_is_said(sam, case):
    with nothing_appears():
        answer = sam.post(f"/desk/cases/{case.id}/messages", data=form(case, insert="yes", snippet="99"))
    assert (answer.status_code, "This building block is gone." in answer.text) == (409, True)


def test_blocks_are_listed_and_removed(sam):
    assert "No building blocks of your own yet" in sam.get("/desk/cases/snippets").text
    sam.post("/desk/cases/snippets", data={"language": "en", "name": "Sorry", "words": "We are sorry, {name}."})
    (kept,) = snippets.all_snippets()
    assert "We are sorry, {name}." in sam.get("/desk/cases/snippets").text
    assert sam.post(f"/desk/cases/snippets/{kept.id}/removal").status_code == 303
    assert snippets.all_snippets() == []


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"name": ""}, {"words": " "}, {"words": "x" * 4001}])
def test_it_refuses_a_block_that_makes_no_sense(sam, wrong):
    with nothing_appears():
        answer = sam.post("/desk/cases/snippets", data={"language": "en", "name": "A", "words": "B", **wrong})
    assert answer.status_code == 422


# --- the whole story ---


def test_the_story_beside_a_case_tells_money_letters_and_answers(sam, case, world):
    reply(case, world.sam, Act("refund", case.order.lines[0].id, 2000))
    page = sam.get(f"/desk/cases/{case.id}").text
    for told in ("€20.00", "to approve", "Our answer about your order 1001", "What they told us", "The mug came"):
        assert told in page


def test_the_story_tells_what_the_customer_claims_and_what_came_of_it(sam, case, world):
    hands.delivered(world, case.order)
    claim = claimed(case.order, fault="damaged", words="A crack from rim to foot.")
    page = f"/desk/cases/{case.id}"
    told = sam.get(page).text
    for words in ("It arrived damaged", "To decide", "Wish: Send me a new one", "A crack from rim to foot."):
        assert words in told
    assert f'href="/desk/claims/{claim.return_id}"' in told
    assert "Return " + claim.ret.rma not in told, "it is told once"
    accepted(world, claim, "replacement")
    assert "Send a new one" in sam.get(page).text
