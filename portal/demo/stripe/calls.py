"""One request to the API: who asks, under which key, and what is answered."""

import copy
import hashlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from portal.demo.stripe import payments, refunds  # noqa: F401  they hold routes
from portal.demo.stripe.book import API_VERSION, Book, Thing
from portal.demo.stripe.problems import Invalid, Problem, in_flight, locked_out, mismatch
from portal.demo.stripe.routes import check_names, find

Work = Callable[[], Thing]
KEYS_LAST = 24 * 3600
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came in, parameters read."""

    method: str
    path: str
    params: Thing = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.headers.get("Idempotency-Key", "") if self.method == "POST" else ""

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self.path, self.params], sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Logged:
    """What a test can ask about a request."""

    method: str
    path: str
    key: str
    params: Thing
    user_agent: str
    client: str
    version: str
    status: int = 0
    replayed: bool = False
    fault: str = ""


class Api:
    """Answers requests from the book, each key once."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.log: deque[Logged] = deque(maxlen=5000)
        self._running: set[str] = set()
        self._guard = Lock()

    def note(self, call: Call) -> Logged:
        given = call.headers.get
        line = Logged(
            call.method, call.path, call.key, call.params, given("User-Agent", ""),
            given("X-Stripe-Client-User-Agent", ""), given("Stripe-Version", ""),
        )  # fmt: skip
        self.log.append(line)
        return line

    def requests(self) -> list[Thing]:
        return [asdict(line) for line in list(self.log)]

    def answer(self, call: Call, before: Callable[[], None] = lambda: None) -> Reply:
        """`before` runs when the key is taken and nothing is executed yet: a place to be slow in."""
        try:
            work = self._admit(call)
            reply = self._under_key(call, work, before) if call.key else self._run(call, work, before)
        except Problem as problem:
            reply = Reply(problem.status, problem.body)
        reply.headers |= {"Request-Id": f"req_{secrets.token_hex(7)}", "Stripe-Version": API_VERSION}
        return reply

    def _admit(self, call: Call) -> Work:
        key = call.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not key.startswith(("sk_test_", "rk_test_")):
            raise locked_out(key)
        if len(call.key) > LONGEST_KEY:
            raise Invalid("The idempotency key is longer than 255 characters.", "")
        known, ids = find(call.method, call.path)
        check_names(known, call.params)
        return lambda: known.answer(self.book, call.params, **ids)

    def _under_key(self, call: Call, work: Work, before: Callable[[], None]) -> Reply:
        with self._guard:
            if call.key in self._running:
                raise in_flight(call.key)
            if stored := self._stored(call):
                return stored
            self._running.add(call.key)
        try:
            return self._run(call, work, before)
        finally:
            self._running.discard(call.key)

    def _stored(self, call: Call) -> Reply | None:
        kept = self.book.get("keys", call.key)
        if kept is None or self.book.now() - kept["at"] >= KEYS_LAST:
            return None
        if kept["fingerprint"] != call.fingerprint:
            raise mismatch(call.key)
        headers = {"Idempotent-Replayed": "true"}
        if kept["status"] >= 500:
            headers["Stripe-Should-Retry"] = "false"
        return Reply(kept["status"], kept["body"], headers)

    def _run(self, call: Call, work: Work, before: Callable[[], None]) -> Reply:
        before()
        with self.book.change():
            try:
                reply = Reply(200, copy.deepcopy(work()))
            except Problem as problem:
                if not problem.stored:
                    raise
                reply = Reply(problem.status, problem.body)
            self._store(call, reply)
        return reply

    def _store(self, call: Call, reply: Reply) -> None:
        if call.key:
            self.book.data["keys"][call.key] = {
                "at": self.book.now(), "fingerprint": call.fingerprint, "status": reply.status, "body": reply.body,
            }  # fmt: skip

    def spoil(self, call: Call, reply: Reply) -> None:
        """What was executed is answered by an error, and that error is what the key remembers."""
        with self.book.change():
            self._store(call, reply)
