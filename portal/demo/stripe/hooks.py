"""Events are told to the portal, signed as Stripe signs them, until it takes them."""

import hashlib
import hmac
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urlsplit

from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.refunds import run_later

LONGEST_WAIT = 60.0
LOOK_EVERY = 1.0


def sign(body: bytes, secret: str, at: int) -> str:
    """The Stripe-Signature of these bytes, with a time that is fresh for every delivery."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(url: str, body: bytes, secret: str) -> int:
    """The status that was answered, 0 for none. A redirect is not followed: to Stripe it is a failure."""
    parts = urlsplit(url)
    signature = sign(body, secret, int(time.time()))
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Messenger:
    """Delivers what waits in the book, in order; an event that is not taken does not hold up the others."""

    def __init__(self, book: Book, url: str, secret: str) -> None:
        self.book, self.url, self.secret = book, url, secret
        self.held = False
        self.wake, self.ending = Event(), Event()
        self._tries: dict[str, tuple[int, float]] = {}

    def run(self) -> None:
        """Until the end: let the bank decide what is due, and tell the portal."""
        while not self.ending.is_set():
            self.wake.wait(LOOK_EVERY)
            self.wake.clear()
            if any(step["at"] <= self.book.now() for step in self.book.data["later"]):
                with self.book.change():
                    run_later(self.book)
            self._deliver_waiting()

    def _deliver_waiting(self) -> None:
        for event in list(self.book.data["undelivered"]):
            if self.held or not self.url or self.ending.is_set():
                return
            tries, not_before = self._tries.get(event, (0, 0.0))
            if time.monotonic() >= not_before and self.deliver(event) not in range(200, 300):
                self._tries[event] = (tries + 1, time.monotonic() + min(LONGEST_WAIT, 2.0**tries))

    def deliver(self, id: str) -> int:
        """Tell it once, now; the status that was answered."""
        event: Thing = self.book.the("events", id)
        status = post(self.url, json.dumps(event, indent=2).encode(), self.secret) if self.url else 0
        if 200 <= status < 300:
            with self.book.change():
                event["pending_webhooks"] = 0
                if id in self.book.data["undelivered"]:
                    self.book.data["undelivered"].remove(id)
        return status

    def deliver_these(self, ids: list[str], times: int, at_once: bool) -> list[int]:
        """Tell them now, in this order or all at the same time; what was answered to each."""
        told = [event for event in ids for _ in range(times)]
        if not at_once:
            return [self.deliver(event) for event in told]
        with ThreadPoolExecutor(len(told) or 1) as pool:
            return list(pool.map(self.deliver, told))
