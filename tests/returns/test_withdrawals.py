"""The law's door: two steps, no reason, no approval; a receipt at once; the same answer whatever it is about."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.db import session
from portal.lib import clock, tokens
from portal.lib.days import shop_day
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.models import Order, OrderFlag
from portal.refunds.models import Refund
from portal.returns import actions, bench, exemptions, settlement, withdrawals
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.withdrawal_rules import right_of, withdraw_until
from portal.returns.withdrawals import Withdrawal
from tests.conftest import nothing_appears
from tests.fulfilment.hands import brought_to
from tests.returns.hands import delivered, found, line_of
from tests.world import World, open_link, sign_in

Work = Callable[..., int]
STATED = {"name": "Alice Brown", "contract": "10023", "email": "alice@example.com", "goods": ""}


def withdrawn(order: Order, chosen: dict[int, int] | None = None) -> Withdrawal:
    """Through the order's own link; all of it when nothing is chosen."""
    chosen = chosen or right_of(order, now=clock.now()).everything()
    made = withdrawals.withdraw(order.id, chosen, key=tokens.mint(), now=clock.now())
    session.commit()
    return made


def stated(order: Order, **differs: str) -> Withdrawal:
    """On the page that needs no link."""
    fields = {**STATED, "contract": order.number, "email": str(order.customer.email), "locale": "en", **differs}
    made = withdrawals.state(fields, key=tokens.mint(), now=clock.now())
    session.commit()
    return made


def matched(made: Withdrawal) -> Withdrawal:
    withdrawals.match(made.id, now=clock.now())
    session.commit()
    session.refresh(made)
    return made


def letters(*kinds: str) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind.in_(kinds)).order_by(Letter.id)))


def noon(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


@pytest.mark.parametrize(
    ("there", "country", "window", "notice", "until"),
    [
        (noon("2026-11-02"), "DE", 14, True, date(2026, 11, 16)),  # a Monday, fourteen days later
        (noon("2026-11-07"), "DE", 14, True, date(2026, 11, 23)),  # a Saturday becomes Monday
        (noon("2026-12-11"), "DE", 14, True, date(2026, 12, 28)),  # Christmas, then a weekend
        (noon("2026-10-28"), "PL", 14, True, date(2026, 11, 12)),  # 11 November is a holiday where the customer lives
        (noon("2026-11-02"), "DE", 30, True, date(2026, 12, 2)),  # the shop's longer window counts
        (noon("2026-11-02"), "DE", 14, False, date(2027, 11, 16)),  # no notice: twelve months more
        (noon("2028-02-15"), "DE", 14, False, date(2029, 3, 1)),  # from 29 February
        (noon("2026-11-02"), None, 14, True, date(2026, 11, 16)),  # country unknown
        (None, "DE", 14, True, None),  # nobody knows of some delivery: open
    ],
)
def test_it_is_open_until_the_law_says(
    app: Flask, there: datetime | None, country: str | None, window: int, notice: bool, until: date | None
) -> None:
    change = {"return_window_days": window, "withdrawal_notice": notice, "shop_country": "DE"}
    settings = app.config["SETTINGS"].model_copy(update=change)
    assert withdraw_until(there, country, settings) == until


def test_it_is_valid_at_once_and_the_goods_are_awaited(app: Flask, world: World) -> None:
    delivered(world, world.alice)
    made = withdrawn(world.alice)
    assert (made.state, made.goods, made.name) == ("carried_out", "", world.alice.customer.name)
    assert made.ret is not None
    assert (made.ret.kind, made.ret.decision, made.ret.goods) == ("withdrawal", "approved", "awaited")
    assert made.ret.decided_by_id is None
    assert made.ret.send_back_by == shop_day(clock.now() + timedelta(days=14))
    receipt, follows = letters("withdrawal-received", "withdrawal-next")
    assert (receipt.kind, receipt.to_address) == ("withdrawal-received", world.alice.customer.email)
    assert made.reference in receipt.text
    assert f"{made.stated_at.astimezone(app.config['SETTINGS'].zone):%H:%M:%S}" in receipt.text
    assert "I withdraw from the whole contract." in receipt.text
    assert made.ret.rma in follows.text


def test_it_says_received_and_not_accepted(world: World) -> None:
    delivered(world, world.alice)
    withdrawn(world.alice)
    [receipt] = letters("withdrawal-received")
    assert "accept" not in receipt.text.lower()


def test_the_same_form_again_is_the_same_statement(world: World) -> None:
    delivered(world, world.alice)
    key, chosen = tokens.mint(), right_of(world.alice, now=clock.now()).everything()
    first = withdrawals.withdraw(world.alice.id, chosen, key=key, now=clock.now())
    session.commit()
    with nothing_appears():
        assert withdrawals.withdraw(world.alice.id, chosen, key=key, now=clock.now()) is first


def test_the_second_statement_of_the_same_goods_is_refused(world: World) -> None:
    delivered(world, world.alice)
    withdrawn(world.alice)
    with nothing_appears(), pytest.raises(Refused, match="Nothing is left"):
        withdrawals.withdraw(world.alice.id, {world.alice.lines[0].id: 1}, key=tokens.mint(), now=clock.now())


@pytest.mark.parametrize(("late", "refused"), [(timedelta(0), False), (timedelta(days=1), True)])
def test_the_last_day_counts_whole_and_the_next_does_not(world: World, late: timedelta, refused: bool) -> None:
    delivered(world, world.alice)
    until = right_of(world.alice, now=clock.now()).until
    assert until is not None
    day = datetime.combine(until + late, datetime.min.time(), tzinfo=clock.now().tzinfo) + timedelta(hours=20)
    assert bool(right_of(world.alice, now=day).over()) == refused


def test_what_has_not_left_is_cancelled_and_all_money_proposed(world: World) -> None:
    made = withdrawn(world.alice)
    assert (made.state, made.ret, world.alice.state) == ("carried_out", None, "cancelled")
    refund = session.scalars(select(Refund)).one()
    assert refund.amount == sum(line.paid for line in world.alice.lines)
    assert refund.due_on == shop_day(clock.now() + timedelta(days=14))
    [follows] = letters("withdrawal-next")
    assert "has not left us" in follows.text


def test_a_part_that_is_still_here_is_held_back_for_a_person(world: World) -> None:
    brought_to("picked", world.alice, world.max, clock.now())
    session.commit()
    made = withdrawn(world.alice, {line_of(world.alice, "MUG-01").id: 1})
    assert made.ret is not None
    assert session.scalars(select(OrderFlag.code)).all() == ["withdrawn"]
    session.expire_all()
    assert world.alice.attention


def test_exempt_goods_stay_out_with_the_laws_reason(world: World, client: FlaskClient) -> None:
    delivered(world, world.alice)
    exemptions.exempt("MUG-01", "made_to_order")
    session.commit()
    right = right_of(world.alice, now=clock.now())
    mug = line_of(world.alice, "MUG-01")
    assert mug.id not in right.everything()
    with nothing_appears(), pytest.raises(Refused, match="more than you can"):
        withdrawals.withdraw(world.alice.id, {mug.id: 1}, key=tokens.mint(), now=clock.now())
    page = unescape(open_link(client, world.alice).get(f"/orders/{world.alice.ref}/withdrawal").text)
    assert "made to your order or for you personally (Art. 16(c))" in page


def test_a_seal_is_for_the_bench_to_see(world: World) -> None:
    delivered(world, world.alice)
    exemptions.exempt("MUG-01", "hygiene")
    session.commit()
    assert line_of(world.alice, "MUG-01").id in right_of(world.alice, now=clock.now()).everything()


def settled(world: World, made: Withdrawal, **differs: object) -> settlement.Settlement:
    ret = made.ret
    assert ret is not None
    actions.receive_return(ret, by=world.rita, now=clock.now())
    bench.inspect_return(ret, found(ret, **differs), by=world.rita, now=clock.now())
    session.commit()
    return settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id))


def test_the_whole_contract_gives_back_the_delivery_too(world: World) -> None:
    delivered(world, world.alice)
    whole = settled(world, withdrawn(world.alice))
    assert whole.total.amount == sum(line.paid for line in world.alice.lines)
    refund = actions.propose_refund(session.scalars(select(Return)).one(), whole.total, by=world.rita, now=clock.now())
    assert refund.due_on == shop_day(clock.now() + timedelta(days=14))


def test_no_more_than_the_usual_delivery_comes_back(world: World, change_settings: Callable[..., None]) -> None:
    delivered(world, world.alice)
    change_settings(standard_delivery=["EUR:1.50"])
    whole = settled(world, withdrawn(world.alice))
    assert [one.money.amount for one in whole.outbound] == [150]


def test_a_part_of_the_contract_leaves_the_delivery_paid(world: World) -> None:
    delivered(world, world.alice)
    assert settled(world, withdrawn(world.alice, {line_of(world.alice, "MUG-01").id: 1})).outbound == ()


def test_without_the_shops_notice_nothing_is_deducted(world: World, change_settings: Callable[..., None]) -> None:
    delivered(world, world.alice)
    change_settings(withdrawal_notice=False)
    with pytest.raises(Refused, match="Nothing may be deducted"):
        settled(world, withdrawn(world.alice), deduction=100, note="worn")


def test_nobody_can_call_it_off_or_decline_it(world: World) -> None:
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret is not None
    with pytest.raises(Refused):
        actions.cancel_return(ret, now=clock.now())
    session.rollback()
    with pytest.raises(Refused):
        actions.call_off_return(ret, note="no", by=world.rita, now=clock.now())


def test_without_an_address_of_the_order_it_is_stated_without_the_link(client: FlaskClient, world: World) -> None:
    """A receipt names the customer: whoever holds the link does not choose where it goes."""
    delivered(world, world.alice)
    world.alice.customer.email = None
    session.commit()
    answer = open_link(client, world.alice).get(f"/orders/{world.alice.ref}/withdrawal")
    assert answer.headers["Location"] == "/withdrawal"
    with nothing_appears(), pytest.raises(Refused, match="no e-mail address"):
        withdrawals.withdraw(world.alice.id, {world.alice.lines[0].id: 1}, key=tokens.mint(), now=clock.now())


# the page that needs no link


def test_number_and_address_find_the_order_and_it_is_carried_out(world: World) -> None:
    delivered(world, world.alice)
    made = matched(stated(world.alice))
    assert (made.state, made.order_id) == ("carried_out", world.alice.id)
    assert made.ret is not None
    assert [letter.kind for letter in letters("withdrawal-received", "withdrawal-next")] == [
        "withdrawal-received", "withdrawal-next",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "differs",
    [{"contract": "999"}, {"email": "mallory@example.net"}, {"goods": "only the blue cup"}, {"contract": "the cups"}],
    ids=["number", "address", "a_part", "words"],
)
def test_what_is_not_clear_waits_for_a_person_and_has_its_receipt(world: World, differs: dict[str, str]) -> None:
    delivered(world, world.alice)
    made = matched(stated(world.alice, **differs))
    assert made.state == "received"
    assert [letter.kind for letter in letters("withdrawal-received", "withdrawal-next")] == ["withdrawal-received"]
    assert session.scalars(select(Return)).all() == []


def test_a_stranger_with_number_and_address_stops_no_order(world: World) -> None:
    """What has not been sent is held back until a person has looked; it is not cancelled."""
    brought_to("picked", world.alice, world.max, clock.now())
    session.commit()
    made = matched(stated(world.alice))
    assert (made.state, made.order_id, world.alice.state) == ("received", world.alice.id, "accepted")
    assert session.scalars(select(OrderFlag.code)).all() == ["withdrawn"]


def walk(client: FlaskClient, **differs: str) -> tuple[int, int, str]:
    fields = {**STATED, "key": tokens.mint(), **differs}
    second = client.post("/withdrawal/preview", data=fields)
    answer = client.post("/withdrawal", data=fields)
    return second.status_code, answer.status_code, answer.headers.get("Location", "")


def test_the_page_says_the_same_whatever_it_is_about(client: FlaskClient, world: World, work: Work) -> None:
    delivered(world, world.alice)
    mine = walk(client, contract=world.alice.number, email=str(world.alice.customer.email))
    assert mine == walk(client, contract="nonsense") == (200, 303, "/withdrawal/received")
    work(task="returns.match_withdrawal")
    assert session.scalars(select(Withdrawal.state).order_by(Withdrawal.id)).all() == ["carried_out", "received"]
    assert "We have your withdrawal" in client.get("/withdrawal/received").text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("name", " ", "Enter your name."), ("contract", "", "Say which contract you mean"),
     ("email", "nobody", "like name@example.com"), ("email", "a@b.c,d@e.f", "like name@example.com"),
     ("goods", "x" * 1001, "too long")],
)  # fmt: skip
def test_what_is_missing_is_said_at_its_field(
    client: FlaskClient, world: World, field: str, value: str, said: str
) -> None:
    with nothing_appears():
        answer = client.post("/withdrawal", data={**STATED, "key": tokens.mint(), field: value})
    assert answer.status_code == 422
    assert said in unescape(answer.text)


def test_floods_end_and_the_other_way_is_named(client: FlaskClient, world: World) -> None:
    answers = [client.post("/withdrawal", data={**STATED, "key": tokens.mint()}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    assert "counts just the same" in answers[-1].text


def test_no_page_asks_why(client: FlaskClient, world: World) -> None:
    """Nor for pictures, and nothing but a name, a contract and an address must be given."""
    delivered(world, world.alice)
    for page in (
        client.get("/withdrawal"),
        open_link(client, world.alice).get(f"/orders/{world.alice.ref}/withdrawal"),
    ):
        assert page.status_code == 200
        assert "reason" not in page.text
        assert 'type="file"' not in page.text


# the order's own page


def test_from_the_orders_page_to_the_receipt(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    mine = open_link(client, world.alice)
    front = mine.get(f"/orders/{world.alice.ref}")
    assert f'href="/orders/{world.alice.ref}/withdrawal"' in front.text
    fields = {f"line_{line.id}": line.quantity for line in world.alice.lines if line.kind == "item"}
    fields = {**fields, "key": tokens.mint()}
    second = mine.post(f"/orders/{world.alice.ref}/withdrawal/preview", data=fields)
    assert second.status_code == 200
    assert "Confirm withdrawal" in second.text
    assert session.scalars(select(Withdrawal)).all() == []
    done = mine.post(f"/orders/{world.alice.ref}/withdrawal", data=fields, follow_redirects=True)
    made = session.scalars(select(Withdrawal)).one()
    assert made.reference in done.text
    assert "Send the goods back by" in done.text
    again = mine.post(f"/orders/{world.alice.ref}/withdrawal", data=fields)
    assert again.headers["Location"].endswith(made.reference)
    front = unescape(mine.get(f"/orders/{world.alice.ref}").text)
    for label in ("Withdraw until", "Send back until", "Money back by", "Guarantee until"):
        assert label in front


def test_more_than_was_bought_is_refused(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    mine, line = open_link(client, world.alice), world.alice.lines[0]
    with nothing_appears():
        answer = mine.post(f"/orders/{world.alice.ref}/withdrawal", data={f"line_{line.id}": 99, "key": tokens.mint()})
    assert answer.status_code == 422
    assert "Choose how many pieces." in answer.text


def test_after_its_time_the_page_says_so_and_leaves_the_other_door_open(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    with clock.moved(timedelta(days=40)):
        answer = open_link(client, world.alice).get(f"/orders/{world.alice.ref}/withdrawal")
    assert "The time to withdraw ended on" in answer.text
    assert 'href="/withdrawal"' in answer.text


# the desk


def test_a_person_says_which_order_is_meant(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    made = matched(stated(world.alice, contract="the cups of last week"))
    desk = sign_in(client, world.rita)
    assert made.reference in desk.get("/desk/withdrawals").text
    page = unescape(desk.get(f"/desk/withdrawals/{made.id}").text)
    assert f"Order {world.alice.number}" in page
    fields = {f"line_{line.id}": line.quantity for line in world.alice.lines if line.kind == "item"}
    path = f"/desk/withdrawals/{made.id}/orders/{world.alice.id}"
    assert desk.post(path, data={**fields, "key": tokens.mint()}).status_code == 303
    session.refresh(made)
    assert (made.state, made.settled_by_id) == ("carried_out", world.rita.id)
    with nothing_appears():
        answer = desk.post(path, data={**fields, "key": tokens.mint()})
    assert answer.status_code == 409
    assert "Somebody else has dealt with this" in answer.text


def test_against_the_rules_only_with_a_reason_that_is_kept(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    with clock.moved(timedelta(days=40)):
        made = matched(stated(world.alice))
        assert made.state == "received"
        desk, path = sign_in(client, world.rita), f"/desk/withdrawals/{made.id}/orders/{world.alice.id}"
        fields = {f"line_{line_of(world.alice, 'MUG-01').id}": 1, "key": tokens.mint()}
        with nothing_appears():
            answer = desk.post(path, data=fields)
        assert answer.status_code == 409
        assert "Do you want it all the same?" in answer.text
        assert desk.post(path, data={**fields, "note": "she was in hospital"}).status_code == 303
    session.refresh(made)
    assert (made.state, made.note) == ("carried_out", "she was in hospital")


def test_what_is_not_ours_is_answered_once(client: FlaskClient, world: World) -> None:
    made = stated(world.alice, contract="999", email="nobody@example.net")
    desk = sign_in(client, world.rita)
    assert "No order of ours fits" in desk.get(f"/desk/withdrawals/{made.id}").text
    with nothing_appears():
        assert desk.post(f"/desk/withdrawals/{made.id}/answers", data={"note": " "}).status_code == 422
    assert (
        desk.post(f"/desk/withdrawals/{made.id}/answers", data={"note": "You bought it elsewhere."}).status_code == 303
    )
    [letter] = letters("withdrawal-answer")
    assert (letter.to_address, "You bought it elsewhere." in letter.text) == ("nobody@example.net", True)


def test_only_managers_exempt_goods(client: FlaskClient, world: World) -> None:
    fields = {"sku": "MUG-01", "ground": "perishable"}
    with nothing_appears():
        assert sign_in(client, world.rita).post("/desk/withdrawals/exemptions", data=fields).status_code == 403
    manager = sign_in(client, world.max)
    assert "Nothing is exempt" in manager.get("/desk/withdrawals/exemptions").text
    assert manager.post("/desk/withdrawals/exemptions", data={**fields, "ground": "sale"}).status_code == 422
    assert manager.post("/desk/withdrawals/exemptions", data=fields).status_code == 303
    [row] = exemptions.all_exemptions()
    assert manager.post(f"/desk/withdrawals/exemptions/{row.id}/removal").status_code == 303
    session.expire_all()
    assert exemptions.all_exemptions() == []
