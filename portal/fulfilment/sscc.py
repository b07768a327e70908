"""Serial numbers of parcels for the trade (SSCC): the shop's GS1 prefix and an unbroken count, from the database.

Eighteen digits as the GS1 General Specifications want them (section 2.2.1): an extension digit, the company prefix, a
serial, a check digit. Extension and serial are one count here, so that nothing is left out and nothing comes twice.
"""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, ForeignKey, Index, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.adapters.couriers import own
from portal.db import Base, session
from portal.lib.errors import Refused
from portal.staff.models import Staff

LENGTH = 18
APPLICATION = "00"
"""What stands before the number in the bars and says that it is one."""
SHORTEST, LONGEST = 6, 12


class SsccPrefix(Base):
    """A GS1 company prefix and the last number that was given away under it. One is in use; a count never restarts."""

    __tablename__ = "sscc_prefixes"
    __table_args__ = (
        CheckConstraint(f"prefix ~ '^[0-9]{{{SHORTEST},{LONGEST}}}$'", name="prefix"),
        CheckConstraint("last_number >= 0", name="last_number"),
        Index("uq_sscc_prefixes_in_use", "in_use", unique=True, postgresql_where="in_use"),
    )
    prefix: Mapped[str] = mapped_column(unique=True)
    last_number: Mapped[int] = mapped_column(default=0)
    in_use: Mapped[bool]
    chosen_at: Mapped[datetime]
    chosen_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))

    @property
    def room(self) -> int:
        """How many numbers there are under this prefix in all."""
        return 10 ** (LENGTH - 1 - len(self.prefix))

    @property
    def next_code(self) -> str:
        """The number that the next label bears."""
        return written(self.prefix, self.last_number + 1)


def written(prefix: str, number: int) -> str:
    """The eighteen digits of this number under the prefix."""
    serial = f"{number:0{LENGTH - 1 - len(prefix)}d}"
    digits = f"{serial[0]}{prefix}{serial[1:]}"
    return f"{digits}{own.check_digit(digits)}"


def spelled(code: str) -> str:
    """As people read it under the bars."""
    return f"({APPLICATION}) {code}"


def read(scanned: str) -> str:
    """The eighteen digits in what a scanner typed, with or without what stands before them; else nothing."""
    digits = scanned.strip().removeprefix("]C1").replace("(", "").replace(")", "").replace(" ", "")
    digits = digits.removeprefix(APPLICATION) if len(digits) == LENGTH + len(APPLICATION) else digits
    whole = digits.isdecimal() and digits.isascii() and len(digits) == LENGTH
    return digits if whole and own.check_digit(digits[:-1]) == int(digits[-1]) else ""


def in_use() -> SsccPrefix | None:
    """The prefix under which numbers are given away now; none for a shop that has none."""
    return session.scalar(select(SsccPrefix).where(SsccPrefix.in_use))


def take_next() -> str | None:
    """The next number, taken for good when the transaction is; none without a prefix. Who comes second waits."""
    counted = update(SsccPrefix).where(SsccPrefix.in_use).values(last_number=SsccPrefix.last_number + 1)
    row = session.execute(counted.returning(SsccPrefix.prefix, SsccPrefix.last_number)).first()
    if row is None:
        return None
    if row.last_number >= 10 ** (LENGTH - 1 - len(row.prefix)):
        raise Refused(_("All numbers under this GS1 prefix are used up. Ask for another prefix."))
    return written(row.prefix, row.last_number)


def choose(prefix: str, last_number: int, *, by: Staff, now: datetime) -> None:
    """Labels bear numbers under this prefix from now on, after the last one used. Raises Refused to count back."""
    if not (prefix.isascii() and prefix.isdecimal() and SHORTEST <= len(prefix) <= LONGEST):
        raise Refused(_("A GS1 prefix has between %(least)s and %(most)s digits.", least=SHORTEST, most=LONGEST))
    if not 0 <= last_number < 10 ** (LENGTH - 1 - len(prefix)) - 1:
        raise Refused(_("There are not so many numbers under this prefix."))
    known = session.scalar(select(SsccPrefix).where(SsccPrefix.prefix == prefix).with_for_update())
    if known and last_number < known.last_number:
        raise Refused(_("Number %(number)s is used already: a number never comes twice.", number=known.last_number))
    stop()
    values = {"last_number": last_number, "in_use": True, "chosen_at": now, "chosen_by_id": by.id}
    row = insert(SsccPrefix).values(prefix=prefix, **values)
    # Whoever chose the same prefix at the same moment may have counted further: never back.
    further = values | {"last_number": func.greatest(SsccPrefix.last_number, last_number)}
    session.execute(row.on_conflict_do_update(index_elements=["prefix"], set_=further))
    session.expire_all()


def stop() -> None:
    """Labels bear no such number any more. What was given away stays, and is remembered."""
    ended = update(SsccPrefix).where(SsccPrefix.in_use).values(in_use=False)
    session.execute(ended.execution_options(synchronize_session="fetch"))
