"""The courier: moves a parcel by telling the portal, as EasyPost does, with a signed `tracker.updated` webhook."""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psycopg
from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from psycopg.rows import class_row

Detail = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """Something a courier reports, in EasyPost's words; `days` is when the parcel is then expected."""

    label: str
    status: str
    detail: str
    message: str
    days: int = 1
    at_home: bool = True


STEPS = {
    "picked-up": Step("Picked up", "in_transit", "received_at_origin_facility", "Picked up from the sender", 2, False),
    "in-transit": Step("In transit", "in_transit", "departed_facility", "Departed the sorting centre", 1, False),
    "out-for-delivery": Step("Out for delivery", "out_for_delivery", "out_for_delivery", "With the driver", 0),
    "delivered": Step("Delivered", "delivered", "arrived_at_destination", "Delivered, left with the recipient", 0),
    "delayed": Step("Delayed", "in_transit", "delayed", "Delayed: the vehicle broke down", 3),
    "attempt-failed": Step("Nobody at home", "failure", "delivery_exception", "Nobody was at home"),
    "at-pick-up-point": Step("At a shop", "available_for_pickup", "arrived_at_pickup_location", "Waiting at a shop", 7),
    "damaged": Step("Damaged", "failure", "damaged", "The parcel was damaged on the way"),
    "came-back": Step("Back at the sender", "delivered", "arrived_at_destination", "Delivered to the sender", 0, False),
    "returning": Step("Sent back", "return_to_sender", "return", "On the way back to the sender", 3),
}


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A parcel in the courier's hands, as its label tells."""

    number: str
    courier: str
    status: str
    order: str
    name: str
    city: str
    country: str


HUBS = {"DE": ("LEIPZIG", "DE"), "AT": ("LINZ", "AT"), "GB": ("COVENTRY", "GB"), "FR": ("ROISSY", "FR")}

UNDER_WAY = """
    SELECT p.tracking_number AS number, p.courier, p.tracking_status AS status, o.number AS order, c.name,
           coalesce(o.ship_to ->> 'city', '') AS city, coalesce(o.country, '') AS country
    FROM parcels p JOIN orders o ON o.id = p.order_id JOIN customers c ON c.id = o.customer_id
    WHERE p.state = 'handed_over' AND p.courier <> 'own'
      AND p.tracking_status NOT IN ('delivered', 'returned', 'cancelled')
    ORDER BY p.handed_over_at DESC, p.id DESC LIMIT 100
"""
COMING_BACK = """
    SELECT p.tracking_number AS number, p.courier, p.tracking_status AS status, o.number || ', back' AS order, c.name,
           coalesce(o.ship_to ->> 'city', '') AS city, coalesce(o.country, '') AS country
    FROM back_parcels p JOIN orders o ON o.id = p.order_id JOIN customers c ON c.id = o.customer_id
    WHERE p.ended_at IS NULL AND p.tracking_number IS NOT NULL AND p.courier IS NOT NULL
      AND p.tracking_status NOT IN ('delivered', 'returned', 'cancelled')
    ORDER BY p.id DESC LIMIT 20
"""


def under_way(database: str) -> list[UnderWay]:
    """The labels that were handed over; a real courier was given them, this one looks into the shop's database."""
    with psycopg.connect(database, row_factory=class_row(UnderWay)) as connection:
        return [*connection.execute(COMING_BACK), *connection.execute(UNDER_WAY)]


class Book:
    """The courier's own record of each number, a file per number: EasyPost sends all that happened, every time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, number: str) -> list[Detail]:
        path = self._path(number)
        details: list[Detail] = json.loads(path.read_text()) if path.exists() else []
        return details

    def add(self, number: str, detail: Detail) -> list[Detail]:
        details = [*self.read(number), detail]
        self._path(number).write_text(json.dumps(details, indent=1))
        return details

    def _path(self, number: str) -> Path:
        return self.folder / f"{hashlib.sha256(number.encode()).hexdigest()[:24]}.json"


@dataclass(frozen=True, slots=True)
class Courier:
    """Who reports: with which secret, and how a signed message gets to the portal (it says what was answered)."""

    book: Book
    secret: str
    deliver: Callable[[bytes, dict[str, str]], str]
    labels: Callable[[], list[UnderWay]]

    def report(self, parcel: UnderWay, step: Step, *, now: datetime) -> str:
        """Write the step down and tell the portal; what it answered."""
        history = self.book.add(parcel.number, detail(parcel, step, now))
        body = json.dumps(event(parcel, step, history, now)).encode()
        return self.deliver(body, {"Content-Type": "application/json", "X-Hmac-Signature": sign(body, self.secret)})


def detail(parcel: UnderWay, step: Step, now: datetime) -> Detail:
    city, country = (parcel.city.upper(), parcel.country) if step.at_home else HUBS.get(parcel.country, HUBS["DE"])
    return {
        "object": "TrackingDetail",
        "message": step.message,
        "description": step.message,
        "status": step.status,
        "status_detail": step.detail,
        "datetime": stamp(now),
        "source": parcel.courier,
        "carrier_code": None,
        "tracking_location": {
            "object": "TrackingLocation",
            "city": city,
            "state": None,
            "country": country,
            "zip": None,
        },
    }


def event(parcel: UnderWay, step: Step, history: list[Detail], now: datetime) -> Detail:
    """The whole message, in the shape of EasyPost's."""
    before = history[-2]["status"] if len(history) > 1 else "pre_transit"
    tracker = {
        "id": "trk_" + hashlib.sha256(parcel.number.encode()).hexdigest()[:32],
        "object": "Tracker",
        "mode": "test",
        "tracking_code": parcel.number,
        "status": step.status,
        "status_detail": step.detail,
        "created_at": history[0]["datetime"],
        "updated_at": stamp(now),
        "signed_by": None,
        "weight": None,
        "est_delivery_date": stamp((now + timedelta(days=step.days)).replace(hour=0, minute=0, second=0)),
        "shipment_id": None,
        "carrier": parcel.courier,
        "tracking_details": history,
        "finalized": step.status in ("delivered", "return_to_sender"),
        "is_return": False,
    }
    return {
        "id": "evt_" + hashlib.sha256(json.dumps(tracker).encode()).hexdigest()[:32],
        "object": "Event",
        "description": "tracker.updated",
        "mode": "test",
        "previous_attributes": {"status": before},
        "result": tracker,
        "status": "pending",
        "created_at": stamp(now),
        "updated_at": stamp(now),
    }


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def sign(body: bytes, secret: str) -> str:
    """EasyPost's signature: HMAC-SHA256 of the raw bytes under the normalised secret."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def post(address: str, body: bytes, headers: dict[str, str]) -> str:
    """Deliver a webhook; the answer in a few words, also when there is none."""
    try:
        with urlopen(Request(address, body, headers), timeout=7) as answer:
            return f"{answer.status} {answer.reason}"
    except HTTPError as error:
        return f"{error.code} {error.reason}"
    except (URLError, OSError) as error:
        return f"no answer ({error})"


bp = Blueprint("courier", __name__, url_prefix="/courier")


def _courier() -> Courier:
    courier: Courier = current_app.config["COURIER"]
    return courier


@bp.get("/")
def index() -> ResponseReturnValue:
    courier = _courier()
    return render_template("outside/courier.html", parcels=courier.labels(), steps=STEPS, book=courier.book)


@bp.post("/<number>/steps")
def report(number: str) -> ResponseReturnValue:
    courier, step = _courier(), STEPS.get(request.form.get("step", ""))
    parcel = next((label for label in courier.labels() if label.number == number), None)
    if step is None or parcel is None:
        abort(404)
    answer = courier.report(parcel, step, now=datetime.now(UTC))
    flash(f"{parcel.order}: told the portal “{step.label}”. It answered {answer}.")
    return redirect(url_for("courier.index", _anchor=number), 303)
