"""Checkout sessions that were completed, and their lines, as far as the portal asks for them."""

from typing import Any

from portal.demo.stripe import payments
from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.problems import missing
from portal.demo.stripe.routes import listed, route


def complete(book: Book, given: Thing) -> Thing:
    """A customer has gone through Checkout: the session, its payment unless `payment_status` is unpaid, its event."""
    lines = [_line(line, n) for n, line in enumerate(given.pop("lines"), 1)]
    shipping = given.pop("shipping", 0)
    total = sum(line["amount_total"] for line in lines) + shipping
    status = given.get("payment_status", "paid")
    intent = payments.add_intent(book, total, given["currency"], metadata={})
    if status == "paid":
        payments.pay(book, intent, "pm_card_visa")
    session = book.add(
        "sessions", "cs_test", **{
            "object": "checkout.session", "mode": "payment", "payment_status": status, "status": "complete",
            "amount_total": total, "payment_intent": intent["id"], "metadata": {}, "livemode": False,
            "shipping_cost": {"amount_total": shipping} if shipping else None, **given,
        },
    )  # fmt: skip
    book.data["session_lines"][session["id"]] = lines
    book.emit("checkout.session.completed", session)
    return session


def pay_later(book: Book, given: Thing) -> Thing:
    """The bank says, days later, whether a session that was completed unpaid is paid."""
    session = book.the("sessions", given["id"])
    if given.get("paid", True):
        payments.pay(book, book.the("payment_intents", session["payment_intent"]), "pm_card_visa")
        session["payment_status"] = "paid"
    book.emit(f"checkout.session.async_payment_{'succeeded' if given.get('paid', True) else 'failed'}", session)
    return session


def _line(given: Thing, place: int) -> Thing:
    product: Thing = {"id": f"prod_{place}", "object": "product", "metadata": {"sku": given.get("sku", "")}}
    price: Thing = {"object": "price", "unit_amount": given["unit_price"], "metadata": {}, "product": product}
    return {
        "id": f"li_{place}", "object": "item", "description": given["title"], "quantity": given["quantity"],
        "amount_total": given.get("paid", given["unit_price"] * given["quantity"]), "price": price,
    }  # fmt: skip


@route("GET", "/v1/checkout/sessions", "limit starting_after created")
def list_sessions(book: Book, params: Thing) -> Thing:
    return listed(book.all("sessions"), params, "/v1/checkout/sessions")


@route("GET", "/v1/checkout/sessions/{id}/line_items", "limit starting_after")
def line_items(book: Book, params: Thing, id: str) -> Thing:
    if book.get("sessions", id) is None:
        raise missing("checkout session", id)
    page: Any = listed(book.data["session_lines"][id][::-1], params, f"/v1/checkout/sessions/{id}/line_items")
    return page
