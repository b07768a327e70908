"""Trouble on demand: before a request is executed, or after."""

import secrets
from dataclasses import dataclass
from threading import Event, Lock
from typing import Literal

from portal.demo.stripe.calls import Reply

When = Literal["before", "after"]
STATUSES = {
    "401": ("invalid_request_error", "Invalid API Key provided."),
    "403": ("invalid_request_error", "The provided key does not have the required permissions for this endpoint."),
    "409": ("idempotency_error", "There is currently another in-progress request using this Idempotent Key."),
    "429": ("invalid_request_error", "Too many requests in a period of time."),
    "500": ("api_error", "An unknown error occurred."),
    "503": ("api_error", "We're currently unable to take your request."),
}
CODES = {"409": "idempotency_key_in_use", "429": "rate_limit"}
PAGES = {"html": "<html><body>Please wait …</body></html>", "garbage": '{"id": "re_', "list": "[]", "empty": ""}
WHATS = {*STATUSES, *PAGES, "timeout", "cut", "slow"}


@dataclass(slots=True)
class Fault:
    """`what` happens `times` times to requests that begin with `match`; `timeout` and `slow` take `seconds`."""

    what: str
    when: When = "before"
    match: str = "POST /v1/refunds"
    times: int = 1
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.what not in WHATS or self.when not in ("before", "after"):
            raise ValueError(f"no such fault: {self.what} {self.when}")

    @property
    def reply(self) -> Reply | None:
        """What is answered in place of the truth; None is no answer at all."""
        if self.what in STATUSES:
            error = dict(zip(("type", "message"), STATUSES[self.what], strict=True))
            if self.what in CODES:
                error["code"] = CODES[self.what]
            return Reply(int(self.what), {"error": error}, {"Request-Id": f"req_{secrets.token_hex(7)}"})
        return Reply(200, PAGES[self.what]) if self.what in PAGES else None


class Faults:
    """Those that were ordered and have not happened yet."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._lock = Lock()
        self.ending = Event()

    def order(self, fault: Fault) -> None:
        with self._lock:
            self._ordered.append(fault)

    def forget(self) -> None:
        with self._lock:
            self._ordered.clear()

    def take(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self._ordered:
                if fault.times > 0 and request.startswith(fault.match):
                    fault.times -= 1
                    return fault
        return None

    def wait(self, fault: Fault) -> None:
        """Be slow, but not when the program is to end."""
        self.ending.wait(fault.seconds)
