"""The customer asks to send something back, and calls it off."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import move, session
from portal.lib import clock, days
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.returns.models import Return
from tests.conftest import nothing_appears, owed, statements
from tests.returns.hands import approved, delivered, line_of, received, requested, saved, wish
from tests.world import ALICES_ORDER, World, open_link


def path(order: Order, *rest: str) -> str:
    return "/".join((f"/orders/{order.ref}/returns", *rest))


def filled_in(order: Order, sku: str = "MUG-01", key: str = "a" * 28, **differs: str) -> dict[str, str]:
    """The form as a browser sends it."""
    line = f"line_{line_of(order, sku).id}"
    fields = {"quantity": "1", "reason": "too_small", "words": "", **differs}
    return {"key": key, **{f"{line}-{name}": value for name, value in fields.items()}}


def the_return() -> Return:
    session.expire_all()
    return session.scalars(select(Return)).one()


@pytest.fixture
def alice(client: FlaskClient, at_home: World) -> FlaskClient:
    """Alice has her parcel and came through the link to her order."""
    return open_link(client, at_home.alice)


def test_the_form_offers_what_arrived_and_no_shipping(alice, world):
    page = alice.get(path(world.alice, "new")).text
    assert "Stoneware mug" in page
    assert "Linen shirt" in page
    assert "Standard delivery" not in page


def test_looking_writes_nothing(alice, world):
    with nothing_appears():
        alice.get(path(world.alice))
        alice.get(path(world.alice, "new"))


def test_the_preview_says_what_comes_back_and_how_much_money_and_writes_nothing(alice, world):
    with nothing_appears():
        page = alice.post(
            path(world.alice, "preview"), data=filled_in(world.alice, quantity="2", words="the <b> handle")
        )
    assert page.status_code == 200
    assert "2 × Stoneware mug" in page.text
    assert "€40.00" in page.text
    assert "14 days" in page.text
    assert "the &lt;b&gt; handle" in page.text


def test_the_preview_keeps_what_was_typed_for_those_who_want_to_change_it(alice, world):
    preview = alice.post(path(world.alice, "preview"), data=filled_in(world.alice, words="too thin")).text
    hidden = dict(re.findall(r'name="((?:line_|key|policy)[^"]*)" value="([^"]*)"', preview))
    page = alice.post(path(world.alice, "new"), data={**hidden, "step": "why"})
    assert page.status_code == 200
    assert "too thin</textarea>" in page.text
    assert '<option selected value="too_small">' in page.text


def test_asking_makes_a_return_its_lines_an_entry_and_a_letter(alice, world, work, mails):
    saved(world, accepts_itself=False)
    answer = alice.post(path(world.alice), data=filled_in(world.alice, quantity="2", words=" a chip "))
    ret = the_return()
    assert (answer.status_code, answer.location) == (303, path(world.alice, ret.rma))
    assert [(row.line.sku, row.quantity, row.reason, row.words) for row in ret.lines] == [
        ("MUG-01", 2, "too_small", "a chip")
    ]
    assert (ret.kind, ret.decision, ret.goods, ret.requested_at.date()) == (
        "return", "requested", "not_expected", clock.now().date(),
    )  # fmt: skip
    work()
    assert mails[-1]["Subject"] == "We have your return request: order 1001"
    assert f"Return {ret.rma}" in alice.get(f"/orders/{world.alice.ref}").text


def test_what_all_rules_allow_is_accepted_at_once_and_the_letter_follows(alice, world, work, mails):
    preview = alice.post(path(world.alice, "preview"), data=filled_in(world.alice)).text
    assert "You get the address and a slip" in preview
    alice.post(path(world.alice), data=filled_in(world.alice))
    ret = the_return()
    assert (ret.decision, ret.goods, ret.decided_by_id) == ("approved", "awaited", None)
    work()
    assert [mail["Subject"] for mail in mails if ret.rma in mail["Subject"]] == [letter_to_send(ret)]


def letter_to_send(ret: Return) -> str:
    assert ret.send_back_by
    return f"Please send it back by {days.spelled(ret.send_back_by, clock.now().date(), 'en')}: return {ret.rma}"


def test_where_a_person_must_look_it_waits(alice, world):
    alice.post(path(world.alice), data=filled_in(world.alice, reason="damaged"))
    assert the_return().decision == "requested"
    preview = alice.post(path(world.alice, "preview"), data=filled_in(world.alice, "SHIRT-M", reason="damaged")).text
    assert "We look at your request and write to you." in preview


def test_the_letter_s_link_leads_to_the_return(alice, client, world, work, mails):
    alice.post(path(world.alice), data=filled_in(world.alice))
    work()
    text = mails[-1].get_body(("plain",)).get_content()
    browser = client.application.test_client()
    there = browser.get(re.search(r"http\S+(/l/\S+)", text)[1], follow_redirects=True)
    assert there.request.path == path(world.alice, the_return().rma)
    assert "Back to your order" not in there.text
    assert browser.get(f"/orders/{world.alice.ref}").status_code == 404


def test_the_same_form_sent_twice_is_one_return(alice, world):
    first = alice.post(path(world.alice), data=filled_in(world.alice))
    with nothing_appears():
        second = alice.post(path(world.alice), data=filled_in(world.alice))
    assert first.location == second.location == path(world.alice, the_return().rma)


def test_several_returns_of_one_order_are_listed(alice, world):
    first, second = requested(world.alice), requested(world.alice, wish(world.alice, "SHIRT-M"))
    page = alice.get(path(world.alice)).text
    assert path(world.alice, first.rma) in page
    assert path(world.alice, second.rma) in page


def test_it_refuses_a_second_return_of_the_same_line(alice, world):
    requested(world.alice, wish(world.alice, quantity=2))
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.alice, key="b" * 28))
    assert answer.status_code == 422
    assert "Stoneware mug is in a return already." in answer.text


def test_the_rest_of_a_line_can_still_come_back(alice, world):
    requested(world.alice)
    assert alice.post(path(world.alice), data=filled_in(world.alice, key="b" * 28)).status_code == 303


def test_2_2_3_it_refuses_more_than_was_delivered(alice, world):
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.alice, quantity="3"))
    assert answer.status_code == 422
    assert "Only 2 pieces can come back." in answer.text


def test_it_refuses_a_return_after_the_window(alice, world):
    with clock.moved(timedelta(days=31)):
        open_link(alice, world.alice)
        with nothing_appears():
            assert "The time to send something back ended on" in alice.get(path(world.alice, "new")).text
            for door in (path(world.alice, "preview"), path(world.alice)):
                answer = alice.post(door, data=filled_in(world.alice))
                assert answer.status_code == 409
                assert "The time to send something back ended on" in answer.text


def test_it_refuses_a_return_before_delivery(client, world):
    open_link(client, world.alice)
    with nothing_appears():
        assert "Nothing has arrived yet." in client.get(path(world.alice, "new")).text
        assert client.post(path(world.alice), data=filled_in(world.alice)).status_code == 422
        assert not owed("mail.send_letter")


def test_it_refuses_a_return_of_a_cancelled_order(alice, world):
    move(world.alice, "state", "reopen", closed_at=None)
    move(world.alice, "state", "cancel")
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.alice))
    assert answer.status_code == 409
    assert "This order was cancelled." in answer.text


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("quantity", "-1", "Choose how many pieces."),
        ("quantity", "many", "Not a valid integer value."),
        ("quantity", "9" * 30, "Choose how many pieces."),
        ("quantity", "9" * 5000, "Not a valid integer value."),
        ("quantity", "1.5", "Not a valid integer value."),
        ("quantity", "0", "Choose what you want to send back."),
        ("quantity", "", "Choose what you want to send back."),
        ("reason", "", "Choose a reason."),
        ("reason", "found", "Choose a reason."),
        ("reason", "'; DROP TABLE returns", "Choose a reason."),
        ("words", "x" * 1001, "That is too long."),
    ],
)
def test_nonsense_gets_the_form_again(alice, world, field, value, message):
    with nothing_appears():
        for door in (path(world.alice, "preview"), path(world.alice)):
            answer = alice.post(door, data=filled_in(world.alice, **{field: value}))
            assert answer.status_code == 422
            assert message in answer.text


@pytest.mark.parametrize("key", ["", "short", "x" * 41])
def test_a_form_without_its_key_is_not_taken(alice, world, key):
    with nothing_appears():
        assert alice.post(path(world.alice), data=filled_in(world.alice, key=key)).status_code == 422


def test_lines_of_another_order_are_not_seen(alice, world):
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.bob))
    assert answer.status_code == 422
    assert "Choose what you want to send back." in answer.text


def test_nobody_sees_somebody_else_s_return(client, world):
    delivered(world, world.alice)
    ret = approved(world, world.alice)
    open_link(client, world.bob)
    with nothing_appears():
        for order in (world.alice, world.bob):
            assert client.get(path(order, ret.rma)).status_code == 404
            assert client.get(path(order, ret.rma, "slip.pdf")).status_code == 404
            assert client.post(path(order, ret.rma, "cancellation")).status_code == 404
        assert client.post(path(world.alice), data=filled_in(world.alice)).status_code == 404


def test_a_survey_s_link_opens_no_returns(client, world):
    delivered(world, world.alice)
    open_link(client, world.alice, "survey")
    assert client.get(path(world.alice, "new")).status_code == 404


def test_2_4_1_a_link_that_is_used_all_day_long_is_slowed_down(alice, world):
    for n in range(20):
        key = f"{n:028}"
        alice.post(path(world.alice), data=filled_in(world.alice, key=key))
        alice.post(
            path(world.alice, session.scalars(select(Return.rma).where(Return.form_key == key)).one(), "cancellation")
        )
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.alice))
    assert answer.status_code == 409
    assert "That was often today." in answer.text


def test_calling_it_off_frees_the_pieces(alice, world):
    ret = requested(world.alice, wish(world.alice, quantity=2))
    assert alice.post(path(world.alice, ret.rma, "cancellation")).status_code == 303
    assert "This return was called off" in alice.get(path(world.alice, ret.rma)).text
    assert alice.post(path(world.alice), data=filled_in(world.alice, quantity="2")).status_code == 303


def test_an_accepted_return_can_be_called_off_and_is_awaited_no_longer(alice, world):
    ret = approved(world, world.alice)
    alice.post(path(world.alice, ret.rma, "cancellation"))
    session.refresh(ret)
    assert (ret.decision, ret.goods) == ("cancelled", "not_expected")


def test_what_has_arrived_can_t_be_called_off(alice, world):
    ret = received(world, world.alice)
    assert "Call off this return" not in alice.get(path(world.alice, ret.rma)).text
    with nothing_appears():
        answer = alice.post(path(world.alice, ret.rma, "cancellation"))
    assert answer.status_code == 409
    assert "be called off any more" in answer.text


def test_calling_it_off_twice_changes_nothing(alice, world):
    ret = requested(world.alice)
    alice.post(path(world.alice, ret.rma, "cancellation"))
    with nothing_appears():
        assert alice.post(path(world.alice, ret.rma, "cancellation")).status_code == 409


def test_an_order_of_any_size_takes_as_many_statements(client, world):
    lines = tuple(
        replace(ALICES_ORDER.lines[0], external_id=f"L{n}", sku=f"S{n}", title=f"Thing {n}") for n in range(30)
    )
    big, _ = accept_order(
        replace(ALICES_ORDER, external_id="BIG", number="1003", lines=lines, payment_intent="pi_big"),
        by="channel", now=clock.now(),
    )  # fmt: skip
    for order in (world.alice, big):
        delivered(world, order)
        requested(order, *(wish(order, line.sku) for line in order.lines if line.kind == "item"))
        open_link(client, order)
    taken = []
    for order in (world.alice, big):
        rma = session.scalars(select(Return.rma).where(Return.order_id == order.id)).one()
        for page in (path(order, "new"), path(order, rma)):
            session.expire_all()
            with statements() as seen:
                assert client.get(page).status_code == 200
            taken.append(len(seen))
    assert taken[:2] == taken[2:]
    assert max(taken) <= 14
