"""People of the shop, their sign-ins, and the departments they answer for."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.db import Base
from portal.staff.rules import PERMISSIONS, Role

ROLES = ", ".join(f"'{role}'" for role in Role)


class Staff(Base):
    """A person at the desk. Without a password the invitation was not taken up yet."""

    __tablename__ = "staff"
    __table_args__ = (CheckConstraint(f"role IN ({ROLES})", name="role"), UniqueConstraint("sso_issuer", "sso_subject"))

    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    locale: Mapped[str] = mapped_column(default="en")
    password_hash: Mapped[str | None]
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_step: Mapped[int | None]
    sso_issuer: Mapped[str | None]
    sso_subject: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    @property
    def has_a_way_in(self) -> bool:
        """A password, or the shop's own sign-in that vouches for them."""
        return self.password_hash is not None or self.sso_subject is not None

    def may(self, permission: str) -> bool:
        return permission in PERMISSIONS[Role(self.role)]


Actor = Staff | str
"""Who did it: a person of the shop, or "customer", "courier", "channel", "stripe", "system"."""


class StaffSession(Base):
    """One signed-in browser. The cookie's secret is kept as a hash; deleting the row signs out.

    `proven_at` is when the person last showed both factors; without it the password was right and nothing is open yet.
    """

    __tablename__ = "staff_sessions"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    browser: Mapped[str] = mapped_column(default="")
    staff: Mapped[Staff] = relationship(lazy="joined")


class StaffRecoveryCode(Base):
    """A way in for a day without the phone; kept as a hash (80 random bits need no slow one), good once."""

    __tablename__ = "staff_recovery_codes"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    used_at: Mapped[datetime | None]


class StaffPasskey(Base):
    """A key that a device keeps: its public half, and how often it was used, which a copy would get wrong."""

    __tablename__ = "staff_passkeys"
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    name: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    staff: Mapped[Staff] = relationship(lazy="joined", innerjoin=True)


class StaffChallenge(Base):
    """What a device is to sign: for one purpose, one browser, five minutes, once."""

    __tablename__ = "staff_challenges"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    purpose: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    expires_at: Mapped[datetime]


class StaffEvent(Base):
    """What happened at the doors: append-only. About whom, by whom, from which browser."""

    __tablename__ = "staff_events"
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    browser: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    staff: Mapped[Staff | None] = relationship(foreign_keys=staff_id, lazy="joined")
    by: Mapped[Staff | None] = relationship(foreign_keys=by_id, lazy="joined")


class StaffInvitation(Base):
    """A one-time link with which a person chooses a password: the first one, or a new one."""

    __tablename__ = "staff_invitations"
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    staff: Mapped[Staff] = relationship(lazy="joined")


class StaffAbsence(Base):
    """Days on which a person is away, the first and the last included."""

    __tablename__ = "staff_absences"
    __table_args__ = (CheckConstraint("first_day <= last_day", name="days"),)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    first_day: Mapped[date]
    last_day: Mapped[date]
    staff: Mapped[Staff] = relationship()


class Department(Base):
    """Picking, packing, shipping, returns, support, finance: each with a responsible person and a deputy."""

    __tablename__ = "departments"
    code: Mapped[str] = mapped_column(unique=True)
    responsible_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
