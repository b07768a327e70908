"""Letters: each mail is a row that staff can read, with what caused it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base

WAITING = ("queued", "sending", "failed")


class Letter(Base):
    """One mail, rendered when it was owed. Links in it are placeholders: secrets are minted when it is sent."""

    __tablename__ = "letters"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed', 'dead', 'suppressed')", name="state"),
        Index("ix_letters_unsent", "id", postgresql_where="state IN ('queued', 'sending', 'failed', 'dead')"),
    )
    MOVES = {
        "state": {
            "begin": (WAITING, "sending"),
            "record": (("sending",), "sent"),
            "fail": (("sending",), "failed"),
            "give_up": (WAITING, "dead"),
            "suppress": (WAITING, "suppressed"),
            "come_back": (("sent",), "dead"),
            "revive": (("dead", "failed"), "queued"),
        }
    }

    kind: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    about: Mapped[str | None]
    once: Mapped[str | None] = mapped_column(unique=True)
    to_address: Mapped[str]
    locale: Mapped[str]
    subject: Mapped[str]
    html: Mapped[str]
    text: Mapped[str]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    message_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="queued", index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    not_after: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    @property
    def mark(self) -> str:
        """What its placeholders carry; it is in the Message-ID because that is its own and never changes."""
        return mark_of(self.message_id)


def mark_of(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]
