"""Amounts of an order as channels write them: decimal texts that must add up."""

from collections.abc import Sequence
from typing import Any

from portal.adapters.errors import Malformed
from portal.adapters.reading import text
from portal.lib.money import TOO_MUCH, NotMoney, exponent, share, to_minor


class Amounts:
    """Reads amounts of one currency; what is no amount counts as nothing and is remembered in `bad`."""

    def __init__(self, currency: Any) -> None:
        self.currency = text(currency).upper()
        self.bad = False
        try:
            exponent(self.currency)
        except NotMoney:
            raise Malformed(f"no such currency: {self.currency[:10]!r}") from None

    def read(self, value: Any) -> int:
        """The amount in minor units; nothing for none."""
        if value is None:
            return 0
        try:
            return self.sane(to_minor(value, self.currency))
        except NotMoney:
            return self.sane(-1)

    def sane(self, minor: int) -> int:
        """The amount when an order can hold it."""
        if 0 <= minor < TOO_MUCH:
            return minor
        self.bad = True
        return 0


def spread(amount: int, weights: Sequence[int], currency: str) -> list[int]:
    """The amount in parts by weight that add up to it; in equal parts when nothing weighs."""
    whole = sum(weights)
    if not whole:
        return spread(amount, [1] * len(weights), currency) if weights else []
    parts, taken = [], 0
    for weight in weights:
        parts.append(share(amount, weight, whole, taken, currency=currency))
        taken += weight
    return parts
