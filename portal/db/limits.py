"""Token buckets in the database, so that a limit holds over all web processes and hosts."""

from datetime import datetime, timedelta

from sqlalchemy import LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib.tokens import digest


class Bucket(Base):
    """How much of a limit is left. The key is hashed: no address or mail is kept for counting."""

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
    values = {"key": digest(f"{name}:{who}"), "size": float(size), "seconds": per.total_seconds(), "now": now}
    return session.execute(TAKE, values).first() is not None
