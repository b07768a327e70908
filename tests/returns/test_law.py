"""The law, row by row: each test is a row of the table in docs/withdrawal.md; one test holds the two together."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient
from flask_babel import force_locale, gettext
from sqlalchemy import select

from portal.db import session
from portal.feedback import reviews
from portal.feedback.reviews import ReviewOffer
from portal.fulfilment import actions as warehouse
from portal.fulfilment.actions import plan_parcels
from portal.fulfilment.jobs import watch_promises
from portal.lib import clock, tokens
from portal.lib.days import shop_day, spelled
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.privacy.actions import forget
from portal.privacy.rules import locked_until
from portal.refunds.models import Refund
from portal.returns import actions, bench, dispatch, exemptions, settlement, withdrawals
from portal.returns.dates import four_dates
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.withdrawal_forms import StatementForm, WithdrawalForm
from portal.returns.withdrawal_rules import right_of, withdraw_until
from portal.returns.withdrawals import Withdrawal
from portal.tracking.actions import choose
from tests.conftest import ROOT, nothing_appears
from tests.fulfilment.hands import brought_to
from tests.returns.hands import delivered, found, line_of
from tests.world import ALICES_ORDER, World, open_link, sign_in

TABLE = ROOT / "docs" / "withdrawal.md"
ROWS: list[str] = []
LABELS = {
    "en": ("Withdraw from contract here", "Confirm withdrawal"),
    "de": ("Vertrag widerrufen", "Widerruf bestätigen"),
    "fr": ("Renoncer au contrat ici", "Confirmer la rétractation"),
    "es": ("Desistir del contrato aquí", "Confirmar desistimiento"),
}
"""As the law words them, where our sources have its words."""


def row(name: str) -> Callable[[Any], Any]:
    """The test is about this row of the table."""
    ROWS.append(name)
    return lambda test: test


def withdrawn(order: Order, chosen: dict[int, int] | None = None) -> Withdrawal:
    """Through the order's own link; all of it when nothing is chosen."""
    chosen = chosen or right_of(order, now=clock.now()).everything()
    made = withdrawals.withdraw(order.id, chosen, key=tokens.mint(), now=clock.now())
    session.commit()
    return made


def settled(world: World, ret: Return, **differs: object) -> settlement.Settlement:
    """What comes back after the bench has looked."""
    actions.receive_return(ret, by=world.rita, now=clock.now())
    bench.inspect_return(ret, found(ret, **differs), by=world.rita, now=clock.now())
    session.commit()
    return settlement.work_out(ret, read(ret.order, now=clock.now(), besides=ret.id))


def letters(kind: str) -> list[Letter]:
    return list(session.scalars(select(Letter).where(Letter.kind == kind).order_by(Letter.id)))


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return unescape(answer.text)


# --- the function, Art. 11a ---


@row("Scope")
def test_every_order_has_the_function_whatever_was_bought_and_wherever_the_seller_is(
    client: FlaskClient, world: World, change_settings: Callable[..., None]
) -> None:
    change_settings(shop_country="US")
    delivered(world, world.alice)
    assert LABELS["en"][0] in page(open_link(client, world.alice), f"/orders/{world.alice.ref}")


@row("Function")
@pytest.mark.parametrize("language", LABELS)
def test_it_is_labelled_in_the_words_of_the_law(app: Flask, language: str) -> None:
    with app.test_request_context(), force_locale(language):
        assert (gettext("Withdraw from contract here"), gettext("Confirm withdrawal")) == LABELS[language]


@row("Availability")
@pytest.mark.parametrize("step", ["paid", "delivered", "after the shop's other returns ended"])
def test_it_is_there_during_the_whole_period_without_link_or_account(
    client: FlaskClient, world: World, step: str
) -> None:
    if step != "paid":
        delivered(world, world.alice, clock.now() - timedelta(days=0 if step == "delivered" else 29))
    front = page(open_link(client, world.alice), f"/orders/{world.alice.ref}")
    assert f'href="/orders/{world.alice.ref}/withdrawal"' in front
    assert 'href="/withdrawal"' in front
    client.delete_cookie("c")
    assert LABELS["en"][0] in page(client, "/withdrawal")


@row("Statement")
def test_nothing_but_name_contract_and_address_can_be_asked_or_demanded(app: Flask) -> None:
    """No reason, photo, approval, fee or other kind of money is possible: there is no field for one."""
    with app.test_request_context(method="POST", data={}):
        form = StatementForm(meta={"csrf": False})
        assert not form.validate()
        assert {field.short_name for field in form} - {"key"} == {"name", "contract", "email", "goods"}
        assert set(form.errors) - {"key"} == {"name", "contract", "email"}
        assert {field.short_name for field in WithdrawalForm(meta={"csrf": False})} == {"key"}
    told = {"reason", "photo", "picture", "fee", "credit", "voucher"}
    assert not told & {column.key for column in Withdrawal.__table__.columns}


@row("Logged in or known")
def test_who_comes_through_the_link_types_nothing(client: FlaskClient, world: World) -> None:
    delivered(world, world.alice)
    form = page(open_link(client, world.alice), f"/orders/{world.alice.ref}/withdrawal")
    assert 'type="text"' not in form
    assert 'type="email"' not in form
    made = withdrawn(world.alice)
    assert (made.name, made.contract, made.email) == ("Alice Ångström", "1001", "alice@example.org")


@row("Second step")
@pytest.mark.parametrize("door", ["link", "public"])
def test_the_second_step_has_the_law_s_button_and_no_other_word_on_it(
    client: FlaskClient, world: World, door: str
) -> None:
    delivered(world, world.alice)
    if door == "link":
        path, data = f"/orders/{world.alice.ref}/withdrawal/preview", {f"line_{world.alice.lines[0].id}": "1"}
        open_link(client, world.alice)
    else:
        path, data = "/withdrawal/preview", {"name": "A", "contract": "1001", "email": "a@example.org"}
    with nothing_appears():
        second = client.post(path, data={**data, "key": tokens.mint()})
    assert second.status_code == 200
    buttons = re.findall(r"<button[^>]*>(.*?)</button>", second.text, re.S)
    plain = [re.sub(r"<[^>]+>", "", button).strip() for button in buttons]
    assert plain[0] == "Confirm withdrawal"


@row("Receipt")
def test_the_receipt_leaves_at_once_with_content_date_and_time_and_says_received(app: Flask, world: World) -> None:
    delivered(world, world.alice)
    made = withdrawn(world.alice, {line_of(world.alice, "MUG-01").id: 1})
    [receipt] = letters("withdrawal-received")
    at = made.stated_at.astimezone(app.config["SETTINGS"].zone)
    assert (receipt.state, receipt.to_address) == ("queued", "alice@example.org")
    for content in ("1 × Stoneware mug, Moss", f"{at:%H:%M:%S}", f"{at:%Y}", made.reference, "received"):
        assert content in receipt.text
    assert "accept" not in receipt.text.lower()


@row("In time")
def test_what_is_submitted_on_the_last_day_is_in_time_whenever_it_is_read(world: World) -> None:
    delivered(world, world.alice)
    until = right_of(world.alice, now=clock.now()).until
    assert until
    evening = datetime.combine(until, datetime.min.time(), tzinfo=clock.now().tzinfo) + timedelta(hours=22, minutes=59)
    fields = {"name": "Alice", "contract": "1001", "email": "alice@example.org", "goods": "", "locale": "en"}
    made = withdrawals.state(fields, key=tokens.mint(), now=evening)
    withdrawals.match(made.id, now=evening + timedelta(minutes=1))
    assert made.state == "carried_out"
    with nothing_appears(), pytest.raises(Refused, match="The time to withdraw ended"):
        withdrawals.withdraw(
            world.alice.id, {world.alice.lines[1].id: 1}, key=tokens.mint(), now=evening + timedelta(days=2)
        )


@row("Part of an order")
def test_a_part_can_be_withdrawn_from_and_the_rest_later(world: World) -> None:
    delivered(world, world.alice)
    mug = line_of(world.alice, "MUG-01").id
    assert withdrawn(world.alice, {mug: 1}).goods == "1 × Stoneware mug, Moss"
    assert right_of(world.alice, now=clock.now()).everything() == {mug: 1, line_of(world.alice, "SHIRT-M").id: 1}


@row("Also stays")
def test_any_clear_statement_counts_and_one_that_fits_no_order_is_taken_too(client: FlaskClient, world: World) -> None:
    fields = {"name": "Nobody", "contract": "the cups of last week", "email": "nobody@example.net"}
    answer = client.post("/withdrawal", data={**fields, "key": tokens.mint()})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/withdrawal/received")
    assert session.scalars(select(Withdrawal.state)).all() == ["received"]
    assert [letter.to_address for letter in letters("withdrawal-received")] == ["nobody@example.net"]


@row("Information on the right missing")
def test_without_the_shop_s_notice_they_have_twelve_months_more(
    app: Flask, world: World, change_settings: Callable[..., None]
) -> None:
    change_settings(withdrawal_notice=False, return_window_days=14)
    there = datetime.fromisoformat("2026-11-02T12:00:00+00:00")
    assert withdraw_until(there, "DE", app.config["SETTINGS"]) == date(2027, 11, 16)
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    with pytest.raises(Refused, match="Nothing may be deducted"):
        settled(world, ret, deduction=100, note="worn")


# --- period, money, goods ---


@row("14 days from")
def test_it_counts_from_the_last_parcel_and_stays_open_while_one_is_unknown(app: Flask, world: World) -> None:
    parcel = brought_to("picked", world.alice, world.max, clock.now())
    shirt = next(packed for packed in parcel.lines if packed.line.sku == "SHIRT-M")
    second = warehouse.split(parcel, {shirt.id: 1}, by=world.max, now=clock.now())
    parcel.state = second.state = "handed_over"
    parcel.courier = second.courier = "dhl"
    parcel.tracking_number, second.tracking_number = "A1", "A2"
    parcel.handed_over_at = second.handed_over_at = clock.now() - timedelta(days=9)
    parcel.delivered_at = clock.now() - timedelta(days=8)
    session.commit()
    assert right_of(world.alice, now=clock.now()).until is None
    second.delivered_at = clock.now() - timedelta(days=1)
    session.commit()
    until = right_of(world.alice, now=clock.now()).until
    assert until
    assert until >= (second.delivered_at + timedelta(days=14)).date()
    assert until == withdraw_until(second.delivered_at, "DE", app.config["SETTINGS"])


@row("Refund what")
@pytest.mark.parametrize(("usual", "back"), [([], 500), (["EUR:3.90"], 390), (["GBP:1.00"], 500)])
def test_all_payments_come_back_with_the_usual_delivery(
    world: World, change_settings: Callable[..., None], usual: list[str], back: int
) -> None:
    change_settings(standard_delivery=usual)
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    assert settled(world, ret).total == Money(7900 + back, "EUR")


@row("Refund when")
def test_the_money_is_due_fourteen_days_after_we_were_informed(app: Flask, world: World) -> None:
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    whole = settled(world, ret)
    refund = actions.propose_refund(ret, whole.total, by=world.rita, now=clock.now())
    assert refund.due_on == shop_day(ret.requested_at + timedelta(days=14))
    order, settings = world.alice, app.config["SETTINGS"]
    assert four_dates(clock.now(), order.country, [ret], settings).money_back_by == refund.due_on


@row("May wait")
def test_the_shop_waits_no_longer_than_until_it_was_sent(world: World) -> None:
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    with nothing_appears(), pytest.raises(Refused, match="Inspect them first"):
        actions.propose_refund(ret, Money(8400, "EUR"), by=world.rita, now=clock.now())
    dispatch.show_dispatch(ret, "A receipt of the post office.", by=world.rita, now=clock.now())
    assert session.scalars(select(Refund.amount)).all() == [8400]


@row("How")
def test_it_goes_back_the_way_it_was_paid_and_nothing_is_kept_but_loss_of_value(world: World) -> None:
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    worn = settled(world, ret, deduction=150, note="worn", grade="worn")
    assert worn.total.amount == 8400 - 2 * 150
    refund = actions.propose_refund(ret, worn.total, by=world.rita, now=clock.now())
    assert refund.way == "card"
    assert [line.note for line in refund.lines if line.note] == ["€1.50 deducted: worn"] * 2


@row("Send back")
def test_they_have_fourteen_days_to_send_it(world: World) -> None:
    delivered(world, world.alice)
    ret = withdrawn(world.alice).ret
    assert ret
    assert ret.send_back_by == shop_day(ret.requested_at + timedelta(days=14))


@row("Exceptions")
@pytest.mark.parametrize("ground", exemptions.GROUNDS)
def test_only_the_law_s_reasons_exempt_goods_and_each_is_shown_by_its_line(
    client: FlaskClient, world: World, ground: str
) -> None:
    delivered(world, world.alice)
    exemptions.exempt("MUG-01", ground)
    session.commit()
    with pytest.raises(Refused):
        exemptions.exempt("SHIRT-M", "on_sale")
    mug, right = line_of(world.alice, "MUG-01").id, right_of(world.alice, now=clock.now())
    assert (mug in right.everything()) == (ground in exemptions.ONCE_OPENED)
    shown = page(open_link(client, world.alice), f"/orders/{world.alice.ref}/withdrawal")
    assert str(exemptions.GROUNDS[ground]) in shown


@row("Delivery promise")
def test_who_waits_too_long_may_end_the_contract_and_gets_all_money_back(world: World) -> None:
    plan_parcels(world.alice.id, now=clock.now())
    world.alice.promised_on = clock.now().date()  # the world's orders have a fixed day; long broken is no news
    session.commit()
    with clock.moved(timedelta(days=4)):
        watch_promises()
        choose(world.alice.id, "cancel", None, now=clock.now())
        session.commit()
    assert session.scalars(select(Refund.amount)).all() == [8400]


@row("Partial withdrawal and outbound fee")
@pytest.mark.parametrize(
    ("setting", "tariff", "back"),
    [
        ("difference", [], 0),  # what is kept would have cost the same
        ("difference", ["EUR:0:2.00", "EUR:50:5.00"], 300),  # 44.00 kept would have cost 2.00
        ("difference", ["EUR:0:9.00", "EUR:50:5.00"], 0),  # it would have cost more: nobody pays after
        ("share", [], 246),  # 39.00 of 79.00
        ("nothing", ["EUR:0:2.00"], 0),
    ],
)
def test_of_a_part_the_shop_says_what_of_the_delivery_comes_back(
    world: World, change_settings: Callable[..., None], setting: str, tariff: list[str], back: int
) -> None:
    change_settings(partial_withdrawal_delivery=setting, delivery_tariff=tariff)
    delivered(world, world.alice)
    first = withdrawn(world.alice, {line_of(world.alice, "SHIRT-M").id: 1}).ret
    assert first
    assert settled(world, first).total == Money(3900 + back, "EUR")


def test_part_by_part_the_whole_delivery_comes_back_and_no_more(
    world: World, change_settings: Callable[..., None]
) -> None:
    change_settings(delivery_tariff=["EUR:0:2.00", "EUR:50:5.00"])
    delivered(world, world.alice)
    totals = []
    for sku, pieces in (("SHIRT-M", 1), ("MUG-01", 2)):
        ret = withdrawn(world.alice, {line_of(world.alice, sku).id: pieces}).ret
        assert ret
        part = settled(world, ret)
        actions.propose_refund(ret, part.total, by=world.rita, now=clock.now())
        session.commit()
        totals.append(part.total.amount)
    assert totals == [4200, 4200]


# --- the rest ---


@row("Defects are another matter")
def test_the_guarantee_is_two_years_and_has_its_own_door(app: Flask, world: World) -> None:
    there = datetime.fromisoformat("2024-02-29T12:00:00+00:00")
    dates = four_dates(there, "DE", [], app.config["SETTINGS"])
    assert dates.guarantee_until == date(2026, 3, 1)


@row("Erasure")
def test_who_is_forgotten_leaves_a_statement_without_a_person(world: World) -> None:
    delivered(world, world.alice)
    made = withdrawn(world.alice)
    forget([world.alice.id], now=clock.now())
    session.commit()
    session.refresh(made)
    assert (made.name, made.email, made.contract) == ("", "", "1001")


@row("Surveys are advertising")
def test_in_germany_nobody_is_asked_until_the_shop_chose_a_ground(app: Flask) -> None:
    assert type(app.config["SETTINGS"])(secret_key="x" * 32).survey_countries_off == ["DE"]


@row("Retention")
@pytest.mark.parametrize(("countries", "until"), [(["DE"], 2034), (["DE", "FR"], 2036), ([None], 2036)])
def test_what_books_and_invoices_need_is_locked_as_long_as_the_country_wants(
    countries: list[str | None], until: int
) -> None:
    """Counted in full years from the end of the one of the sale; where nobody knows the country, the longest."""
    assert locked_until(2026, countries) == date(until, 12, 31)


@row("Reviews")
def test_public_reviews_are_offered_to_everybody_with_a_sentence_on_how_they_are_checked(world: World) -> None:
    with nothing_appears(), pytest.raises(Refused):
        reviews.offer("https://reviews.example.net/shop", "proven", by=world.max, now=clock.now())
    assert list(signature(reviews.offered).parameters) == [], "there is no score or answer by which to choose"
    assert not ReviewOffer.__table__.c.checked.nullable
    assert all(str(told) for told in reviews.CHECKS.values())


@row("Accessibility")
def test_everything_at_the_three_doors_has_a_name_and_the_statement_is_one_step_away(
    app: Flask, client: FlaskClient, world: World
) -> None:
    """Each field its label, each button its words, one headline, a language (WCAG 2.1: 1.3.1, 2.4.6, 3.1.1, 4.1.2)."""
    delivered(world, world.alice)
    open_link(client, world.alice)
    at = f"/orders/{world.alice.ref}"
    for door in ("", "/withdrawal", "/returns/new", "/claims/new"):
        answer = client.get(at + door, follow_redirects=True)
        assert answer.status_code == 200
        check_names(answer.text)
    check_names(page(client, "/withdrawal"))
    stated = app.config["SETTINGS"].model_copy(update={"shop_accessibility_url": "https://a.example"})
    with app.test_request_context():
        shell = render_template_string('{% extends "layout/customer.html" %}', settings=stated)
    assert 'href="https://a.example"' in shell


def check_names(html: str) -> None:
    labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', html))
    assert '<html lang="en"' in html
    assert html.count("<h1") == 1
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", html):
        if 'type="hidden"' not in tag and 'type="submit"' not in tag:
            [name] = re.findall(r'id="([^"]+)"', tag) or [""]
            assert name in labelled or "aria-label" in tag, tag
    for button in re.findall(r"<button[^>]*>.*?</button>", html, re.S):
        assert re.sub(r"<[^>]+>|\s", "", button) or "aria-label" in button, button
    for picture in re.findall(r"<img[^>]*>", html):
        assert "alt=" in picture, picture


def test_the_four_dates_are_the_same_on_every_page_and_in_the_letters(
    app: Flask, client: FlaskClient, world: World, work: Callable[..., int]
) -> None:
    there = clock.now() - timedelta(days=3)
    delivered(world, world.alice, there)
    ret = withdrawn(world.alice, {line_of(world.alice, "MUG-01").id: 1}).ret
    assert ret
    settings, order = app.config["SETTINGS"], world.alice
    dates = four_dates(read(order, now=clock.now()).delivered_at, order.country, [ret], settings)
    with app.test_request_context():
        told = dict(dates.told("en"))
    assert len(told) == 4
    customer = open_link(client, order)
    pages = [page(customer, f"/orders/{order.ref}"), page(customer, f"/orders/{order.ref}/returns/{ret.rma}")]
    desk = sign_in(client, world.max)
    pages += [page(desk, f"/desk/returns/{ret.id}"), page(desk, f"/desk/orders/{order.id}")]
    for shown in pages:
        assert told == {name: day for name, day in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", shown) if name in told}
    work()
    [letter] = letters("withdrawal-next")
    for day in (dates.send_back_until, dates.money_back_by):
        assert day
        assert spelled(day, clock.now().date(), "en") in letter.text


def test_the_table_in_the_handbook_has_the_same_rows() -> None:
    text = Path(TABLE).read_text()
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \| [^|]+ \|$", text.partition("## Row by row")[2], re.M)
    assert [row for row in rows if row not in ("Duty", "---")] == ROWS


def test_an_order_in_another_currency_follows_the_same_rows(world: World) -> None:
    order, _ = accept_order(
        replace(ALICES_ORDER, external_id="HUF", number="1009", currency="HUF", payment_intent="pi_huf"),
        by="channel", now=clock.now(),
    )  # fmt: skip
    delivered(world, order)
    ret = withdrawn(order).ret
    assert ret
    assert settled(world, ret).total == Money(8400, "HUF")
