"""Hand-offs: work that one department offers to the next, accepted or sent back, never without somebody who owns it.

Until it is accepted, what is offered belongs to who offers it. While a parcel is here, one row of it is open.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, and_, or_, select, update
from sqlalchemy.orm import Mapped, contains_eager, joinedload, mapped_column, relationship

from portal.db import Base, move, session
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib.errors import Refused
from portal.orders.timeline import record, words
from portal.staff.absences import hand_over, is_here, responsible_for
from portal.staff.models import Staff

CHAIN = ("picking", "packing", "shipping")
PERMISSION = {"picking": "parcels.pick", "packing": "parcels.pack", "shipping": "parcels.ship"}
DOES = {"to_pick": "picking", "picking": "picking", "picked": "packing", "packed": "shipping"}
"""Whose work a parcel in this state is."""
REASONS = {
    "packing": ("wrong_goods", "damaged_goods", "goods_missing", "other"),
    "shipping": ("badly_packed", "wrong_weight", "cant_be_sent_there", "other"),
}
"""Why a department may send work back."""
BATCH = 500

words("handoff.wrong_goods", staff=_l("Packing sent it back, wrong goods: %(note)s"))
words("handoff.damaged_goods", staff=_l("Packing sent it back, damaged goods: %(note)s"))
words("handoff.goods_missing", staff=_l("Packing sent it back, goods are missing: %(note)s"))
words("handoff.badly_packed", staff=_l("Shipping sent it back, badly packed: %(note)s"))
words("handoff.wrong_weight", staff=_l("Shipping sent it back, the weight is wrong: %(note)s"))
words("handoff.cant_be_sent_there", staff=_l("Shipping sent it back, it can't be sent like this: %(note)s"))
words("handoff.other", staff=_l("Sent back: %(note)s"))


class HandOff(Base):
    """A parcel's work offered to a department. `owner` answers for it now: who offers it, then who accepted.

    Waiting is from `offered_at` to `answered_at`, working from there to `done_at`; the open row has no `done_at`.
    """

    __tablename__ = "handoffs"
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'accepted', 'refused')", name="state"),
        CheckConstraint(f"department IN {CHAIN}", name="department"),
        CheckConstraint("(state = 'offered') = (answered_at IS NULL)", name="answered"),
        CheckConstraint("state <> 'refused' OR (reason <> '' AND done_at IS NOT NULL)", name="refused"),
        Index("uq_handoffs_open", "parcel_id", unique=True, postgresql_where="done_at IS NULL"),
        Index("ix_handoffs_parcel", "parcel_id", "id"),
        Index("ix_handoffs_done", "done_at", postgresql_where="done_at IS NOT NULL"),
    )
    MOVES = {
        "state": {
            "accept": (("offered",), "accepted"),
            "refuse": (("offered", "accepted"), "refused"),
        }
    }

    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"))
    giver: Mapped[str | None]
    department: Mapped[str]
    state: Mapped[str] = mapped_column(default="offered")
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    reason: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    offered_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    warned_at: Mapped[datetime | None]

    parcel: Mapped[Parcel] = relationship()
    owner: Mapped[Staff] = relationship()

    @property
    def came_back(self) -> bool:
        """Whether the department after it sent it back."""
        return self.giver is not None and CHAIN.index(self.giver) > CHAIN.index(self.department)

    def waited(self, now: datetime) -> timedelta:
        return (self.answered_at or now) - self.offered_at

    def worked(self, now: datetime) -> timedelta:
        """So long it has been worked on; nothing while it waits."""
        return (self.done_at or now) - self.answered_at if self.answered_at else timedelta(0)


def open_handoff(parcel_id: int) -> HandOff | None:
    """Who has the parcel now."""
    found = select(HandOff).where(HandOff.parcel_id == parcel_id, HandOff.done_at.is_(None))
    return session.scalar(found.options(joinedload(HandOff.owner)))


def history(parcel_id: int) -> list[HandOff]:
    """All hand-offs of a parcel, the first one first."""
    found = select(HandOff).where(HandOff.parcel_id == parcel_id).order_by(HandOff.id)
    return list(session.scalars(found.options(joinedload(HandOff.owner))))


def offer(parcels: Iterable[Parcel], *, by: Staff | None, now: datetime, giver: str | None = None) -> None:
    """Each of these parcels is now offered to the department whose work it is. Without anybody here nothing is offered.

    Until it is accepted it is `by`'s who offers, or, offered by nobody, the responsible person's.
    """
    heads: dict[str, int | None] = {}
    for parcel in parcels:
        department = DOES[parcel.state]
        owner = by.id if by else heads.setdefault(department, responsible_for(department, now=now))
        if owner is not None:
            session.add(
                HandOff(parcel_id=parcel.id, giver=giver, department=department, owner_id=owner, offered_at=now)
            )
    session.flush()


def take(parcel: Parcel, *, by: Staff, now: datetime) -> None:
    """This person has begun with it: that is how work is accepted where nobody presses a button for it."""
    handoff = open_handoff(parcel.id)
    if handoff and handoff.state == "offered":
        move(handoff, "state", "accept", owner_id=by.id, answered_at=now)


def pass_on(parcel: Parcel, *, by: Staff, now: datetime, giver: str | None = None) -> None:
    """This person has done their part: it is offered to whoever comes next, to nobody when it has left."""
    take(parcel, by=by, now=now)
    end(parcel, now=now)
    if parcel.state in DOES:
        offer([parcel], by=by, now=now, giver=giver)


def end(parcel: Parcel, *, now: datetime) -> None:
    """Nobody here has to do anything about the parcel any more."""
    still = (HandOff.parcel_id == parcel.id, HandOff.done_at.is_(None))
    session.execute(update(HandOff).where(*still).values(done_at=now).execution_options(synchronize_session="fetch"))


def accept(handoff: HandOff, *, by: Staff, now: datetime) -> None:
    """Take it over. Raises Refused for somebody else's work, and when it is taken already."""
    _lock(handoff)
    _refuse_strangers(handoff, by)
    move(handoff, "state", "accept", owner_id=by.id, answered_at=now)


def _lock(handoff: HandOff) -> None:
    session.refresh(handoff.parcel, with_for_update={"of": Parcel})
    session.refresh(handoff, with_for_update={"of": HandOff})
    if handoff.done_at or DOES.get(handoff.parcel.state) != handoff.department:
        raise Refused(_("This was already done, or somebody else was quicker. Nothing was changed."))


def _refuse_strangers(handoff: HandOff, by: Staff) -> None:
    if not by.may(PERMISSION[handoff.department]):
        raise Refused(_("This is another department's work."))


def refuse(handoff: HandOff, reason: str, note: str, *, by: Staff, now: datetime) -> None:
    """Send it back to the department that offered it, with the reason; its work on the parcel is undone.

    Raises Refused without a reason, for what nobody here offered, and while a label is paid for.
    """
    _lock(handoff)
    _refuse_strangers(handoff, by)
    before = {"packing": "picking", "shipping": "packing"}.get(handoff.department)
    if before is None:
        raise Refused(_("There is no department to send it back to. Say what is missing while you pick."))
    if reason not in REASONS[handoff.department] or (reason == "other" and not note.strip()):
        raise Refused(_("Say why it goes back."))
    giver = _who_did(handoff.parcel_id, before) or session.get_one(Staff, handoff.owner_id)
    _undo(handoff.parcel)
    move(
        handoff, "state", "refuse", reason=reason, note=note.strip()[:300], done_at=now,
        answered_at=handoff.answered_at or now,
    )  # fmt: skip
    offer([handoff.parcel], by=giver, now=now, giver=handoff.department)
    facts = {"parcel": handoff.parcel.ref, "note": handoff.note or "–"}
    record(handoff.parcel.order_id, f"handoff.{reason}", by=by, now=now, **facts)


def _who_did(parcel_id: int, department: str) -> Staff | None:
    """Who did this department's part last, while they are still here."""
    done = select(Staff).join(HandOff, HandOff.owner_id == Staff.id).where(HandOff.parcel_id == parcel_id)
    theirs = (HandOff.department == department, HandOff.state == "accepted", Staff.disabled_at.is_(None))
    return session.scalar(done.where(*theirs).order_by(HandOff.id.desc()).limit(1))


def _undo(parcel: Parcel) -> None:
    """What was picked is scanned again, what was packed is packed again."""
    if parcel.state == "picked":
        move(parcel, "state", "send_back", picker_id=None)
        session.execute(update(ParcelLine).where(ParcelLine.parcel_id == parcel.id).values(boxed=0, picked=0))
        return
    if parcel.tracking_number:
        raise Refused(_("It has a label. Give the label back first, or send it as it is."))
    move(parcel, "state", "unpack", weight_grams=None, packed_at=None, box_id=None)
    session.execute(update(ParcelLine).where(ParcelLine.parcel_id == parcel.id).values(boxed=0))


# --- never without an owner -------------------------------------------------------------------------------------------


def mend(*, now: datetime) -> int:
    """Give every parcel that is here the one open hand-off of its department, and each an owner who is here.

    For parcels that were here before hand-offs were counted, that others moved, and for people who have left.
    How many were mended.
    """
    _end_what_left(now)
    wrong = or_(HandOff.id.is_(None), *(_misplaced(state) for state in DOES))
    known = and_(HandOff.parcel_id == Parcel.id, HandOff.done_at.is_(None))
    found = select(Parcel).outerjoin(HandOff, known).where(Parcel.state.in_(DOES), wrong).order_by(Parcel.id)
    lost = session.scalars(found.limit(BATCH).with_for_update(of=Parcel)).all()
    for parcel in lost:
        end(parcel, now=now)
    offer(lost, by=None, now=now)
    return len(lost) + _inherit(now)


def _misplaced(state: str) -> Any:
    return and_(Parcel.state == state, HandOff.department != DOES[state])


def _end_what_left(now: datetime) -> None:
    gone = select(Parcel.id).where(Parcel.state.not_in(DOES), Parcel.id == HandOff.parcel_id).exists()
    left = update(HandOff).where(HandOff.done_at.is_(None), gone).values(done_at=now)
    session.execute(left.execution_options(synchronize_session=False))


def _inherit(now: datetime) -> int:
    """What somebody has who is shut out goes to the department's responsible person; of who is away, to the deputy."""
    gone = select(HandOff).join(HandOff.owner).where(HandOff.done_at.is_(None), ~is_here(now))
    whole = gone.options(contains_eager(HandOff.owner)).limit(BATCH).with_for_update(of=HandOff)
    return hand_over(((orphan, orphan.department) for orphan in session.scalars(whole).all()), now=now)
