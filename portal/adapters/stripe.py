"""Stripe through its own library: refunds asked for, looked up and read; webhooks verified.

Beside the answer a caller learns one of three things: `Temporary`, it was not executed; `Permanent`, it was refused;
`Unknown`, it may have been executed. What the library does behind one's back is said where it is fenced in.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

import stripe as sdk
from flask import current_app

from portal.adapters.errors import Malformed, Permanent, Temporary, Trouble, Unknown
from portal.adapters.reading import document, part, text
from portal.lib import stripe_key

Told = TypeVar("Told", bound=Trouble)
API_VERSION = "2026-10-28.endive"
TIMEOUT = (3.05, 20.0)
"""Seconds to connect, and between two bytes."""
RETRIES = 0
"""Inside one call: a 429 on a retry would hide that the first try may have been executed. The worker tries again."""
LONGEST_KEY = 255
OLDEST = 300
"""Seconds after which a signature is refused; 0 would switch the check off."""
ALIVE = ("pending", "requires_action", "succeeded")
"""Stripe's states of a refund in which the money has left or will."""
ABOUT_MONEY = (
    "refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.dispute.created",
    "charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
)  # fmt: skip
"""The events to subscribe to."""
sdk.enable_telemetry = False  # else it sends timings and writes a file into the home folder


class Locked(Temporary):
    """Stripe does not know our key, or does not let it do this: nothing happens until a person mends it."""


class NoKey(Locked):
    """This process was given no key."""


class Declined(Permanent):
    """Stripe refused. `code` and `param` are its own and often empty; its texts change, so nobody should read them."""

    def __init__(self, message: str, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.code, self.param = code, param


class KeyReused(Unknown):
    """Our key was used before with other parameters: something was executed that is not this."""


class BadSignature(Exception):
    """These bytes were not signed with our secret, or too long ago."""


@dataclass(frozen=True, slots=True)
class StripeRefund:
    """A refund as Stripe had it when asked. `our_id` is our row's uuid, empty when others made it."""

    id: str
    status: str
    amount: int
    currency: str
    payment_intent: str
    our_id: str
    failure_reason: str
    bank_reference: str
    created_at: datetime
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class StripePayment:
    """A payment as Stripe has it. `received` in minor units; a disputed one can't be refunded."""

    id: str
    status: str
    currency: str
    received: int
    disputed: bool
    livemode: bool


@dataclass(frozen=True, slots=True)
class StripeDispute:
    """The customer's bank asks for its money back, or only asks. `amount` in minor units."""

    id: str
    status: str
    amount: int
    currency: str

    @property
    def is_over(self) -> bool:
        """Whether the money stays with us after all."""
        return self.status in ("won", "warning_closed", "prevented")


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """What a webhook is about; the truth is asked for, never read from it."""

    id: str
    type: str
    object_id: str
    object_kind: str
    payment_intent: str
    metadata: Mapping[str, str]


def account() -> "Account":
    """The shop's account. Raises NoKey when none is set: the web process has none and needs none."""
    settings = current_app.config["SETTINGS"]
    if not settings.stripe_api_key:
        raise NoKey("STRIPE_API_KEY is not set")
    return _connected(settings.stripe_api_key, settings.stripe_api_base)


@cache
def _connected(key: str, base: str) -> "Account":
    return Account(key, base)


class Account:
    """One account at Stripe. Raises ValueError for a key that is none or that this address must not be told."""

    def __init__(
        self,
        key: str,
        base: str = stripe_key.STRIPE,
        timeout: tuple[float, float] = TIMEOUT,
        retries: int = RETRIES,
    ) -> None:
        self.mode = stripe_key.mode(key, base)
        self._api = sdk.StripeClient(
            key,
            base_addresses={"api": base},
            stripe_version=API_VERSION,
            max_network_retries=retries,
            http_client=Caller(timeout=timeout),
        ).v1

    def create_refund(self, params: Mapping[str, Any], *, key: str) -> StripeRefund:
        """Ask for a refund; under the same key the same parameters move money once.

        `params` are Stripe's; `api_version` among them keeps a second try on the version of the first.
        """
        body = {**params}
        options: Any = {"idempotency_key": key, "stripe_version": body.pop("api_version", API_VERSION)}
        _check(body, key)
        with _translated():
            answer: Any = self._api.refunds.create(cast(Any, body), options)  # a key inside `body` would be no key
            replayed = answer.last_response.headers.get("Idempotent-Replayed") == "true"
            fact = _refund(answer)
        # a replay returns the birth certificate, not the present
        return self.get_refund(fact.id) if replayed else fact

    def get_refund(self, refund_id: str) -> StripeRefund:
        with _translated():
            return _refund(self._api.refunds.retrieve(refund_id))

    def refunds_of(self, payment_intent: str) -> list[StripeRefund]:
        """All refunds of a payment, whoever made them, newest first, through all pages."""
        if not payment_intent:
            raise Declined("no payment to look for")
        with _translated():
            first = self._api.refunds.list({"payment_intent": payment_intent, "limit": 100})
            return [_refund(refund) for refund in first.auto_paging_iter()]

    def find_refund(self, payment_intent: str, our_id: str) -> StripeRefund | None:
        """The refund that carries our id, whatever became of it."""
        return next((refund for refund in self.refunds_of(payment_intent) if refund.our_id == our_id), None)

    def refunds_since(self, since: datetime) -> list[StripeRefund]:
        """All refunds of the account made since then, newest first, through all pages."""
        with _translated():
            first = self._api.refunds.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
            return [_refund(refund) for refund in first.auto_paging_iter()]

    def undelivered(self, since: datetime) -> list[tuple[StripeEvent, bytes]]:
        """Events about money since then that did not reach our webhook, oldest first, each with what it would carry."""
        return self._events(since, types=list(ABOUT_MONEY), delivery_success=False)

    def events_since(self, types: Sequence[str], since: datetime) -> list[tuple[StripeEvent, bytes]]:
        """Events of these types since then, oldest first, delivered or not; Stripe keeps them for 30 days."""
        return self._events(since, types=list(types))

    def prove_checkout(self) -> None:
        """Read what Checkout needs. Raises Locked when the key is wrong or may not."""
        with _translated():
            self._api.checkout.sessions.list({"limit": 1})

    def _events(self, since: datetime, **wanted: Any) -> list[tuple[StripeEvent, bytes]]:
        asked: Any = {**wanted, "created": {"gte": int(since.timestamp())}, "limit": 100}
        with _translated():
            found = [json.dumps(event.to_dict()).encode() for event in self._api.events.list(asked).auto_paging_iter()]
            return [(read_event(raw), raw) for raw in reversed(found)]

    def checkout_lines(self, session_id: str) -> list[dict[str, Any]]:
        """What was bought in a Checkout session, each line with its price and product, through all pages."""
        wanted: Any = {"limit": 100, "expand": ["data.price.product"]}
        with _translated():
            lines = self._api.checkout.sessions.line_items.list(session_id, wanted)
            return [line.to_dict() for line in lines.auto_paging_iter()]

    def disputes_of(self, payment_intent: str) -> list[StripeDispute]:
        """All disputes about a payment, those that are over too."""
        with _translated():
            found = self._api.disputes.list({"payment_intent": payment_intent, "limit": 100})
            return [_dispute(dispute) for dispute in found.auto_paging_iter()]

    def payment(self, payment_intent: str) -> StripePayment:
        with _translated():
            answer = self._api.payment_intents.retrieve(payment_intent, {"expand": ["latest_charge"]})
            fields = answer.to_dict()
            return StripePayment(
                id=fields["id"],
                status=fields["status"],
                currency=fields["currency"].upper(),
                received=int(fields["amount_received"]),
                disputed=part(fields.get("latest_charge")).get("disputed") is True,
                livemode=fields["livemode"] is True,
            )

    def prove(self) -> None:
        """Read what the portal reads. Raises Locked when the key is wrong or may not."""
        with _translated():
            self._api.refunds.list({"limit": 1})
            self._api.payment_intents.list({"limit": 1})


class Caller(sdk.RequestsClient):
    """Says who calls, not from what machine or by whose tool, as the library's own User-Agent does."""

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        kept = {name: value for name, value in (headers or {}).items() if name != "X-Stripe-Client-User-Agent"}
        return super().request(method, url, {**kept, "User-Agent": "Aftersale"}, post_data)


def _check(body: Mapping[str, Any], key: str) -> None:
    """Raises Declined. The library drops an amount of None, and Stripe then refunds everything that is left."""
    amount = body.get("amount")
    if type(amount) is not int or amount <= 0:
        raise Declined(f"{amount!r} is no amount to refund", param="amount")
    if not all(type(value) is str for value in body.get("metadata", {}).values()):
        raise Declined("metadata are texts: the library drops None and sends numbers as texts", param="metadata")
    if not body.get("payment_intent"):
        raise Declined("no payment to refund", param="payment_intent")
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Declined("the idempotency key can't be sent in a header")


@contextmanager
def _translated() -> Iterator[None]:
    """The library's errors in ours. What is neither refused nor surely undone is Unknown, a proxy's page too."""
    try:
        yield
    except sdk.RateLimitError as error:
        raise _about(Temporary(_said(error)), error) from error
    except (sdk.AuthenticationError, sdk.PermissionError) as error:
        raise _about(Locked(_said(error)), error) from error
    except sdk.IdempotencyError as error:
        raise _about(KeyReused(_said(error)), error) from error
    except (sdk.InvalidRequestError, sdk.CardError) as error:
        raise _about(Declined(_said(error), error.code or "", error.param or ""), error) from error
    except sdk.StripeError as error:
        raise _about(Unknown(_said(error)), error) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unknown(f"an answer that can't be read: {type(error).__name__}: {error}") from error


def _about(ours: Told, error: sdk.StripeError) -> Told:
    ours.request_id = error.request_id or ""
    return ours


def _said(error: sdk.StripeError) -> str:
    return f"{error.http_status or 'no answer'}: {error.user_message or error}"[:500]


def _refund(answer: Any) -> StripeRefund:
    """Raises ValueError and friends for anything else than a refund: then it is not known what happened."""
    fields: dict[str, Any] = answer.to_dict()  # the library's objects raise AttributeError for what is absent
    if fields["object"] != "refund" or type(fields["amount"]) is not int:
        raise ValueError("this is no refund")
    response = getattr(answer, "last_response", None)
    return StripeRefund(
        id=fields["id"],
        status=fields["status"],
        amount=fields["amount"],
        currency=fields["currency"].upper(),
        payment_intent=_id(fields.get("payment_intent")),
        our_id=text(part(fields.get("metadata")).get("rf")),
        failure_reason=text(fields.get("failure_reason") or fields.get("pending_reason")),
        bank_reference=text(part(part(fields.get("destination_details")).get("card")).get("reference")),
        created_at=datetime.fromtimestamp(fields["created"], UTC),
        request_id=text(getattr(response, "request_id", "")),
    )


def _dispute(answer: Any) -> StripeDispute:
    fields: dict[str, Any] = answer.to_dict()
    return StripeDispute(fields["id"], fields["status"], int(fields["amount"]), fields["currency"].upper())


def _id(value: Any) -> str:
    """The id of what may be expanded or not."""
    return text(part(value).get("id") if isinstance(value, dict) else value)


def verify_webhook(raw: bytes, header: str, secret: str) -> StripeEvent:
    """The event in these bytes. Raises BadSignature, or Malformed when it is genuine and yet no event we can read."""
    try:
        sdk.WebhookSignature.verify_header(raw.decode(), header, secret, tolerance=OLDEST)
    except (sdk.SignatureVerificationError, ValueError, TypeError) as error:  # bytes or a header that are no ASCII text
        raise BadSignature(type(error).__name__) from error
    return read_event(raw)


def read_event(raw: bytes) -> StripeEvent:
    """The event in bytes that were verified before. Raises Malformed."""
    event = document(raw)
    about = part(part(event.get("data")).get("object"))
    found = StripeEvent(
        id=text(event.get("id")),
        type=text(event.get("type")),
        object_id=text(about.get("id")),
        object_kind=text(about.get("object")),
        payment_intent=_id(about.get("payment_intent")),
        metadata={text(name): text(value, 500) for name, value in part(about.get("metadata")).items()},
    )
    if not (event.get("object") == "event" and found.id and found.type and found.object_id and found.object_kind):
        raise Malformed("signed by Stripe, and no event with an object in it")
    return found
