"""What is odd about a parcel that came back becomes a decision for a person, with the choices spelled out.

Nothing waits for it that need not: who proposes the money decides what is open by the count as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from portal.db import Base, move, paging, session
from portal.lib.errors import Refused
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.returns.models import Return
from portal.staff.models import Staff


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person may decide, what then happens, and whether the customer reads the words."""

    label: Any
    consequence: Any
    told: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Something odd: its name, what it means, and what may be decided about it."""

    title: Any
    advice: Any
    choices: Mapping[str, Choice]


BY_COUNT = Choice(_l("Go by the count"), _l("Only what was counted is paid."), told=True)
BELIEVE = Choice(_l("Believe the customer"), _l("What was announced is paid, as if it had been counted."), told=True)
BACK = Choice(_l("Send it back to the customer"), _l("It goes to packing as an order of its own; no money for it."))
KINDS: dict[str, Kind] = {
    "less": Kind(
        _l("Less than announced"),
        _l("Look in the parcel once more. Was it open or damaged? Then the courier may have lost the rest."),
        {"by_count": BY_COUNT, "believe": BELIEVE},
    ),
    "empty": Kind(
        _l("Nothing was in the parcel"),
        _l("Keep the box. Was it opened on the way? Compare its weight with what the courier weighed."),
        {"by_count": BY_COUNT, "believe": BELIEVE},
    ),
    "more": Kind(
        _l("More than announced"),
        _l("What was bought is paid, whoever forgot to announce it."),
        {
            "by_count": Choice(_l("Go by the count"), _l("It is paid as far as it was bought.")),
            "send_back": BACK,
        },
    ),
    "other": Kind(
        _l("Something else than announced"),
        _l("Mixed up, or tried on? Compare it with what was sent."),
        {
            "send_back": BACK,
            "believe": Choice(_l("Take it in its place"), _l("It is paid like what was announced."), told=True),
            "by_count": Choice(
                _l("Keep it without money"), _l("Nothing is paid for it, and it stays here."), told=True
            ),
        },
    ),
    "unwanted": Kind(
        _l("Arrived although it was called off or declined"),
        _l("The goods are here and the money is with us."),
        {
            "accept": Choice(_l("Take it all the same"), _l("It goes to the bench like any return.")),
            "send_back": BACK,
        },
    ),
    "second_number": Kind(
        _l("Another return's number was in the parcel"),
        _l("Either both returns came in one parcel, or the paper was mixed up."),
        {
            "both": Choice(
                _l("Both came in this parcel"), _l("The other return is received too, and goes to the bench.")
            ),
            "paper": Choice(_l("Only the paper is wrong"), _l("Nothing changes for the other return.")),
        },
    ),
    "no_number": Kind(
        _l("A parcel without a return's number"),
        _l("Look for the sender by name, and for the goods in what was sent lately."),
        {
            "belongs": Choice(
                _l("It belongs to a return"), _l("Type its number: it is received and goes to the bench.")
            ),
            "unasked": Choice(
                _l("It belongs to an order without a return"),
                _l("Type the order's number: it is taken as a return, the customer hears of it, and the bench counts."),
            ),
            "not_ours": Choice(_l("It is not for us"), _l("It goes back to who sent it; your words say how.")),
        },
    ),
    "paid_before": Kind(
        _l("Paid before it was counted, and worth less"),
        _l("The law made the money due when it was sent. Loss of value can only be asked back."),
        {
            "let_be": Choice(_l("Let it be"), _l("Nothing else happens.")),
            "ask_back": Choice(_l("Ask the customer for it"), _l("They get a letter with your words."), told=True),
        },
    ),
}

COUNTED = ("less", "more", "other", "empty")
"""What the count alone says."""

words("oddity.found", staff=_l("Odd about return %(rma)s: %(what)s"))
words("oddity.settled", staff=_l("Decided about return %(rma)s: %(choice)s. %(note)s"))


class Oddity(Base):
    """One odd thing; of each kind one is open at a time for a return. A parcel without a return's number has none yet;
    `order_id` is the order that was on it.
    """

    __tablename__ = "oddities"
    __table_args__ = (
        CheckConstraint(f"kind IN {tuple(KINDS)}", name="kind"),
        CheckConstraint("state IN ('open', 'settled')", name="state"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("return_id IS NOT NULL OR kind = 'no_number'", name="return"),
        Index("uq_oddities_open", "return_id", "kind", unique=True, postgresql_where="state = 'open'"),
    )
    MOVES = {"state": {"settle": (("open",), "settled")}}
    return_id: Mapped[int | None] = mapped_column(ForeignKey("returns.id"), index=True)
    other_id: Mapped[int | None] = mapped_column(ForeignKey("returns.id"))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str]
    detail: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="open")
    found_at: Mapped[datetime]
    found_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    choice: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    settled_at: Mapped[datetime | None]
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    ret: Mapped[Return | None] = relationship(foreign_keys=[return_id])
    other: Mapped[Return | None] = relationship(foreign_keys=[other_id])
    order: Mapped[Order | None] = relationship()

    @property
    def about(self) -> Kind:
        return KINDS[self.kind]


def find(
    kind: str, ret: Return | None, *, detail: str = "", other: Return | None = None, order: Order | None = None,
    by: Staff, now: datetime,
) -> None:  # fmt: skip
    """Note it down; what is open already stays one."""
    if ret is not None and any(one.kind == kind for one in of_return(ret.id)):
        return
    made = Oddity(
        kind=kind, return_id=ret.id if ret else None, other_id=other.id if other else None, detail=detail,
        order_id=order.id if order else None, found_at=now, found_by_id=by.id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    if ret is not None:
        record(ret.order_id, "oddity.found", by=by, now=now, rma=ret.rma, what=str(KINDS[kind].title))


def of_return(return_id: int) -> Sequence[Oddity]:
    """What is still to be decided about a return."""
    mine = (Oddity.return_id == return_id, Oddity.state == "open")
    return session.scalars(select(Oddity).where(*mine).options(joinedload(Oddity.other)).order_by(Oddity.id)).all()


def settle(oddity: Oddity, choice: str, note: str, *, by: Staff, now: datetime) -> None:
    """Somebody has decided. Raises Refused for a choice that this kind has not, and when another was quicker."""
    if choice not in oddity.about.choices:
        raise Refused(_("Choose what is to happen."))
    move(oddity, "state", "settle", choice=choice, note=note, settled_at=now, settled_by_id=by.id)
    if oddity.ret is not None:
        label = str(oddity.about.choices[choice].label)
        record(oddity.ret.order_id, "oddity.settled", by=by, now=now, rma=oddity.ret.rma, choice=label, note=note)


def drop(return_id: int, kinds: Sequence[str], *, by: Staff, now: datetime) -> None:
    """The count was put right, or who proposes the money goes by it: nothing is odd any more."""
    for oddity in of_return(return_id):
        if oddity.kind in kinds:
            settle(oddity, next(iter(oddity.about.choices)), "", by=by, now=now)


def page_of(settled: bool, at: str) -> paging.Page[Oddity]:
    """One page, what waits longest first, what is done last first."""
    found = select(Oddity).where(Oddity.state == ("settled" if settled else "open"))
    found = found.options(joinedload(Oddity.ret).joinedload(Return.order))
    found = found.options(joinedload(Oddity.other), joinedload(Oddity.order))
    return paging.page_of(found, Oddity.id, at=at, last_first=settled)
