"""Money at the desk: what is to be approved, what failed, and the page on which it is decided."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.refunds import actions, sending
from portal.refunds.models import Refund
from portal.refunds.rules import facts_mark
from portal.refunds.words import purpose
from tests.conftest import nothing_appears, owed, statements
from tests.refunds.hands import again, approved, asked, balance
from tests.world import World, neighbour, sign_in


def failed(world: World, *amounts: int, state: str = "refused_by_stripe", code: str = "charge_disputed") -> Refund:
    """Money that went wrong."""
    refund = approved(world, *amounts)
    due = sending.begin_sending(refund.id)
    assert due is not None
    if state == "refused_by_stripe":
        sending.reject(due, code, "no", now=clock.now())
    else:
        sending.give_to_a_person(due, code, "neither yes nor no", now=clock.now())
    session.commit()
    return again(refund)


def seen(refund: Refund, amount: int) -> dict[str, object]:
    """What the form of an approval carries."""
    return {"shown": amount, "facts": facts_mark(refund)}


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("&#39;", "'").replace("\xa0", " ").split())


@pytest.fixture
def fran(client: FlaskClient, world: World) -> FlaskClient:
    """Fran, who approves money."""
    return sign_in(client, world.fran)


def test_what_waits_for_approval_is_listed_what_is_due_first(fran: FlaskClient, world: World) -> None:
    asked(world, 1000)
    today = clock.now().date()
    asked(world, 2000, order=world.bob, due_on=today)
    page = text_of(fran.get("/desk/refunds").text)
    assert page.index("€20.00") < page.index("€10.00")
    assert "1002 Bob Brun" in page
    assert "due today" in page
    assert "Rita" in page


@pytest.mark.parametrize(
    ("name", "amount"), [("requested", "€1.00"), ("under_way", "€2.00"), ("wrong", "€3.00"), ("done", "€4.00")]
)
def test_each_list_holds_its_own(fran: FlaskClient, world: World, name: str, amount: str) -> None:
    asked(world, 100)
    approved(world, 200)
    failed(world, 300)
    actions.refuse_refund(asked(world, 400), note="no", by=world.fran, now=clock.now())
    session.commit()
    page = text_of(fran.get(f"/desk/refunds?state={name}").text)
    assert {shown for shown in ("€1.00", "€2.00", "€3.00", "€4.00") if shown in page} == {amount}


def test_empty_lists_say_so(fran: FlaskClient) -> None:
    for name in ("requested", "wrong", "under_way", "done"):
        assert 'class="empty"' in fran.get(f"/desk/refunds?state={name}").text


@pytest.mark.parametrize("query", ["?state=all", "?page=99999999999999999999", "?state="])
def test_a_list_that_does_not_exist_is_not_found(fran: FlaskClient, query: str) -> None:
    assert fran.get(f"/desk/refunds{query}").status_code == 404


def test_long_lists_have_pages(fran: FlaskClient, world: World) -> None:
    for _ in range(52):
        asked(world, 10)
    first = fran.get("/desk/refunds").text
    second = fran.get(neighbour(first, "next")).text
    assert second.count("€0.10") == 2
    assert fran.get(neighbour(second, "prev")).text.count("€0.10") == first.count("€0.10") == 50


def test_lists_and_pages_take_the_same_statements_whatever_their_size(fran: FlaskClient, world: World) -> None:
    def count(path: str) -> int:
        with statements() as seen:
            assert fran.get(path).status_code == 200
        return len(seen)

    first = asked(world, 100)
    small, small_page = count("/desk/refunds"), count(f"/desk/refunds/{first.id}")
    for _ in range(12):
        asked(world, 100, 100)
    whole = asked(world, 100, 100, 100)
    assert count("/desk/refunds") == small
    assert count(f"/desk/refunds/{whole.id}") == small_page
    assert small <= 7
    assert small_page <= 12


def test_the_page_tells_how_the_amount_came_about_who_asked_and_what_went_before(
    fran: FlaskClient, world: World
) -> None:
    approved(world, 500)
    refund = asked(world, 2000, 0, 500, due_on=(clock.now() + timedelta(days=9)).date())
    refund.lines[0].note = "€5.00 deducted: one is chipped"
    session.commit()
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    for words in (
        "€25.00 back to Alice Ångström",
        "Stoneware mug, Moss 1 of 2; €40.00 were paid for all",
        "€5.00 deducted: one is chipped",
        "Total €25.00",
        "Asked by Rita",
        "For Return TEST",
        "Paid €84.00",
        "Also on its way back €5.00",
        "Left after all that €54.00",
        "Approve €25.00",
        "Stripe is asked at once to give it back the way it was paid. That can't be undone here.",
        "The amount becomes lower and still has to be approved.",
        "Nothing is given back, and the customer is not written to.",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ("return:A-1", "Return A-1"),
        ("undelivered:P-7", "Not delivered: parcel P-7"),
        ("our: word", "our: word"),
    ],
)
def test_what_money_is_for_is_worded_when_it_is_shown(app: Flask, kept: str, told: str) -> None:
    with app.test_request_context():
        assert purpose(kept) == told


def test_approving_owes_the_call_and_says_so(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    answer = fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(refund, 4000))
    assert (answer.status_code, answer.location) == (303, f"/desk/refunds/{refund.id}")
    assert "€40.00 approved. Stripe is asked now." in text_of(fran.get(answer.location).text)
    assert (again(refund).state, refund.approved_by_id) == ("approved", world.fran.id)
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund.id})]


def test_a_form_posted_twice_approves_once(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(refund, 4000))
    with nothing_appears():
        second = fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(refund, 4000))
    assert second.status_code == 409
    assert "Somebody else has decided about this money already" in text_of(second.text)


def test_an_amount_that_changed_meanwhile_is_not_approved(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    with nothing_appears():
        answer = fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(refund, 4100))
    assert answer.status_code == 409
    assert again(refund).state == "requested"


def test_an_approval_of_other_facts_than_were_seen_changes_nothing_and_says_so(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 1000)
    before = seen(refund, 1000)
    asked(world, 2000)  # the same payment has less left now
    with nothing_appears():
        answer = fran.post(f"/desk/refunds/{refund.id}/approval", data=before)
    assert answer.status_code == 409
    assert "has changed since you opened the page" in text_of(answer.text)
    assert fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(again(refund), 1000)).status_code == 303


@pytest.mark.parametrize("data", [{}, {"shown": "", "facts": "x"}, {"shown": "all", "facts": "x"}, {"shown": "4000"}])
def test_an_approval_that_names_no_amount_is_none(fran: FlaskClient, world: World, data: dict[str, str]) -> None:
    refund = asked(world, 4000)
    with nothing_appears():
        assert fran.post(f"/desk/refunds/{refund.id}/approval", data=data).status_code == 422
    assert again(refund).state == "requested"


def test_whoever_asked_is_told_that_somebody_else_approves(client: FlaskClient, world: World) -> None:
    refund = actions.open_refund(world.alice, _mug(world), reason="Return TEST", by=world.fran, now=clock.now())
    session.commit()
    fran = sign_in(client, world.fran)
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    assert "A second person has to approve it" in page
    assert "Approve €" not in page
    with nothing_appears():
        answer = fran.post(f"/desk/refunds/{refund.id}/approval", data=seen(refund, 1000))
    assert answer.status_code == 409
    assert again(refund).state == "requested"


def _mug(world: World) -> list[actions.RefundPart]:
    return [actions.RefundPart(world.alice.lines[0].id, 1, 1000)]


@pytest.mark.parametrize("person", ["rita", "sam"])
def test_who_may_not_approve_sees_no_button_and_is_refused(client: FlaskClient, world: World, person: str) -> None:
    refund = asked(world, 4000)
    browser = sign_in(client, getattr(world, person))
    page = browser.get(f"/desk/refunds/{refund.id}")
    assert page.status_code == 200
    assert "<form" not in page.text.partition('id="decide"')[2].partition("</section>")[0]
    with nothing_appears():
        for what in ("approval", "reduction", "refusal", "settlement", "release"):
            assert browser.post(f"/desk/refunds/{refund.id}/{what}", data={"shown": 4000}).status_code == 403


@pytest.mark.parametrize("person", ["cleo", "pat"])
def test_the_warehouse_has_no_business_here(client: FlaskClient, world: World, person: str) -> None:
    refund = asked(world)
    browser = sign_in(client, getattr(world, person))
    assert browser.get("/desk/refunds").status_code == 403
    assert browser.get(f"/desk/refunds/{refund.id}").status_code == 403


def test_without_a_sign_in_there_is_only_the_door(client: FlaskClient, world: World) -> None:
    assert client.get("/desk/refunds").location == "/desk/sign-in?next=/desk/refunds"


def test_a_refund_that_does_not_exist_is_not_found(fran: FlaskClient) -> None:
    assert fran.get("/desk/refunds/999999").status_code == 404
    assert fran.post("/desk/refunds/999999/approval", data={"shown": 1, "facts": "x"}).status_code == 404


def reduce(browser: FlaskClient, refund: Refund, **data: str) -> tuple[int, str]:
    lines = {f"line_{line.id}": str(line.amount / 100) for line in refund.lines}
    first = f"line_{refund.lines[0].id}"
    given = {**lines, "shown": str(refund.amount), "note": "worn", **data}
    given[first] = given.pop("first", given[first])
    answer = browser.post(f"/desk/refunds/{refund.id}/reduction", data=given)
    return answer.status_code, text_of(answer.text)


@pytest.mark.parametrize("typed", ["20.00", "20,00", "20", " 20.0 "])
def test_reducing_takes_amounts_as_people_write_them(fran: FlaskClient, world: World, typed: str) -> None:
    refund = asked(world, 4000, 3900)
    assert reduce(fran, refund, first=typed)[0] == 303
    refund = again(refund)
    assert (refund.amount, refund.decision_note, refund.state) == (5900, "worn", "requested")
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    assert "Reduced from €40.00" in page
    assert "Asked for €79.00" in page


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({"first": "40.01"}, 422, "From nothing up to €40.00."),
        ({"first": "-1"}, 422, "From nothing up to €40.00."),
        ({"first": "much"}, 422, "Write an amount like 4.50."),
        ({"first": "1.234"}, 422, "Write an amount like 4.50."),
        ({"first": "40.00"}, 422, "Nothing was reduced."),
        ({"first": "20", "note": ""}, 422, "Say why"),
        ({"first": "20", "note": "x" * 1001}, 422, "1000"),
        ({"first": "20", "shown": "4100"}, 409, "The amount has changed"),
        ({"first": "0"}, 409, "more than nothing"),
    ],
)
def test_a_reduction_that_makes_no_sense_changes_nothing_and_says_why(
    fran: FlaskClient, world: World, data: dict[str, str], status: int, words: str
) -> None:
    refund = asked(world, 4000)
    with nothing_appears():
        answered, page = reduce(fran, refund, **data)
    assert (answered, words in page) == (status, True)
    assert (again(refund).amount, balance(world.alice)) == (4000, (8400, 4000, 0))


def test_what_was_typed_is_kept_when_something_is_wrong(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    first = f"line_{refund.lines[0].id}"
    answer = fran.post(
        f"/desk/refunds/{refund.id}/reduction", data={first: "41", "note": "one of them is chipped", "shown": "4000"}
    )
    assert 'value="41"' in answer.text
    assert "one of them is chipped" in answer.text
    assert '<details class="fold" open>' in answer.text


def test_refusing_needs_a_reason_and_frees_the_money(fran: FlaskClient, world: World) -> None:
    refund = asked(world, 4000)
    with nothing_appears():
        assert fran.post(f"/desk/refunds/{refund.id}/refusal", data={"note": " "}).status_code == 422
    assert fran.post(f"/desk/refunds/{refund.id}/refusal", data={"note": "paid in cash"}).status_code == 303
    assert (again(refund).state, balance(world.alice)) == ("rejected_by_us", (8400, 0, 0))
    assert "paid in cash" in fran.get(f"/desk/refunds/{refund.id}").text


def test_money_that_failed_says_why_and_what_to_do(fran: FlaskClient, world: World) -> None:
    refund = failed(world, 4000)
    assert "the customer's bank disputes this payment" in text_of(fran.get("/desk/refunds?state=wrong").text)
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    assert "Why: the customer's bank disputes this payment" in page
    assert "Propose €40.00 again" in page
    assert "It did not move" not in page


def test_proposing_again_leads_to_the_new_one_and_empties_the_list(fran: FlaskClient, world: World) -> None:
    refund = failed(world, 4000)
    answer = fran.post(f"/desk/refunds/{refund.id}/repetition")
    new = session.scalars(select(Refund).where(Refund.state == "requested")).one()
    assert (answer.status_code, answer.location) == (303, f"/desk/refunds/{new.id}")
    assert (new.amount, new.requested_by_id) == (4000, world.fran.id)
    assert 'class="empty"' in fran.get("/desk/refunds?state=wrong").text
    with nothing_appears():
        assert fran.post(f"/desk/refunds/{refund.id}/repetition").status_code == 409


def test_money_given_back_another_way_leaves_the_list(fran: FlaskClient, world: World) -> None:
    refund = failed(world, 4000)
    answer = fran.post(f"/desk/refunds/{refund.id}/settlement", data={"note": "by bank transfer"})
    assert answer.status_code == 303
    assert "by bank transfer" in fran.get(f"/desk/refunds/{refund.id}").text
    assert 'class="empty"' in fran.get("/desk/refunds?state=wrong").text
    assert owed("refunds.send_refund") == [("refunds.send_refund", {"refund_id": refund.id})]


def test_what_may_have_moved_is_only_freed_by_somebody_who_looked(fran: FlaskClient, world: World) -> None:
    refund = failed(world, 4000, state="needs_review", code="too_old")
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    assert "Look for it in Stripe's dashboard before anything" in page
    assert "Propose €40.00 again" not in page
    with nothing_appears():
        assert fran.post(f"/desk/refunds/{refund.id}/repetition").status_code == 409
        assert fran.post(f"/desk/refunds/{refund.id}/release", data={"note": ""}).status_code == 422
    assert balance(world.alice) == (8400, 4000, 0)
    assert fran.post(f"/desk/refunds/{refund.id}/release", data={"note": "it is not there"}).status_code == 303
    assert (again(refund).state, balance(world.alice)) == ("refused_by_stripe", (8400, 0, 0))


def test_every_name_on_a_refunds_page_is_told_apart(fran: FlaskClient, world: World) -> None:
    """Ids are unique, and each label leads to its field."""
    for refund in (asked(world, 2000, 1000), failed(world, 500, state="needs_review", code="too_old")):
        page = fran.get(f"/desk/refunds/{refund.id}").text
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert sorted(set(ids)) == sorted(ids)
        assert set(re.findall(r'\bfor="([^"]+)"', page)) <= set(ids)


def test_a_page_of_money_holds_no_script_and_no_style_of_its_own(fran: FlaskClient, world: World) -> None:
    page = fran.get(f"/desk/refunds/{asked(world).id}").text
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?![^>]+src=)", page)


@pytest.mark.parametrize("locale", ["de", "en"])
def test_the_desk_speaks_the_persons_language_and_writes_amounts_so(
    fran: FlaskClient, world: World, locale: str
) -> None:
    world.fran.locale = locale
    refund = asked(world, 4000)
    session.commit()
    page = text_of(fran.get(f"/desk/refunds/{refund.id}").text)
    assert ("40,00 €" in page, "€40.00" in page) == (locale == "de", locale == "en")
