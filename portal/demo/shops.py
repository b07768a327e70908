"""A stand-in for two shops, Shopify and WooCommerce, as far as the portal hears them and asks them.

What it knows: orders by their ids, when each was changed last, the lists of what changed since then (Shopify's with
links from page to page, WooCommerce's with offsets), keys that it takes, and webhooks signed as each signs them. It
can be told to answer any status, to hang, to cut the line, to send a page that is no JSON, and to lie: an answer in
good shape about something else. It does not model rate limits (order a 429), what Shopify's GraphQL says, refunds of
single lines, or a shop that loses orders itself. One program on loopback; nothing leaves this machine.
"""

import json
from base64 import b64decode, b64encode
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

Thing = dict[str, Any]
TOKEN = "shpat_demo"
KEY, SECRET = "ck_demo", "cs_demo"
CHANGED = {"shopify": "updated_at", "woocommerce": "date_modified_gmt"}


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """`what` happens `times` times: a status in digits, `hang` for `seconds`, `cut`, `page` (no JSON), or `lie`."""

    what: str
    times: int = 1
    seconds: float = 30.0


class Shops:
    """Both without the wire: a request in, a reply out, None when the line is to be cut."""

    def __init__(self, shopify_secret: str = "", woocommerce_secret: str = "", record: Path | None = None) -> None:
        self.secrets, self.record = {"shopify": shopify_secret, "woocommerce": woocommerce_secret}, record
        self.orders: dict[str, dict[str, Thing]] = {"shopify": {}, "woocommerce": {}}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.ending, self.lock = Event(), RLock()

    def fault(self, what: str, **more: Any) -> None:
        self.faults.append(Fault(what, **more))

    def sell(self, channel: str, order: Thing) -> Thing:
        """Keep this order, new or changed."""
        with self.lock:
            self._read()
            self.orders[channel][str(order["id"])] = order
            if self.record:
                self.record.write_text(json.dumps(self.orders))
        return order

    def _read(self) -> None:
        """Another process may have sold something: the demo's past is made in one of its own."""
        if self.record and self.record.exists():
            self.orders = json.loads(self.record.read_text())

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

    def answer(self, method: str, target: str, headers: Thing) -> Reply | None:
        """`target` is path and query."""
        self.requests.append(f"{method} {target}")
        for fault in self.faults:
            if fault.times > 0:
                fault.times -= 1
                return self._spoil(fault)
        parts = urlsplit(target)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/admin/api/"):
            return self._shopify(parts.path.rpartition("/")[2], asked, str(headers.get("X-Shopify-Access-Token", "")))
        if parts.path == "/wp-json/wc/v3/orders":
            return self._woocommerce(asked, str(headers.get("Authorization", "")))
        return Reply(404, b'{"errors": "Not Found"}')

    def _spoil(self, fault: Fault) -> Reply | None:
        if fault.what == "hang":
            self.ending.wait(fault.seconds)
        if fault.what in ("hang", "cut"):
            return None
        if fault.what == "page":
            return Reply(200, b"<html><body>Back soon</body></html>")
        if fault.what == "lie":
            return Reply(200, b'{"orders": {"id": 1}}')
        return Reply(int(fault.what), b'{"errors": "Try again"}')

    def _shopify(self, name: str, asked: Thing, token: str) -> Reply:
        if token != TOKEN:
            return Reply(401, b'{"errors": "[API] Invalid API key or access token"}')
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


@bp.get("/<path:path>")
def ask(path: str) -> ResponseReturnValue:
    """The same as a part of the demo's outside."""
    shops: Shops = current_app.config["SHOPS"]
    reply = shops.answer("GET", f"/{path}?{request.query_string.decode()}", dict(request.headers))
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
        reply = stand_in.answer(self.command, self.path, dict(self.headers.items()))
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: its addresses would stand in the log."""
