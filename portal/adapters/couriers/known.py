"""The couriers that tell us where parcels are: each a module with the same three functions."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from portal.adapters.couriers import TrackingUpdate, aftership, easypost, sendcloud, seventeentrack, shippo


class Listened(Protocol):
    """What a courier's module must bring so that its messages are taken."""

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
        """Whether one of the secrets signed these very bytes; never raises."""

    def identify(self, raw: bytes) -> tuple[str, str]:
        """The key under which the message is stored once, and its topic. Raises Malformed."""

    def parse(self, raw: bytes) -> list[TrackingUpdate]:
        """What it says of which number; any bytes are read or raise Malformed."""


LISTENED: dict[str, Listened] = {
    "easypost": easypost,
    "aftership": aftership,
    "shippo": shippo,
    "sendcloud": sendcloud,
    "seventeentrack": seventeentrack,
}
"""By the name in the address of their webhook, /hooks/<name>; the setting <NAME>_WEBHOOK_SECRET holds the secrets."""
