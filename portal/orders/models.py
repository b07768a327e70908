"""Orders: what, to whom, by when, paid how."""

from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, declared_attr, mapped_column, relationship

from portal.db import Base
from portal.lib.money import Money


class Channel(Base):
    """Where orders come from. The keys of an API channel are in `keys.ApiKey`."""

    __tablename__ = "channels"
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    name: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class Customer(Base):
    """A person who bought, known by the e-mail address; letters are in this person's language."""

    __tablename__ = "customers"
    __table_args__ = (
        Index("ix_customers_email_begins", "email", postgresql_ops={"email": "text_pattern_ops"}),
        Index("ix_customers_name_begins", text("lower(name) text_pattern_ops")),
        Index("ix_customers_name_letters", text("letters_of(name)"), postgresql_using="gin"),
    )
    email: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    phone: Mapped[str | None]
    locale: Mapped[str]


SHOPS = {"shopify": "Shopify", "woocommerce": "WooCommerce", "checkout": "Stripe Checkout"}
"""What people call the channels that are not this shop's own."""
INSTEAD = "instead"
"""The channel of orders that nobody placed: goods that go out for those of a return."""


def called(channel: str) -> str:
    """The channel as people call it: by its brand, or by the name that its key was given."""
    if channel == INSTEAD:
        return _("Sent for a return")
    return SHOPS.get(channel, channel.removeprefix("api:"))


ASKS_FIRST = ("changed", "cancelled", "already_sent", "refund_by_hand", "withdrawn")
"""Flags over which nothing is decided about an order until a person has settled them."""


class OrderFlag(Base):
    """Something about an order that a person should look at. The same thing is open once."""

    __tablename__ = "order_flags"
    __table_args__ = (
        Index("uq_order_flags_open", "order_id", "code", unique=True, postgresql_where="settled_at IS NULL"),
        CheckConstraint("settled_by_id IS NULL OR settled_at IS NOT NULL", name="settled"),
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    code: Mapped[str]
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    note: Mapped[str] = mapped_column(default="")


class Order(Base):
    """One commitment. How far it has come is derived from its parcels.

    Until `accepted_at` it is only kept: not paid, a test, or sent before we knew of it; nothing is promised or planned.
    `attention` says that a person must look before anything is decided.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("channel", "external_id"),
        CheckConstraint("state IN ('accepted', 'on_hold', 'cancelled', 'closed')", name="state"),
        Index("ix_orders_number_lower", text("lower(number) text_pattern_ops")),
        Index("ix_orders_open", "promised_on", "id", postgresql_where="state IN ('accepted', 'on_hold')"),
    )
    MOVES = {
        "state": {
            "hold": (("accepted",), "on_hold"),
            "resume": (("on_hold",), "accepted"),
            "cancel": (("accepted", "on_hold"), "cancelled"),
            "close": (("accepted",), "closed"),
            "reopen": (("closed",), "accepted"),
        }
    }

    ref: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[str]
    external_id: Mapped[str]
    number: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="accepted")
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    locale: Mapped[str]
    currency: Mapped[str]
    total: Mapped[int]
    ship_to: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    country: Mapped[str | None]
    placed_at: Mapped[datetime]
    paid_at: Mapped[datetime]
    external_updated_at: Mapped[datetime]
    external_rank: Mapped[str] = mapped_column(default="")
    promised_on: Mapped[date]
    accepted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]

    customer: Mapped[Customer] = relationship(lazy="joined", innerjoin=True)
    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.id", back_populates="order")
    payment: Mapped["Payment | None"] = relationship(back_populates="order")

    @declared_attr
    def attention(cls) -> Mapped[bool]:  # noqa: N805
        asks = select(OrderFlag.id).where(OrderFlag.order_id == cls.id, OrderFlag.code.in_(ASKS_FIRST))
        return column_property(asks.where(OrderFlag.settled_at.is_(None)).exists())

    @property
    def channel_name(self) -> str:
        return called(self.channel)

    @property
    def worth(self) -> Money:
        return Money(self.total, self.currency)


class OrderLine(Base):
    """What was bought. `paid` is what was really paid for the whole line: its share of the discounts, its tax."""

    __tablename__ = "order_lines"
    __table_args__ = (
        UniqueConstraint("order_id", "external_id"),
        CheckConstraint("kind IN ('item', 'shipping')", name="kind"),
        CheckConstraint("quantity > 0", name="quantity"),
        Index("ix_order_lines_sku", "sku", "id"),
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    external_id: Mapped[str]
    kind: Mapped[str] = mapped_column(default="item")
    sku: Mapped[str] = mapped_column(default="")
    title: Mapped[str]
    variant: Mapped[str] = mapped_column(default="")
    quantity: Mapped[int]
    unit_price: Mapped[int]
    paid: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")


class Payment(Base):
    """What was captured, and how much of it is promised back. Pending money counts as `reserved`.

    `route` says how money can go back: through our Stripe account, or only through the sales channel. `external` is
    what was given back elsewhere (Stripe's dashboard, the channel); no check limits it: what happened must be recorded.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("currency = upper(currency)", name="currency"),
        CheckConstraint("captured >= 0", name="captured"),
        CheckConstraint("reserved BETWEEN 0 AND captured", name="reserved"),
        CheckConstraint("route IN ('stripe', 'channel')", name="route"),
        CheckConstraint("route = 'channel' OR payment_intent IS NOT NULL", name="intent"),
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), unique=True)
    route: Mapped[str]
    payment_intent: Mapped[str | None] = mapped_column(unique=True)
    currency: Mapped[str]
    captured: Mapped[int]
    reserved: Mapped[int] = mapped_column(default=0)
    external: Mapped[int] = mapped_column(default=0)
    order: Mapped[Order] = relationship(back_populates="payment")

    @property
    def left(self) -> Money:
        """What can still be given back."""
        return Money(max(0, self.captured - self.reserved - self.external), self.currency)


class OrderChange(Base):
    """What a newer copy from the channel says differently about what is to be sent, to whom, or whether at all.

    `diff` is for people, `copy` what the channel wants. It waits for the warehouse to say whether somebody has begun:
    then it is applied, or held for a person, who applies it or leaves the order as it is. A newer one overtakes it.
    """

    __tablename__ = "order_changes"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'held', 'applied', 'left', 'overtaken')", name="state"),
        Index("uq_order_changes_open", "order_id", unique=True, postgresql_where="state IN ('waiting', 'held')"),
    )
    MOVES = {
        "state": {
            "apply": (("waiting", "held"), "applied"),
            "hold": (("waiting",), "held"),
            "leave": (("held",), "left"),
            "overtake": (("waiting", "held"), "overtaken"),
        }
    }
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    state: Mapped[str] = mapped_column(default="waiting")
    heard_at: Mapped[datetime]
    diff: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    copy: Mapped[dict[str, Any]] = mapped_column(JSONB)
    order: Mapped[Order] = relationship()


class ChannelRefund(Base):
    """Money that a sales channel gave back, counted once by the channel's own id.

    With `refund_id` it is what we had asked somebody to give back there: one movement, told from both sides.
    """

    __tablename__ = "channel_refunds"
    __table_args__ = (UniqueConstraint("order_id", "external_id"), CheckConstraint("amount >= 0", name="amount"))
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    external_id: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    given_at: Mapped[datetime]
    heard_at: Mapped[datetime]
    refund_id: Mapped[int | None] = mapped_column(ForeignKey("refunds.id"), unique=True)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class ChannelReading(Base):
    """How far a channel was read by asking it: all that changed before `until` is here.

    A reading that was broken off goes on `after` its last page, with what was asked then. `found` counts what no
    webhook had brought in this form.
    """

    __tablename__ = "channel_readings"
    code: Mapped[str] = mapped_column(unique=True)
    until: Mapped[datetime]
    asked_since: Mapped[datetime]
    asked_at: Mapped[datetime]
    after: Mapped[str] = mapped_column(default="")
    found: Mapped[int] = mapped_column(default=0)
    read_at: Mapped[datetime | None]
    problem: Mapped[str | None]
    failing_since: Mapped[datetime | None]

    @property
    def name(self) -> str:
        return called(self.code)


class TimelineEntry(Base):
    """What happened to an order, by whom, when. Append-only: a trigger refuses changes."""

    __tablename__ = "timeline"
    __table_args__ = (Index("ix_timeline_order", "order_id", "at", "id"),)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    by: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class Link(Base):
    """The customer's key: one purpose, one order, an end. Only the hash of its secret is kept."""

    __tablename__ = "links"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    purpose: Mapped[str]
    subject: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Grant(Base):
    """A browser that came through a link, for a day at most and never longer than the link. The cookie is hashed."""

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("browser", "link_id"),)
    browser: Mapped[bytes] = mapped_column(LargeBinary)
    link_id: Mapped[int] = mapped_column(ForeignKey("links.id"), index=True)
    expires_at: Mapped[datetime]


class Code(Base):
    """A code that a browser asked for. It is minted when its letter leaves; until then there is no hash of it.

    `used_at` is when it was typed in: from then on the browser sees all of this order, for as long as a link lasts.
    """

    __tablename__ = "codes"
    __table_args__ = (Index("ix_codes_browser", "order_id", "browser"),)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    browser: Mapped[bytes] = mapped_column(LargeBinary)
    kept: Mapped[str | None]
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
