"""The web shop: a newcomer buys something, pays at the stand-in Stripe, and the paid order goes to the portal's API."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.demo.catalogue import DELIVERY, PRODUCTS, Person

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français"}
FIRST_NUMBER = 5001
MOST = 5
Basket = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class WebShop:
    """Where its own records are, and how it pays and tells the portal."""

    records: Path
    pay: Callable[[str, int, str], str]
    send: Callable[[dict[str, Any]], tuple[int, str]]

    def buy(self, person: Person, basket: Basket, *, now: datetime) -> tuple[str, int, str]:
        """Pay, remember and tell: the order's number, the portal's answer and its words."""
        number = self._next_number()
        order = order_of(person, basket, number, now)
        order["payment"] = {
            "captured": order["total"],
            "payment_intent": self.pay(number, order["total"], person.currency),
        }
        with self.records.open("a") as file:
            file.write(json.dumps(order) + "\n")
        return number, *self.send(order)

    def _next_number(self) -> str:
        sold = len(self.records.read_text().splitlines()) if self.records.exists() else 0
        return str(FIRST_NUMBER + sold)


def order_of(person: Person, basket: Basket, number: str, now: datetime) -> dict[str, Any]:
    """The order as the API takes it, before it is paid."""
    lines = [PRODUCTS[sku].line(person, str(n), pieces) for n, (sku, pieces) in enumerate(basket, 1)]
    lines.append(DELIVERY.line(person, "delivery", kind="shipping"))
    where = {"street": person.street, "postcode": person.postcode, "city": person.city, "country": person.country}
    return {
        "external_id": number,
        "number": number,
        "placed_at": now.isoformat(),
        "currency": person.currency,
        "total": sum(line.paid for line in lines),
        "name": person.name,
        "email": person.email,
        "locale": person.language,
        "address": where,
        "lines": [asdict(line) for line in lines],
    }


def send(address: str, key: Callable[[], str], order: dict[str, Any]) -> tuple[int, str]:
    """POST the order to the portal's API; what it answered."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key()}"}
    try:
        with urlopen(Request(address, json.dumps(order).encode(), headers), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (URLError, OSError) as error:
        return 0, str(error)


bp = Blueprint("webshop", __name__, url_prefix="/shop")


@bp.get("/")
def index() -> ResponseReturnValue:
    return render_template("outside/shop.html", products=PRODUCTS, languages=LANGUAGES, most=MOST)


@bp.post("/orders")
def buy() -> ResponseReturnValue:
    shop: WebShop = current_app.config["WEB_SHOP"]
    basket = basket_in(request.form)
    if not basket:
        flash("Choose something first.")
        return redirect(url_for("webshop.index"), 303)
    number, code, words = shop.buy(customer_in(request.form), basket, now=datetime.now(UTC))
    good = code in (200, 201)
    flash(f"Paid. Order {number} is at the desk, under “To pick”." if good else f"The portal answered {code}: {words}")
    return redirect(url_for("webshop.index"), 303)


def basket_in(form: Mapping[str, str]) -> Basket:
    chosen = [(sku, form.get(sku, "0")) for sku in PRODUCTS]
    return [(sku, min(int(pieces), MOST)) for sku, pieces in chosen if pieces.isdecimal() and int(pieces)]


def customer_in(form: Mapping[str, str]) -> Person:
    name = form.get("name", "").strip() or "Robin Newcomer"
    language = form.get("language", "en")
    home = ("Musterweg 1", "10115", "Berlin", "DE")
    return Person(name, language if language in LANGUAGES else "en", "EUR", *home)
