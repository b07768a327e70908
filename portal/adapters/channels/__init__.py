"""What every sales channel's order becomes: one shape, exact money, and a list of what is odd about it."""

from dataclasses import dataclass, field
from datetime import datetime


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
class IncomingOrder:
    """A paid order. `problems` are codes of what is missing or odd: the order is kept and flagged, never refused."""

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
    reconciled: bool = True
    problems: tuple[str, ...] = ()
