"""The keys of shops' own systems: shown once, kept as a hash, named, and taken back with the next request."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import ForeignKey, Index, LargeBinary, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.lib.tokens import digest, mint
from portal.orders.models import Channel
from portal.staff import journal
from portal.staff.models import Staff

SEEN_AGAIN_AFTER = timedelta(minutes=10)
"""How exactly `used_at` is known: to write it at every request would cost one more row each."""


class ApiKey(Base):
    """One key of one channel, so that a new one can be in use before the old one is taken back."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("uq_api_keys_name", "channel_id", "name", unique=True, postgresql_where="revoked_at IS NULL"),
    )
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"), index=True)
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[datetime]
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    channel: Mapped[Channel] = relationship(lazy="joined", innerjoin=True)
    made_by: Mapped[Staff | None] = relationship(lazy="joined")


def make_key(shop: str, name: str, *, by: Staff | None, now: datetime) -> str:
    """A new key of the shop, which becomes a channel with its first one; the secret is known only here and now.

    `by` is None for the command line. Raises Refused when a key of the shop bears this name already.
    """
    secret = mint()
    values = {"channel_id": _channel(shop, now), "name": name, "digest": digest(secret), "made_at": now}
    made = insert(ApiKey).values(**values, made_by_id=by.id if by else None)
    once = made.on_conflict_do_nothing(index_elements=["channel_id", "name"], index_where=ApiKey.revoked_at.is_(None))
    if session.scalar(once.returning(ApiKey.id)) is None:
        raise Refused(_("%(shop)s has a key called %(name)s already.", shop=shop, name=name))
    _note("key_made", shop, name, by, now)
    return secret


def _channel(shop: str, now: datetime) -> int:
    values = {"code": f"api:{shop}", "kind": "api", "name": shop, "created_at": now}
    session.execute(insert(Channel).values(values).on_conflict_do_nothing(index_elements=["code"]))
    return session.scalars(select(Channel.id).where(Channel.code == f"api:{shop}")).one()


def _note(kind: str, shop: str, name: str, by: Staff | None, now: datetime) -> None:
    journal.note(kind, by.id if by else None, now=now, by=by, detail=f"{shop}: {name}")


def revoke(key: ApiKey, *, by: Staff | None, now: datetime) -> None:
    """It opens nothing from the next request on. Raises Refused when it was taken back before."""
    still = update(ApiKey).where(ApiKey.id == key.id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
    if session.scalar(still.returning(ApiKey.id)) is None:
        raise Refused(_("This key was taken back already."))
    _note("key_revoked", key.channel.name, key.name, by, now)


def channel_of(secret: str, *, now: datetime) -> Channel | None:
    """The channel that this key opens, and a note that it was used; None for unknown, taken back and disabled alike."""
    live = (ApiKey.digest == digest(secret), ApiKey.revoked_at.is_(None), Channel.disabled_at.is_(None))
    key = session.scalar(select(ApiKey).join(ApiKey.channel).where(*live))
    if not secret or key is None:
        return None
    unseen = or_(ApiKey.used_at.is_(None), ApiKey.used_at < now - SEEN_AGAIN_AFTER)
    if key.used_at is None or key.used_at < now - SEEN_AGAIN_AFTER:
        session.execute(update(ApiKey).where(ApiKey.id == key.id, unseen).values(used_at=now))
    return key.channel


def all_keys() -> Sequence[ApiKey]:
    """By shop; those that open something first, then the newest."""
    order = (func.lower(Channel.name), ApiKey.revoked_at.is_not(None), ApiKey.id.desc())
    return session.scalars(select(ApiKey).join(ApiKey.channel).order_by(*order)).all()
