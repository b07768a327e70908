"""What was sold elsewhere: orders of Shopify, WooCommerce and Stripe Checkout, told to the portal as these tell it.

One is changed after the warehouse has begun, one before, one lacks what it needs, one is not paid yet. Three are sent
and their shops are told so; one of them is on hold there, which a person must see to.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import select

from portal.db import session
from portal.demo.catalogue import DELIVERY, PEOPLE, PRODUCTS, Person
from portal.demo.shops import Shops
from portal.demo.simulation import Story
from portal.demo.stories import Shop
from portal.demo.stripe.hooks import sign
from portal.demo.stripe.remote import Remote
from portal.fulfilment import actions as warehouse
from portal.fulfilment import buying, closing, packing
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.models import Order

Items = tuple[tuple[str, int], ...]
Post = Callable[[str, bytes, dict[str, str]], str]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The other shops and the ways in which they speak to the portal."""

    shop: Shop
    shops: Shops
    stripe: Remote
    secret: str
    post: Post

    def stories(self) -> Iterator[tuple[datetime, Story]]:
        """Each with the time when it begins."""
        now = self.shop.now
        yield now - timedelta(hours=21), self.sent("shopify", 5503, "Ida Lorenz", (("MUG-STONE", 2),))
        yield now - timedelta(hours=20), self.sent("woocommerce", 883, "Tobias Krüger", (("TRAY-OAK", 1),))
        yield now - timedelta(hours=19), self.sent("shopify", 5504, "Hannah Fuchs", (("HOOK-5", 1),), on_hold=True)
        yield now - timedelta(hours=7), self.changed_late()
        yield now - timedelta(hours=5), self.changed_in_time()
        yield now - timedelta(hours=4), self.odd()
        yield now - timedelta(hours=3), self.unpaid()
        yield now - timedelta(minutes=40), self.checkout()

    def changed_late(self) -> Story:
        """A towel less, when the picker has begun: somebody must decide."""
        sold = shopify_order(5501, person("Lena Brandt"), (("TOWEL-HAM", 3), ("MUG-STONE", 2)))
        self.tell("shopify", "orders/paid", sold)
        yield clock.now() + timedelta(minutes=50)
        warehouse.start_picking(self.parcel("5501"), by=self.shop.member("pia"), now=clock.now())
        yield clock.now() + timedelta(minutes=12)
        self.tell("shopify", "orders/updated", edited(sold, "TOWEL-HAM", 1))

    def changed_in_time(self) -> Story:
        """Another address, before anybody has begun: taken over."""
        sold = shopify_order(5502, person("Nils Petersen"), (("CLOCK-BEECH", 1),))
        self.tell("shopify", "orders/paid", sold)
        yield clock.now() + timedelta(minutes=25)
        there = {**sold["shipping_address"], "address1": "Hafenstraße 21", "zip": "24103", "city": "Kiel"}
        self.tell("shopify", "orders/updated", {**sold, "shipping_address": there, "updated_at": stamp()})

    def sent(self, channel: str, number: int, name: str, items: Items, *, on_hold: bool = False) -> Story:
        """Sent, and its shop is told of the parcel; one that is on hold there does not take it."""
        made, topic = {
            "shopify": (shopify_order, "orders/paid"),
            "woocommerce": (woo_order, "order.created"),
        }[channel]
        self.tell(channel, topic, {**made(number, person(name), items), "on_hold": on_hold})
        yield clock.now() + timedelta(minutes=50)
        parcel, pia = self.parcel(str(number), channel), self.shop.member("pia")
        warehouse.start_picking(parcel, by=pia, now=clock.now())
        for packed in parcel.lines:
            warehouse.pick(packed, packed.quantity, by=pia)
        warehouse.finish_picking(parcel, by=pia, now=clock.now())
        yield clock.now() + timedelta(minutes=35)
        paul = self.shop.member("paul")
        for packed in parcel.lines:
            packing.put_in(packed, packed.quantity, by=paul, now=clock.now())
        warehouse.pack(parcel, 800, by=paul, now=clock.now())
        if on_hold:
            yield from self.sent_with_a_bought_label(parcel)
            return
        yield clock.now() + timedelta(minutes=70)
        warehouse.hand_over(parcel, "dhl", f"003404341610940{number:05}", by=self.shop.member("sven"), now=clock.now())

    def sent_with_a_bought_label(self, parcel: Parcel) -> Story:
        """And DHL's day is closed then: our list to sign, and its own scan form."""
        sven = self.shop.member("sven")
        closing.agree("dhl", "Ramp 1", time(12), time(15), time(18))
        purchase = buying.ask_for_rates(parcel, by=sven, now=clock.now())
        yield clock.now() + timedelta(minutes=2)
        session.refresh(purchase)
        offer = next(one for one in purchase.offers if one.carrier == "DHL")
        buying.choose_rate(purchase, offer.id, by=self.shop.member("sven"), now=clock.now())
        yield clock.now() + timedelta(minutes=40)
        session.refresh(parcel)
        courier, number = str(parcel.courier), str(parcel.tracking_number)
        warehouse.hand_over(parcel, courier, number, by=self.shop.member("sven"), now=clock.now())
        closing.close_day("dhl", by=self.shop.member("sven"), now=clock.now())

    def odd(self) -> Story:
        """An article that WooCommerce does not know by a number, and an address of nobody's mail."""
        sold = woo_order(881, person("Freya Lindqvist"), (("HOOK-5", 2),))
        sold["line_items"][0]["sku"] = ""
        sold["billing"]["email"] = "freya@"
        self.tell("woocommerce", "order.created", sold)
        yield from ()

    def unpaid(self) -> Story:
        """To be paid by bank transfer: kept, and nothing is promised."""
        sold = woo_order(882, person("Matthias Köhler"), (("TRAY-OAK", 1),), status="on-hold", date_paid_gmt=None)
        self.tell("woocommerce", "order.created", {**sold, "payment_method": "bacs"})
        yield from ()

    def checkout(self) -> Story:
        """Paid on a page of Stripe's."""
        buyer, lines = person("Theresa Gruber"), (("CANDLE-6", 2), ("LANT-LG", 1))
        where = {"line1": buyer.street, "postal_code": buyer.postcode, "city": buyer.city, "country": buyer.country}
        session = self.stripe.checkout(
            buyer.currency.lower(),
            [
                {"title": PRODUCTS[sku].titles["de"], "sku": sku, "quantity": n, "unit_price": PRODUCTS[sku].eur}
                for sku, n in lines
            ],
            shipping=DELIVERY.eur, locale="de", client_reference_id="P-3101",
            customer_details={"email": buyer.email, "name": buyer.name},
            collected_information={"shipping_details": {"name": buyer.name, "address": where}},
        )  # fmt: skip
        told = [event for event in self.stripe.events("checkout.session.completed") if about(event) == session["id"]]
        raw = encoded(told[0])
        signature = sign(raw, self.secret, int(datetime.now(UTC).timestamp()))
        self.must("checkout", raw, {"Stripe-Signature": signature})
        yield from ()

    def tell(self, channel: str, topic: str, order: dict[str, Any]) -> None:
        """The shop keeps it and tells the portal, signed."""
        self.shops.sell(channel, order)
        self.must(channel, *self.shops.webhook(channel, topic, order))

    def must(self, source: str, raw: bytes, headers: dict[str, str]) -> None:
        session.commit()
        answer = self.post(source, raw, headers)
        if answer != "200 OK":
            raise RuntimeError(f"the portal answered {answer} to {source}")

    def parcel(self, external_id: str, channel: str = "shopify") -> Parcel:
        found = select(Parcel).join(Order).where(Order.channel == channel, Order.external_id == external_id)
        return session.scalars(found).one()


def person(name: str) -> Person:
    return next(one for one in PEOPLE if one.name == name)


def about(event: dict[str, Any]) -> str:
    return str(event["data"]["object"]["id"])


def encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def stamp() -> str:
    return f"{clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"


def written(minor: int) -> str:
    """Minor units as shops write an amount."""
    return f"{minor // 100}.{minor % 100:02}"


def shopify_order(number: int, buyer: Person, items: Items) -> dict[str, Any]:
    """As Shopify tells an order that was paid just now."""
    lines = [
        {
            "id": number * 10 + n, "title": PRODUCTS[sku].titles[buyer.language], "sku": sku, "quantity": pieces,
            "current_quantity": pieces, "variant_title": PRODUCTS[sku].variant, "requires_shipping": True,
            "price": written(PRODUCTS[sku].eur),
        }
        for n, (sku, pieces) in enumerate(items, 1)
    ]  # fmt: skip
    total = written(sum(PRODUCTS[sku].eur * pieces for sku, pieces in items) + DELIVERY.eur)
    return {
        "id": number, "name": f"#{number}", "email": buyer.email, "currency": buyer.currency,
        "financial_status": "paid",
        "customer_locale": buyer.language, "created_at": stamp(), "processed_at": stamp(), "updated_at": stamp(),
        "taxes_included": True, "total_price": total, "current_total_price": total, "line_items": lines,
        "shipping_lines": [{"id": number * 10, "title": DELIVERY.titles["de"], "price": written(DELIVERY.eur)}],
        "shipping_address": {
            "name": buyer.name, "address1": buyer.street, "zip": buyer.postcode, "city": buyer.city,
            "country_code": buyer.country,
        },
    }  # fmt: skip


def edited(order: dict[str, Any], sku: str, less: int) -> dict[str, Any]:
    """The same with fewer pieces of one article, as Shopify tells an edit."""
    lines = [
        {**line, "current_quantity": line["quantity"] - less} if line["sku"] == sku else line
        for line in order["line_items"]
    ]
    cents = int(order["total_price"].replace(".", "")) - less * PRODUCTS[sku].eur
    return {**order, "line_items": lines, "current_total_price": written(cents), "updated_at": stamp()}


def woo_order(number: int, buyer: Person, items: Items, **more: Any) -> dict[str, Any]:
    """As WooCommerce tells an order that was paid just now."""
    moment = stamp().partition("+")[0]
    first, _, last = buyer.name.partition(" ")
    whom = {
        "first_name": first, "last_name": last, "address_1": buyer.street, "postcode": buyer.postcode,
        "city": buyer.city, "country": buyer.country,
    }  # fmt: skip
    lines = [
        {
            "id": number * 10 + n, "name": PRODUCTS[sku].titles[buyer.language], "sku": sku, "quantity": pieces,
            "subtotal": written(PRODUCTS[sku].eur * pieces), "total": written(PRODUCTS[sku].eur * pieces),
            "subtotal_tax": "0.00", "total_tax": "0.00",
        }
        for n, (sku, pieces) in enumerate(items, 1)
    ]  # fmt: skip
    total = sum(PRODUCTS[sku].eur * pieces for sku, pieces in items) + DELIVERY.eur
    shipping = {"id": number * 10, "method_title": "Flat rate", "total": written(DELIVERY.eur), "total_tax": "0.00"}
    return {
        "id": number, "number": f"W-{number}", "status": "processing", "currency": buyer.currency,
        "total": written(total),
        "date_created_gmt": moment, "date_modified_gmt": moment, "date_paid_gmt": moment, "payment_method": "cod",
        "billing": {**whom, "email": buyer.email}, "shipping": whom, "line_items": lines, "shipping_lines": [shipping],
        "fee_lines": [], "refunds": [], "meta_data": [], **more,
    }  # fmt: skip
