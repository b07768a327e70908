"""What every sales channel's order becomes: one shape, exact money, and a list of what is odd about it.

A channel is two things. A module that reads what it sends (`Reader`: pure, total, no calls), and, for those that can be
asked (`Account`: `prove`, `changed_since`) and told (`Shop`: `push`), its account, made from the settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class IncomingAddress:
    """Where the parcel goes, as the channel wrote it."""

    name: str = ""
    company: str = ""
    street: str = ""
    street2: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class IncomingLine:
    """A line in minor units. `paid` is what was really paid for all pieces: share of the discounts and tax included."""

    external_id: str
    title: str
    quantity: int
    unit_price: int
    paid: int
    sku: str = ""
    variant: str = ""
    kind: str = "item"


@dataclass(frozen=True, slots=True)
class IncomingRefund:
    """Money that the channel gave back already, in minor units of the order's currency."""

    external_id: str
    amount: int
    given_at: datetime


@dataclass(frozen=True, slots=True)
class IncomingOrder:
    """One copy of an order. `problems` are codes of what is missing or odd: it is kept and flagged, never refused.

    Of two copies the one with the later `updated_at` is the newer; `rank` decides between copies of the same moment,
    by what they say and never by which came first. `captured` is all that was ever paid, `refunds` what of it the
    channel has given back since. `claimed_intent` is a Stripe payment that may be in our account: to be proven before
    it is a way back for money, while `payment_intent` is known to be ours. `sent`: all of it left from elsewhere.
    """

    channel: str
    external_id: str
    number: str
    placed_at: datetime
    paid_at: datetime
    updated_at: datetime
    currency: str
    total: int
    captured: int
    lines: tuple[IncomingLine, ...]
    address: IncomingAddress = field(default_factory=IncomingAddress)
    name: str = ""
    email: str | None = None
    phone: str | None = None
    locale: str = "en"
    payment_intent: str | None = None
    claimed_intent: str | None = None
    reconciled: bool = True
    problems: tuple[str, ...] = ()
    cancelled: bool = False
    test: bool = False
    sent: bool = False
    refunds: tuple[IncomingRefund, ...] = ()
    rank: str = ""

    @property
    def to_be_kept_only(self) -> bool:
        """Whether nothing may be promised or planned: not paid, only a test, or gone already."""
        return self.test or self.sent or (self.total > 0 and not self.captured)


class Reader(Protocol):
    """What a channel's module does with bytes. Nothing here calls anybody."""

    CODE: str

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
        """Whether one of our secrets signed these very bytes."""

    def identify(self, raw: bytes, headers: Mapping[str, str]) -> tuple[str, str]:
        """Our key for this message, the same for every delivery of it, and its topic."""

    def parse(self, raw: bytes) -> IncomingOrder:
        """The order in these bytes. Raises Malformed for what is no order."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a channel said when it was asked, as its own webhook would have said it."""

    key: str
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what changed; `after` asks for the next page, empty at the end."""

    heard: tuple[Heard, ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """One thing to tell a channel. `kind` is shipped, note or refunded; `key` is ours, the same for every try.

    `pieces` counts what travels, by the channel's own id of the line; `last` says that nothing more will follow. `text`
    is the same in the words of the shop's people.
    """

    kind: str
    key: str
    order_external_id: str
    courier: str = ""
    number: str = ""
    page: str = ""
    pieces: Mapping[str, int] = field(default_factory=dict)
    amount: int = 0
    currency: str = ""
    text: str = ""
    last: bool = False


class Account(Protocol):
    """A channel that can be asked. Every call raises Temporary, Permanent or Unknown, and nothing else.

    `tells` are the kinds of push that it takes; one with none has nothing to be told.
    """

    code: str
    tells: frozenset[str]

    def prove(self) -> str:
        """Ask for something that changes nothing; the name of the shop whose key this is."""

    def changed_since(self, since: datetime, after: str = "") -> Page:
        """A page of what changed at `since` or later. What changes meanwhile may come twice and is never left out."""


@runtime_checkable
class Shop(Account, Protocol):
    """A channel that can be told, too."""

    def push(self, push: Push) -> str:
        """Tell it once, whatever was tried before under this key: it is looked at before anything is made.

        The channel's own id of what was made.
        """
