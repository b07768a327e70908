"""What machines told us, raw, before anybody reads it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base


class InboxMessage(Base):
    """One delivery of a webhook, stored once by the sender's own key.

    `parked` waits for something we do not know yet, named by `subject` (a tracking number of a parcel still unpacked).
    One that is taken is done from the start; the transaction that took it puts it back when it has to wait or fails.
    """

    __tablename__ = "inbox_messages"
    __table_args__ = (
        UniqueConstraint("source", "external_id"),
        CheckConstraint("state IN ('received', 'done', 'parked', 'failed')", name="state"),
        Index("ix_inbox_messages_waiting", "subject", postgresql_where="state = 'parked'"),
        Index("ix_inbox_messages_failed", "source", postgresql_where="state = 'failed'"),
        Index("ix_inbox_messages_source_received_at", "source", "received_at"),
    )
    MOVES = {
        "state": {
            "finish": (("received", "parked", "failed"), "done"),
            "put_back": (("done",), "received"),
            "park": (("received", "parked"), "parked"),
            "fail": (("received", "parked", "failed"), "failed"),
        }
    }

    source: Mapped[str]
    external_id: Mapped[str]
    topic: Mapped[str] = mapped_column(default="")
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(default="received")
    subject: Mapped[str | None]
    error: Mapped[str | None]
    received_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Taken:
    """What is read of a message that was taken."""

    id: int
    source: str
    topic: str
    body: bytes


class InboxRefusal(Base):
    """How many messages in a sender's name were signed wrongly, one soon after the other: one row per sender."""

    __tablename__ = "inbox_refusals"
    source: Mapped[str] = mapped_column(unique=True)
    count: Mapped[int]
    last_at: Mapped[datetime]
