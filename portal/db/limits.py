"""Token buckets in the database, so that a limit holds over all web processes and hosts."""

import hmac
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from flask import current_app
from sqlalchemy import LargeBinary, delete, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session

LONGEST = timedelta(days=1)
"""No limit refills over a longer time: a bucket untouched since then is full."""
GUESSES = 30
"""Links and keys that are none, which one network may show in a minute."""


class Bucket(Base):
    """How much of a limit is left. The key is hashed under our own secret: no address or mail is kept for counting."""

    __tablename__ = "buckets"
    key: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    tokens: Mapped[float]
    filled_at: Mapped[datetime]


TAKE = text(
    """
    INSERT INTO buckets AS b (key, tokens, filled_at) VALUES (:key, :size - 1, :now)
    ON CONFLICT (key) DO UPDATE SET
        tokens = LEAST(:size, b.tokens + :size * GREATEST(0, extract(epoch FROM :now - b.filled_at)) / :seconds) - 1,
        filled_at = :now
    WHERE LEAST(:size, b.tokens + :size * GREATEST(0, extract(epoch FROM :now - b.filled_at)) / :seconds) >= 1
    RETURNING tokens
    """
)


def take(name: str, who: str, size: int, per: timedelta, now: datetime) -> bool:
    """Use one of `size` tries that refill over `per`; False when none is left. Counts in the caller's transaction."""
    if per > LONGEST:
        raise ValueError("a limit refills within a day")
    values = {"key": _key(f"{name}:{who}"), "size": float(size), "seconds": per.total_seconds(), "now": now}
    return session.execute(TAKE, values).first() is not None


def _key(what: str) -> bytes:
    secret = str(current_app.config["SETTINGS"].secret_key).encode()
    return hmac.new(secret, what.encode("utf-8", "surrogatepass"), sha256).digest()


def network(address: str | None) -> str:
    """Who counts as one: an IPv4 address; of IPv6 the /64, which is what one customer of a provider gets."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)


def is_guessing(address: str | None, *, now: datetime) -> bool:
    """Whether this network has just shown more secrets that open nothing than a person ever would. Counts one more."""
    return not take("unknown-link", network(address), GUESSES, timedelta(minutes=1), now)


def forget(*, now: datetime) -> None:
    """Remove buckets that are full again."""
    session.execute(delete(Bucket).where(Bucket.filled_at < now - LONGEST))
