"""EasyPost's API: rates, labels, pickups. A shipment is made first and bought by its id, so that none is paid twice.

What it answers is read by code where there is one; its texts are only shown. Addresses are never logged.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import quote as escaped
from urllib.parse import urlsplit

from flask import current_app

from portal.adapters import web
from portal.adapters.couriers.selling import (
    Address,
    Bought,
    Declined,
    Manifest,
    Paper,
    Pickup,
    Quote,
    Rate,
    Shipment,
    Window,
)
from portal.adapters.errors import Malformed, Temporary, Unknown
from portal.adapters.reading import document, first, part, parts, text
from portal.lib.money import Money, NotMoney, to_minor

GRAMS_PER_OUNCE = Decimal("28.349523125")
IN_DOUBT = {"SHIPMENT.POSTAGE.EXISTS", "SHIPMENT.PURCHASE.IN_PROGRESS"}
DOUBTFUL_ENDS = (".TIMED_OUT", ".NO_RESPONSE")
"""Codes after which the label may be bought: to be looked up, never bought again."""
KINDS = {b"%PDF": "application/pdf", b"\x89PNG": "image/png", b"^XA": "application/zpl"}


def account() -> "Account":
    """The shop's account. Raises Declined when no key is set."""
    settings = current_app.config["SETTINGS"]
    if not settings.easypost_api_key:
        raise Declined("EASYPOST_API_KEY is not set")
    return _connected(settings.easypost_api_key, settings.easypost_api_base, settings.easypost_label_format)


@cache
def _connected(key: str, base: str, label_format: str) -> "Account":
    return Account(key, base, label_format)


class Account:
    """One account at EasyPost."""

    can = frozenset({"quote", "buy", "find", "void", "track", "pickup", "manifest", "return", "code"})

    def __init__(self, key: str, base: str = "https://api.easypost.com/v2", label_format: str = "PDF") -> None:
        self._key, self._base, self._format = key, base, label_format

    def quote(self, shipment: Shipment) -> Quote:
        """Make the shipment, which is free, and read its rates, the cheapest first."""
        ounces = (Decimal(shipment.grams) / GRAMS_PER_OUNCE).quantize(Decimal("0.1"), rounding="ROUND_UP")
        given = {
            "reference": shipment.reference,
            "from_address": _address(shipment.sender),
            "to_address": _address(shipment.receiver),
            "parcel": {"weight": float(ounces)},
            "options": {"label_format": self._format, "print_custom_1": shipment.order_number[:35]},
            **({"is_return": True} if shipment.comes_back else {}),
        }
        made = self._ask("POST", "shipments", {"shipment": given})
        rates = [rate for one in parts(made.get("rates")) if (rate := _rate(one))]
        complaints = tuple(first(one.get("message"), limit=300) for one in parts(made.get("messages")))
        cheapest_first = tuple(sorted(rates, key=lambda rate: (rate.cost.currency, rate.cost.amount, rate.id)))
        return Quote(_key(made, "shp_"), cheapest_first, tuple(filter(None, complaints)))

    def buy(self, shipment_id: str, rate_id: str) -> Bought:
        """Buy the shipment's label at this rate."""
        bought = _bought(self._ask("POST", f"shipments/{escaped(shipment_id)}/buy", {"rate": {"id": rate_id}}))
        if bought is None or bought.shipment_id != shipment_id:
            raise Unknown("the answer was about something else")
        return bought

    def find(self, shipment_id: str, reference: str) -> Bought | None:
        """The label of the shipment with this id, or with our reference while we have no id."""
        try:
            found = self._ask("GET", f"shipments/{escaped(shipment_id or reference)}")
        except NotThere:
            return None
        if found.get("object") != "Shipment" or (shipment_id and found.get("id") != shipment_id):
            raise Unknown("the answer was about something else")
        return _bought(found)

    def paper(self, bought: Bought) -> Paper:
        return self.fetch(bought.paper)

    def fetch(self, address: str) -> Paper:
        """Fetch a paper from where EasyPost keeps it; the address needs no key and gets none."""
        if not address.startswith(("https://", f"{_origin(self._base)}/")):
            raise Unknown("the label's address is not one to fetch from")
        answer = web.call("GET", address)
        kind = next((kind for begin, kind in KINDS.items() if answer.body.lstrip().startswith(begin)), None)
        if answer.status != 200 or kind is None:
            raise Unknown(f"no label came, but {answer.status}")
        return Paper(answer.body, kind)

    def code(self, shipment_id: str) -> Paper | None:
        """Ask for the form that a drop-off point scans; carriers without one decline."""
        given = {"form": {"type": "label_qr_code"}}
        try:
            made = self._ask("POST", f"shipments/{escaped(shipment_id)}/forms", given)
        except Declined:
            return None
        codes = [form for form in parts(made.get("forms")) if form.get("form_type") == "label_qr_code"]
        return self.fetch(first(codes[-1].get("form_url"), limit=1000)) if codes else None

    def void(self, shipment_id: str) -> bool:
        """Ask for the postage back."""
        asked = self._ask("POST", f"shipments/{escaped(shipment_id)}/refund")
        status = text(asked.get("refund_status"))
        if status not in ("submitted", "refunded", "rejected", "not_applicable"):
            raise Unknown("the answer does not say whether the label was given back")
        return status in ("submitted", "refunded")

    def track(self, number: str, carrier: str) -> None:
        """Follow a number; a second time gives the same tracker."""
        asked = {"tracking_code": number, **({"carrier": carrier} if carrier else {})}
        self._ask("POST", "trackers", {"tracker": asked})

    def plan_pickup(self, window: Window, shipment_id: str) -> str:
        """Ask who could come; nothing is ordered yet. The pickup's id."""
        given = {
            "reference": window.reference,
            "address": _address(window.at),
            "shipment": {"id": shipment_id},
            "min_datetime": _stamp(window.opens),
            "max_datetime": _stamp(window.closes),
            "is_account_address": False,
            "instructions": window.note,
        }
        return _key(self._ask("POST", "pickups", {"pickup": given}), "pickup_")

    def confirm_pickup(self, pickup_id: str) -> Pickup:
        """Order the cheapest van, after a look whether one was ordered already, and before "no" is believed too."""
        found = self._pickup(pickup_id)
        if confirmation := text(found.get("confirmation")):
            return Pickup(pickup_id, confirmation, None)
        rates = [rate for one in parts(found.get("pickup_rates")) if (rate := _rate(one))]
        if not rates:
            says = first(*(one.get("message") for one in parts(found.get("messages"))), limit=300)
            raise Declined(says or "no van can come then")
        best = min(rates, key=lambda rate: rate.cost.amount)
        choice = {"carrier": best.carrier, "service": best.service}
        try:
            booked = self._ask("POST", f"pickups/{escaped(pickup_id)}/buy", choice)
        except Declined:
            booked = self._pickup(pickup_id)
            if not text(booked.get("confirmation")):
                raise
        if booked.get("id") != pickup_id or not text(booked.get("confirmation")):
            raise Unknown("the van was ordered without a confirmation")
        return Pickup(pickup_id, text(booked.get("confirmation")), best.cost)

    def _pickup(self, pickup_id: str) -> dict[str, Any]:
        found = self._ask("GET", f"pickups/{escaped(pickup_id)}")
        if found.get("id") != pickup_id:
            raise Unknown("the answer was about something else")
        return found

    def cancel_pickup(self, pickup_id: str) -> None:
        self._ask("POST", f"pickups/{escaped(pickup_id)}/cancel")

    def make_manifest(self, shipment_ids: Sequence[str]) -> Manifest:
        """Ask for a ScanForm. EasyPost puts a shipment on one form only."""
        given = {"shipments": [{"id": shipment_id} for shipment_id in shipment_ids]}
        return _manifest(self._ask("POST", "scan_forms", given))

    def find_manifest(self, numbers: Collection[str]) -> Manifest | None:
        """Among the newest hundred."""
        forms = self._ask("GET", "scan_forms?page_size=100").get("scan_forms")
        if not isinstance(forms, list):
            raise Unknown("the answer is no list of forms")
        alive = [form for form in parts(forms) if form.get("status") != "failed"]
        same = [form for form in alive if _numbers(form) == set(numbers)]
        return _manifest(same[0]) if same else None

    def manifest(self, manifest_id: str) -> Manifest:
        found = _manifest(self._ask("GET", f"scan_forms/{escaped(manifest_id)}"))
        if found.id != manifest_id:
            raise Unknown("the answer was about something else")
        return found

    def prove(self) -> str:
        """Ask for the newest tracker with our key; changes nothing there."""
        self._ask("GET", "trackers?page_size=1")
        return "test" if self._key.startswith("EZTK") else "live"

    def _ask(self, method: str, path: str, given: Any = None) -> dict[str, Any]:
        answer = web.call(method, f"{self._base}/{path}", user=self._key, json=given)
        try:
            found = document(answer.body)
        except Malformed:
            found = {}
        if 200 <= answer.status < 300 and found:
            return found
        raise _trouble(answer.status, part(found.get("error")))


class NotThere(Declined):
    """EasyPost has no such thing."""


def _trouble(status: int, error: dict[str, Any]) -> Exception:
    code, says = text(error.get("code")), first(error.get("message"), limit=300) or f"answered {status}"
    if status == 429:
        return Temporary("too many requests")
    if not 400 <= status < 500 or status == 408 or code in IN_DOUBT or code.endswith(DOUBTFUL_ENDS):
        return Unknown(f"{says} ({code or status})")
    if status in (401, 403):
        return Declined("EasyPost does not take our key")
    return NotThere(says) if status == 404 else Declined(says)


def _address(address: Address) -> dict[str, str]:
    return {
        "name": address.name,
        "company": address.company,
        "street1": address.street,
        "street2": address.street2,
        "city": address.city,
        "state": address.region,
        "zip": address.postcode,
        "country": address.country,
        "phone": address.phone,
        "email": address.email,
    }


def _rate(rate: dict[str, Any]) -> Rate | None:
    cost = _money(rate.get("rate"), rate.get("currency"))
    days = rate.get("delivery_days")
    if cost is None or (not text(rate.get("id")) and not text(rate.get("service"))):
        return None
    return Rate(
        id=text(rate.get("id")),
        carrier=text(rate.get("carrier"), 60),
        service=text(rate.get("service"), 60),
        cost=cost,
        days=days if isinstance(days, int) and 0 <= days < 100 else None,
    )


def _money(amount: Any, currency: Any) -> Money | None:
    try:
        return Money(to_minor(text(amount, 20), text(currency)), text(currency))
    except NotMoney:
        return None


def _key(thing: dict[str, Any], begin: str) -> str:
    found = text(thing.get("id"))
    if not found.startswith(begin):
        raise Unknown("the answer has no id")
    return found


def _bought(shipment: dict[str, Any]) -> Bought | None:
    """The label, when both it and its number are there; a shipment that was only quoted has neither."""
    label, rate = part(shipment.get("postage_label")), part(shipment.get("selected_rate"))
    number = text(shipment.get("tracking_code"))
    if not number or not label:
        return None
    return Bought(
        shipment_id=_key(shipment, "shp_"),
        carrier=text(rate.get("carrier"), 60),
        service=text(rate.get("service"), 60),
        number=number,
        cost=_money(rate.get("rate"), rate.get("currency")),
        paper=first(label.get("label_pdf_url"), label.get("label_url"), limit=1000),
    )


FORMS = {"creating": "making", "created": "made", "failed": "failed"}


def _manifest(form: dict[str, Any]) -> Manifest:
    state = FORMS.get(text(form.get("status")))
    if state is None:
        raise Unknown("the answer does not say whether the form was made")
    paper = first(form.get("form_url"), limit=1000)
    return Manifest(_key(form, "sf_"), state if paper or state != "made" else "making", paper, _says(form))


def _says(form: dict[str, Any]) -> str:
    return first(form.get("message"), limit=300) or "EasyPost could not make the form"


def _numbers(form: dict[str, Any]) -> set[str]:
    codes = form.get("tracking_codes")
    return {text(code) for code in codes} if isinstance(codes, list) else set()


def _origin(address: str) -> str:
    parts_of = urlsplit(address)
    return f"{parts_of.scheme}://{parts_of.netloc}"


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
