"""Letters carry links that a later feature mints; it says here how."""

from collections.abc import Callable
from datetime import datetime

Mint = Callable[[int, str, int | None, datetime], str]
"""(order id, purpose, subject, now) → the link's secret, made in the caller's transaction."""

_mint: Mint | None = None


def minted_by(mint: Mint) -> Mint:
    """Decorate the one function that mints the links in letters."""
    global _mint
    _mint = mint
    return mint


def mint(order_id: int, purpose: str, subject: int | None, now: datetime) -> str:
    if _mint is None:
        raise RuntimeError("nobody mints links")
    return _mint(order_id, purpose, subject, now)
