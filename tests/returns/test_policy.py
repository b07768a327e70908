"""The shop's policy: small rules, each with its answer and its sentence; every version kept; what was seen counts."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import func, select

from portal.db import session
from portal.lib import clock, tokens
from portal.lib.errors import Refused
from portal.orders.models import Order, TimelineEntry
from portal.refunds.actions import open_refund
from portal.refunds.rules import RefundPart
from portal.returns import actions, rules
from portal.returns.articles import Article
from portal.returns.models import Return
from portal.returns.overrides import ReturnOverride
from portal.returns.policy import NO_POLICY, Policy, ReturnPolicy, Rule, current_policy, policy_of, save_policy
from portal.returns.policy_facts import read_under
from portal.returns.rules import Answer
from portal.returns.withdrawal_rules import right_of
from portal.staff.models import Actor
from tests.conftest import nothing_appears
from tests.returns.hands import delivered, line_of, page_of, requested, saved, wish
from tests.returns.test_asking import filled_in, path, the_return
from tests.world import World, open_link, sign_in


def said(policy: Policy, order: Order, *wishes: rules.Wish, **later: float) -> list[tuple[str, str]]:
    session.expire_all()
    facts = read_under(policy, order, now=clock.now() + timedelta(**later))
    return [(verdict.answer, verdict.message) for verdict in rules.of_wishes(facts, wishes or [wish(order)])]


@pytest.fixture
def there(at_home: World) -> Order:
    return at_home.alice


TOO_MUCH = "That is worth too much to be sent back like this. Please write to us."


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("country", values=("DE",)), "We can't take anything back from this country."),
        (Rule("country", values=("AT",), but=True), "We can't take anything back from this country."),
        (Rule("channel", values=("API:SHOP",)), "What was bought at shop is sent back there."),
        (Rule("product", products=("MUG-01",)), "Stoneware mug can't be sent back."),
        (Rule("product", products=("mug*",)), "Stoneware mug can't be sent back."),
        (Rule("product", products=("SHIRT-M",), but=True), "Stoneware mug can't be sent back."),
        (Rule("product", products=("type:Kitchen",)), "Stoneware mug can't be sent back."),
        (Rule("final_sale", products=("MUG-01",)), "Stoneware mug was sold for good and can't be sent back."),
        (Rule("condition", values=("used",)), "Stoneware mug can't be sent back in this state."),
        (Rule("value", values=("EUR",), number=1999), TOO_MUCH),
    ],
)  # fmt: skip
def test_each_kind_of_rule_says_no_with_its_sentence(world, there, rule, message):
    session.add(Article(sku="MUG-01", type="kitchen"))
    policy = saved(world, rule)
    assert said(policy, there, replace(wish(there), condition="used")) == [("no", message)]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("country", values=("AT",)),
        Rule("channel", values=("shopify",)),
        Rule("product", products=("SHIRT*",)),
        Rule("product", products=("type:shoes",)),
        Rule("final_sale", number=20),
        Rule("value", values=("EUR",), number=2000),
        Rule("value", values=("GBP",), number=1),
        Rule("window", number=30),
        Rule("often", "ask", number=2),
    ],
)
def test_where_it_does_not_bite_it_says_yes(world, there, rule):
    assert said(saved(world, rule), there) == []


def test_what_was_sold_cheap_enough_is_a_final_sale(world, there):
    line_of(there, "MUG-01").unit_price = 4000
    assert said(saved(world, Rule("final_sale", number=50)), there)[0][0] == "no"
    assert said(saved(world, Rule("final_sale", number=51)), there) == []


def test_a_window_of_its_own_takes_the_place_of_the_shop_s(world, there):
    policy = saved(world, Rule("window", number=60), Rule("window", "ask", number=10))
    assert said(policy, there, days=40) == [("ask", "We look at your request before we answer.")]
    assert said(policy, there, days=5) == []
    assert [answer for answer, _ in said(policy, there, days=70)] == ["no", "ask"]


def test_a_window_may_be_for_some_products_only(world, there):
    policy = saved(world, Rule("window", number=7, products=("SHIRT*",)))
    assert said(policy, there, days=10) == []
    assert said(policy, there, wish(there, "SHIRT-M"), days=10)[0][0] == "no"
    assert policy.window_days is None


def test_who_sent_back_often_is_looked_at_by_a_person(world, there):
    requested(there)
    policy = saved(world, Rule("often", "ask", number=1))
    assert said(policy, there) == [("ask", "We look at your request before we answer.")]


def test_the_shop_s_own_words_are_said_in_the_reader_s_language(world, there):
    policy = saved(
        world, Rule("product", products=("MUG-01",), messages={"en": "In the shop only.", "de": "Nur im Laden."})
    )
    assert said(policy, there) == [("no", "In the shop only.")]
    with force_locale("de"):
        assert said(policy, there) == [("no", "Nur im Laden.")]
    with force_locale("fr"):
        assert said(policy, there) == [("no", "In the shop only.")]


def test_the_value_counts_all_that_is_wanted_together(world, there):
    policy = saved(world, Rule("value", "ask", values=("EUR",), number=5000))
    assert said(policy, there, wish(there, quantity=2)) == []
    assert said(policy, there, wish(there, quantity=2), wish(there, "SHIRT-M"))[0][0] == "ask"


@pytest.mark.parametrize(
    "what", ["window", "country", "channel", "product", "final_sale", "condition", "value", "often"]
)
def test_no_rule_of_any_kind_touches_the_law_s_door(world, there, what):
    """Not even one that says no to everybody."""
    everybody = {
        "values": ("DE", "api:shop", "sealed", "EUR"),
        "products": ("*",) if what in ("product", "final_sale") else (),
    }
    before = right_of(there, now=clock.now())
    saved(world, Rule(what, number=1, **everybody))
    after = right_of(there, now=clock.now())
    assert (after.until, after.everything(), after.over()) == (before.until, before.everything(), "")


# --- versions ---


def test_every_saved_policy_is_a_version_that_stays(world):
    first = saved(world, Rule("country", values=("AT",)))
    second = saved(world)
    assert (second.version, current_policy().rules, policy_of(first.version)) == (first.version + 1, (), first)
    assert policy_of(None) == NO_POLICY


def test_it_refuses_to_overwrite_what_somebody_else_has_saved(world):
    seen = current_policy().version
    saved(world, Rule("country", values=("AT",)))
    with nothing_appears(), pytest.raises(Refused, match="Somebody else has saved"):
        save_policy(Policy(), seen=seen, note="Mine", by=world.max, now=clock.now())


def test_a_version_needs_its_reason(world):
    with nothing_appears(), pytest.raises(Refused, match="Say why"):
        save_policy(Policy(), seen=0, note=" ", by=world.max, now=clock.now())


def token_of(html: str) -> str:
    found = re.search(r'name="policy" type="hidden" value="([^"]+)"', html)
    assert found
    return found[1]


NO_MUGS = Rule("product", products=("MUG-01",))


def test_who_opened_the_form_before_the_policy_changed_keeps_what_they_saw(client, world, there):
    alice = open_link(client, there)
    token = token_of(alice.get(path(there, "new")).text)
    policy = saved(world, NO_MUGS)
    with nothing_appears():
        assert alice.post(path(there), data=filled_in(there)).status_code == 422, "without what they saw"
    answer = alice.post(path(there), data={**filled_in(there), "policy": token})
    assert answer.status_code == 303
    assert (the_return().policy_id, policy.version) == (None, current_policy().version)


def test_what_was_seen_is_kept_for_a_day_only(client, world, there):
    token = token_of(open_link(client, there).get(path(there, "new")).text)
    saved(world, Rule("country", values=("AT",)))
    with clock.moved(timedelta(hours=25)):
        alice = open_link(client, there)
        with nothing_appears():
            answer = alice.post(path(there), data={**filled_in(there), "policy": token})
        assert answer.status_code == 409
        assert "Our terms have changed since you opened this page." in answer.text
        again = alice.post(path(there), data={**filled_in(there), "policy": token_of(answer.text)})
        assert again.status_code == 303


@pytest.mark.parametrize("forged", ["0.9999999999.0", "1.2", "x" * 199, "٣.٤.", "0.1.é"])
def test_a_forged_policy_counts_for_nothing(client, world, there, forged):
    saved(world, NO_MUGS)
    alice = open_link(client, there)
    with nothing_appears():
        answer = alice.post(path(there), data={**filled_in(there, "SHIRT-M"), "policy": forged})
    assert answer.status_code == 409
    assert alice.post(path(there), data=filled_in(there, "SHIRT-M")).status_code == 303
    assert the_return().policy_id == current_policy().version


def test_what_was_seen_of_one_order_does_not_count_for_another(client, world, there):
    delivered(world, world.bob)
    token = token_of(open_link(client, world.bob).get(path(world.bob, "new")).text)
    saved(world, NO_MUGS)
    alice = open_link(client, there)
    with nothing_appears():
        assert alice.post(path(there), data={**filled_in(there), "policy": token}).status_code == 422


def test_the_page_says_why_something_can_t_come_back(client, world, there):
    saved(world, Rule("product", products=("MUG-01",), messages={"en": "Mugs are for ever."}))
    page = open_link(client, there).get(path(there, "new")).text
    assert "Mugs are for ever." in page
    assert f'<select class="input quantity" id="line_{line_of(there, "MUG-01").id}-quantity"' not in page


def test_an_order_that_a_rule_refuses_is_told_so_at_once(client, world, there):
    saved(world, Rule("country", values=("DE",), messages={"en": "Please bring it to our shop in Berlin."}))
    page = open_link(client, there).get(path(there, "new")).text
    assert "Please bring it to our shop in Berlin." in page
    assert "Withdraw from contract here" in page, "the law's door stays"


def test_the_tracking_page_counts_by_the_policy_s_window(client, world, there):
    saved(world, Rule("window", number=1))
    with clock.moved(timedelta(days=6)):
        page = open_link(client, there).get(f"/orders/{there.ref}").text
        assert "Send something back" not in page
        assert "Withdraw from contract here" in page


def test_the_state_is_asked_for_when_a_rule_depends_on_it(client, world, there):
    saved(world, Rule("condition", values=("used",)))
    alice = open_link(client, there)
    with nothing_appears():
        answer = alice.post(path(there), data=filled_in(there))
        assert "Choose in what state it is." in answer.text
        assert "in this state" in alice.post(path(there), data=filled_in(there, condition="used")).text
    alice.post(path(there), data=filled_in(there, condition="opened"))
    assert the_return().lines[0].condition == "opened"


def test_a_return_after_part_of_the_money_went_back_in_the_channel_is_looked_at_and_never_pays_twice(world, there):
    mugs = line_of(there, "MUG-01")
    open_refund(there, [RefundPart(mugs.id, 0, 3000)], reason="goodwill", by=world.sam, now=clock.now())
    session.commit()
    ret = requested(there, wish(there, quantity=2))
    facts = read_under(NO_POLICY, there, now=clock.now(), besides=ret.id)
    goods = facts.of(mugs.id)
    assert goods is not None
    assert goods.worth(2, 0).amount == 1000


# --- at the desk ---


def test_the_desk_shows_what_each_rule_said_under_the_version_of_that_day(client, world, there):
    saved(world, Rule("country", values=("AT",)), Rule("value", "ask", values=("EUR",), number=100))
    ret = requested(there)
    saved(world, NO_MUGS)
    page = page_of(sign_in(client, world.sam), ret)
    assert "We look at your request before we answer." in page
    assert "Country" in page
    assert "can't be sent back" not in page


def overruled(there: Order, by: Actor, *wishes: rules.Wish) -> Return:
    about = {"key": tokens.mint(), "because": "She is a regular."}
    return actions.request_return(there.id, wishes or [wish(there)], by=by, now=clock.now(), **about)


def test_who_may_decides_against_a_rule_and_it_stays_on_the_return_and_the_timeline(client, world, there):
    saved(world, NO_MUGS)
    desk = sign_in(client, world.sam)
    fields = {**filled_in(there), "because": "She is a regular."}
    answer = desk.post(f"/desk/orders/{there.id}/exceptions", data=fields)
    ret = the_return()
    assert (answer.status_code, answer.location) == (303, f"/desk/returns/{ret.id}")
    row = session.scalars(select(ReturnOverride)).one()
    assert (row.rule, row.said, row.note, row.by_id) == (
        "product", "Stoneware mug can't be sent back.", "She is a regular.", world.sam.id,
    )  # fmt: skip
    page = page_of(desk, ret)
    assert "Allowed against a rule" in page
    assert "Sam" in page
    assert "She is a regular." in page
    kinds = session.scalars(select(TimelineEntry.kind).where(TimelineEntry.order_id == there.id)).all()
    assert "return.overruled" in kinds


def test_the_desk_asks_for_what_the_customer_chose_on_the_telephone(client, world, there):
    saved(world, choices=("money", "credit"))
    desk, door = sign_in(client, world.sam), f"/desk/orders/{there.id}/returns"
    line = line_of(there, "MUG-01")
    chosen = {**filled_in(there), f"line_{line.id}-choice": ""}
    with nothing_appears():
        assert desk.post(door, data=chosen).status_code == 422
    assert "Store credit" in desk.get(f"{door}/new").text
    assert desk.post(door, data={**chosen, f"line_{line.id}-choice": "credit"}).status_code == 303
    assert [row.choice for row in the_return().lines] == ["credit"]


@pytest.mark.parametrize("who", ["rita", "cleo", "fran"])
def test_who_may_not_can_t_overrule(client, world, there, who):
    saved(world, NO_MUGS)
    person = getattr(world, who)
    with nothing_appears(), pytest.raises(Refused, match="may not decide against"):
        overruled(there, person)
    desk = sign_in(client, person)
    with nothing_appears():
        fields = {**filled_in(there), "because": "Because."}
        assert desk.post(f"/desk/orders/{there.id}/exceptions", data=fields).status_code == 403
        assert desk.post(f"/desk/orders/{there.id}/returns", data=fields).status_code in (403, 422)


def test_the_customer_can_t_overrule(world, there):
    saved(world, NO_MUGS)
    with nothing_appears(), pytest.raises(Refused, match="may not decide against"):
        overruled(there, "customer")


def test_without_a_reason_the_rule_holds(client, world, there):
    saved(world, NO_MUGS)
    desk = sign_in(client, world.sam)
    with nothing_appears():
        for door in ("returns", "exceptions"):
            answer = desk.post(f"/desk/orders/{there.id}/{door}", data={**filled_in(there), "because": " "})
            assert answer.status_code == 422
    assert "Say why" in answer.text


def test_nobody_overrules_what_was_bought(client, world, there):
    desk = sign_in(client, world.max)
    with nothing_appears():
        fields = {**filled_in(there, quantity="3"), "because": "Please."}
        assert desk.post(f"/desk/orders/{there.id}/exceptions", data=fields).status_code == 422
        with pytest.raises(Refused, match="Only 2 pieces"):
            overruled(there, world.max, wish(there, quantity=3))


# --- changing it ---


def typed(seen: int = 0, **differs: str) -> dict[str, str]:
    row = {
        "what": "country",
        "answer": "no",
        "values": "at, ch",
        "number": "",
        "products": "",
        "messages": "",
        **differs,
    }
    return {
        "seen": str(seen),
        "note": "Customs",
        "choices": "money",
        **{f"rules-0-{name}": value for name, value in row.items()},
    }


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    return sign_in(client, world.max)


def test_a_manager_saves_a_policy_and_all_see_who_did_and_why(desk, world):
    assert desk.post("/desk/return-policy", data=typed()).status_code == 303
    assert current_policy().rules == (Rule("country", values=("AT", "CH")),)
    page = desk.get("/desk/return-policy").text
    assert "Customs" in page
    assert "AT, CH" in page
    assert desk.get(f"/desk/return-policy/{current_policy().version}").status_code == 200
    assert desk.get("/desk/return-policy/999").status_code == 404


def test_what_it_would_say_of_an_order_is_shown_before_it_is_saved(desk, world, there):
    with nothing_appears():
        fields = typed(what="product", values="", products="MUG*")
        page = unescape(desk.post("/desk/return-policy/draft", data={**fields, "order": "1001"}).text)
    assert "Stoneware mug can't be sent back." in page
    assert "All rules say yes." in page, "of the shirt"
    assert "MUG*" in page


def test_one_more_rule_keeps_what_was_typed(desk):
    with nothing_appears():
        page = desk.post("/desk/return-policy/draft", data={**typed(), "more": "1"}).text
    assert 'value="at, ch"' in page
    assert 'name="rules-1-what"' in page


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"values": "Germany"}, "Write countries like DE, AT."),
        ({"what": "channel", "values": ""}, "Write channels like"),
        ({"what": "window", "number": "soon"}, "Write a whole number."),
        ({"what": "window", "number": "0"}, "Write a whole number."),
        ({"what": "value", "number": "200"}, "Write an amount with its currency"),
        ({"what": "value", "number": "2.005 EUR"}, "Write an amount with its currency"),
        ({"what": "condition", "values": "clean"}, "Write states:"),
        ({"what": "product"}, "Name the products."),
        ({"what": "final_sale"}, "Name the products."),
        ({"what": "often", "number": "3", "answer": "no"}, "This rule can only ask for a person."),
        ({"messages": "Only here"}, "Write one language per line"),
        ({"what": "magic"}, "Not a valid choice"),
    ],
)
def test_what_can_t_be_understood_is_said_at_its_field_and_nothing_is_saved(desk, differs, message):
    with nothing_appears():
        answer = desk.post("/desk/return-policy", data=typed(**differs))
    assert answer.status_code == 422
    assert message in unescape(answer.text)


def test_an_amount_is_kept_in_minor_units(desk):
    desk.post("/desk/return-policy", data=typed(what="value", answer="ask", values="", number="200,00 eur"))
    assert current_policy().rules == (Rule("value", "ask", values=("EUR",), number=20000),)
    assert "200.00 EUR" in desk.get("/desk/return-policy").text


def test_the_policy_changed_while_somebody_typed(desk, world):
    saved(world)
    with nothing_appears():
        answer = desk.post("/desk/return-policy", data=typed(seen=0))
    assert answer.status_code == 409
    assert "Somebody else has saved the policy meanwhile." in answer.text


@pytest.mark.parametrize("who", ["rita", "sam", "fran", "dan"])
def test_only_managers_change_it(client, world, who):
    desk = sign_in(client, getattr(world, who))
    with nothing_appears():
        assert desk.post("/desk/return-policy", data=typed()).status_code == 403
        assert desk.get("/desk/return-policy/draft").status_code == 403
    assert session.scalar(select(func.count()).select_from(ReturnPolicy)) == 0


def test_a_person_must_look_is_no_refusal(client, world, there):
    saved(world, Rule("country", "ask", values=("DE",)))
    alice = open_link(client, there)
    preview = alice.post(path(there, "preview"), data=filled_in(there))
    assert "We look at your request before we answer." in preview.text
    assert alice.post(path(there), data=filled_in(there)).status_code == 303
    assert rules.of_order(read_under(current_policy(), there, now=clock.now()))[0].answer is Answer.ask
