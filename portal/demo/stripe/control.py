"""What no Stripe has: addresses under /_control/ with which tests, and the demo's seed, arrange the world. All JSON."""

from collections.abc import Callable
from typing import Any

from portal.demo.stripe import payments, refunds, sessions
from portal.demo.stripe.book import Book, Thing
from portal.demo.stripe.calls import Api
from portal.demo.stripe.faults import Fault, Faults
from portal.demo.stripe.hooks import Messenger
from portal.demo.stripe.problems import missing


class Control:
    """POST /_control/<name> changes something, GET /_control/<name> tells, DELETE /_control/<name> forgets."""

    def __init__(self, book: Book, api: Api, faults: Faults, messenger: Messenger) -> None:
        self.book, self.api, self.faults, self.messenger = book, api, faults, messenger
        self.ways: dict[tuple[str, str], Callable[[Thing], Any]] = {
            ("POST", "payments"): self.pay,
            ("POST", "refunds"): self.change_refund,
            ("POST", "disputes"): self.open_dispute,
            ("POST", "sessions"): lambda given: self._checkout(sessions.complete, given),
            ("POST", "session_payments"): lambda given: self._checkout(sessions.pay_later, given),
            ("POST", "clock"): self.move_clock,
            ("POST", "faults"): lambda given: self.faults.order(Fault(**given)),
            ("DELETE", "faults"): lambda _: self.faults.forget(),
            ("GET", "requests"): lambda _: self.api.requests(),
            ("DELETE", "requests"): lambda _: self.api.log.clear(),
            ("POST", "webhooks"): self.set_webhooks,
            ("GET", "undelivered"): lambda _: [self.book.the("events", one) for one in self.book.data["undelivered"]],
            ("POST", "deliveries"): self.deliver,
        }

    def answer(self, method: str, name: str, given: Thing) -> Any:
        """Raises KeyError for what there is not, TypeError and ValueError for nonsense, Problem as Stripe does."""
        return self.ways[method, name](given)

    def pay(self, given: Thing) -> Thing:
        """A paid payment intent, under an `id` of one's choice; asked for twice, it is there once."""
        with self.book.change():
            if known := self.book.get("payment_intents", given.get("id", "")):
                return known
            given = {"payment_method": "pm_card_visa", "metadata": {}, **given}
            method, amount, currency = given.pop("payment_method"), given.pop("amount"), given.pop("currency")
            if method not in payments.CARDS:
                raise ValueError(f"no such card: {method}")
            intent = payments.add_intent(self.book, amount, currency.lower(), **given)
            return payments.pay(self.book, intent, method)

    def change_refund(self, given: Thing) -> Thing:
        """What the bank, or somebody in the dashboard, does to a refund: `status`, `failure_reason`, `reference`."""
        with self.book.change():
            refund = self.book.get("refunds", given["id"])
            if refund is None:
                raise missing("refund", given["id"])
            status = str(given.get("status", refund["status"]))
            changed = refunds.change(self.book, refund, status, given.get("failure_reason"), given.get("reference"))
        self.messenger.wake.set()
        return changed

    def open_dispute(self, given: Thing) -> Thing:
        with self.book.change():
            intent = self.book.the("payment_intents", given["payment_intent"])
            charge = self.book.the("charges", intent["latest_charge"])
            opened = payments.dispute(self.book, charge, given.get("status", "needs_response"))
        self.messenger.wake.set()
        return opened

    def _checkout(self, do: Callable[[Book, Thing], Thing], given: Thing) -> Thing:
        with self.book.change():
            session = do(self.book, given)
        self.messenger.wake.set()
        return session

    def move_clock(self, given: Thing) -> Thing:
        """`forward` so many seconds; what the bank does until then is done."""
        with self.book.change():
            self.book.data["ahead"] += float(given.get("forward", 0))
            refunds.run_later(self.book)
        self.messenger.wake.set()
        return {"now": self.book.now()}

    def set_webhooks(self, given: Thing) -> None:
        """`hold` keeps events back; `url` and `secret` change where they go and what signs them."""
        for name in ("url", "secret"):
            if name in given:
                setattr(self.messenger, name, given[name])
        self.messenger.held = given.get("hold", self.messenger.held)
        self.messenger.wake.set()

    def deliver(self, given: Thing) -> list[int]:
        """Tell events now, by `ids` or `types` (else all that wait), `times` over, `reverse`, or `at_once`."""
        wanted = [event["id"] for event in self.book.all("events") if self._wanted(event, given.get("types"))]
        ids = given.get("ids") or wanted
        if given.get("reverse"):
            ids = ids[::-1]
        return self.messenger.deliver_these(ids, int(given.get("times", 1)), bool(given.get("at_once")))

    def _wanted(self, event: Thing, types: list[str] | None) -> bool:
        return event["type"] in types if types else event["id"] in self.book.data["undelivered"]
