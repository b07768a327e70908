"""What comes in: orders of two shops that nobody has seen yet, and scans that move a parcel each."""

import base64
import hashlib
import hmac
import json
import unicodedata
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment.actions import plan_parcels
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.actions import accept_order
from tests.conftest import SECRETS
from tests.world import BOBS_ORDER


@dataclass(frozen=True)
class Piece:
    """One signed webhook."""

    source: str
    body: bytes
    headers: dict[str, str]


def shopify_orders(round_number: int, pieces: int) -> list[Piece]:
    return [_shopify(round_number * 1_000_000 + n + 1) for n in range(pieces)]


def woocommerce_orders(round_number: int, pieces: int) -> list[Piece]:
    return [_woocommerce(round_number * 1_000_000 + n + 1) for n in range(pieces)]


def _shopify(number: int) -> Piece:
    address = {
        "first_name": "Ada",
        "last_name": "Ö",
        "address1": "Weg 1",
        "zip": "10115",
        "city": "Berlin",
        "country_code": "DE",
    }
    lines = [
        _line(number * 10 + n, title, price) for n, (title, price) in enumerate((("Mug", "20.00"), ("Shirt", "39.00")))
    ]
    body: dict[str, Any] = {
        "id": number, "name": f"#{number}", "email": f"buyer{number}@example.org",
        "created_at": "2026-11-20T10:00:00+01:00",
        "processed_at": "2026-11-20T10:00:00+01:00", "updated_at": "2026-11-20T10:00:00+01:00", "currency": "EUR",
        "total_price": "59.00", "current_total_price": "59.00", "total_discounts": "0.00", "total_tax": "0.00",
        "taxes_included": True, "financial_status": "paid", "customer_locale": "de", "line_items": lines,
        "shipping_lines": [], "shipping_address": address, "billing_address": address,
    }  # fmt: skip
    raw = json.dumps(body).encode()
    digest = base64.b64encode(hmac.new(SECRETS["SHOPIFY_WEBHOOK_SECRET"].encode(), raw, hashlib.sha256).digest())
    said = {
        "X-Shopify-Topic": "orders/paid",
        "X-Shopify-Event-Id": f"bench-{number}",
        "X-Shopify-Shop-Domain": "bench.example",
    }
    return Piece("shopify", raw, {**said, "X-Shopify-Hmac-Sha256": digest.decode()})


def _line(id: int, title: str, price: str) -> dict[str, Any]:
    return {
        "id": id, "title": title, "name": title, "variant_title": "M", "sku": f"SKU-{title}", "quantity": 1,
        "current_quantity": 1, "price": price, "total_discount": "0.00", "discount_allocations": [], "tax_lines": [],
        "requires_shipping": True, "gift_card": False,
    }  # fmt: skip


def _woocommerce(number: int) -> Piece:
    address = {
        "first_name": "Ada", "last_name": "Ö", "address_1": "Weg 1", "postcode": "10115", "city": "Berlin",
        "country": "DE",
    }  # fmt: skip
    lines = [
        {
            "id": number * 10 + n, "name": title, "sku": f"SKU-{title}", "quantity": 1, "subtotal": price,
            "total": price, "subtotal_tax": "0.00", "total_tax": "0.00", "meta_data": [],
        }
        for n, (title, price) in enumerate((("Mug", "20.00"), ("Shirt", "39.00")))
    ]  # fmt: skip
    body: dict[str, Any] = {
        "id": number, "number": f"{number}", "status": "processing", "currency": "EUR", "total": "59.00",
        "date_created_gmt": "2026-11-20T09:00:00", "date_modified_gmt": "2026-11-20T09:00:00",
        "date_paid_gmt": "2026-11-20T09:00:00", "billing": {**address, "email": f"visitor{number}@example.org"},
        "shipping": address, "line_items": lines, "shipping_lines": [], "fee_lines": [], "refunds": [],
        "payment_method": "bacs", "meta_data": [],
    }  # fmt: skip
    raw = json.dumps(body).encode()
    key = SECRETS["WOOCOMMERCE_WEBHOOK_SECRET"].encode()
    signed = base64.b64encode(hmac.new(key, raw, hashlib.sha256).digest()).decode()
    return Piece("woocommerce", raw, {"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Signature": signed})


def prepare_parcels(pieces: int) -> None:
    """Parcels with the courier, one for each event of a round."""
    now = clock.now()
    for n in range(pieces):
        incoming = replace(BOBS_ORDER, external_id=f"bench-{n}", number=f"B{n}", payment_intent=f"pi_bench_{n}")
        order, _ = accept_order(incoming, by="channel", now=now)
        plan_parcels(order.id, now=now)
        away = {"state": "handed_over", "courier": "dhl", "tracking_number": number_of(n), "handed_over_at": now}
        session.execute(update(Parcel).where(Parcel.order_id == order.id).values(away))
    session.commit()
    assert len(session.scalars(select(Parcel.id)).all()) == pieces


def number_of(n: int) -> str:
    return f"BENCH{n:08}"


def courier_events(round_number: int, pieces: int) -> list[Piece]:
    """Each moves its parcel's status: on its way, then held up, in turns, so that no round writes letters."""
    status, detail = (("in_transit", "departed_facility"), ("failure", "damaged"))[round_number % 2]
    return [event(round_number, n, status, detail) for n in range(pieces)]


def event(round_number: int, n: int, status: str, detail: str) -> Piece:
    at = (clock.now() + timedelta(seconds=round_number)).isoformat()
    scan = {
        "status": status,
        "status_detail": detail,
        "datetime": at,
        "message": "x",
        "tracking_location": {"city": "Köln"},
    }
    tracker = {"tracking_code": number_of(n), "carrier": "DHL", "updated_at": at, "tracking_details": [scan]}
    raw = json.dumps({"id": f"evt_{round_number}_{n}", "description": "tracker.updated", "result": tracker}).encode()
    key = unicodedata.normalize("NFKD", SECRETS["EASYPOST_WEBHOOK_SECRET"]).encode()
    return Piece(
        "easypost", raw, {"X-Hmac-Signature": f"hmac-sha256-hex={hmac.new(key, raw, hashlib.sha256).hexdigest()}"}
    )
