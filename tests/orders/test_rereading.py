"""Channels are asked again what changed: what a webhook lost comes in, whatever the line does meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal import checks
from portal.adapters import web
from portal.adapters.channels.accounts import Shopify, WooCommerce, accounts
from portal.adapters.errors import Permanent
from portal.config import BadSettings, read
from portal.db import session
from portal.demo.shops import KEY, SECRET, TOKEN, StandIn
from portal.demo.stripe import Remote
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.orders import jobs
from portal.orders.models import ChannelReading, Order
from tests.adapters.test_woocommerce import ORDER as WOO
from tests.conftest import nothing_appears, owed
from tests.orders.test_checkout import MUGS
from tests.orders.test_shopify import ORDER as SHOPIFY
from tests.shops import BOTH
from tests.world import World, sign_in

Work = Callable[..., int]


def an_order(channel: str, number: int, ago: timedelta = timedelta(minutes=5), **changes: Any) -> dict[str, Any]:
    """One that the shop changed so long ago."""
    when = f"{clock.now() - ago:%Y-%m-%dT%H:%M:%S}"
    if channel == "shopify":
        return {**SHOPIFY, "id": number, "name": f"#{number}", "updated_at": f"{when}+00:00", **changes}
    return {**WOO, "id": number, "number": str(number), "date_modified_gmt": when, "payment_method": "bacs", **changes}


def numbers(channel: str) -> list[str]:
    session.expire_all()
    return list(session.scalars(select(Order.external_id).where(Order.channel == channel).order_by(Order.id)))


def kept() -> int:
    return session.scalar(select(func.count()).select_from(InboxMessage)) or 0


def reading(code: str) -> ChannelReading:
    session.expire_all()
    return session.scalars(select(ChannelReading).where(ChannelReading.code == code)).one()


@pytest.mark.parametrize("channel", BOTH)
def test_what_no_webhook_brought_comes_in_and_is_kept_once(shops: StandIn, work: Work, channel: str) -> None:
    shops.sell(channel, an_order(channel, 7001))
    for _ in range(3):
        jobs.reread_channels()
        work()
    assert (numbers(channel), kept()) == (["7001"], 1)
    assert (reading(channel).found, reading(channel).problem) == (1, None)


@pytest.mark.parametrize("channel", BOTH)
def test_what_a_webhook_brought_is_the_same_order(
    client: FlaskClient, shops: StandIn, work: Work, channel: str
) -> None:
    order = shops.sell(channel, an_order(channel, 7001))
    raw, headers = shops.webhook(channel, {"shopify": "orders/paid"}.get(channel, "order.created"), order)
    assert client.post(f"/hooks/{channel}", data=raw, headers=headers).status_code == 200
    jobs.reread_channels()
    work()
    assert numbers(channel) == ["7001"]


@pytest.mark.parametrize(("channel", "pages"), [("shopify", 3), ("woocommerce", 3)])
def test_many_come_page_by_page_and_none_is_left_out(shops: StandIn, channel: str, pages: int) -> None:
    for number in range(7001, 7231):
        shops.sell(channel, an_order(channel, number, timedelta(seconds=7231 - number)))
    jobs.reread(channel)
    assert (kept(), len(shops.requests), len(owed(f"orders.work_off_{channel}"))) == (230, pages, 230)


@pytest.mark.parametrize("channel", BOTH)
@pytest.mark.parametrize("what", ["500", "429", "cut", "page", "lie", "404"])
def test_what_goes_wrong_is_noted_and_nothing_is_lost(shops: StandIn, work: Work, channel: str, what: str) -> None:
    shops.sell(channel, an_order(channel, 7001))
    jobs.reread(channel)
    shops.sell(channel, an_order(channel, 7002))
    shops.fault(what)
    with clock.moved(timedelta(hours=3)):
        jobs.reread(channel)
        assert reading(channel).problem
        jobs.reread(channel)
    work()
    assert (numbers(channel), reading(channel).failing_since) == (["7001", "7002"], None)


def test_one_that_hangs_is_let_go(shops: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "TIMEOUT", (0.2, 0.2))
    shops.fault("hang", seconds=5)
    jobs.reread("shopify")
    assert "no answer" in str(reading("shopify").problem)


def test_a_reading_that_breaks_off_goes_on_with_its_page(shops: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7001, 7151):
        shops.sell("woocommerce", an_order("woocommerce", number))
    monkeypatch.setattr(jobs, "MOST_PAGES", 1)
    jobs.reread("woocommerce")
    assert (kept(), reading("woocommerce").after, reading("woocommerce").read_at) == (100, "90", None)
    jobs.reread("woocommerce")
    assert (kept(), reading("woocommerce").after, len(shops.requests)) == (150, "", 2)


@pytest.mark.parametrize("channel", BOTH)
def test_a_change_that_is_seen_late_is_found_by_the_overlap(shops: StandIn, work: Work, channel: str) -> None:
    jobs.reread(channel)
    shops.sell(channel, an_order(channel, 7001, ago=timedelta(minutes=12)))
    jobs.reread(channel)
    work()
    assert numbers(channel) == ["7001"]


def test_what_stripe_told_of_checkout_is_asked_for_again(shop: Flask, stripe: Remote, work: Work) -> None:
    sold = stripe.checkout("eur", [MUGS])
    for _ in range(2):
        jobs.reread_channels()
        work()
    assert (numbers("checkout"), kept()) == ([sold["id"]], 1)


def test_without_keys_nobody_is_asked(app: Flask) -> None:
    with nothing_appears():
        jobs.reread_channels()
    assert accounts(app.config["SETTINGS"]) == {}


def test_a_wrong_key_is_said(shops: StandIn) -> None:
    address = f"http://127.0.0.1:{shops.server.server_port}"
    for account in (Shopify(address, "other"), WooCommerce(address, "ck", "cs")):
        with pytest.raises(Permanent, match="does not take our key"):
            account.prove()
    assert Shopify(address, TOKEN).prove() == "Lantern & Loom"
    assert WooCommerce(address, KEY, SECRET).prove() == address.removeprefix("http://")


def test_the_desk_is_told_when_a_channel_has_been_silent_for_an_hour(
    client: FlaskClient, world: World, shops: StandIn
) -> None:
    shops.fault("500", times=9)
    jobs.reread("shopify")
    sign_in(client, world.sam)
    assert "does not answer since" not in client.get("/desk/attention").text
    with clock.moved(timedelta(minutes=61)):
        sign_in(client, world.sam)
        assert "Shopify does not answer since" in client.get("/desk/attention").text


def test_check_says_who_answers_and_how_far_each_was_read(app: Flask, shops: StandIn) -> None:
    settings = app.config["SETTINGS"]
    assert [(one.level, one.part) for one in checks.shops(settings)] == [("ok", "shopify"), ("ok", "woocommerce")]
    assert [one.level for one in checks.readings()] == ["note", "note"]
    session.commit()
    shops.fault("401", times=2)
    assert [one.level for one in checks.shops(settings)] == ["wrong", "wrong"]
    for channel in BOTH:
        jobs.reread(channel)
    assert [one.level for one in checks.readings()] == ["ok", "ok"]
    session.commit()
    shops.fault("500")
    jobs.reread("shopify")
    assert [one.level for one in checks.readings()] == ["wrong", "ok"]


@pytest.mark.parametrize("address", ["http://lantern.myshopify.com", "lantern.myshopify.com", "ftp://127.0.0.1"])
def test_a_key_is_not_sent_where_others_read_along(address: str) -> None:
    with pytest.raises(BadSettings, match="SHOPIFY_URL: is not an address with https"):
        read({"SECRET_KEY": "tests-" * 8, "SHOPIFY_URL": address})
