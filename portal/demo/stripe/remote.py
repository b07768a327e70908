"""The controls of a running stand-in, as Python: for tests and for the demo's seed."""

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

OPENER = build_opener(ProxyHandler({}))


class Remote:
    """Speaks to /_control/ of the stand-in at this address."""

    def __init__(self, address: str) -> None:
        self.address = address

    def pay(self, amount: int, currency: str = "eur", **more: Any) -> str:
        """A paid payment intent's id. `id` chooses it, `payment_method` how its refunds will behave."""
        return str(self._ask("POST", "payments", amount=amount, currency=currency, **more)["id"])

    def change_refund(self, id: str, **what: Any) -> None:
        """What the bank does: status, failure_reason, reference."""
        self._ask("POST", "refunds", id=id, **what)

    def dispute(self, payment_intent: str, **more: Any) -> None:
        self._ask("POST", "disputes", payment_intent=payment_intent, **more)

    def checkout(self, currency: str, lines: list[dict[str, Any]], **session: Any) -> dict[str, Any]:
        """A session that a customer went through; `lines` have title, sku, quantity, unit_price."""
        made: dict[str, Any] = self._ask("POST", "sessions", currency=currency, lines=lines, **session)
        return made

    def pay_later(self, session_id: str, *, paid: bool = True) -> None:
        """What the bank says of a session that was completed unpaid."""
        self._ask("POST", "session_payments", id=session_id, paid=paid)

    def events(self, type: str) -> list[dict[str, Any]]:
        """Those that wait, of this type."""
        return [event for event in self.undelivered() if event["type"] == type]

    def forward(self, seconds: float) -> None:
        self._ask("POST", "clock", forward=seconds)

    def fault(self, what: str, when: str = "before", **more: Any) -> None:
        self._ask("POST", "faults", what=what, when=when, **more)

    def forget_faults(self) -> None:
        self._ask("DELETE", "faults")

    def requests(self, match: str = "") -> list[dict[str, Any]]:
        """The log, or those of its lines that begin with `match` ("POST /v1/refunds")."""
        lines: list[dict[str, Any]] = self._ask("GET", "requests")
        return [line for line in lines if f"{line['method']} {line['path']}".startswith(match)]

    def webhooks(self, **how: Any) -> None:
        """hold, url, secret."""
        self._ask("POST", "webhooks", **how)

    def undelivered(self) -> list[dict[str, Any]]:
        waiting: list[dict[str, Any]] = self._ask("GET", "undelivered")
        return waiting

    def deliver(self, **which: Any) -> list[int]:
        """Tell events now: ids or types, times, reverse, at_once. What was answered to each."""
        answers: list[int] = self._ask("POST", "deliveries", **which)
        return answers

    def _ask(self, method: str, name: str, **given: Any) -> Any:
        body = json.dumps(given).encode() if given else None
        with OPENER.open(Request(f"{self.address}/_control/{name}", body, method=method), timeout=60) as answer:
            return json.load(answer)
