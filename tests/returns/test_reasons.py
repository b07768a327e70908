"""Reasons in two levels: worded, added and retired at the desk, never deleted; articles by type and product."""

import io
from html import unescape

import pytest
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import func, select

from portal.db import session
from portal.lib import clock
from portal.returns import articles, reasons, words
from portal.returns.articles import Article
from portal.returns.reasons import ReturnReason
from tests.conftest import nothing_appears
from tests.returns.hands import delivered, page_of, requested, wish
from tests.returns.test_asking import filled_in, path, the_return
from tests.world import World, open_link, sign_in


def row_of(code: str) -> ReturnReason:
    return session.scalars(select(ReturnReason).where(ReturnReason.code == code)).one()


def changed(code: str, **differs: object) -> None:
    about = {"labels": {}, "types": [], "fault": False, "photo": "off", "words": "optional", **differs}
    reasons.change_reason(row_of(code), **about)  # type: ignore[arg-type]
    session.commit()


@pytest.fixture
def alice(client: FlaskClient, at_home: World) -> FlaskClient:
    return open_link(client, at_home.alice)


@pytest.fixture
def desk(client: FlaskClient, world: World) -> FlaskClient:
    return sign_in(client, world.max)


def why(alice: FlaskClient, world: World, sku: str = "MUG-01") -> str:
    """The step that asks why."""
    return unescape(alice.post(path(world.alice, "new"), data={**filled_in(world.alice, sku), "step": "why"}).text)


def test_the_form_offers_them_in_two_levels(alice, world):
    page = why(alice, world)
    assert '<optgroup label="It does not fit">' in page
    assert '<option value="defective">It does not work</option>' in page


def test_every_shop_begins_with_reasons_that_all_have_their_words(app):
    assert set(reasons.all_reasons()) == set(reasons.STANDARD)
    with force_locale("de"):
        assert reasons.label("too_small") == "Es ist zu klein"


def test_some_are_for_some_product_types_only(alice, world):
    session.add(Article(sku="SHIRT-M", type="Clothes"))
    changed("too_small", types=["clothes"])
    assert "It is too small" not in why(alice, world)
    assert "It is too small" in why(alice, world, "SHIRT-M")
    with nothing_appears():
        assert "Choose a reason." in alice.post(path(world.alice), data=filled_in(world.alice)).text


def test_a_reason_may_want_words(alice, world):
    changed("other", words="required")
    with nothing_appears():
        answer = alice.post(path(world.alice), data=filled_in(world.alice, reason="other", words=" "))
    assert "Please tell us a little more." in answer.text
    assert (
        alice.post(path(world.alice), data=filled_in(world.alice, reason="other", words="It hums")).status_code == 303
    )


def test_what_was_retired_is_not_offered_and_still_shown(client, world):
    delivered(world, world.alice)
    ret = requested(world.alice, wish(world.alice, reason="too_late"))
    reasons.retire_reason(row_of("too_late"), now=clock.now())
    session.commit()
    assert "It came too late" not in why(open_link(client, world.alice), world)
    assert "It came too late" in page_of(sign_in(client, world.rita), ret)


def test_a_reason_retired_while_the_form_was_open_is_still_taken(alice, world):
    reasons.retire_reason(row_of("too_small"), now=clock.now())
    session.commit()
    assert alice.post(path(world.alice), data=filled_in(world.alice)).status_code == 303
    assert the_return().lines[0].reason == "too_small"


def test_a_shop_s_own_reason_is_told_in_each_language_or_in_english(app):
    row = reasons.add_reason("mind", {"en": "It smells", "de": "Es riecht"})
    assert words.reason(row.code) == "It smells"
    with force_locale("de"):
        assert words.reason(row.code) == "Es riecht"
    with force_locale("hu"):
        assert words.reason(row.code) == "It smells"


def test_a_manager_adds_words_and_retires_reasons(desk, world):
    fields = {
        "group": "mind",
        "label_en": "It smells",
        "label_de": "Es riecht",
        "words": "required",
        "photo": "optional",
        "types": "Candles, Soap",
    }
    assert desk.post("/desk/return-reasons", data=fields).status_code == 303
    row = session.scalars(select(ReturnReason).order_by(ReturnReason.id.desc())).first()
    assert row is not None
    assert (row.group, row.labels, row.words, row.types) == (
        "mind", {"en": "It smells", "de": "Es riecht"}, "required", ["Candles", "Soap"],
    )  # fmt: skip
    page = desk.get("/desk/return-reasons").text
    assert "It smells" in page
    changed = {"label_en": "It stinks", "label_de": "", "words": "off", "photo": "required", "fault": "y"}
    form = {f"r{row.id}-{name}": value for name, value in changed.items()}
    assert desk.post(f"/desk/return-reasons/{row.id}", data=form).status_code == 303
    session.expire_all()
    assert (row.labels, row.fault, row.words, row.photo) == ({"en": "It stinks"}, True, "off", "required")
    desk.post(f"/desk/return-reasons/{row.id}/retirement")
    session.expire_all()
    assert row.retired_at is not None
    desk.post(f"/desk/return-reasons/{row.id}/comeback")
    session.expire_all()
    assert row.retired_at is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"group": "mind", "label_de": "Es riecht", "words": "off", "photo": "off"}, "Give it a name in English"),
        ({"group": "no such", "label_en": "It smells", "words": "off"}, "Not a valid choice"),
        ({"group": "", "label_en": "x" * 101, "words": "off"}, "Field cannot be longer"),
    ],
)
def test_what_can_t_be_understood_adds_nothing(desk, fields, message):
    with nothing_appears():
        answer = desk.post("/desk/return-reasons", data=fields)
    assert answer.status_code in (409, 422)
    assert message in unescape(answer.text)


def test_the_last_reason_can_t_be_retired(desk):
    living = [row for row in reasons.rows() if row.group]
    for row in living[1:]:
        reasons.retire_reason(row, now=clock.now())
    session.commit()
    with nothing_appears():
        answer = desk.post(f"/desk/return-reasons/{living[0].id}/retirement")
    assert answer.status_code == 409
    assert "at least one reason" in answer.text


@pytest.mark.parametrize("who", ["rita", "sam", "dan"])
def test_only_managers_change_reasons_and_articles(client, world, who):
    desk = sign_in(client, getattr(world, who))
    with nothing_appears():
        assert desk.post("/desk/return-reasons", data={"label_en": "x"}).status_code == 403
        assert desk.post("/desk/articles/imports").status_code == 403


# --- articles ---


def uploaded(desk: FlaskClient, text: str | bytes) -> str:
    body = text if isinstance(text, bytes) else text.encode()
    answer = desk.post(
        "/desk/articles/imports", data={"file": (io.BytesIO(body), "a.csv")}, content_type="multipart/form-data"
    )
    return f"{answer.status_code} {unescape(answer.text)}"


def test_a_file_of_articles_is_taken_over_and_replaces_what_was_there(desk):
    assert uploaded(
        desk, "SKU;Product;Type;Variant;Price\nA;mug;Kitchen;Moss;20,00\nB;mug;Kitchen;Ash;20.0\n"
    ).startswith("303")
    assert uploaded(desk, "sku,product,variant,price\nB,mug,Sand,20\n").startswith("303")
    assert [(one.sku, one.variant) for one in articles.variants_of(["A"])["A"]] == [("B", "Sand")]
    assert "Sand" in desk.get("/desk/articles").text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("product;type\nmug;Kitchen\n", "one of them is sku"),
        ("", "one of them is sku"),
        ("sku\n", "There is no article in this file."),
        ("sku;price\nA;1\n;2\n", "Line 3: The SKU is missing."),
        ("sku;price\nA;cheap\n", "Write an amount like 4.50."),
        ("sku;price\nA;NaN\n", "Write an amount like 4.50."),
        ("sku;price\nA;Infinity\n", "Write an amount like 4.50."),
        ("sku;title\nA;" + "x" * 300, "That is too long."),
        (b"sku\n\xff\xfe", "UTF-8"),
    ],
)
def test_a_file_with_a_mistake_changes_nothing(desk, text, message):
    with nothing_appears():
        answer = uploaded(desk, text)
    assert answer.startswith("422")
    assert message in answer


def test_only_what_costs_the_same_is_a_variant_to_exchange_for(app):
    rows, _mistakes = articles.read_sheet("sku;product;price\nA;mug;20\nB;mug;25\nC;mug;20,00\nD;;20\nE;;20\n")
    articles.import_articles(rows)
    found = articles.variants_of(["A", "D", "unknown"])
    assert {sku: [one.sku for one in others] for sku, others in found.items()} == {"A": ["C"]}
    assert session.scalar(select(func.count()).select_from(Article)) == 5
