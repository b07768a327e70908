"""Payment intents, their charges, and disputes about them."""

from typing import Any

from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.problems import Invalid, Problem, missing
from portal.demo.stripe.routes import listed, route, whole

DISPUTES = {"pm_card_createDispute": "needs_response", "pm_card_createDisputeInquiry": "warning_needs_response"}
CARDS = {"pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail", "pm_bank_transfer", *DISPUTES}
DECLINED = "pm_card_chargeDeclined"


@route("POST", "/v1/payment_intents", "amount currency payment_method confirm metadata automatic_payment_methods")
def create(book: Book, params: Thing) -> Thing:
    amount, currency, method = whole(params, "amount"), params.get("currency"), params.get("payment_method")
    if amount is None or not currency:
        name = "currency" if amount else "amount"
        raise Invalid(f"Missing required param: {name}.", name, "parameter_missing")
    if method and method not in CARDS | {DECLINED}:
        raise missing("PaymentMethod", method, "payment_method")
    intent = add_intent(book, amount, currency.lower(), metadata=params.get("metadata", {}))
    return pay(book, intent, method) if params.get("confirm") == "true" else intent


def add_intent(book: Book, amount: int, currency: str, **more: Any) -> Thing:
    return book.add(
        "payment_intents", "pi", amount=amount, amount_received=0, currency=currency, livemode=False,
        latest_charge=None, status="requires_payment_method", **more,
    )  # fmt: skip


def pay(book: Book, intent: Thing, method: str | None) -> Thing:
    """The customer pays: a charge in full."""
    if method is None or method == DECLINED:
        raise Problem(402, "card_error", "Your card was declined.", stored=True, code="card_declined")
    charge = book.add(
        "charges", "ch", amount=intent["amount"], amount_captured=intent["amount"], amount_refunded=0, captured=True,
        currency=intent["currency"], disputed=False, livemode=False, metadata={}, paid=True, refunded=False,
        payment_intent=intent["id"], payment_method=method, status="succeeded",
    )  # fmt: skip
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
    book.emit("charge.succeeded", charge)
    book.emit("payment_intent.succeeded", intent)
    if method in DISPUTES:
        dispute(book, charge, DISPUTES[method])
    return intent


def dispute(book: Book, charge: Thing, status: str = "needs_response") -> Thing:
    """The customer's bank takes the money back, or, with a `warning_` status, only asks."""
    opened = book.add(
        "disputes", "du", amount=charge["amount"], charge=charge["id"], currency=charge["currency"], livemode=False,
        metadata={}, payment_intent=charge["payment_intent"], reason="fraudulent", status=status,
    )  # fmt: skip
    charge["disputed"] = not status.startswith("warning_")
    book.emit("charge.dispute.created", opened)
    if charge["disputed"]:
        book.emit("charge.dispute.funds_withdrawn", opened)
    return opened


@route("GET", "/v1/payment_intents", "limit starting_after created customer")
def list_intents(book: Book, params: Thing) -> Thing:
    return listed(book.all("payment_intents"), params, "/v1/payment_intents")


@route("GET", "/v1/payment_intents/{id}")
def get_intent(book: Book, params: Thing, id: str) -> Thing:
    intent = book.get("payment_intents", id)
    if intent is None:
        raise missing("payment_intent", id, "intent")
    if "latest_charge" in params.get("expand", []) and intent["latest_charge"]:
        return {**intent, "latest_charge": book.the("charges", intent["latest_charge"])}
    return intent


@route("GET", "/v1/charges/{id}")
def get_charge(book: Book, _params: Thing, id: str) -> Thing:
    charge = book.get("charges", id)
    if charge is None:
        raise missing("charge", id)
    return charge


@route("GET", "/v1/disputes", "charge payment_intent limit starting_after created")
def list_disputes(book: Book, params: Thing) -> Thing:
    about = [name for name in ("charge", "payment_intent") if name in params]
    found = [one for one in book.all("disputes") if all(one[name] == params[name] for name in about)]
    return listed(found, params, "/v1/disputes")
