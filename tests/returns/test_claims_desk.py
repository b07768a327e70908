"""The desk decides about claims, asks for more, and sets the shop's terms."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders.models import INSTEAD, Order
from portal.pictures.models import Picture
from portal.refunds.actions import refuse_refund
from portal.refunds.models import Refund
from portal.returns import actions, bench, claims, settlement
from portal.returns.claims import Decision
from portal.returns.claims_models import Claim
from portal.returns.claims_terms import Terms, guarantee_until, set_terms, terms_of
from portal.returns.goods import read
from portal.returns.rules import Wish
from portal.returns.withdrawal_rules import right_of
from tests.conftest import nothing_appears
from tests.returns.claim_hands import accepted, claimed, post, the_claim, wrong
from tests.returns.hands import delivered, found, line_of
from tests.uploads import files
from tests.world import World, show_code, sign_in

Work = Callable[..., int]


def the_refund() -> Refund:
    session.expire_all()
    return session.scalars(select(Refund)).one()


def sent_instead() -> Order:
    return session.scalars(select(Order).where(Order.channel == INSTEAD).order_by(Order.id.desc())).first()  # type: ignore[return-value]


def inspected(world: World, claim: Claim, **how: Any) -> None:
    """The goods came to the bench."""
    actions.receive_return(claim.ret, by=world.rita, now=clock.now())
    bench.inspect_return(claim.ret, found(claim.ret, **how), by=world.rita, now=clock.now())
    session.commit()


# --- accepted ---


def test_the_page_shows_what_is_wrong_what_is_wished_and_the_signs_and_the_return_leads_to_it(
    desk: FlaskClient, world: World
) -> None:
    claim = claimed(world.alice)
    answer = desk.get(f"/desk/returns/{claim.return_id}")
    assert (answer.status_code, answer.location) == (303, f"/desk/claims/{claim.return_id}")
    page = desk.get(answer.location).text
    assert "It arrived damaged" in page
    assert "Wish: Send me a new one" in page
    assert f"/desk/returns/{claim.return_id}" in desk.get("/desk/returns").text


def test_a_new_one_goes_out_at_once_when_nothing_comes_back(
    desk: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    claim = claimed(world.alice)
    assert post(desk, claim, "acceptance", remedy="replacement").status_code == 303
    claim, order = the_claim(claim.return_id), sent_instead()
    assert (claim.remedy, claim.goods_back, claim.ret.decision, claim.ret.closed_as) == (
        *("replacement", False, "approved", "nothing_due"),
    )
    assert [(line.sku, line.quantity) for line in order.lines] == [("MUG-01", 1)]
    work()
    assert "We make it right: order 1001" in [mail["Subject"] for mail in mails]


def test_a_new_one_waits_for_the_old_one_or_for_a_person_to_send_it(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice)
    post(desk, claim, "acceptance", remedy="replacement", goods_back="y")
    claim = the_claim(claim.return_id)
    assert (claim.ret.goods, claim.ret.send_back_by is not None, sent_instead()) == ("awaited", True, None)
    assert post(desk, claim, "replacement").status_code == 303
    first = sent_instead()
    assert post(desk, claim, "replacement").status_code == 303
    assert sent_instead().id == first.id
    inspected(world, the_claim(claim.return_id))
    ret = the_claim(claim.return_id).ret
    assert settlement.ending_of(ret, read(ret.order, now=clock.now(), besides=ret.id)) == "nothing_due"


def test_a_repair_comes_in_and_goes_out_and_takes_nothing_from_the_shelf(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice, fault="defective", wish="repair"), "repair")
    assert (claim.goods_back, claim.ret.goods) == (True, "awaited")
    with nothing_appears():
        assert post(desk, claim, "replacement").status_code == 409
    inspected(world, claim, disposition="refurbish", grade="damaged")
    assert "Send the repaired one" in desk.get(f"/desk/claims/{claim.return_id}").text
    post(desk, claim, "replacement")
    [line] = sent_instead().lines
    assert (line.title, line.variant, line.sku) == ("Stoneware mug", "Moss, repaired", "")
    ret = the_claim(claim.return_id).ret
    assert settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id)).total == Money(0, "EUR")


def test_a_part_of_the_money_leaves_the_goods_and_the_right_to_withdraw(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice, wish="part_money")
    row = claim.ret.lines[0].id
    post(desk, claim, "acceptance", remedy="part_money", **{f"amount_{row}": "7,50"})
    assert [(line.quantity, line.amount) for line in the_refund().lines] == [(0, 750)]
    assert the_claim(claim.return_id).ret.goods == "not_expected"
    right = right_of(world.alice, now=clock.now())
    assert right.everything()[line_of(world.alice, "MUG-01").id] == 2


@pytest.mark.parametrize(("amount", "code"), [("", 409), ("20.01", 409), ("-1", 422), ("abc", 422), ("0", 409)])
def test_it_refuses_a_part_that_is_none(desk: FlaskClient, world: World, amount: str, code: int) -> None:
    claim = claimed(world.alice, wish="part_money")
    with nothing_appears():
        answer = post(desk, claim, "acceptance", remedy="part_money", **{f"amount_{claim.ret.lines[0].id}": amount})
    assert answer.status_code in (code, 409)


def test_all_the_money_for_what_the_customer_keeps_needs_no_bench(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice, wish="money"), "keep_money")
    assert [(line.quantity, line.amount) for line in the_refund().lines] == [(1, 2000)]
    assert (claim.ret.goods, claim.ret.money is not None) == ("not_expected", True)


def test_all_the_money_for_what_comes_back_goes_over_the_bench(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice, wish="money"), "money", goods_back=True)
    assert session.scalars(select(Refund)).all() == []
    inspected(world, claim, grade="damaged", disposition="discard")
    actions.propose_refund(the_claim(claim.return_id).ret, Money(2000, "EUR"), by=world.rita, now=clock.now())
    assert the_refund().due_on is None


def test_what_is_missing_is_sent_or_paid_and_never_sent_back(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice, fault="missing"), "replacement", goods_back=True)
    assert (claim.goods_back, sent_instead() is not None) == (False, True)


def test_money_that_finance_refused_is_proposed_again(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice, wish="money"), "keep_money")
    with nothing_appears():
        assert post(desk, claim, "refunds", remedy="keep_money").status_code == 409
    refuse_refund(the_refund(), note="Ask for a picture first.", by=world.fran, now=clock.now())
    session.commit()
    assert "Propose it again" in desk.get(f"/desk/claims/{claim.return_id}").text
    assert post(desk, claim, "refunds", remedy="keep_money").status_code == 303
    assert [refund.state for refund in session.scalars(select(Refund).order_by(Refund.id))] == [
        *("rejected_by_us", "requested"),
    ]


def test_another_remedy_than_the_wish_needs_a_word_to_the_customer(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice, wish="money")
    with nothing_appears():
        answer = post(desk, claim, "acceptance", remedy="replacement")
    assert (answer.status_code, "Say why; they read it." in answer.text) == (409, True)
    assert post(desk, claim, "acceptance", remedy="replacement", note="The law lets us try first.").status_code == 303


def test_after_a_repair_that_did_not_help_the_customer_may_have_money(desk: FlaskClient, world: World) -> None:
    first = accepted(world, claimed(world.alice, fault="defective", wish="repair"), "repair")
    inspected(world, first, disposition="back_to_customer", grade="damaged")
    again = claimed(world.alice, fault="defective", wish="money")
    assert f"has failed before ({first.ret.rma})" in desk.get(f"/desk/claims/{again.return_id}").text
    with nothing_appears():
        answer = post(desk, again, "acceptance", remedy="repair", note="Once more.")
    assert (answer.status_code, "the law gives it to them" in answer.text) == (409, True)
    assert post(desk, again, "acceptance", remedy="money", goods_back="y").status_code == 303


def test_so_may_who_got_a_new_one_that_is_broken_too(desk: FlaskClient, world: World) -> None:
    accepted(world, claimed(world.alice), "replacement")
    second = sent_instead()
    delivered(world, second)
    again = claimed(second, wish="money")
    with pytest.raises(Refused, match="the law gives it to them"):
        claims.accept_claim(again, Decision("replacement", note="x"), by=world.rita, now=clock.now())


def test_it_refuses_a_remedy_that_does_not_fit(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice, fault="missing")
    for remedy in ("repair", "send_again", "nonsense", ""):
        with nothing_appears():
            assert post(desk, claim, "acceptance", remedy=remedy, note="x").status_code in (409, 422)


def test_it_refuses_to_accept_what_came_back_otherwise_meanwhile(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice, pieces=2)
    line = line_of(world.alice, "MUG-01").id
    actions.request_return(
        world.alice.id, [Wish(line, 1, "changed_mind")], key=tokens.mint(), by="customer", now=clock.now()
    )
    session.commit()
    with nothing_appears():
        answer = post(desk, claim, "acceptance", remedy="replacement")
    assert (answer.status_code, "is in a return already" in answer.text) == (409, True)


def test_2_3_4_what_is_decided_is_decided_once(desk: FlaskClient, world: World) -> None:
    claim = accepted(world, claimed(world.alice), "replacement")
    for door, fields in (("acceptance", {"remedy": "replacement"}), ("refusal", {"note": "No."})):
        with nothing_appears():
            assert post(desk, claim, door, **fields).status_code == 409


def test_the_other_doors_do_not_decide_claims(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice)
    for door, fields in (("approval", {}), ("refusal", {"note": "No."})):
        with nothing_appears():
            assert desk.post(f"/desk/returns/{claim.return_id}/{door}", data=fields).status_code in (303, 409)
        assert the_claim(claim.return_id).ret.decision == "requested"


def test_declined_with_words_that_the_customer_reads(
    desk: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    claim = claimed(world.alice)
    with nothing_appears():
        assert post(desk, claim, "refusal", note=" ").status_code == 422
    assert post(desk, claim, "refusal", note="It shows signs of a fall.").status_code == 303
    work()
    assert "signs of a fall" in str(mails[-1].get_body(("plain",)))
    assert "We could not accept it" in show_code(desk, world.alice).get(
        f"/orders/{world.alice.ref}/claims/{claim.ret.rma}"
    ).text  # fmt: skip


def test_8_2_1_who_may_not_decide_sees_no_button_and_is_refused(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    claim = claimed(world.alice)
    page = sign_in(client, world.fran).get(f"/desk/claims/{claim.return_id}").text
    assert "/acceptance" not in page
    with nothing_appears():
        assert post(client, claim, "acceptance", remedy="replacement").status_code == 403


# --- asked for more ---


def test_a_question_goes_by_letter_and_is_answered_with_words_and_pictures_behind_the_code(
    desk: FlaskClient, world: World, work: Work, mails: list[EmailMessage]
) -> None:
    claim = claimed(world.alice)
    assert post(desk, claim, "questions", question="Can you show the <b>box</b>?").status_code == 303
    work()
    text = str(mails[-1].get_body(("plain",)))
    assert "Can you show the <b>box</b>?" in text
    link = re.search(r"http\S+(/l/\S+)", text)
    assert link
    browser = desk.application.test_client()
    page = browser.get(link[1], follow_redirects=True)
    assert "We have a question" in page.text
    assert "box" not in page.text.replace("the box too", "").partition("What you told us")[0]
    answers = f"/orders/{world.alice.ref}/claims/{claim.ret.rma}/answers"
    assert "/code" in browser.get(answers).location
    show_code(browser, world.alice)
    assert "Can you show the &lt;b&gt;box&lt;/b&gt;?" in browser.get(answers).text
    sent = {"key": "a" * 28, "words": "Here it is.", "photos": [(io.BytesIO(files.photo()), "a.jpg")]}
    assert browser.post(answers, data=sent, content_type="multipart/form-data").status_code == 303
    with nothing_appears():
        browser.post(answers, data={"key": "a" * 28, "words": "Here it is."})
    claim = the_claim(claim.return_id)
    assert [(message.staff_id is None, message.words) for message in claim.messages] == [
        *((False, "Can you show the <b>box</b>?"), (True, "Here it is.")),
    ]
    assert session.scalars(select(Picture.about)).all() == [f"claim-message:{claim.messages[-1].id}"]
    page = desk.get(f"/desk/claims/{claim.return_id}").text
    assert "Here it is." in page
    assert "/thumbnail" in page


def test_an_answer_without_anything_says_so_and_one_too_late_too(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice)
    claims.ask_customer(claim, "Show us.", by=world.rita, now=clock.now())
    show_code(desk, world.alice)
    answers = f"/orders/{world.alice.ref}/claims/{claim.ret.rma}/answers"
    with nothing_appears():
        answer = desk.post(answers, data={"key": "a" * 28, "words": " "})
    assert (answer.status_code, "Write something, or choose a picture." in answer.text) == (409, True)
    accepted(world, the_claim(claim.return_id), "replacement")
    with nothing_appears():
        assert desk.post(answers, data={"key": "b" * 28, "words": "Here."}).status_code == 409


def test_a_picture_that_is_none_keeps_the_words_of_the_answer(desk: FlaskClient, world: World) -> None:
    claim = claimed(world.alice)
    show_code(desk, world.alice)
    sent = {"key": "a" * 28, "words": "Here it is.", "photos": [(io.BytesIO(b"no"), "a.jpg")]}
    with nothing_appears():
        answer = desk.post(
            f"/orders/{world.alice.ref}/claims/{claim.ret.rma}/answers", data=sent, content_type="multipart/form-data"
        )
    assert (answer.status_code, "Here it is.</textarea>" in answer.text) == (422, True)


# --- the shop's terms ---


def test_managers_set_terms_by_country_and_nobody_goes_below_the_law(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    assert "Nothing is set" in client.get("/desk/claims/terms").text
    good = {"country": "at", "guarantee_months": "36", "patience_days": "5", "stays": "missing", "stays_up_to": ""}
    with nothing_appears():
        assert client.post("/desk/claims/terms", data={**good, "guarantee_months": "23"}).status_code == 422
        assert client.post("/desk/claims/terms", data={**good, "stays_up_to": "EUR:x"}).status_code == 422
    fine = {**good, "stays": ["damaged"], "stays_up_to": "EUR:15.00, GBP:13"}
    assert client.post("/desk/claims/terms", data=fine).status_code == 303
    assert terms_of("AT") == Terms(36, 5, ("damaged",), {"EUR": 1500, "GBP": 1300})
    assert terms_of("DE") == Terms()
    assert "€15.00" in client.get("/desk/claims/terms").text
    with nothing_appears(), pytest.raises(Refused):
        set_terms("", Terms(guarantee_months=12))


def test_who_is_no_manager_sets_none(client: FlaskClient, world: World) -> None:
    with nothing_appears():
        assert sign_in(client, world.rita).post("/desk/claims/terms", data={}).status_code == 403


def test_what_need_not_come_back_is_chosen_for_staff(desk: FlaskClient, world: World) -> None:
    checked = r'name="goods_back"[^>]*checked|checked[^>]*name="goods_back"'
    claim = claimed(world.alice)
    assert re.search(checked, desk.get(f"/desk/claims/{claim.return_id}").text)
    set_terms("", Terms(stays_up_to={"EUR": 2000}))
    session.commit()
    assert not re.search(checked, desk.get(f"/desk/claims/{claim.return_id}").text)
    assert Terms(stays=("damaged",)).goods_stay("damaged", Money(9999, "EUR"))
    assert not Terms(stays_up_to={"EUR": 2000}).goods_stay("damaged", Money(2001, "EUR"))
    assert not Terms(stays_up_to={"EUR": 2000}).goods_stay("damaged", Money(5, "GBP"))


@pytest.mark.parametrize(
    ("delivered_at", "months", "until"),
    [
        ("2026-11-20T22:30:00+00:00", 24, "2028-11-20"),
        ("2026-11-20T23:30:00+00:00", 24, "2028-11-21"),
        ("2028-02-29T12:00:00+00:00", 24, "2030-03-01"),
        ("2028-02-29T12:00:00+00:00", 48, "2032-02-29"),
        ("2026-12-31T12:00:00+00:00", 26, "2029-03-01"),
        ("2026-10-31T12:00:00+00:00", 25, "2028-12-01"),
    ],
)
def test_the_guarantee_is_counted_in_months_of_the_shop_s_calendar(
    world: World, delivered_at: str, months: int, until: str
) -> None:
    assert str(guarantee_until(datetime.fromisoformat(delivered_at), months)) == until
    assert guarantee_until(None, months) is None


def test_a_longer_guarantee_of_the_shop_counts(desk: FlaskClient, world: World) -> None:
    set_terms("DE", Terms(guarantee_months=36))
    session.commit()
    three = datetime.now(UTC) + timedelta(days=1000)
    assert claims.open_claim(world.alice.id, wrong(world.alice), key="k" * 28, by="customer", now=three).id


def test_once_money_was_proposed_nobody_calls_it_off(world: World) -> None:
    delivered(world, world.alice)
    claim = claimed(world.alice, wish="part_money")
    claim = accepted(world, claim, "part_money", amounts={claim.ret.lines[0].id: 1000})
    with nothing_appears(), pytest.raises(Refused, match="called off any more"):
        actions.cancel_return(claim.ret, now=clock.now())
