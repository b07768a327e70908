"""What buying labels needs of a courier: one small contract, everything frozen, money in minor units."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from portal.adapters.errors import Permanent
from portal.lib.money import Money


class Declined(Permanent):
    """The courier said no; its reason is for the staff."""


@dataclass(frozen=True, slots=True)
class Address:
    """Somebody's door."""

    name: str
    company: str
    street: str
    street2: str
    city: str
    region: str
    postcode: str
    country: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is to be sent. `reference` is ours and never used twice; the weight is in grams.

    `comes_back`: the label is for the way back, from the receiver to the sender.
    """

    reference: str
    sender: Address
    receiver: Address
    grams: int
    order_number: str
    comes_back: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """What one service would cost; `days` is how long it usually takes, where the courier says so."""

    id: str
    carrier: str
    service: str
    cost: Money
    days: int | None


@dataclass(frozen=True, slots=True)
class Quote:
    """The courier's own key for the shipment, its rates, and what it has to say about those that are missing."""

    shipment_id: str
    rates: tuple[Rate, ...]
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bought:
    """A label that is paid for. Its paper stands at `paper` for some time only."""

    shipment_id: str
    carrier: str
    service: str
    number: str
    cost: Money | None
    paper: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A label as it is printed."""

    content: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Window:
    """When and where a van may come: two aware moments and our address."""

    reference: str
    at: Address
    opens: datetime
    closes: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pickup:
    """A van that will come; `confirmation` is what its driver knows."""

    id: str
    confirmation: str
    cost: Money | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A scan form: `state` is making, made or failed; its paper stands at `paper`, `says` tells why there is none."""

    id: str
    state: str
    paper: str = ""
    says: str = ""


class Seller(Protocol):
    """Who sells labels. A call raises Temporary (not executed), Permanent (refused) or Unknown (perhaps executed)."""

    can: frozenset[str]

    def quote(self, shipment: Shipment) -> Quote:
        """Register the shipment and ask what it costs; this costs nothing."""

    def buy(self, shipment_id: str, rate_id: str) -> Bought:
        """Pay for the label: once per shipment, whatever happens on the line."""

    def find(self, shipment_id: str, reference: str) -> Bought | None:
        """The label that was bought for it, by the courier's key or by our reference; None when none was."""

    def paper(self, bought: Bought) -> Paper:
        """The label itself."""

    def code(self, shipment_id: str) -> Paper | None:
        """The code that a drop-off point scans and prints the label from; None where the courier has none."""

    def void(self, shipment_id: str) -> bool:
        """Give the label back; False when the courier does not take it."""

    def track(self, number: str, carrier: str) -> None:
        """Ask to be told about a number that was bought elsewhere."""

    def plan_pickup(self, window: Window, shipment_id: str) -> str:
        """Register the wish for a van, which costs nothing; the courier's key for it."""

    def confirm_pickup(self, pickup_id: str) -> Pickup:
        """Order the van, once per key, whatever happens on the line."""

    def cancel_pickup(self, pickup_id: str) -> None:
        """Send the van away."""

    def make_manifest(self, shipment_ids: Sequence[str]) -> Manifest:
        """One form for all of these, each on one form only. Raises Permanent where the courier makes none."""

    def find_manifest(self, numbers: Collection[str]) -> Manifest | None:
        """The form with exactly these tracking numbers, if it was made."""

    def manifest(self, manifest_id: str) -> Manifest:
        """What became of a form."""

    def fetch(self, address: str) -> Paper:
        """A paper from where the courier keeps it."""

    def prove(self) -> str:
        """Show that our key is taken; in which mode."""
