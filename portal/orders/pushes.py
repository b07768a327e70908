"""What a sales channel is to be told: one row per thing, committed with what it tells, told once by its key."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, contains_eager, mapped_column, relationship

from portal.adapters.channels.connected import tells
from portal.db import Base, move, paging, session
from portal.db.counting import bounded
from portal.jobs import announce
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.lib.tokens import reference
from portal.orders.models import Order, called
from portal.orders.timeline import named, names, record, words
from portal.staff.models import Actor, Staff

KINDS = ("shipped", "note", "refunded")
OPEN = ("waiting", "sending", "unknown")
LISTS: dict[str, tuple[str, ...]] = {
    "failed": ("failed",),
    "waiting": OPEN,
    "told": ("told",),
    "dropped": ("dropped",),
    "all": (),
}
LONGEST_NOTE = 500

WHAT = {"shipped": _l("a parcel is on its way"), "note": _l("a note"), "refunded": _l("money went back")}
names({f"push:{kind}": told for kind, told in WHAT.items()})
words("channel.told", staff=_l("%(channel)s was told: %(what)s"))
words("channel.not_told", staff=_l("%(channel)s could not be told: %(what)s"))
words("channel.tell_again", staff=_l("%(channel)s is to be told again: %(what)s"))
words("channel.not_to_tell", staff=_l("%(channel)s is not told any more: %(what)s. %(note)s"))


class ChannelPush(Base):
    """One thing to tell a channel. `key` is the same on every try; by it the channel is looked at before it is told.

    `unknown` may have arrived. `failed` and `dropped` are a person's: tried again, or left with a reason.
    """

    __tablename__ = "channel_pushes"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"state IN {(*OPEN, 'told', 'failed', 'dropped')}", name="state"),
        CheckConstraint("(state = 'told') = (told_at IS NOT NULL)", name="told"),
        CheckConstraint("(state = 'sending') = (lease_until IS NOT NULL)", name="lease"),
        Index("ix_channel_pushes_open", "channel", "next_try_at", postgresql_where=f"state IN {OPEN}"),
        Index("ix_channel_pushes_failed", "id", postgresql_where="state = 'failed'"),
    )
    MOVES = {
        "state": {
            "begin": (OPEN, "sending"),
            "record": (("sending",), "told"),
            "postpone": (("sending",), "waiting"),
            "lose": (("sending",), "unknown"),
            "give_up": (("sending",), "failed"),
            "revive": (("failed",), "waiting"),
            "drop": (("waiting", "unknown", "failed"), "dropped"),
            "forget": (OPEN, "dropped"),
        }
    }

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    channel: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    owed_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    remote_id: Mapped[str] = mapped_column(default="")
    trouble: Mapped[str] = mapped_column(default="")
    by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str] = mapped_column(default="")
    order: Mapped[Order] = relationship()
    by: Mapped[Staff | None] = relationship()

    @property
    def channel_name(self) -> str:
        return called(self.channel)

    @property
    def text(self) -> str:
        """What is told, in words."""
        return str(self.body.get("text", ""))


def takes(channel: str, kind: str) -> bool:
    """Whether this channel has ears for it: a key of ours, and a place where such a thing is written."""
    return kind in tells(current_app.config["SETTINGS"]).get(channel, ())


def tell_shipped(
    order: Order, ref: str, number: str, *, courier: Any, page: str, pieces: Mapping[str, int], last: bool,
    now: datetime,
) -> None:  # fmt: skip
    """A parcel has left. `pieces` by the channel's ids of the lines; `last`: nothing more will follow."""
    with _in_the_shops_words():
        by_whom = str(courier)
        said = _("Sent with %(courier)s, tracking number %(number)s.", courier=by_whom, number=number)
    told = {"courier": by_whom, "number": number, "page": page, "pieces": dict(pieces), "last": last}
    _owe(order, "shipped", f"shipped-{ref}", {**told, "text": said}, now)


def tell_sent_again(order: Order, ref: str, number: str, *, courier: Any, page: str, now: datetime) -> None:
    """The same goods in another parcel: the channel counted them as sent before, so it is a note."""
    with _in_the_shops_words():
        said = _("Sent again with %(courier)s, tracking number %(number)s.", courier=courier, number=number)
    _owe(order, "note", f"note-{ref}-again", {"text": said, "page": page}, now)


def tell_refunded(order: Order, uuid: str, amount: Money, *, how: Any, proof: str, now: datetime) -> None:
    """Money went back by another way than through the channel; `how` in the words of the shop's people."""
    with _in_the_shops_words() as language:
        said = _("%(amount)s given back: %(how)s.", amount=amount.format(language), how=how)
        more = _("Reference: %(proof)s.", proof=proof) if proof else ""
    facts = {"amount": amount.amount, "currency": amount.currency, "text": f"{said} {more}".strip()}
    _owe(order, "refunded", f"refunded-{uuid}", facts, now)


def tell_returned(order: Order, uuid: str, amount: Money, *, now: datetime) -> None:
    """Money that had gone back came back to us: what the channel was told of it is no longer so."""
    with _in_the_shops_words() as language:
        said = _("%(amount)s did not reach the customer and came back.", amount=amount.format(language))
    _owe(order, "note", f"note-{uuid}-back", {"text": said}, now)


def tell_cancelled(order: Order, *, now: datetime) -> None:
    """It was cancelled here and not in the channel."""
    with _in_the_shops_words():
        said = _("Cancelled: this order is not delivered.")
    _owe(order, "note", f"note-{order.ref}-cancelled", {"text": said}, now)


def write_note(order: Order, text: str, *, by: Staff, now: datetime) -> None:
    """A person has something to tell the channel's people. Raises Refused when it takes no notes."""
    said = " ".join(text.split())[:LONGEST_NOTE]
    if not said:
        raise Refused(_("Write something first."))
    if not takes(order.channel, "note"):
        raise Refused(_("This sales channel takes no notes."))
    _owe(order, "note", f"note-{reference()}", {"text": said}, now, by_id=by.id)


@contextmanager
def _in_the_shops_words() -> Iterator[str]:
    """What the shop's people read is in the shop's language, whoever caused it."""
    language: str = current_app.config["SETTINGS"].shop_language
    with force_locale(language):
        yield language


def _owe(order: Order, kind: str, key: str, body: Mapping[str, Any], now: datetime, by_id: int | None = None) -> None:
    """The row, in the caller's transaction; nothing for a channel that can't be told, nor a second time."""
    if not takes(order.channel, kind):
        return
    values = {
        "order_id": order.id, "channel": order.channel, "kind": kind, "key": key, "body": dict(body),
        "state": "waiting", "attempts": 0, "owed_at": now, "next_try_at": now, "remote_id": "", "trouble": "",
        "by_id": by_id, "note": "",
    }  # fmt: skip
    once = insert(ChannelPush).values(values).on_conflict_do_nothing(index_elements=["key"])
    if session.scalar(once.returning(ChannelPush.id)) is not None:
        announce("push.owed", code=order.channel)


# --- what a person does about it ------------------------------------------------------------------------------------


def try_again(push: ChannelPush, *, by: Staff, now: datetime) -> None:
    """Now, and as patiently as the first time. What waits goes to the front."""
    session.refresh(push, with_for_update={"of": ChannelPush})
    if push.state == "failed":
        move(push, "state", "revive", attempts=0, next_try_at=now, by_id=by.id)
        say(push, "channel.tell_again", by=by, now=now)
    elif push.state in ("waiting", "unknown"):
        push.next_try_at = now
        session.flush()
    else:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    announce("push.owed", code=push.channel)


def try_all_again(channel: str, *, by: Staff, now: datetime) -> int:
    """All that failed there, once its key or its address is right again; how many."""
    failed = select(ChannelPush).where(ChannelPush.channel == channel, ChannelPush.state == "failed")
    pushes = session.scalars(failed.order_by(ChannelPush.id).with_for_update(of=ChannelPush)).all()
    for push in pushes:
        try_again(push, by=by, now=now)
    return len(pushes)


def drop(push: ChannelPush, note: str, *, by: Staff, now: datetime) -> None:
    """It was done there by hand, or is not needed: nobody tries any more. Raises Refused without a reason."""
    if not note.strip():
        raise Refused(_("Write why it is not needed any more."))
    move(push, "state", "drop", by_id=by.id, note=note.strip())
    say(push, "channel.not_to_tell", by=by, now=now, note=note.strip())


def say(push: ChannelPush, kind: str, *, by: Actor, now: datetime, **more: Any) -> None:
    """On the order's timeline."""
    record(push.order_id, kind, by=by, now=now, channel=push.channel_name, what=named(f"push:{push.kind}"), **more)


# --- lists ------------------------------------------------------------------------------------------------------------


def page_of(name: str, channel: str, at: str) -> paging.Page[ChannelPush]:
    """One page of a list, the newest first."""
    found = select(ChannelPush).join(ChannelPush.order).options(contains_eager(ChannelPush.order))
    listed = found.where(_in_list(name), *([ChannelPush.channel == channel] if channel else []))
    return paging.page_of(listed, ChannelPush.id, at=at, last_first=True)


def _in_list(name: str) -> ColumnElement[bool]:
    return ChannelPush.state.in_(LISTS[name]) if LISTS[name] else ChannelPush.id.is_not(None)


def counts() -> dict[str, int]:
    """How many are open or failed, as far as anybody counts, in one statement."""
    lists = {name: select(ChannelPush.id).where(_in_list(name)) for name in ("failed", "waiting")}
    columns = [bounded(found).label(name) for name, found in lists.items()]
    return dict(session.execute(select(*columns)).mappings().one())


def failed_by_channel() -> dict[str, int]:
    """How many failed, by channel."""
    found = select(ChannelPush.channel, func.count()).where(ChannelPush.state == "failed")
    rows = session.execute(found.group_by(ChannelPush.channel).order_by(ChannelPush.channel))
    return {row[0]: row[1] for row in rows}


def of_order(order_id: int) -> Sequence[ChannelPush]:
    """All that its channel was told or is to be told, the newest first."""
    mine = select(ChannelPush).where(ChannelPush.order_id == order_id)
    return session.scalars(mine.order_by(ChannelPush.id.desc())).all()


def failed_since(channel: str) -> datetime | None:
    """When the oldest thing was owed that this channel did not take."""
    failed = (ChannelPush.channel == channel, ChannelPush.state == "failed")
    return session.scalar(select(func.min(ChannelPush.owed_at)).where(*failed))


def channels() -> list[str]:
    """The channels that can be told now."""
    return sorted(tells(current_app.config["SETTINGS"]))
