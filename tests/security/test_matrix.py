"""Every route × everybody who may come × whose the things are that its address names."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from portal.db import session
from portal.feedback import causes, mail_reading
from portal.feedback.case_models import Case
from portal.feedback.cause_models import About
from portal.fulfilment.models import BackParcel, LabelPurchase, Parcel
from portal.lib import clock
from portal.lib.guards import anyone
from portal.orders.actions import accept_order
from portal.orders.guards import has_link
from portal.orders.models import Order
from portal.pictures.models import Picture
from portal.refunds import credit_notes
from portal.refunds.actions import approve_refund, open_refund
from portal.refunds.credit import StoreCredit, spend
from portal.refunds.facts import apply
from portal.refunds.rules import RefundPart
from portal.returns.models import Return, ReturnLine
from portal.staff.guards import signed_in
from tests.feedback.scenes import case_of
from tests.house.road import as_stripe_has_it, go_together, with_a_picture
from tests.house.test_routes import fingerprint, rules
from tests.returns import hands
from tests.returns.claim_hands import claimed
from tests.security import matrix
from tests.security.matrix import BY_ORDER, BY_PARENT, BY_PERSON, METRICS, OPEN, expected, got, guard_of, named
from tests.staff.device import Device
from tests.uploads import hands as pictures
from tests.world import BOBS_ORDER, World, show_code, sign_in

TO_THE_WORLD = {
    "GET /find", "POST /find", "GET /withdrawal", "POST /withdrawal",
    "POST /withdrawal/form", "POST /withdrawal/preview", "GET /withdrawal/received",
    "GET /l/<token>", "GET /unsubscribe/<token>", "POST /unsubscribe/<token>",
    "POST /hooks/<source>", "GET /api/v1/openapi.json", "GET /healthz", "GET /readyz",
    "GET /desk/sign-in", "POST /desk/sign-in", "POST /desk/sign-out",
    "GET /desk/password-reset", "POST /desk/password-reset",
    "GET /desk/invitations/<token>", "POST /desk/invitations/<token>",
    "POST /desk/sign-in/single", "GET /desk/sign-in/single/return",
    "POST /desk/sign-in/passkey", "POST /desk/sign-in/passkey/options",
}  # fmt: skip
"""What needs neither link nor key nor sign-in, written down a second time: one more differs from this."""


def ways(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) & {"GET", "POST"})


def test_only_these_doors_stand_open_to_the_world(app: Flask) -> None:
    found = {f"{way} {rule.rule}" for rule in rules(app) if guard_of(app, rule) is anyone for way in ways(rule)}
    assert found == TO_THE_WORLD


def test_8_2_2_everything_that_an_address_names_has_its_place(app: Flask) -> None:
    assert list(matrix.without_place(app)) == []


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("desk.planted", "/desk/diaries/<int:id>"),
        ("desk_parcels.planted", "/desk/parcels/<int:id>/diaries/<int:diary_id>"),
        ("desk_parcels.planted", "/desk/parcels/<int:id>/<int:diary_id>"),
        ("returns.planted", "/orders/<ref>/diaries/<int:id>"),
        ("finding.planted", "/diaries/<int:id>"),
    ],
)
def test_an_address_that_names_something_without_a_place_is_found(app: Flask, endpoint: str, address: str) -> None:
    rule = Rule(address, endpoint=endpoint)
    app.url_map.add(rule)
    try:
        assert [found for found in matrix.without_place(app) if "diar" in found]
    finally:
        app.url_map._rules.remove(rule)
        app.url_map._rules_by_endpoint.pop(endpoint)


def test_8_2_1_every_route_answers_everybody_as_its_guard_and_its_marks_say(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard stands in front of whatever row the address names."""
    app.config["WTF_CSRF_ENABLED"] = False
    settings = app.config["SETTINGS"].model_copy(update={"metrics_token": METRICS})
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    answers = {}
    for who in matrix.visitors(world):
        world.sam.role = who.role or world.sam.role
        session.commit()
        for rule in rules(app):
            filled = dict.fromkeys(rule.arguments, 1) | {"ref": world.alice.ref}
            path = app.url_map.bind("localhost").build(rule.endpoint, filled)
            for way in ways(rule):
                answers[who.name, way, rule.rule] = (expected(app, rule, who), got(app, path, way, who))
    assert {asked: pair for asked, pair in answers.items() if pair[0] != pair[1]} == {}
    assert len(answers) > 20 * 200
    assert {pair[0] for pair in answers.values()} == {OPEN, "401", "403", "404", *matrix.ASKED}


@pytest.fixture
def walked(walked: World, work: Callable[..., int], mails: object) -> World:
    """Everything has happened, and what belongs to something is there twice, of two owners."""
    world = walked
    part = RefundPart(world.bob.lines[0].id, 0, 500)
    refund = open_refund(world.bob, [part], reason="goodwill", by=world.rita, now=clock.now())
    approve_refund(refund, by=world.fran, now=clock.now())
    session.commit()
    apply(as_stripe_has_it(refund, "succeeded"), source="webhook", asked_at=clock.now(), now=clock.now())
    credit_notes.issue_note(refund, now=clock.now())
    living = session.scalars(select(StoreCredit).order_by(StoreCredit.id).limit(1)).one()
    spend(living, 100, note="A mug.", by=world.fran, now=clock.now())
    mail_reading.keep(case_of(world.bob).id, with_a_picture("bob@example.org"), "bob@example.org", now=clock.now())
    work(task="feedback.hear")
    go_together(world, "1008", "dan")
    for order in (world.alice, world.bob):
        seen = {"width": 1, "height": 1, "content": b"x", "thumbnail": b"x", "uploaded_at": clock.now()}
        named = {"about": f"order:{order.id}", "form_key": "matrix", "digest": order.ref.encode()}
        session.add(Picture(order_id=order.id, **named, **seen))
    for line_id, order_id in session.execute(select(ReturnLine.id, Return.order_id).join(Return)):
        named = {"about": f"return-line:{line_id}", "form_key": "matrix", "digest": b"%d" % line_id}
        session.add(Picture(order_id=order_id, **named, **seen))
    for return_id, order_id in session.execute(select(Return.id, Return.order_id)):
        when = {"since": clock.now(), "created_at": clock.now()}
        session.add(BackParcel(ref=f"back-{return_id}", return_id=return_id, order_id=order_id, source="typed", **when))
    once_more = replace(BOBS_ORDER, external_id="A-1020", number="1020", payment_intent="pi_again")
    again, _ = accept_order(once_more, by="channel", now=clock.now())
    hands.delivered(world, again)
    claimed(again)
    found = [causes.take_up(about, by=world.sam, now=clock.now()) for about in (About("MUG-01"), About(courier="dhl"))]
    for cause, case in zip(found, session.scalars(select(Case).order_by(Case.id)), strict=False):
        causes.note_change(cause, clock.now().date(), "Packed better.", by=world.sam, now=clock.now())
        causes.put_case(case, cause, by=world.sam, now=clock.now())
    for parcel_id in session.scalars(select(Parcel.id).where(Parcel.state == "picking")):
        asked = {"asked_by_id": world.pat.id, "asked_at": clock.now(), "next_look_at": None}
        session.add(LabelPurchase(parcel_id=parcel_id, seller="easypost", reference=f"r{parcel_id}", **asked))
    session.commit()
    return world


def path_of(app: Flask, rule: Rule, filled: dict[str, Any]) -> str:
    return app.url_map.bind("localhost").build(rule.endpoint, filled)


def behind(app: Flask, guard: Any, deep: int) -> Iterator[Rule]:
    """Routes behind this guard whose address names so many things beside the order."""
    yield from (rule for rule in rules(app) if guard_of(app, rule) is guard and len(named(rule)) == deep)


def test_8_2_2_a_customer_reaches_what_is_theirs_and_nothing_of_another_order(
    app: Flask, client: FlaskClient, walked: World
) -> None:
    """Each browser has shown the code of its own order; what the address names beside it is another order's."""
    tried = 0
    for rule in behind(app, has_link, 1):
        [(thing, gap)] = named(rule)
        if thing in matrix.BROWSERS:
            continue
        owned = [(key, order_id) for key, order_id in session.execute(BY_ORDER[thing][1]()) if order_id]
        mine, other = two_of(thing, owned)
        for key, there in ((mine[0], True), (other[0], False)):
            order = session.get_one(Order, mine[1])
            browser = show_code(app.test_client(), order)
            path = path_of(app, rule, {"ref": order.ref, gap: key})
            for way in ways(rule):
                before = fingerprint()
                answer = browser.open(path, method=way, data=ANYTHING).status_code
                assert answer == 404 if not there else way == "POST" or answer != 404, f"{way} {path}: {answer}"
                assert there or fingerprint() == before, f"{way} {path}"
                tried += 1
    assert tried >= 2 * len(BY_ORDER)


def test_8_2_2_through_a_return_of_theirs_a_customer_reaches_nothing_of_another(app: Flask, walked: World) -> None:
    for rule in behind(app, has_link, 2):
        (outer, outer_gap), (inner, inner_gap) = named(rule)
        mine, other = two_of(inner, [(row[0], row[1]) for row in session.execute(BY_PARENT[outer, inner]())])
        ret = session.get_one(Return, mine[1])
        browser = show_code(app.test_client(), ret.order)
        for key, status in ((mine[0], 200), (other[0], 404)):
            path = path_of(app, rule, {"ref": ret.order.ref, outer_gap: ret.rma, inner_gap: key})
            assert browser.get(path).status_code == status, path


def two_of(thing: str, owned: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """One, and one that belongs elsewhere."""
    assert len({owner for _key, owner in owned}) > 1, f"the walked world has {thing} of one owner only"
    mine = sorted(owned)[0]
    return mine, next(each for each in sorted(owned, reverse=True) if each[1] != mine[1])


ANYTHING = {
    "pieces": "1", "quantity": "1", "reason": "missing", "note": "A note.", "words": "Some words.", "choice": "wait",
    "solved": "yes", "v": "4", "undo": "",
}  # fmt: skip
"""So that no form refuses before anybody looks whose the thing is."""


def test_8_2_2_at_the_desk_nothing_is_reached_through_what_it_does_not_belong_to(
    app: Flask, client: FlaskClient, walked: World
) -> None:
    walked.max.role = "admin"
    sign_in(client, walked.max)
    tried = set()
    for rule in behind(app, signed_in, 2):
        (outer, outer_gap), (inner, inner_gap) = named(rule)
        if (outer, inner) in matrix.BESIDE:
            continue
        owned = [(key, owner) for key, owner in session.execute(BY_PARENT[outer, inner]()) if owner]
        mine, other = two_of(inner, owned)
        path = path_of(app, rule, {outer_gap: mine[1], inner_gap: other[0]})
        for way in ways(rule):
            before = fingerprint()
            assert client.open(path, method=way, data=ANYTHING).status_code in (404, 409), f"{way} {path}"
            assert fingerprint() == before, f"{way} {path}"
        tried.add((outer, inner))
    assert tried == set(BY_PARENT)


def test_8_2_2_what_is_a_persons_own_is_reached_by_nobody_else_whatever_their_role(
    app: Flask, client: FlaskClient, world: World
) -> None:
    world.max.role = "admin"
    sign_in(app.test_client(), world.sam)
    add_passkey(sign_in(app.test_client(), world.pat))
    pictures.draft(world.alice, who=pictures.uploader(world.alice, None, world.rita))
    sign_in(client, world.max)
    for rule in (rule for rule in behind(app, signed_in, 1) if named(rule)[0][0] in BY_PERSON):
        [(thing, gap)] = named(rule)
        others = [key for key, person in session.execute(BY_PERSON[thing]()) if person != world.max.id]
        assert others
        for key in others:
            for way in ways(rule):
                before = fingerprint() | own_things()
                assert client.open(path_of(app, rule, {gap: key}), method=way).status_code == 404, rule.rule
                assert fingerprint() | own_things() == before


def own_things() -> dict[str, str]:
    return {name: str(session.execute(found()).all()) for name, found in BY_PERSON.items()}


def add_passkey(client: FlaskClient) -> None:
    path = "/desk/account/passkeys"
    made = client.post(path, data={"credential": Device().make(client.post(f"{path}/options").get_json())})
    assert made.status_code == 200


GONE = (
    "closed-days/<int:id>/opening",
    "transit-times/<int:id>/removal",
    "exemptions/<int:id>/removal",
    "terms/<int:id>/removal",
)
"""What is to go and is gone already is done."""


def test_8_2_2_what_is_not_there_is_said_to_be_not_there_and_changes_nothing(
    app: Flask, client: FlaskClient, world: World
) -> None:
    """At the desk, for an admin, whom no permission keeps away."""
    world.max.role = "admin"
    sign_in(client, world.max)
    before, answers = fingerprint(), {}
    for deep in (1, 2):
        for rule in behind(app, signed_in, deep):
            path = path_of(app, rule, {gap: 10**12 for _thing, gap in named(rule)})
            for way in ways(rule):
                answers[f"{way} {rule.rule}"] = client.open(path, method=way, data=ANYTHING).status_code
    assert {asked: code for asked, code in answers.items() if code != (303 if asked.endswith(GONE) else 404)} == {}
    assert fingerprint() == before
