"""Waves: parcels that one person picks on one walk. Single-line orders go together, the others by what is urgent.

A wave is planned, released, walked, done. It always belongs to somebody: who made it, then who walks it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, func, select, update
from sqlalchemy.orm import Mapped, contains_eager, mapped_column, relationship, selectinload

from portal.db import Base, move, session
from portal.fulfilment import actions, handoffs, lists, shorts
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.orders.shelves import lacks_stock
from portal.orders.timeline import record, words
from portal.staff.absences import hand_over, is_here, responsible_for
from portal.staff.models import Staff

KINDS = {"singles": 40, "several": 12}
"""How many parcels a wave of each kind may have: one cart full, or as many baskets as stand on one."""
OPEN = ("planned", "released", "picking")
BATCH = 100

words("parcel.in_wave", staff=_l("Picking started, wave %(wave)s"))


class Wave(Base):
    """Parcels for one walk. Of kind `several` each has a basket of its own; single lines lie together.

    `owner` answers for what is left of it: who made it, from `begun_at` on who walks it.
    """

    __tablename__ = "waves"
    __table_args__ = (
        CheckConstraint(f"kind IN {tuple(KINDS)}", name="kind"),
        CheckConstraint(f"state IN {(*OPEN, 'done', 'dropped')}", name="state"),
        CheckConstraint("(state IN ('done', 'dropped')) = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_waves_open", "id", postgresql_where="ended_at IS NULL"),
    )
    MOVES = {
        "state": {
            "release": (("planned",), "released"),
            "begin": (("released",), "picking"),
            "give_back": (("picking",), "released"),
            "finish": (("picking",), "done"),
            "drop": (("planned", "released"), "dropped"),
        }
    }

    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="planned")
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    made_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    owner: Mapped[Staff] = relationship(foreign_keys=[owner_id])
    made_by: Mapped[Staff] = relationship(foreign_keys=[made_by_id])


# --- what is in it ----------------------------------------------------------------------------------------------------


def candidates(kind: str) -> Select[Any]:
    """Parcels that may go into a wave of this kind, the most urgent first: paid, clear, in stock and nobody's yet."""
    lines = select(func.count()).where(ParcelLine.parcel_id == Parcel.id).scalar_subquery()
    free = (Parcel.state == "to_pick", Parcel.wave_id.is_(None), Order.state == "accepted", ~Order.attention)
    found = select(Parcel).join(Parcel.order).where(*free, ~shorts.rests(), ~lacks_stock())
    return found.where(lines == 1 if kind == "singles" else lines > 1).order_by(*lists.URGENT_FIRST)


def still_in(wave: Wave, *states: str, lock: bool = False) -> Sequence[Parcel]:
    """Its parcels in these states with their lines, by basket."""
    found = select(Parcel).join(Parcel.order).where(Parcel.wave_id == wave.id, Parcel.state.in_(states))
    found = found.options(contains_eager(Parcel.order), selectinload(Parcel.lines)).order_by(Parcel.basket, Parcel.id)
    found = found.with_for_update(of=Parcel) if lock else found
    return session.scalars(found.execution_options(populate_existing=True)).all()


# --- who plans it -----------------------------------------------------------------------------------------------------


def make(kind: str, most: int, *, by: Staff, now: datetime) -> Wave:
    """A wave of the most urgent parcels of this kind, at the most so many. Raises Refused when there is none."""
    if kind not in KINDS or not 0 < most <= KINDS[kind]:
        raise Refused(_("A wave has between 1 and %(most)s parcels.", most=KINDS.get(kind, 1)))
    chosen = session.scalars(candidates(kind).limit(most).with_for_update(of=Parcel, skip_locked=True)).all()
    if not chosen:
        raise Refused(_("Nothing waits that could go into this wave."))
    wave = Wave(kind=kind, owner_id=by.id, made_by_id=by.id, made_at=now)
    session.add(wave)
    session.flush()
    for place, parcel in enumerate(chosen, 1):
        parcel.wave_id, parcel.basket = wave.id, place if kind == "several" else None
    session.flush()
    return wave


def leave_out(wave: Wave, parcel: Parcel) -> None:
    """This parcel is picked by itself, or in another wave."""
    _lock(wave)
    if parcel.wave_id != wave.id or wave.state not in ("planned", "released"):
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))
    parcel.wave_id = parcel.basket = None


def release(wave: Wave, *, now: datetime) -> None:
    """It may be walked now, by whoever takes it."""
    move(wave, "state", "release", released_at=now)


def drop(wave: Wave, *, now: datetime) -> None:
    """There is no such wave any more; its parcels are picked one by one, or in another."""
    move(wave, "state", "drop", ended_at=now)
    _forget(Parcel.wave_id == wave.id)


def _forget(*which: Any) -> None:
    gone = update(Parcel).where(*which, Parcel.state.in_(("to_pick", "picking"))).values(wave_id=None, basket=None)
    session.execute(gone.execution_options(synchronize_session="fetch"))


# --- who walks it -----------------------------------------------------------------------------------------------------


def begin(wave: Wave, *, by: Staff, now: datetime) -> None:
    """It is this person's from now on, with every parcel in it that can still be picked."""
    _refuse_a_second(by)
    _lock(wave)
    move(wave, "state", "begin", owner_id=by.id, begun_at=now)
    ready = set(session.scalars(_ready(wave)))
    for parcel in still_in(wave, "to_pick", lock=True):
        if parcel.id not in ready:
            parcel.wave_id = parcel.basket = None
            continue
        move(parcel, "state", "start_picking", picker_id=by.id)
        handoffs.take(parcel, by=by, now=now)
        record(parcel.order_id, "parcel.in_wave", by=by, now=now, parcel=parcel.ref, wave=wave.id)
    if not ready:
        raise Refused(_("Nothing of this wave can be picked any more. Drop it."))


def _ready(wave: Wave) -> Select[Any]:
    found = select(Parcel.id).join(Parcel.order).where(Parcel.wave_id == wave.id, Parcel.state == "to_pick")
    return found.where(Order.state == "accepted", ~Order.attention, ~shorts.rests())


def _refuse_a_second(by: Staff) -> None:
    walked = select(Wave.id).where(Wave.owner_id == by.id, Wave.state == "picking").limit(1)
    if number := session.scalar(walked):
        raise Refused(_("You are walking wave %(number)s. Finish it or give it back first.", number=number))


def _lock(wave: Wave) -> None:
    session.refresh(wave, with_for_update={"of": Wave})


def take_over(wave: Wave, *, by: Staff) -> None:
    """The cart goes to this person as it is, with all that lies in it."""
    _refuse_a_second(by)
    _lock(wave)
    if wave.state != "picking":
        raise Refused(_("Nobody is walking this wave."))
    give_to(wave, by)


def give_to(wave: Wave, person: Staff) -> None:
    """The wave, and what is left of it, is this person's."""
    wave.owner_id = person.id
    mine = select(Parcel.id).where(Parcel.wave_id == wave.id, Parcel.state == "picking")
    open_ones = update(HandOff).where(HandOff.parcel_id.in_(mine), HandOff.done_at.is_(None))
    session.execute(open_ones.values(owner_id=person.id).execution_options(synchronize_session="fetch"))
    theirs = update(Parcel).where(Parcel.id.in_(mine)).values(picker_id=person.id)
    session.execute(theirs.execution_options(synchronize_session="fetch"))


def give_back(wave: Wave, *, by: Staff, now: datetime) -> None:
    """All goes back on the shelves. Whoever made the wave answers for it again, or who answers for picking."""
    _refuse_unless_walking(wave, by)
    move(wave, "state", "give_back", owner_id=_who_answers(wave, now) or by.id, begun_at=None)
    for parcel in still_in(wave, "picking", lock=True):
        move(parcel, "state", "put_back", picker_id=None)
        handoffs.pass_on(parcel, by=by, now=now)
        record(parcel.order_id, "parcel.put_back", by=by, now=now, parcel=parcel.ref)
        for packed in parcel.lines:
            packed.picked = 0
    session.flush()


def _who_answers(wave: Wave, now: datetime) -> int | None:
    made_by = select(Staff.id).where(Staff.id == wave.made_by_id, is_here(now))
    return session.scalar(made_by) or responsible_for("picking", now=now)


def _refuse_unless_walking(wave: Wave, by: Staff) -> None:
    _lock(wave)
    if wave.state != "picking":
        raise Refused(_("Nobody is walking this wave."))
    if wave.owner_id != by.id:
        raise Refused(_("%(name)s is walking this wave.", name=wave.owner.name))


def report(lines: Sequence[ParcelLine], pieces: int, reason: str, note: str, *, by: Staff, now: datetime) -> int:
    """So many pieces of this article are not there: the parcels that are served last go without. How many are missing.

    What lies at another place is still to be picked there and is not missing. Raises Refused for more than are wanted.
    """
    if not 0 < pieces <= sum(packed.left for packed in lines):
        raise Refused(_("So many pieces are not wanted any more."))
    missing = 0
    for packed in reversed(lines):
        if here := min(pieces, packed.left):
            short = shorts.report(packed, here, reason, note, by=by, now=now)
            missing += short.quantity if short else 0
            pieces -= here
    return missing


def finish(wave: Wave, *, by: Staff, now: datetime) -> int:
    """The cart goes to packing; how many parcels. What waits for a decision leaves the wave and stays the picker's.

    Raises Refused while pieces are still to be picked.
    """
    _refuse_unless_walking(wave, by)
    parcels = still_in(wave, "picking", lock=True)
    if missing := sum(packed.left for parcel in parcels for packed in parcel.lines):
        raise Refused(ngettext("One piece is still missing.", "%(num)s pieces are still missing.", missing))
    whole = [parcel for parcel in parcels if not any(packed.short for packed in parcel.lines)]
    for parcel in parcels:
        if parcel in whole:
            actions.finish_picking(parcel, by=by, now=now)
        else:
            parcel.wave_id = parcel.basket = None
    move(wave, "state", "finish", ended_at=now)
    return len(whole)


# --- never without an owner -------------------------------------------------------------------------------------------


def mend(*, now: datetime) -> int:
    """What people had who are shut out goes to who answers for picking, of who is away to the deputy; waves with
    nothing left in them end. How many were mended.
    """
    gone = select(Wave).join(Wave.owner).where(Wave.state.in_(OPEN), ~is_here(now))
    orphans = session.scalars(gone.limit(BATCH).with_for_update(of=Wave)).all()
    changed = hand_over(((wave, "picking") for wave in orphans), now=now)
    for wave in orphans:
        give_to(wave, session.get_one(Staff, wave.owner_id))
    return changed + _end_empty(now)


def _end_empty(now: datetime) -> int:
    alive = select(Parcel.id).where(Parcel.wave_id == Wave.id, Parcel.state.in_(("to_pick", "picking"))).exists()
    empty = session.scalars(select(Wave).where(Wave.state.in_(OPEN), ~alive).limit(BATCH)).all()
    for wave in empty:
        move(wave, "state", "finish" if wave.state == "picking" else "drop", ended_at=now)
    return len(empty)
