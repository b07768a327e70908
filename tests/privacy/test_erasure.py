"""Who asks is forgotten: what may go goes, everywhere, what the law keeps stays; a copy from before changes nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import LargeBinary, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from portal.db import Base, session
from portal.feedback.actions import give_answer
from portal.feedback.asking import schedule_survey
from portal.feedback.grounds import give_consent
from portal.feedback.tallies import Tally
from portal.fulfilment.models import LabelPurchase, Parcel
from portal.inbox.actions import receive
from portal.jobs import defer
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from portal.orders.models import Customer, Order, OrderChange, OrderFlag
from portal.pictures.models import Picture
from portal.privacy import actions, ledger
from portal.privacy.jobs import sweep_erasures
from portal.privacy.models import KEPT, Erasure, open_matter, orders_of
from portal.privacy.rules import locked_until
from portal.refunds.actions import approve_refund, refuse_refund
from portal.refunds.facts import apply
from portal.returns import claims
from portal.tracking.jobs import find_order
from tests.conftest import nothing_appears
from tests.feedback.scenes import case_of
from tests.house.road import as_stripe_has_it
from tests.returns import hands
from tests.returns.claim_hands import claimed
from tests.uploads import hands as pictures
from tests.world import ALICES_ORDER, World, open_link, show_code, sign_in

Work = Callable[..., int]


@pytest.fixture(autouse=True)
def ledger_file(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "kept" / "erasures.jsonl"
    monkeypatch.setitem(app.config, "SETTINGS", app.config["SETTINGS"].model_copy(update={"erasure_ledger": place}))
    return place


@pytest.fixture
def alices(client: FlaskClient, world: World) -> FlaskClient:
    """Alice's browser, which has shown the code; her order is delivered."""
    hands.delivered(world, world.alice)
    return show_code(client, world.alice)


def erasure() -> Erasure:
    session.expire_all()
    return session.scalars(select(Erasure)).one()


def where(words: str) -> list[str]:
    """The tables in which these words stand, in any column, jobs included."""
    names = [*Base.metadata.tables, "procrastinate_jobs", "procrastinate_events"]
    has = "SELECT '{0}' FROM {0} t WHERE strpos(t::text, :it) > 0 OR strpos(t::text, :coded) > 0"
    union = text(" UNION ".join(has.format(name) for name in names))
    return sorted(session.scalars(union, {"it": words, "coded": words.encode().hex()}))


def test_the_customer_asks_and_is_forgotten(
    alices: FlaskClient, world: World, work: Work, mails: list[EmailMessage], ledger_file: Path
) -> None:
    work()
    mails.clear()
    world.bob.ship_to = {}
    ref, page = world.alice.ref, f"/orders/{world.alice.ref}/erasure"
    assert "Erase my data" in alices.get(page).text
    answer = alices.post(f"/orders/{ref}/erasures")
    assert (answer.status_code, "Then we write to you a last time." in answer.text) == (202, True)
    work()
    assert (erasure().state, [str(mail["To"]) for mail in mails]) == ("done", ["alice@example.org"])
    assert "1001" in str(mails[0].get_body(("plain",)))
    assert ledger.refs(ledger_file) == [ref]
    sweep_erasures()
    assert [words for words in ("alice@example.org", "Ångström", "Lindenstraße") if where(words)] == []
    assert alices.get(page).status_code == 404
    left = session.get_one(Order, world.alice.id)
    assert (left.number, left.total, left.country, left.payment is not None) == ("1001", 8400, "DE", True)


def rare(world: World) -> None:
    """What the road does not come past: a claim and what was said of it, a label bought, a change from the channel."""
    alice, now = world.alice, clock.now()
    session.add(OrderChange(order_id=alice.id, state="applied", heard_at=now, diff=[], copy={}))
    session.add(OrderFlag(order_id=alice.id, code="changed", found_at=now))
    parcel = session.scalars(select(Parcel).where(Parcel.order_id == alice.id)).first()
    assert parcel is not None
    asked = {"asked_by_id": world.pat.id, "asked_at": now, "next_look_at": None}
    session.add(LabelPurchase(parcel_id=parcel.id, seller="easypost", reference="r", state="dropped", **asked))
    once_more = replace(ALICES_ORDER, external_id="A-1030", number="1030", payment_intent="pi_1030")
    again, _new = accept_order(once_more, by="channel", now=now)
    hands.delivered(world, again)
    claim = claimed(again)
    claims.ask_customer(claim, "Which one?", by=world.rita, now=now)
    claims.answer(claim, "The mug.", key=tokens.mint(), now=now)
    give_consent(alice.id, now=now)
    session.flush()


TYPED = ("name", "words", "body", "why_not")
"""Columns with somebody's words, in rows that go as a whole."""


def plant(ids: list[int]) -> list[str]:
    """A canary in every column that is to be taken out, or goes with its row; only text where nothing else fits."""
    canaries = []
    for kept in KEPT:
        going = [name for name in TYPED if name in kept.table.c] if kept.gone else ()
        columns = {name: kept.table.c[name] for name in (*kept.taken, *going)}
        for name, column in columns.items():
            canary = f"canary-{kept.table.name}-{name}@nest.example"
            kind: Any = {JSONB: {"deep": [canary]}, LargeBinary: canary.encode()}.get(type(column.type), canary)
            kind = func.concat(kept.table.c.id, canary) if column.unique else kind
            planted = update(kept.model).where(kept.of(ids)).values({name: kind})
            if session.execute(planted.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
                canaries.append(canary)
    session.expire_all()
    return canaries


def test_thirty_canaries_are_gone_from_every_table(walked: World, work: Work, mails: list[EmailMessage]) -> None:
    world = walked
    rare(world)
    alice, now = world.alice, clock.now()
    ids = orders_of(alice.customer_id)
    canaries = plant([*ids, world.bob.id])
    email = alice.customer.email
    assert email is not None
    assert "customers-email" in email
    receive("shopify", "m1", json.dumps({"email": email.upper()}).encode(), now=now)
    defer(find_order, number="1001", email=email)
    session.commit()
    assert len(canaries) >= 30
    assert {kept.table.name for kept in KEPT if kept.taken} <= {canary.split("-")[1] for canary in canaries}
    assert all(where(canary) for canary in canaries)
    actions.forget([*ids, world.bob.id], now=now)
    session.commit()
    assert {canary: found for canary in canaries if (found := where(canary))} == {}


def test_others_are_left_alone(world: World) -> None:
    receive("shopify", "m2", b'{"email": "bob@example.org", "id": "A-1002"}', now=clock.now())
    actions.forget([world.alice.id], now=clock.now())
    session.commit()
    session.expire_all()
    assert (world.bob.customer.email, world.bob.ship_to["city"]) == ("bob@example.org", "Berlin")
    assert "inbox_messages" in where(b"bob@example.org".decode())


@pytest.mark.parametrize(
    ("open_it", "because"),
    [
        (lambda world: None, "order"),
        (lambda world: hands.delivered(world, world.alice) and hands.requested(world.alice), "return"),
        (lambda world: hands.delivered(world, world.alice) and complained(world), "case"),
    ],
)
def test_it_waits_while_something_is_open_and_says_why(
    world: World, work: Work, open_it: Callable[[World], Any], because: str, ledger_file: Path
) -> None:
    open_it(world)
    actions.ask(world.alice.customer_id, by=None, now=clock.now())
    session.commit()
    work(task="privacy.erase")
    assert (erasure().state, erasure().because) == ("waiting", because)
    assert (world.alice.customer.email, ledger_file.exists()) == ("alice@example.org", False)


def test_it_is_done_by_night_when_nothing_is_open_any_more(world: World, work: Work) -> None:
    actions.ask(world.alice.customer_id, by=None, now=clock.now())
    session.commit()
    work(task="privacy.erase")
    hands.delivered(world, world.alice)
    sweep_erasures()
    assert (erasure().state, session.get_one(Customer, world.alice.customer_id).email) == ("done", None)


def complained(world: World) -> None:
    scheduled = schedule_survey(world.alice.id, now=clock.now())
    assert scheduled is not None
    case_of(world.alice)


def test_pictures_go_with_the_rest(world: World) -> None:
    pictures.sent(world.alice, "return:1")
    bobs = pictures.sent(world.bob, "return:2")
    actions.forget([world.alice.id], now=clock.now())
    session.commit()
    assert session.scalars(select(Picture.id)).all() == [bobs.id]


def test_a_return_whose_money_is_back_for_good_keeps_nobody_waiting(world: World) -> None:
    hands.delivered(world, world.alice)
    refund, now = hands.proposed(world, world.alice, 2000), clock.now()
    assert open_matter([world.alice.id], now=now) == "refund"
    approve_refund(refund, by=world.fran, now=now)
    session.commit()
    apply(as_stripe_has_it(refund, "succeeded"), source="webhook", asked_at=now, now=now)
    session.commit()
    assert open_matter([world.alice.id], now=now + timedelta(days=60)) is None


def test_a_return_whose_money_was_refused_is_still_open(world: World) -> None:
    hands.delivered(world, world.alice)
    refuse_refund(hands.proposed(world, world.alice, 2000), note="Too late.", by=world.fran, now=clock.now())
    session.commit()
    assert open_matter([world.alice.id], now=clock.now()) == "return"


def test_asking_twice_is_asking_once(alices: FlaskClient, world: World) -> None:
    alices.post(f"/orders/{world.alice.ref}/erasures")
    with nothing_appears():
        assert alices.post(f"/orders/{world.alice.ref}/erasures").status_code == 202


def test_it_refuses_to_erase_who_is_forgotten_already(world: World) -> None:
    actions.forget([world.alice.id], now=clock.now())
    with nothing_appears(), pytest.raises(Refused):
        actions.ask(world.alice.customer_id, by=None, now=clock.now())


def test_a_link_alone_erases_nothing(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    with nothing_appears():
        assert client.post(f"/orders/{world.alice.ref}/erasures").location == f"/orders/{world.alice.ref}/code"


def test_a_newer_copy_of_the_channel_does_not_bring_the_customer_back(world: World) -> None:
    actions.forget([world.alice.id], now=clock.now())
    newer = replace(ALICES_ORDER, updated_at=clock.now() + timedelta(days=1), name="Alice Again")
    order, is_new = accept_order(newer, by="channel", now=clock.now())
    session.commit()
    assert (is_new, order.ship_to, order.customer.email, where("alice@example.org")) == (False, {}, None, [])


def test_a_restored_copy_is_forgotten_once_more(world: World, ledger_file: Path) -> None:
    ledger.note(ledger_file, [world.alice.ref], now=clock.now())
    with ledger_file.open("a") as file:
        file.write('{"orders": ["cut')
    assert actions.replay(ledger.refs(ledger_file), now=clock.now()) == 1
    assert actions.replay(ledger.refs(ledger_file), now=clock.now()) == 0
    assert world.alice.customer.email is None
    assert ledger_file.stat().st_mode & 0o777 == 0o600


def test_letters_that_wait_are_not_sent_any_more(world: World, work: Work, mails: list[EmailMessage]) -> None:
    hands.delivered(world, world.alice)
    actions.forget([world.alice.id], now=clock.now())
    session.commit()
    work(until=clock.now() + timedelta(days=9))
    assert [str(mail["To"]) for mail in mails if "alice" in str(mail["To"])] == []
    states = select(Letter.state).where(Letter.order_id == world.alice.id)
    assert set(session.scalars(states)) == {"suppressed"}


@pytest.mark.parametrize(
    ("countries", "day"), [(["DE"], 2034), (["GB"], 2032), (["DE", "FR"], 2036), (["HU"], 2036), ([None], 2036)]
)
def test_the_law_keeps_amounts_until_the_end_of_a_year(countries: list[str | None], day: int) -> None:
    assert locked_until(2026, countries) == date(day, 12, 31)


def test_managers_do_it_for_who_writes_a_letter(client: FlaskClient, world: World, work: Work) -> None:
    hands.delivered(world, world.alice)
    sign_in(client, world.max)
    page = client.get("/desk/privacy?email=Alice@example.org").text
    assert "Erase what is known of them" in page
    assert client.post(f"/desk/privacy/customers/{world.alice.customer_id}/erasures").status_code == 303
    work(task="privacy.erase")
    assert (erasure().state, erasure().asked_by_id) == ("done", world.max.id)
    assert "Max" in client.get("/desk/privacy").text


def test_nobody_else_may(client: FlaskClient, world: World) -> None:
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.get("/desk/privacy").status_code == 403
        assert client.post(f"/desk/privacy/customers/{world.alice.customer_id}/erasures").status_code == 403


def test_no_word_of_an_answer_is_counted_any_more(world: World) -> None:
    """Not even as a stem, in which a name could hide."""
    hands.delivered(world, world.alice)
    schedule_survey(world.alice.id, now=clock.now())
    give_answer(world.alice.id, 3, "Ask my neighbour Quintessa", now=clock.now())
    session.commit()
    assert {"answers", "counted", "word_tallies"} <= {*where("uintessa")}
    actions.forget([world.alice.id], now=clock.now())
    session.commit()
    assert where("uintessa") == []
    still = select(Tally.n).where(Tally.measure == "csat", Tally.grain == "day", Tally.value == "all")
    assert session.scalar(still) == 1, "the score stays"
