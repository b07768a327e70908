"""Fill the demo's shop: some sixty orders in every stage, as if it had been open for weeks.

What happened, happened by the features' own actions and jobs and the couriers' own webhooks, on a moved clock. Letters
of the past count as sent without being mailed (Flask-Mail's own switch); those of the last days really leave, so that
the mailbox is not empty.
"""

import csv
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask, current_app
from sqlalchemy import event

from portal.db import db, session
from portal.demo import care, comes_back, shops
from portal.demo.calendar import Diary, working_day_before
from portal.demo.catalogue import PEOPLE, PRODUCTS, SHOP
from portal.demo.courier import Book, Courier
from portal.demo.elsewhere import Elsewhere
from portal.demo.people import PASSWORD, TEAM, address, hire
from portal.demo.simulation import Simulation
from portal.demo.stories import AGES, ON_THE_WAY, Life, Plan, Shop
from portal.demo.stripe.remote import Remote
from portal.feedback.grounds import choose_ground
from portal.feedback.own_forms import choose_question, make_form, put_otherwise
from portal.fulfilment import boxes, waves
from portal.fulfilment.jobs import watch_promises
from portal.lib import clock
from portal.offices.jobs import watch_offices
from portal.orders import links, stock
from portal.orders.keys import make_key
from portal.orders.shelves import counted
from portal.returns.articles import import_articles, read_sheet
from portal.returns.policy import Policy, Rule, save_policy
from portal.staff.models import Staff

SETTINGS = {
    "SHOP_NAME": "Lantern & Loom",
    "SHOP_EMAIL": "hello@lantern-loom.example",
    "REPLY_ADDRESS": "answers@reply.lantern-loom.example",
    "SHOP_ADDRESS": "Weidenweg 3, 10249 Berlin",
    "SHOP_COUNTRY": "DE",
    "STAFF_SECOND_FACTOR": "off",
    "STRIPE_API_KEY": "sk_test_demo",
    "STRIPE_WEBHOOK_SECRET": "whsec_demo",
    "EASYPOST_API_KEY": "EZTKdemo",
    "EASYPOST_WEBHOOK_SECRET": "the-demo-courier-s-secret",
    "SHOPIFY_WEBHOOK_SECRET": "the-demo-shopify-s-secret",
    "SHOPIFY_ADMIN_TOKEN": shops.TOKEN,
    "WOOCOMMERCE_WEBHOOK_SECRET": "the-demo-woocommerce-s-secret",
    "WOOCOMMERCE_API_KEY": shops.KEY,
    "WOOCOMMERCE_API_SECRET": shops.SECRET,
    "CHECKOUT_WEBHOOK_SECRET": "whsec_checkout",
}
FIRST_NUMBER = 1001
A_MINUTE = timedelta(minutes=1)
ON_THE_SHELF, LOW = 60, 8
BOXES = (
    ("S", (220, 160, 80), 90, 3_000),
    ("M", (320, 240, 160), 210, 8_000),
    ("L", (600, 400, 400), 640, 25_000),
)
MEASURED = (("HOOK-5", (120, 60, 40), 310), ("CANDLE-6", (200, 130, 60), 540), ("MUG-STONE", (130, 100, 100), 420))
SCARCE = "LANT-SM"
OPEN_FOR = timedelta(days=60)
ASKED_AFTER = timedelta(days=4)
NOTICE = "Beside the e-mail field in the checkout: that we ask how it was, and how to object."
REALLY_MAILED = timedelta(days=3)
LINKS = {
    ("Priya Nair", "out_for_delivery"): "a parcel that comes today",
    ("Margarethe Hohenlohe-Waldenburg", "two_parcels"): "one of two parcels is there, in German",
    ("Daniel Okafor", "delivered"): "delivered: something can be sent back",
    ("Callum MacRae", "case_reopened"): "something went wrong",
    ("Grace Llewellyn", "left_lying"): "a promise that breaks, and the choice",
    ("George Whitaker", "refunded"): "the money is back",
    ("Oliver Shah", "claim_open"): "a mug that arrived broken",
}
"""Which orders a newcomer is shown, and why."""


GIFT_WRAP: dict[str, dict[str, Any]] = {
    "en": {
        "ask": "How was the gift wrap?", "low": "Poor", "high": "Lovely", "bad": "What was wrong with it?",
        "good": "Who unpacked it?", "choice": "Which paper did you get?", "choices": ["Blue", "Green", "Brown"],
    },
    "de": {"ask": "Wie war die Geschenkverpackung?", "low": "Schlecht", "high": "Wunderschön"},
}  # fmt: skip
"""A form of the shop's own, not yet whole in German and missing in the other languages."""
POLICY = Policy(
    rules=(
        Rule("window", number=60),
        Rule("window", "ask", number=40),
        Rule("product", products=("CANDLE*",), messages={
            "en": "Candles smell of where they have been: we can't take them back.",
            "de": "Kerzen riechen nach dem Ort, an dem sie waren: Wir können sie nicht zurücknehmen.",
            "fr": "Les bougies sentent l'endroit d'où elles viennent : nous ne pouvons pas les reprendre.",
        }),
        Rule("value", "ask", values=("EUR",), number=40000),
        Rule("often", "ask", number=4),
        Rule("product", "ask", products=("RUG*", "VASE*", "CUSH*")),
    ),
    choices=("money", "exchange", "credit", "keep"), bonus=10, fee={"EUR": 290, "GBP": 250},
    keep={"EUR": 2000, "GBP": 1800}, keep_share=60,
)  # fmt: skip


def fill(app: Flask, guide: Path) -> None:
    """Make the past and write down where a newcomer should go."""
    with app.app_context():
        settings = app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update={"survey_after": ASKED_AFTER})
        event.listen(db.engine, "connect", do_not_wait_for_the_disk)
        now = clock.now().astimezone(settings.zone)
        with clock.moved(-OPEN_FOR):
            team = {name: member.id for name, member in hire(clock.now()).items()}
            key = make_key("webshop", "first", by=None, now=clock.now())
            choose_questions(session.get_one(Staff, team["mona"]))
            session.commit()
        stripe = Remote(settings.stripe_api_base)
        stripe.webhooks(hold=True)
        courier = Courier(
            Book(guide.parent / "courier"), SETTINGS["EASYPOST_WEBHOOK_SECRET"], partial(tell, app, "easypost"), list
        )
        shop = Shop(team, courier, partial(pay, stripe), Random(1), now)
        lives = live(
            shop, Elsewhere(shop, others(guide), stripe, SETTINGS["CHECKOUT_WEBHOOK_SECRET"], partial(tell, app))
        )
        stripe.forward(120)  # what the bank does in the first minutes
        stripe.webhooks(hold=False)
        unfinished = guide.with_suffix(".part")
        unfinished.write_text(json.dumps(directions(lives, key, now), ensure_ascii=False, indent=1))
        unfinished.rename(guide)


def choose_questions(mona: Staff) -> None:
    """Germany is asked; who sent something back, about the effort; and there is a form of the shop's own to look at."""
    choose_ground("DE", "existing_customer", NOTICE, by=mona, now=clock.now())
    choose_question("return_settled", "ces", now=clock.now())
    choose_question("case_closed", "nps", now=clock.now())
    made = make_form("Gift wrap", "five", GIFT_WRAP["en"], by=mona, now=clock.now())
    put_otherwise(made.question.code, "de", GIFT_WRAP["de"], seen=made.number, by=mona, now=clock.now())


def fill_shelves() -> Iterator[datetime]:
    """Before the first order: everything that is sold lies in the one warehouse and is counted."""
    place = stock.main_place()
    for product in PRODUCTS.values():
        item = stock.begin_counting(product.sku, place, title=product.titles["en"], low_at=LOW)
        stock.set_count(item, ON_THE_SHELF, "counted", "", by="system", now=clock.now())
    yield from ()


def keep_policy(shop: Shop) -> Iterator[datetime]:
    """What may come back, what customers may choose for it and what that costs; variants to exchange for."""
    rows, _mistakes = read_sheet((SHOP / "articles.csv").read_text("utf-8"))
    import_articles(rows)
    for sku in {row["sku"] for row in rows} - set(PRODUCTS):
        stock.set_count(
            stock.begin_counting(sku, stock.main_place()), ON_THE_SHELF, "counted", "", by="system", now=clock.now()
        )
    save_policy(POLICY, seen=0, note="What we have promised since spring.", by=shop.member("mona"), now=clock.now())
    yield from ()


def keep_boxes() -> Iterator[datetime]:
    """Three boxes; of what is sold the hooks and the candles are measured, the rest is not."""
    for name, sides, own, holds in BOXES:
        boxes.keep(name, sides, own, holds)
    for sku, sides, grams in MEASURED:
        boxes.measure(sku, sides, grams)
    yield from ()


def break_one(shop: Shop) -> Iterator[datetime]:
    """At last one of the scarce article breaks, so that an order has to wait for it; and promises are looked after."""
    (item,) = counted({SCARCE})[SCARCE]
    count, mona = max(0, item.reserved - 1), shop.member("mona")
    stock.correct(item, count, "damaged", seen=item.on_hand, by=mona, now=clock.now(), note="Fell off the shelf")
    session.commit()
    watch_promises()
    watch_offices()
    yield from ()


def plan_a_wave(shop: Shop) -> Iterator[datetime]:
    """Two single-line orders wait to be picked on one walk."""
    wave = waves.make("singles", 2, by=shop.member("mona"), now=clock.now())
    waves.release(wave, now=clock.now())
    session.commit()
    yield from ()


def do_not_wait_for_the_disk(connection: Any, _: object) -> None:
    """Thousands of commits, and a seed that is interrupted starts over anyway."""
    connection.execute("SET synchronous_commit = off")
    connection.commit()


def tell(app: Flask, source: str, body: bytes, headers: dict[str, str]) -> str:
    """The way of couriers and shops to the portal while that is not up yet."""
    return app.test_client().post(f"/hooks/{source}", data=body, headers=headers).status


def others(guide: Path) -> shops.Shops:
    """The other shops, with the record from which they answer later."""
    secrets = (SETTINGS["SHOPIFY_WEBHOOK_SECRET"], SETTINGS["WOOCOMMERCE_WEBHOOK_SECRET"])
    return shops.Shops(*secrets, record=guide.parent / "shops.json")


def pay(stripe: Remote, number: str, amount: int, currency: str, refunds_fail: bool) -> str:
    method = "pm_card_refundFail" if refunds_fail else "pm_card_visa"
    return stripe.pay(amount, currency, id=f"pi_demo{number}", payment_method=method)


def live(shop: Shop, elsewhere: Elsewhere) -> list[Life]:
    """All orders side by side, the oldest first; only the letters of the last hours really leave."""
    lives = sorted((Life(shop, plan, diary(shop, plan)) for plan in plans()), key=lambda life: life.began)
    simulation = Simulation(shop.now)
    simulation.add(shop.now - OPEN_FOR, fill_shelves())
    simulation.add(shop.now - OPEN_FOR, keep_boxes())
    simulation.add(shop.now - OPEN_FOR, keep_policy(shop))
    simulation.add(shop.now - OPEN_FOR, care.look_back(shop))
    simulation.add(shop.now - timedelta(days=1), care.take_care(shop))
    simulation.add(shop.now - 6 * A_MINUTE, care.answer_by_mail(shop))
    simulation.add(shop.now - REALLY_MAILED, really_mail())
    simulation.add(shop.now - A_MINUTE, break_one(shop))
    simulation.add(shop.now - A_MINUTE, plan_a_wave(shop))
    comes_back.add(simulation, shop)
    for began, story in elsewhere.stories():
        simulation.add(began, story)
    for number, life in enumerate(lives, FIRST_NUMBER):
        simulation.add(life.began, life.story(str(number)))
    current_app.extensions["mail"].suppress = True
    simulation.run()
    return lives


def really_mail() -> Iterator[datetime]:
    current_app.extensions["mail"].suppress = False
    yield from ()


def plans() -> list[Plan]:
    with (SHOP / "orders.csv").open(newline="") as file:
        return [_plan(row) for row in csv.DictReader(file, delimiter=";")]


def _plan(row: dict[str, str]) -> Plan:
    person = next(person for person in PEOPLE if person.name == row["person"])
    items = [item.partition("*") for item in row["items"].split()]
    score = int(row["score"]) if row["score"] else None
    return Plan(person, tuple((sku, int(n or 1)) for sku, _, n in items), row["until"], score, row["words"])


def diary(shop: Shop, plan: Plan) -> Diary:
    """Handed over so many working days ago as the story needs, a little more by chance."""
    settled = plan.until in ("delivered", "asked", "answered", "case_solved", "refunded")
    least = ON_THE_WAY[plan.until][0] if plan.until in ON_THE_WAY else AGES.get(plan.until, 0)
    day = shop.now.date()
    for _ in range(least + (shop.chance.randint(0, 4) if settled else 0)):
        day = working_day_before(day, SETTINGS["SHOP_COUNTRY"])
    return Diary(shop.now, day, SETTINGS["SHOP_COUNTRY"])


def directions(lives: list[Life], key: str, now: datetime) -> dict[str, object]:
    """Customers' links, the people, the key of the web shop."""
    shown = {(life.plan.person.name, life.plan.until): life.order_id for life in lives}
    found = [[links.mint(shown[one], "track", None, now), what] for one, what in LINKS.items()]
    session.commit()
    return {
        "shop": SETTINGS["SHOP_NAME"],
        "links": found,
        "password": PASSWORD,
        "people": [[address(name), what] for name, (_, _, what) in TEAM.items()],
        "api_key": key,
    }
