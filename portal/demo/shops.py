"""A stand-in for two shops, Shopify and WooCommerce, as far as the portal hears, asks and tells them.

What it knows: orders by their ids, when each was changed last, the lists of what changed since then (Shopify's with
links from page to page, WooCommerce's with offsets), keys that it takes, and webhooks signed as each signs them. It
can be told to answer any status, to hang, to cut the line (also after it did what it was asked), to send a page that is
no JSON, to be throttled, and to lie: an answer in good shape about something else. What it lets itself be told stands
in `shops_told`. It does not model rate limits (order a 429), costs of GraphQL, refunds of single lines, or a shop that
loses orders itself. One program on loopback; nothing leaves this machine.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from portal.demo.shops_told import Answer, Told

Thing = dict[str, Any]
TOKEN = "shpat_demo"
KEY, SECRET = "ck_demo", "cs_demo"
THROTTLED: Thing = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 270,
            "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 20, "restoreRate": 50},
        }
    },
}
LIE: Thing = {
    "orders": {"id": 1}, "id": 1, "note": "Something else",
    "data": {
        "order": {"note": "", "fulfillments": [], "fulfillmentOrders": {"nodes": []}},
        "fulfillmentCreate": {"fulfillment": {"id": "gid://shopify/Fulfillment/1"}, "userErrors": []},
        "orderUpdate": {"order": {"id": "gid://shopify/Order/1", "note": "Something else"}, "userErrors": []},
    },
}  # fmt: skip
CHANGED = {"shopify": "updated_at", "woocommerce": "date_modified_gmt"}


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """`what` happens `times` times: a status in digits, `hang` for `seconds`, `cut`, `deaf` (it does what it is asked
    and cuts the line then), `page` (no JSON), `throttled`, or `lie`.

    `writes`: only where something is to be changed; `after` so many requests that go well.
    """

    what: str
    times: int = 1
    seconds: float = 30.0
    writes: bool = False
    after: int = 0


class Shops:
    """Both without the wire: a request in, a reply out, None when the line is to be cut."""

    def __init__(self, shopify_secret: str = "", woocommerce_secret: str = "", record: Path | None = None) -> None:
        self.secrets, self.record = {"shopify": shopify_secret, "woocommerce": woocommerce_secret}, record
        self.orders: dict[str, dict[str, Thing]] = {"shopify": {}, "woocommerce": {}}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.told = Told(record.with_name("told.json") if record else None)
        self.ending, self.lock = Event(), RLock()

    def fault(self, what: str, **more: Any) -> None:
        self.faults.append(Fault(what, **more))

    def sell(self, channel: str, order: Thing) -> Thing:
        """Keep this order, new or changed."""
        with self.lock:
            self._read()
            self.orders[channel][str(order["id"])] = order
            self._write()
        return order

    def _read(self) -> None:
        """Another process may have sold something: the demo's past is made in one of its own."""
        if self.record and self.record.exists():
            self.orders = json.loads(self.record.read_text())
        self.told.read()

    def _write(self) -> None:
        if self.record:
            self.record.write_text(json.dumps(self.orders))
        self.told.keep()

    def webhook(self, channel: str, topic: str, body: Thing, *, event: str = "") -> tuple[bytes, dict[str, str]]:
        """What the shop would send about it, and the headers with its signature."""
        raw = json.dumps(body).encode()
        signed = b64encode(digest(self.secrets[channel].encode(), raw, sha256)).decode()
        kind = {"Content-Type": "application/json"}
        if channel == "woocommerce":
            where = {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Source": "https://woo.example/"}
            return raw, {**kind, **where, "X-WC-Webhook-Signature": signed}
        known = event or sha256(raw + topic.encode()).hexdigest()
        about = {"X-Shopify-Topic": topic, "X-Shopify-Event-Id": known, "X-Shopify-Shop-Domain": "demo.myshopify.com"}
        return raw, {**kind, **about, "X-Shopify-Hmac-Sha256": signed}

    def answer(self, method: str, target: str, headers: Thing, raw: bytes = b"") -> Reply | None:
        """`target` is path and query."""
        self.requests.append(f"{method} {target}")
        changes = method == "PUT" or (method == "POST" and (not target.endswith("/graphql.json") or b"mutation" in raw))
        for fault in self.faults:
            if fault.times > 0 and (changes or not fault.writes):
                fault.after -= 1
                if fault.after < 0:
                    return self._fail(fault, method, target, headers, raw)
        return self._serve(method, target, headers, raw)

    def _fail(self, fault: Fault, *request: Any) -> Reply | None:
        fault.times -= 1
        if fault.what == "deaf":
            self._serve(*request)
        return self._spoil(fault)

    def _serve(self, method: str, target: str, headers: Thing, raw: bytes) -> Reply:
        parts = urlsplit(target)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/admin/api/"):
            token = str(headers.get("X-Shopify-Access-Token", ""))
            return self._shopify(parts.path.rpartition("/")[2], asked, token, raw)
        known = str(headers.get("Authorization", ""))
        if parts.path == "/wp-json/wc/v3/orders":
            return self._woocommerce(asked, known)
        if parts.path.startswith("/wp-json/wc/v3/orders/"):
            return self._woocommerce_told(method, parts.path.partition("/orders/")[2], known, raw)
        return Reply(404, b'{"errors": "Not Found"}')

    def _spoil(self, fault: Fault) -> Reply | None:
        if fault.what == "hang":
            self.ending.wait(fault.seconds)
        if fault.what in ("hang", "cut", "deaf"):
            return None
        if fault.what == "page":
            return Reply(200, b"<html><body>Back soon</body></html>")
        if fault.what == "throttled":
            return Reply(200, json.dumps(THROTTLED).encode())
        if fault.what == "lie":
            return Reply(200, json.dumps(LIE).encode())
        return Reply(int(fault.what), b'{"errors": "Try again"}', {"Retry-After": "4"} if fault.what == "429" else {})

    def _shopify(self, name: str, asked: Thing, token: str, raw: bytes) -> Reply:
        if token != TOKEN:
            return Reply(401, b'{"errors": "[API] Invalid API key or access token"}')
        if name == "graphql.json":
            return self._told(lambda: self.told.graphql(json.loads(raw), self.orders["shopify"]))
        if name == "shop.json":
            return Reply(200, b'{"shop": {"name": "Lantern & Loom"}}')
        if "page_info" in asked:
            asked |= {key: values[-1] for key, values in parse_qs(_opened(asked["page_info"])).items()}
        found = self._changed("shopify", asked.get("updated_at_min", ""))
        start, size = int(asked.get("start", 0)), int(asked["limit"])
        more = urlencode({"start": start + size, "updated_at_min": asked.get("updated_at_min", "")})
        link = f'<http://localhost/orders.json?limit={size}&page_info={_sealed(more)}>; rel="next"'
        body = json.dumps({"orders": found[start : start + size]}).encode()
        return Reply(200, body, {"Link": link} if len(found) > start + size else {})

    def _woocommerce(self, asked: Thing, authorization: str) -> Reply:
        if b64decode(authorization.removeprefix("Basic ") + "==") != f"{KEY}:{SECRET}".encode():
            return Reply(401, b'{"code": "woocommerce_rest_cannot_view"}')
        found = sorted(
            self._changed("woocommerce", asked.get("modified_after", "")), key=lambda order: int(order["id"])
        )
        start = int(asked.get("offset", 0))
        return Reply(200, json.dumps(found[start : start + int(asked["per_page"])]).encode())

    def _woocommerce_told(self, method: str, path: str, authorization: str, raw: bytes) -> Reply:
        if b64decode(authorization.removeprefix("Basic ") + "==") != f"{KEY}:{SECRET}".encode():
            return Reply(401, b'{"code": "woocommerce_rest_cannot_edit"}')
        body = json.loads(raw) if raw else {}
        return self._told(lambda: self.told.rest(method, path, body, self.orders["woocommerce"]))

    def _told(self, act: Callable[[], Answer]) -> Reply:
        with self.lock:
            self._read()
            status, said = act()
            self._write()
        return Reply(status, json.dumps(said).encode())

    def _changed(self, channel: str, since: str) -> list[Thing]:
        with self.lock:
            self._read()
            orders = list(self.orders[channel].values())
        changed = [(_moment(order[CHANGED[channel]]), order) for order in orders]
        wanted = [one for one in changed if not since or one[0] >= _moment(since)]
        return [order for _, order in sorted(wanted, key=lambda one: (one[0], int(one[1]["id"])))]


def _moment(value: str) -> datetime:
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _sealed(text: str) -> str:
    return b64encode(text.encode(), altchars=b"-_").decode()


def _opened(text: str) -> str:
    return b64decode(text, altchars=b"-_").decode()


bp = Blueprint("shops", __name__, url_prefix="/shops")


@bp.route("/<path:path>", methods=["GET", "POST", "PUT"])
def ask(path: str) -> ResponseReturnValue:
    """The same as a part of the demo's outside."""
    shops: Shops = current_app.config["SHOPS"]
    target = f"/{path}?{request.query_string.decode()}".removesuffix("?")
    reply = shops.answer(request.method, target, dict(request.headers), request.get_data())
    return Response(reply.body, reply.status, reply.headers, mimetype="application/json") if reply else ("", 502)


class StandIn(Shops):
    """The same behind a server of its own, in threads."""

    def start(self, port: int = 0) -> str:
        """Answer from now on; the address of both shops."""
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.stand_in = self  # type: ignore[attr-defined]
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        stand_in: Shops = self.server.stand_in  # type: ignore[attr-defined]
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = stand_in.answer(self.command, self.path, dict(self.headers.items()), raw)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: its addresses would stand in the log."""
