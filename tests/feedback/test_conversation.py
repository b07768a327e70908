"""The customer and the shop talk until the customer says that it is solved."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.db import session
from portal.feedback import cases
from portal.feedback.asking import schedule_survey
from portal.feedback.case_models import Case, CaseMessage
from portal.lib import clock
from portal.lib.errors import Refused
from portal.staff.models import Staff
from tests.conftest import census, nothing_appears
from tests.feedback.scenes import case_of, delivered, html_of, kinds, text_of, written
from tests.fulfilment.test_two_at_once import at_once
from tests.world import build, open_link


@pytest.fixture
def case(surveyed):
    """Alice's mug came broken; Sam owns the case."""
    return case_of(surveyed.alice)


@pytest.fixture
def page(client, world, case):
    """The address of Alice's case, which her browser may open."""
    open_link(client, world.alice, "case", case.id)
    return f"/orders/{world.alice.ref}/cases/{case.id}"


def answered(case: Case, by: Staff, asks: bool = False) -> Case:
    """Our answer went out."""
    session.expire_all()
    cases.reply(case, "A new mug is on its way.", asks=asks, seen=case.last_message_id, by=by, now=clock.now())
    session.commit()
    return case


def last(case: Case) -> Case:
    session.expire_all()
    return session.get_one(Case, case.id)


def test_the_customer_reads_the_conversation_and_until_when_we_answer(client, case, page):
    body = client.get(page).text
    assert "The mug came broken." in body
    assert "We are making this right" in body
    assert "You hear from us by" in body
    assert "Is it solved?" not in body


def test_a_late_answer_is_owned_up_to(client, case, page):
    with clock.moved(case.due_at - clock.now() + timedelta(minutes=1)):
        open_link(client, case.order, "case", case.id)
        assert "We are late with our answer. Sorry." in client.get(page).text


def test_an_answer_goes_out_by_mail_with_the_way_back(world, work, mails, client, case):
    answered(case, world.sam)
    work()
    (mail,) = written(mails, "Our answer about your order 1001")
    assert mail["to"] == "alice@example.org"
    link = str(mail.get_body(("plain",))).split("/l/")[1][:28]
    assert client.get(f"/l/{link}").location == f"/orders/{world.alice.ref}/cases/{case.id}"
    assert "A new mug is on its way." in client.get(f"/orders/{world.alice.ref}/cases/{case.id}").text
    assert last(case).state == "waiting_for_customer"


def test_the_customer_writes_back_and_the_case_is_ours_again(client, world, case, page):
    answered(case, world.sam)
    assert client.post(f"{page}/messages", data={"words": "It has not come."}).location == page
    assert (last(case).state, case.messages[-1].words, case.messages[-1].staff_id) == ("open", "It has not come.", None)
    assert kinds(world.alice)[-1] == "case.heard"


def test_writing_back_starts_the_clock_anew_but_writing_twice_does_not(client, world, case, page):
    first = case.due_at
    with clock.moved(timedelta(hours=30)):
        open_link(client, world.alice, "case", case.id)
        client.post(f"{page}/messages", data={"words": "And the plate too."})
        assert last(case).due_at == first
        answered(case, world.sam)
        client.post(f"{page}/messages", data={"words": "It has not come."})
        assert last(case).due_at > first


def test_a_message_posted_twice_is_one_message(client, case, page):
    client.post(f"{page}/messages", data={"words": "Hello?"})
    with nothing_appears():
        assert client.post(f"{page}/messages", data={"words": "Hello?\r\n"}).status_code == 303


@pytest.mark.parametrize("words", ["", "  \r\n ", "x" * 4001])
def test_it_refuses_an_empty_message_and_a_novel(client, case, page, words):
    with nothing_appears():
        assert client.post(f"{page}/messages", data={"words": words}).status_code == 422


def test_it_refuses_a_flood_and_keeps_what_was_typed(client, case, page):
    for n in range(cases.MESSAGES_PER_HOUR):
        assert client.post(f"{page}/messages", data={"words": f"Message {n}"}).status_code == 303
    with nothing_appears():
        answer = client.post(f"{page}/messages", data={"words": "One more"})
    assert answer.status_code == 409
    assert "That is a lot at once." in answer.text
    assert "One more</textarea>" in answer.text


def test_words_about_a_case_that_ended_in_silence_open_it_again(client, world, case, page):
    session.execute(Case.__table__.update().values(state="closed", closed_at=clock.now()))
    session.commit()
    assert "This conversation has ended" in client.get(page).text
    assert client.post(f"{page}/messages", data={"words": "One more thing"}).location == page
    assert (last(case).state, case.closed_at, case.messages[-1].words) == ("open", None, "One more thing")


def test_the_question_whether_it_is_solved_is_asked_only_when_we_ask_it(client, world, case, page):
    answered(case, world.sam)
    assert "Is it solved?" not in client.get(page).text
    answered(case, world.sam, asks=True)
    body = client.get(page).text
    assert "<h1>Is it solved?</h1>" in body
    assert "No, not yet" in body


def test_the_customers_yes_ends_it(client, world, case, page):
    answered(case, world.sam, asks=True)
    assert client.post(f"{page}/verdict", data={"solved": "yes"}).location == page
    assert (last(case).state, case.solved_at is None, case.reopened) == ("solved", False, 0)
    assert kinds(world.alice)[-1] == "case.solved"
    assert "Solved. Thank you for telling us." in client.get(page).text


def test_the_customer_may_say_so_without_being_asked(client, case, page):
    assert "It is solved, thank you" in client.get(page).text
    client.post(f"{page}/verdict", data={"solved": "yes"})
    assert last(case).state == "solved"


def test_the_customers_no_goes_to_a_manager_with_a_new_deadline(client, world, case, page):
    before = answered(case, world.sam, asks=True).due_at
    with clock.moved(timedelta(hours=76)):
        open_link(client, world.alice, "case", case.id)
        client.post(f"{page}/verdict", data={"solved": "no"})
        assert (last(case).state, case.owner_id, case.reopened) == ("open", world.max.id, 1)
        assert case.due_at > before
        assert kinds(world.alice)[-1] == "case.reopened"


def test_a_case_that_a_manager_owns_stays_with_that_manager(client, world, case, page):
    second = Staff(email="mia@shop.example", name="Mia", role="manager", created_at=clock.now())
    session.add(second)
    session.flush()
    cases.assign(case, second, instead_of=world.sam.id, by=world.max, now=clock.now())
    answered(case, second, asks=True)
    client.post(f"{page}/verdict", data={"solved": "no"})
    assert last(case).owner_id == second.id


def test_a_case_goes_to_nobody_who_left(client, world, case, page):
    world.max.disabled_at = clock.now()
    session.commit()
    answered(case, world.sam, asks=True)
    client.post(f"{page}/verdict", data={"solved": "no"})
    assert (last(case).state, case.owner_id) == ("open", world.sam.id)


@pytest.mark.parametrize("solved", ["yes", "no"])
def test_a_verdict_posted_twice_is_one_verdict(client, world, case, page, solved):
    answered(case, world.sam, asks=True)
    client.post(f"{page}/verdict", data={"solved": solved})
    with nothing_appears():
        assert client.post(f"{page}/verdict", data={"solved": solved}).status_code == 303
    assert last(case).reopened == (1 if solved == "no" else 0)


def test_a_no_after_a_yes_opens_it_again(client, world, case, page):
    client.post(f"{page}/verdict", data={"solved": "yes"})
    client.post(f"{page}/verdict", data={"solved": "no"})
    assert (last(case).state, case.reopened, case.solved_at, case.owner_id) == ("open", 1, None, world.max.id)


@pytest.mark.parametrize("solved", ["", "maybe", "YES"])
def test_it_refuses_a_verdict_that_is_neither(client, case, page, solved):
    with nothing_appears():
        assert client.post(f"{page}/verdict", data={"solved": solved}).status_code == 422
    assert last(case).state == "open"


def test_looking_decides_nothing(client, world, case, page):
    answered(case, world.sam, asks=True)
    with nothing_appears():
        assert client.get(f"{page}?solved=yes").status_code == 200
        assert client.get(f"{page}/verdict?solved=yes").status_code == 405
    assert last(case).state == "waiting_for_customer"


def test_a_case_of_another_order_is_not_found(client, world, case, page):
    other = client.application.test_client()
    open_link(other, world.bob, "case", case.id)
    with nothing_appears():
        for ref in (world.bob.ref, world.alice.ref):
            address = f"/orders/{ref}/cases/{case.id}"
            assert other.get(address).status_code == 404
            assert other.post(f"{address}/messages", data={"words": "Hello"}).status_code == 404
            assert other.post(f"{address}/verdict", data={"solved": "yes"}).status_code == 404
        assert other.get(f"/orders/{world.bob.ref}/cases/{10**30}").status_code == 404
    assert last(case).state == "open"


def test_a_case_link_does_not_open_the_survey_nor_the_tracking_page(client, world, page):
    assert client.get(f"/orders/{world.alice.ref}/survey").status_code == 404
    assert client.get(f"/orders/{world.alice.ref}").status_code == 404


def test_what_was_typed_stays_text(client, world, case, page):
    client.post(f"{page}/messages", data={"words": "<script>alert(1)</script>{{ 7*7 }}"})
    body = client.get(page).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in body
    assert "<script" not in body


def test_of_two_people_who_answer_at_once_one_is_told_to_read_first(world, case):
    seen = case.last_message_id
    cases.reply(case, "I send a new one.", asks=False, seen=seen, by=world.sam, now=clock.now())
    session.commit()
    with nothing_appears(), pytest.raises(Refused):
        cases.reply(case, "Here is your money.", asks=False, seen=seen, by=world.max, now=clock.now())


def test_two_people_who_answer_in_the_same_moment_send_one_letter(real):
    world = build(now=clock.now())
    delivered(world.alice, world.pat)
    schedule_survey(world.alice.id, now=clock.now())
    case = case_of(world.alice)
    seen, case_id, people = case.last_message_id, case.id, [world.sam.id, world.max.id]
    session.commit()

    def answer(person: int) -> Callable[[], None]:
        def act() -> None:
            case, by = session.get_one(Case, case_id), session.get_one(Staff, person)
            cases.reply(case, f"From {by.name}", asks=False, seen=seen, by=by, now=clock.now())

        return act

    done = at_once(real, *map(answer, people))
    assert sorted(word == "done" for word in done) == [False, True]
    session.expire_all()
    said = session.scalar(select(func.count()).select_from(CaseMessage).where(CaseMessage.staff_id.is_not(None)))
    assert said == 1


# --- from the mail ----------------------------------------------------------------------------------------------------


@pytest.fixture
def taps(world, work, mails, case) -> dict[str, str]:
    """Where the mail's "Yes, it is solved" and "No, not yet" lead, after Sam asked."""
    answered(case, world.sam, asks=True)
    work()
    (mail,) = written(mails, "Is it solved? Your order 1001")
    (secret,) = set(re.findall(r"/l/[\w-]{28}", html_of(mail)))
    assert f"{secret}?v=1" in html_of(mail)
    assert f"{secret}?v=0" in text_of(mail)
    return {"yes": f"{secret}?v=1", "no": f"{secret}?v=0"}


@pytest.mark.parametrize("said", ["yes", "no"])
def test_a_tap_in_the_mail_only_chooses_whether_it_is_solved(client, case, taps, said):
    opened = client.get(taps[said]).location
    before = census()
    client.head(taps[said])
    assert client.get(taps[said], headers={"Sec-Purpose": "prefetch"}).status_code == 204
    shown = client.get(opened).text
    assert census() == before
    assert last(case).state == "waiting_for_customer"
    assert "a tap in the mail alone changes nothing" in shown
    [main] = re.findall(r'<button class="button" type="submit" name="solved" value="(\w+)"', shown)
    assert main == said


def test_a_scanner_that_follows_all_links_of_the_mail_ends_nothing(app, case, taps):
    scanner = app.test_client()
    for link in (*taps.values(), *taps.values()):
        assert scanner.get(scanner.get(link).location).status_code == 200
    assert (last(case).state, case.reopened) == ("waiting_for_customer", 0)


def test_a_no_from_the_mail_opens_it_again_and_goes_up(client, world, case, taps):
    page = client.get(taps["no"]).location.partition("?")[0]
    assert client.post(f"{page}/verdict", data={"solved": "no"}).location == page
    assert (last(case).state, case.owner, case.reopened) == ("open", world.max, 1)
    assert client.post(f"{page}/verdict", data={"solved": "yes"}).location == page
    assert last(case).state == "solved"
