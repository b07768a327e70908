"""Letters carry links that a later feature mints; it says here how."""

from collections.abc import Callable
from datetime import datetime

Mint = Callable[[int, str, int | None, datetime], str]
"""(order id, purpose, subject, now) → the link's secret, made in the caller's transaction."""

MintFor = Callable[[int, datetime], str]
"""(subject, now) → the secret, made in the caller's transaction."""

_mint: Mint | None = None
FOR_SUBJECT: dict[str, MintFor] = {}


def minted_by(mint: Mint) -> Mint:
    """Decorate the one function that mints the links in letters."""
    global _mint
    _mint = mint
    return mint


def minted_for(purpose: str) -> Callable[[MintFor], MintFor]:
    """Decorate the function that mints what a letter carries for this subject: a person's invitation, a code."""

    def register(mint: MintFor) -> MintFor:
        FOR_SUBJECT[purpose] = mint
        return mint

    return register


def mint(order_id: int, purpose: str, subject: int | None, now: datetime) -> str:
    if _mint is None:
        raise RuntimeError("nobody mints links")
    return _mint(order_id, purpose, subject, now)
