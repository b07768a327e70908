"""A stand-in for EasyPost: shipments, rates, labels, trackers, refunds, pickups and scan forms, as far as we use them.

What it knows: a shipment is bought once, whatever is asked; a return's label swaps the two addresses; DHL and GLS have
codes for drop-off points. It can be told to answer 500, to be slow, to cut the line before or after it did what was
asked, and to lie. It does not model money running out, refused addresses, or labels that expire.
"""

import io
import json
import re
import secrets
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from reportlab.lib.units import mm

from portal.fulfilment import typeset
from portal.fulfilment.labels import LABEL, code128, open_canvas

Thing = dict[str, Any]
SERVICES = {
    "DE": (("DHL", "Paket", 549, 2), ("GLS", "BusinessParcel", 489, 2), ("DPD", "Express", 1290, 1)),
    "": (
        ("DPD", "Classic", 1189, 4),
        ("GLS", "EuroBusinessParcel", 1245, 4),
        ("DHLExpress", "ExpressWorldwide", 3490, 2),
    ),
}
"""Carrier, service, cents for the first kilogram, days; by country, and for all others."""


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes
    kind: str = "application/json"


class Refusal(Exception):
    """A no, as EasyPost words it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, json.dumps({"error": {"code": code, "message": message, "errors": []}}).encode())


@dataclass(slots=True)
class Fault:
    """`what` happens `times` times to requests that begin with `match`, before or after they are executed.

    A status in digits, `hang` for `seconds`, `cut`, or `lie`: an answer in good shape about something else.
    """

    what: str
    when: str = "before"
    match: str = "POST /v2/shipments/"
    times: int = 1
    seconds: float = 30.0


KINDS = ("shipments", "trackers", "pickups", "forms")
CODE = b64decode(b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")


@dataclass(slots=True)
class Book:
    """What it knows, in a file when there is one."""

    path: Path | None = None
    data: dict[str, dict[str, Thing]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        if self.path and self.path.exists():
            self.data |= json.loads(self.path.read_text())

    def keep(self, kind: str, thing: Thing) -> Thing:
        self.data[kind][thing["id"]] = thing
        if self.path:
            self.path.write_text(json.dumps(self.data))
        return thing

    def the(self, kind: str, name: str) -> Thing:
        """By its id or, as EasyPost does it, by its reference."""
        things = self.data[kind]
        found = things.get(name) or next((one for one in things.values() if one.get("reference") == name), None)
        if found is None:
            raise Refusal(404, "NOT_FOUND", "The requested resource could not be found.")
        return found


class EasyPost:
    """The API without the wire: a request in, a reply out, None when the line is to be cut."""

    def __init__(self, state: Path | None = None) -> None:
        self.book = Book(state)
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.ending = Event()

    def fault(self, what: str, when: str = "before", **more: Any) -> None:
        self.faults.append(Fault(what, when, **more))

    def bought(self) -> list[Thing]:
        """The shipments whose label was paid."""
        return [one for one in self.book.data["shipments"].values() if one["postage_label"]]

    def answer(self, method: str, path: str, key: str, raw: bytes, address: str) -> Reply | None:
        """`address` is where it is reached: labels are fetched from there."""
        line = f"{method} {path}"
        self.requests.append(line)
        fault = self._take(line)
        if fault and fault.when == "before":
            return self._spoil(fault)
        try:
            reply = self._run(method, path, key, raw, address)
        except Refusal as refusal:
            reply = refusal.reply
        return self._spoil(fault) if fault else reply

    def _take(self, line: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and line.startswith(fault.match):
                fault.times -= 1
                return fault
        return None

    def _spoil(self, fault: Fault) -> Reply | None:
        if fault.what == "hang":
            self.ending.wait(fault.seconds)
        if fault.what in ("hang", "cut"):
            return None
        if fault.what == "lie":
            return Reply(200, b'{"object": "Shipment", "id": "shp_of_somebody_else", "tracking_code": null}')
        return Reply(int(fault.what), json.dumps({"error": {"code": "INTERNAL", "message": "Try again."}}).encode())

    def _run(self, method: str, path: str, key: str, raw: bytes, address: str) -> Reply:
        paper = re.fullmatch(r"/labels/(shp_\w+)\.pdf", path)
        if paper and method == "GET":
            return Reply(200, label(self.book.the("shipments", paper[1])), "application/pdf")
        code = re.fullmatch(r"/codes/(shp_\w+)\.png", path)
        if code and method == "GET":
            return Reply(200, CODE, "image/png")
        form = re.fullmatch(r"/forms/(sf_\w+)\.pdf", path)
        if form and method == "GET":
            return Reply(200, printed(self.book.the("forms", form[1])), "application/pdf")
        if not key.startswith(("EZTK", "EZAK")):
            raise Refusal(401, "UNAUTHORIZED", "The API key is not valid.")
        given = json.loads(raw) if raw else {}
        for verb, pattern, act in ROUTES:
            if verb == method and (match := re.fullmatch(pattern, path)):
                with self.book.lock:
                    return Reply(200, json.dumps(act(self.book, given, address, **match.groupdict())).encode())
        raise Refusal(404, "NOT_FOUND", "The stand-in has only what the portal uses.")


def make(book: Book, given: Thing, _address: str) -> Thing:
    """A shipment with its rates; free of charge."""
    asked, to = given["shipment"], given["shipment"]["to_address"]
    missing = [name for name in ("street1", "city", "country") if not to.get(name)]
    if missing:
        raise Refusal(422, "ADDRESS.PARAMETERS.INVALID", f"Missing in to_address: {', '.join(missing)}")
    shipment = {
        "id": new("shp_"), "object": "Shipment", "mode": "test", "created_at": stamp(), "reference": asked["reference"],
        "to_address": to, "from_address": asked["from_address"], "parcel": asked["parcel"], "messages": [],
        "tracking_code": None, "postage_label": None, "selected_rate": None, "refund_status": None, "is_return": False,
    }  # fmt: skip
    if asked.get("is_return"):
        shipment |= {"is_return": True, "to_address": asked["from_address"], "from_address": to}
    kilograms = max(1, round(float(asked["parcel"]["weight"]) * 0.02835 + 0.49))
    services = SERVICES.get(to["country"], SERVICES[""])
    shipment["rates"] = [rate(one, kilograms, shipment["id"]) for one in services]
    return book.keep("shipments", shipment)


def rate(service: tuple[str, str, int, int], kilograms: int, shipment_id: str) -> Thing:
    carrier, name, cents, days = service
    return {
        "id": new("rate_"), "object": "Rate", "carrier": carrier, "service": name, "currency": "EUR",
        "rate": f"{(cents + 60 * (kilograms - 1)) / 100:.2f}", "delivery_days": days, "shipment_id": shipment_id,
    }  # fmt: skip


def buy(book: Book, given: Thing, address: str, id: str) -> Thing:
    shipment = book.the("shipments", id)
    if shipment["postage_label"]:
        raise Refusal(422, "SHIPMENT.POSTAGE.EXISTS", "Postage already exists for this shipment.")
    chosen = next((one for one in shipment["rates"] if one["id"] == given["rate"]["id"]), None)
    if chosen is None:
        raise Refusal(422, "RATE.UNAVAILABLE", "This rate is no longer there.")
    shipment["selected_rate"] = chosen
    shipment["tracking_code"] = f"{chosen['carrier'][:2].upper()}{secrets.randbelow(10**14):014}"
    shipment["postage_label"] = {"id": new("pl_"), "label_url": f"{address}/labels/{shipment['id']}.pdf"}
    return book.keep("shipments", shipment)


def find(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    return book.the("shipments", id)


def drop_off_code(book: Book, given: Thing, address: str, id: str) -> Thing:
    """The code that a drop-off point scans; DPD has none."""
    shipment = book.the("shipments", id)
    if not shipment["postage_label"] or shipment["selected_rate"]["carrier"] == "DPD":
        raise Refusal(422, "SHIPMENT.FORM.UNSUPPORTED", "This carrier has no such form.")
    shipment["forms"] = [{"form_type": given["form"]["type"], "form_url": f"{address}/codes/{shipment['id']}.png"}]
    return book.keep("shipments", shipment)


def refund(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    shipment = book.the("shipments", id)
    if not shipment["postage_label"]:
        raise Refusal(422, "SHIPMENT.REFUND.UNAVAILABLE", "There is no label to be given back.")
    shipment["refund_status"] = shipment["refund_status"] or "submitted"
    return book.keep("shipments", shipment)


def track(book: Book, given: Thing, _address: str) -> Thing:
    asked = given["tracker"]
    known = [one for one in book.data["trackers"].values() if one["tracking_code"] == asked["tracking_code"]]
    return (
        known[0]
        if known
        else book.keep("trackers", {"id": new("trk_"), "object": "Tracker", **asked, "status": "unknown"})
    )


def trackers(book: Book, _given: Thing, _address: str) -> Thing:
    return {"trackers": list(book.data["trackers"].values())[:1], "has_more": False}


def order_van(book: Book, given: Thing, _address: str) -> Thing:
    pickup = {**given["pickup"], "id": new("pickup_"), "object": "Pickup", "status": "unknown", "confirmation": None}
    pickup["pickup_rates"] = [{"carrier": "DHL", "service": "Standard", "rate": "0.00", "currency": "EUR"}]
    return book.keep("pickups", pickup)


def find_van(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    return book.the("pickups", id)


def confirm_van(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    pickup = book.the("pickups", id)
    if pickup["confirmation"]:
        raise Refusal(422, "PICKUP.ALREADY_SCHEDULED", "This pickup was ordered already.")
    pickup |= {"status": "scheduled", "confirmation": f"CTC{secrets.randbelow(10**6):06}"}
    return book.keep("pickups", pickup)


def send_van_away(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    return book.keep("pickups", book.the("pickups", id) | {"status": "canceled"})


def make_form(book: Book, given: Thing, address: str) -> Thing:
    """One form for shipments of one carrier, each on one form only; GLS has none."""
    wanted = [book.the("shipments", one["id"]) for one in given["shipments"]]
    taken = {one for form in book.data["forms"].values() for one in form["shipments"]}
    carriers = {(one["selected_rate"] or {}).get("carrier") for one in wanted}
    if len(carriers) != 1 or None in carriers or carriers == {"GLS"}:
        raise Refusal(422, "SCAN_FORM.UNSUPPORTED", "This carrier has no scan forms.")
    if taken & {one["id"] for one in wanted} or any(one["refund_status"] for one in wanted):
        raise Refusal(422, "SCAN_FORM.INVALID", "A shipment is on a scan form already, or was given back.")
    form = {
        "id": new("sf_"), "object": "ScanForm", "status": "created", "message": None, "form_file_type": "PDF",
        "tracking_codes": [one["tracking_code"] for one in wanted], "shipments": [one["id"] for one in wanted],
    }  # fmt: skip
    return book.keep("forms", {**form, "form_url": f"{address}/forms/{form['id']}.pdf"})


def forms(book: Book, _given: Thing, _address: str) -> Thing:
    return {"scan_forms": list(book.data["forms"].values())[::-1], "has_more": False}


def find_form(book: Book, _given: Thing, _address: str, id: str) -> Thing:
    return book.the("forms", id)


ROUTES: tuple[tuple[str, str, Callable[..., Thing]], ...] = (
    ("POST", "/v2/shipments", make),
    ("GET", r"/v2/shipments/(?P<id>[\w-]+)", find),
    ("POST", r"/v2/shipments/(?P<id>\w+)/buy", buy),
    ("POST", r"/v2/shipments/(?P<id>\w+)/refund", refund),
    ("POST", r"/v2/shipments/(?P<id>\w+)/forms", drop_off_code),
    ("POST", "/v2/trackers", track),
    ("GET", "/v2/trackers", trackers),
    ("POST", "/v2/scan_forms", make_form),
    ("GET", "/v2/scan_forms", forms),
    ("GET", r"/v2/scan_forms/(?P<id>\w+)", find_form),
    ("POST", "/v2/pickups", order_van),
    ("GET", r"/v2/pickups/(?P<id>\w+)", find_van),
    ("POST", r"/v2/pickups/(?P<id>\w+)/buy", confirm_van),
    ("POST", r"/v2/pickups/(?P<id>\w+)/cancel", send_van_away),
)


def label(shipment: Thing) -> bytes:
    """A label 100 × 150 mm with the number as bars; anybody can see that it is worth nothing."""
    paper, chosen, to = io.BytesIO(), shipment["selected_rate"] or {}, shipment["to_address"]
    canvas = open_canvas(paper, LABEL, f"Label {shipment['tracking_code']}")
    typeset.draw(canvas, 6 * mm, 138 * mm, f"{chosen.get('carrier')} {chosen.get('service')}", 16, bold=True)
    typeset.draw(canvas, 6 * mm, 132 * mm, "SAMPLE, not for postage", 9)
    town = f"{to.get('zip', '')} {to.get('city', '')}"
    lines = [to.get(name, "") for name in ("name", "company", "street1", "street2")] + [town, to.get("country", "")]
    for place, line in enumerate(filter(None, lines)):
        typeset.draw_fitted(canvas, 6 * mm, (118 - 7 * place) * mm, line, 88 * mm, (13, 6), bold=place == 0)
    bars = code128(shipment["tracking_code"] or "", height=28 * mm, limit=86 * mm, thickest=0.5 * mm)
    if bars is not None:
        bars.drawOn(canvas, (100 * mm - bars.width) / 2, 20 * mm)
    typeset.draw_fitted(canvas, 50 * mm, 12 * mm, str(shipment["tracking_code"]), 88 * mm, (13, 6), bold=True, at=0.5)
    canvas.save()
    return paper.getvalue()


def printed(form: Thing) -> bytes:
    """A scan form: how many parcels one scan takes over."""
    paper = io.BytesIO()
    canvas = open_canvas(paper, LABEL, f"Scan form {form['id'][:12]}")
    typeset.draw(canvas, 6 * mm, 138 * mm, f"Scan form: {len(form['tracking_codes'])} parcels", 14, bold=True)
    typeset.draw(canvas, 6 * mm, 132 * mm, "SAMPLE, no courier takes it", 9)
    bars = code128(form["id"][:16].upper(), height=28 * mm, limit=86 * mm, thickest=0.5 * mm)
    if bars is not None:
        bars.drawOn(canvas, (100 * mm - bars.width) / 2, 90 * mm)
    canvas.save()
    return paper.getvalue()


def new(begin: str) -> str:
    return begin + secrets.token_hex(16)


def stamp() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def key_of(authorization: str) -> str:
    """The user name of basic authentication."""
    return b64decode(authorization.removeprefix("Basic ").encode() + b"==").decode("utf-8", "replace").partition(":")[0]


bp = Blueprint("easypost", __name__, url_prefix="/easypost")


@bp.route("/<path:path>", methods=["GET", "POST"])
def answer(path: str) -> ResponseReturnValue:
    """The same as a part of the demo's outside."""
    labels: EasyPost = current_app.config["EASYPOST"]
    key, address = key_of(request.headers.get("Authorization", "")), f"{request.host_url}easypost"
    reply = labels.answer(request.method, f"/{path}", key, request.get_data(), address)
    return Response(reply.body, reply.status, mimetype=reply.kind) if reply else Response("", 502)


class StandIn(EasyPost):
    """The same behind a server of its own, in threads: for tests."""

    address = ""

    def start(self) -> str:
        """Answer from now on; the address of the API."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.stand_in = self  # type: ignore[attr-defined]
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/v2"
        return self.address

    def stop(self) -> None:
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        stand_in: EasyPost = self.server.stand_in  # type: ignore[attr-defined]
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = key_of(self.headers.get("Authorization", ""))
        address = f"http://{self.headers['Host']}"
        reply = stand_in.answer(self.command, urlsplit(self.path).path, key, raw, address)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: its addresses would stand in the log."""
