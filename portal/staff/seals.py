"""Seals over what must not be changed: each covers one entry and the seal before it.

Whoever changes, removes or reorders an entry behind the portal's back breaks the chain from there on. Entries are
sealed by a job some minutes later, so that writing one waits for nobody.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, UniqueConstraint, column, func, insert, select, table, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.staff.models import StaffEvent

CHAINED = {
    "timeline": ("order_id", "at", "kind", "by", "staff_id", "facts"),
    "staff_events": ("at", "kind", "staff_id", "by_id", "browser", "detail"),
}
"""Append-only tables and the columns that a seal covers. A column added later stays uncovered: old seals must hold."""
BATCH = 2000
SLOWEST_WRITER = 100_000
"""A transaction that commits later than so many entries after its own is found by `verify`, not by the job."""
OVERDUE = timedelta(hours=1)
KEPT_FOR = timedelta(days=365)
"""Entries of the journal that are younger are let go by nobody (see `journal.let_go`)."""
ONE_SEALER = text("SELECT pg_advisory_xact_lock(hashtext('seals'))")


class Seal(Base):
    """SHA-256 over the seal before this one and the entry, in the order in which they were sealed."""

    __tablename__ = "seals"
    __table_args__ = (UniqueConstraint("entry_of", "entry_id"),)
    entry_of: Mapped[str]
    entry_id: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. `changed`: the entry, or a seal before it, is not what it was; `missing`: there is a seal only;
    `unsealed`: there is an old entry only, so it was put in behind our back, or its seal was removed.
    """

    kind: str
    entry_of: str
    entry_id: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found. `head` is the last seal, for whoever wants to note it elsewhere."""

    sealed: int
    head: str
    faults: Sequence[Fault]
    knows_noted: bool


def seal_new(*, now: datetime) -> int:
    """Seal up to a batch of entries per table that have no seal yet; how many it were."""
    session.execute(ONE_SEALER)
    last = session.scalar(select(Seal.digest).order_by(Seal.id.desc()).limit(1)) or b""
    seals = []
    for name, entry in _unsealed():
        last = _over(last, name, entry)
        seals.append({"entry_of": name, "entry_id": entry.id, "digest": last, "at": now})
    if seals:
        session.execute(insert(Seal), seals)
    return len(seals)


def _unsealed() -> Iterator[tuple[str, Any]]:
    for name in CHAINED:
        entries, seal = _entries(name), Seal.__table__
        newest = select(func.max(Seal.entry_id)).where(Seal.entry_of == name).scalar_subquery()
        mine = (seal.c.entry_of == name) & (seal.c.entry_id == entries.c.id)
        found = select(entries).outerjoin(seal, mine).where(seal.c.id.is_(None))
        found = found.where(entries.c.id > func.coalesce(newest, 0) - SLOWEST_WRITER).order_by(entries.c.id)
        yield from ((name, row) for row in session.execute(found.limit(BATCH)))


def _entries(name: str) -> Any:
    return table(name, column("id"), *(column(each) for each in CHAINED[name]))


def _over(last: bytes, name: str, entry: Any) -> bytes:
    covered = [name, entry.id, *(_plain(getattr(entry, each)) for each in CHAINED[name])]
    return hashlib.sha256(last + json.dumps(covered, sort_keys=True).encode()).digest()


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def verify(noted: str = "", *, now: datetime) -> Verdict:
    """Walk the whole chain. `noted` is a head that somebody wrote down before: it must still be in the chain."""
    last, after, sealed, knows = b"", 0, 0, not noted
    faults: list[Fault] = []
    gone = _let_go()
    while batch := session.execute(_seals_after(after)).all():
        entries = _looked_up(batch)
        for seal in batch:
            entry = entries.get((seal.entry_of, seal.entry_id))
            faults += [] if entry is None and _was_let_go(seal, gone) else _faults(last, seal, entry)
            last, after, sealed = seal.digest, seal.id, sealed + 1
            knows = knows or last.hex() == noted
    return Verdict(sealed, last.hex(), [*faults, *_overdue(now)], knows)


def _let_go() -> Sequence[tuple[int, datetime]]:
    """Up to which entry of the journal, and when, as sealed entries of it say."""
    said = (StaffEvent.kind == "journal_let_go", StaffEvent.id == Seal.entry_id, Seal.entry_of == "staff_events")
    found = session.execute(select(StaffEvent.detail, StaffEvent.at).where(*said))
    return [(int(detail), at) for detail, at in found if detail.isdecimal()]


def _was_let_go(seal: Any, gone: Sequence[tuple[int, datetime]]) -> bool:
    """Whether the entry went by its term: an entry that is still there says so, and it was old enough by its seal."""
    return seal.entry_of == "staff_events" and any(
        seal.entry_id <= up_to and seal.at < at - KEPT_FOR for up_to, at in gone
    )


def _seals_after(after: int) -> Any:
    columns = (Seal.id, Seal.entry_of, Seal.entry_id, Seal.digest, Seal.at)
    return select(*columns).where(Seal.id > after).order_by(Seal.id).limit(BATCH)


def _looked_up(batch: Sequence[Any]) -> dict[tuple[str, int], Any]:
    wanted = defaultdict(list)
    for seal in batch:
        wanted[seal.entry_of].append(seal.entry_id)
    found: dict[tuple[str, int], Any] = {}
    for name, ids in wanted.items():
        entries = _entries(name)
        found |= {(name, row.id): row for row in session.execute(select(entries).where(entries.c.id.in_(ids)))}
    return found


def _faults(last: bytes, seal: Any, entry: Any) -> list[Fault]:
    """A seal that does not follow from its entry and the seal before it: one of the two is not what it was."""
    if entry is None:
        return [Fault("missing", seal.entry_of, seal.entry_id)]
    if _over(last, seal.entry_of, entry) == seal.digest:
        return []
    return [Fault("changed", seal.entry_of, seal.entry_id)]


def _overdue(now: datetime) -> Iterator[Fault]:
    """Entries that the job should have sealed long ago."""
    for name in CHAINED:
        entries, seal = _entries(name), Seal.__table__
        mine = (seal.c.entry_of == name) & (seal.c.entry_id == entries.c.id)
        late = select(entries.c.id).outerjoin(seal, mine).where(seal.c.id.is_(None), entries.c.at < now - OVERDUE)
        yield from (Fault("unsealed", name, each) for each in session.scalars(late.order_by(entries.c.id).limit(BATCH)))
