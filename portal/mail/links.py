"""Letters carry links that a later feature mints; it says here how."""

from collections.abc import Callable
from datetime import datetime

Mint = Callable[[int, str, int | None, datetime], str]
"""(order id, purpose, subject, now) → the link's secret, made in the caller's transaction."""

MintForStaff = Callable[[int, datetime], str]
"""(staff id, now) → the link's secret."""

_mint: Mint | None = None
FOR_STAFF: dict[str, MintForStaff] = {}


def minted_by(mint: Mint) -> Mint:
    """Decorate the one function that mints the links in letters."""
    global _mint
    _mint = mint
    return mint


def minted_for_staff(purpose: str) -> Callable[[MintForStaff], MintForStaff]:
    """Decorate the function that mints links of this purpose for a person of the shop, who is their subject."""

    def register(mint: MintForStaff) -> MintForStaff:
        FOR_STAFF[purpose] = mint
        return mint

    return register


def mint(order_id: int, purpose: str, subject: int | None, now: datetime) -> str:
    if _mint is None:
        raise RuntimeError("nobody mints links")
    return _mint(order_id, purpose, subject, now)
