"""Refunds: made, listed, changed later by the bank."""

from decimal import Decimal

from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.problems import Impossible, Invalid, missing
from portal.demo.stripe.routes import listed, route, whole
from portal.lib.money import exponent, step

LIVE = ("pending", "requires_action", "succeeded")
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
BEGINS = {"pm_card_pendingRefund": "pending", "pm_bank_transfer": "requires_action"}
LATER = {
    "pm_card_pendingRefund": (30, "succeeded", None),
    "pm_card_refundFail": (60, "failed", "expired_or_canceled_card"),
}
"""What the bank says after so many seconds."""


@route("POST", "/v1/refunds", "payment_intent charge amount reason metadata")
def create(book: Book, params: Thing) -> Thing:
    amount, reason = whole(params, "amount"), params.get("reason")
    if reason is not None and reason not in REASONS:
        raise Invalid(f"Invalid reason: must be one of {', '.join(REASONS)}", "reason")
    charge = _charge(book, params)
    if (amount or 0) % step(charge["currency"].upper()):
        raise Invalid(f"Invalid amount: {charge['currency']} does not move in such small parts", "amount")
    left = charge["amount_captured"] - sum(one["amount"] for one in of_charge(book, charge) if one["status"] in LIVE)
    if charge["disputed"]:
        raise Impossible(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
    if left == 0:
        raise Impossible(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount is not None and amount > left:
        given, rest = (shown(minor, charge["currency"]) for minor in (amount, left))
        words = f"Refund amount ({given}) is greater than unrefunded amount on charge ({rest})"
        raise Impossible(words, param="amount")
    return _make(book, charge, amount or left, reason, params.get("metadata", {}))


def _charge(book: Book, params: Thing) -> Thing:
    if "payment_intent" in params:
        intent = book.get("payment_intents", params["payment_intent"])
        if intent is None:
            raise missing("payment_intent", params["payment_intent"], "payment_intent")
        if not intent["latest_charge"]:
            raise Impossible(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
        return book.the("charges", intent["latest_charge"])
    if "charge" not in params:
        raise Invalid("One of the following params should be provided for this request: payment_intent or charge.", "")
    charge = book.get("charges", params["charge"])
    if charge is None:
        raise missing("charge", params["charge"], "charge")
    return charge


def of_charge(book: Book, charge: Thing) -> list[Thing]:
    return [refund for refund in book.all("refunds") if refund["charge"] == charge["id"]]


def shown(minor: int, currency: str) -> str:
    sign = {"eur": "€", "gbp": "£", "usd": "$"}.get(currency, currency.upper() + " ")
    return f"{sign}{Decimal(minor).scaleb(-exponent(currency.upper()))}"


def _make(book: Book, charge: Thing, amount: int, reason: str | None, metadata: Thing) -> Thing:
    method = charge["payment_method"]
    refund = book.add(
        "refunds", "re", amount=amount, balance_transaction=None, charge=charge["id"], currency=charge["currency"],
        destination_details={"card": {"type": "refund"}, "type": "card"}, metadata=metadata,
        payment_intent=charge["payment_intent"], reason=reason, receipt_number=None, source_transfer_reversal=None,
        status=BEGINS.get(method, "succeeded"), transfer_reversal=None,
    )  # fmt: skip
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
    book.emit("refund.created", refund)
    _recount(book, charge)
    if method in LATER:
        seconds, status, why = LATER[method]
        book.data["later"].append({"at": book.now() + seconds, "refund": refund["id"], "status": status, "why": why})
    return refund


def _recount(book: Book, charge: Thing) -> None:
    """Only what succeeded counts as refunded on the charge."""
    total = sum(refund["amount"] for refund in of_charge(book, charge) if refund["status"] == "succeeded")
    grown = total > charge["amount_refunded"]
    charge.update(amount_refunded=total, refunded=total == charge["amount_captured"])
    if grown:
        book.emit("charge.refunded", charge)


def change(book: Book, refund: Thing, status: str, why: str | None = None, reference: str | None = None) -> Thing:
    """What the bank or somebody in the dashboard did later."""
    before = refund["status"]
    refund["status"] = status
    refund.pop("pending_reason", None)
    if status in ("failed", "canceled"):
        refund["failure_reason"] = why or ("merchant_request" if status == "canceled" else "unknown")
    if reference:
        refund["destination_details"]["card"].update(reference=reference, reference_status="available")
    book.emit("refund.updated", refund, status=before)
    if status == "failed":
        book.emit("refund.failed", refund, status=before)
    _recount(book, book.the("charges", refund["charge"]))
    return refund


def run_later(book: Book) -> None:
    """Do what is due by the stand-in's clock; a refund that has ended meanwhile stays ended."""
    due = [one for one in book.data["later"] if one["at"] <= book.now()]
    book.data["later"] = [one for one in book.data["later"] if one not in due]
    for one in due:
        if (refund := book.the("refunds", one["refund"]))["status"] in LIVE:
            change(book, refund, one["status"], one["why"])


@route("GET", "/v1/refunds", "payment_intent charge created limit starting_after")
def list_refunds(book: Book, params: Thing) -> Thing:
    about = [name for name in ("payment_intent", "charge") if name in params]
    found = [one for one in book.all("refunds") if all(one[name] == params[name] for name in about)]
    return listed(found, params, "/v1/refunds")


@route("GET", "/v1/refunds/{id}")
def get_refund(book: Book, _params: Thing, id: str) -> Thing:
    refund = book.get("refunds", id)
    if refund is None:
        raise missing("refund", id)
    return refund


@route("POST", "/v1/refunds/{id}", "metadata")
def update_refund(book: Book, params: Thing, id: str) -> Thing:
    refund = get_refund(book, params, id)
    refund["metadata"] = {**refund["metadata"], **params.get("metadata", {})}
    book.emit("refund.updated", refund)
    return refund


@route("POST", "/v1/refunds/{id}/cancel")
def cancel_refund(book: Book, params: Thing, id: str) -> Thing:
    refund = get_refund(book, params, id)
    if refund["status"] != "requires_action":
        raise Impossible("Canceling this refund is unsupported.")
    return change(book, refund, "canceled")


@route("POST", "/v1/test_helpers/refunds/{id}/expire")
def expire_refund(book: Book, params: Thing, id: str) -> Thing:
    refund = get_refund(book, params, id)
    if refund["status"] != "requires_action":
        raise Impossible("Only a refund that requires action can expire.")
    return change(book, refund, "failed", "unknown")
