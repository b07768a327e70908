"""Claims: something is wrong with what was bought. The return beside it holds pieces, decision, goods and money."""

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Mapped, contains_eager, mapped_column, relationship, selectinload

from portal.db import Base, session
from portal.fulfilment.models import Parcel
from portal.returns.models import Return, ReturnLine, SentInstead
from portal.staff.models import Staff

FAULTS: dict[str, Any] = {
    "damaged": _l("It arrived damaged"),
    "defective": _l("It does not work"),
    "wrong_item": _l("I got something else"),
    "not_as_described": _l("It is not as described"),
    "missing": _l("Something is missing"),
    "never_arrived": _l("It never arrived"),
}
NOT_THERE = ("missing", "never_arrived")
"""Nothing can come back of what never came."""
WISHES = ("repair", "replacement", "part_money", "money")
REMEDIES = ("repair", "replacement", "part_money", "keep_money", "money", "send_again")
"""What a claim ends with: `part_money` and `keep_money` leave the goods with the customer, `send_again` is a new parcel
of the same order for one that got lost."""
CURES = ("repair", "replacement")
"""What the shop may try first; when it did not help, money is due on demand (Directive (EU) 2019/771, Art. 13(4))."""


class Claim(Base):
    """What is wrong, what the customer would like, and what it ends with. One per return of the kind `claim`.

    `postage` is what the customer says to have paid for the way back, in minor units; `postage_note` how it was given
    back.
    """

    __tablename__ = "claims"
    __table_args__ = (
        CheckConstraint(f"fault IN {tuple(FAULTS)}", name="fault"),
        CheckConstraint(f"wish IN {WISHES}", name="wish"),
        CheckConstraint(f"remedy IN {REMEDIES}", name="remedy"),
        CheckConstraint("remedy IS NOT NULL OR NOT goods_back", name="goods_back"),
        CheckConstraint("(fault = 'never_arrived') = (parcel_id IS NOT NULL)", name="parcel"),
        CheckConstraint("postage > 0", name="postage"),
        CheckConstraint("postage_paid_at IS NULL OR postage IS NOT NULL", name="postage_paid"),
    )
    return_id: Mapped[int] = mapped_column(ForeignKey("returns.id"), unique=True)
    fault: Mapped[str]
    wish: Mapped[str]
    parcel_id: Mapped[int | None] = mapped_column(ForeignKey("parcels.id"), index=True)
    remedy: Mapped[str | None]
    goods_back: Mapped[bool] = mapped_column(default=False)
    postage: Mapped[int | None]
    postage_note: Mapped[str] = mapped_column(default="")
    postage_paid_at: Mapped[datetime | None]
    postage_paid_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    ret: Mapped[Return] = relationship(lazy="joined", innerjoin=True)
    parcel: Mapped[Parcel | None] = relationship()
    messages: Mapped[list["ClaimMessage"]] = relationship(order_by="ClaimMessage.id", back_populates="claim")

    @property
    def takes_postage(self) -> bool:
        """Whether the customer may tell what the way back cost: it is ours, and they had no label from us."""
        back = self.ret.decision == "approved" and self.goods_back and self.ret.goods != "not_expected"
        return back and not self.postage_paid_at and not self.ret.used_our_label

    @property
    def asks(self) -> bool:
        """Whether the customer is to answer a question of ours."""
        return self.ret.decision == "requested" and bool(self.messages) and self.messages[-1].staff_id is not None

    @property
    def abouts(self) -> list[str]:
        """What its pictures are about."""
        return [f"return:{self.return_id}", *(f"claim-message:{message.id}" for message in self.messages)]


class ClaimMessage(Base):
    """A question of ours, or what the customer wrote back."""

    __tablename__ = "claim_messages"
    __table_args__ = (CheckConstraint("staff_id IS NULL OR words <> ''", name="words"),)
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime]
    words: Mapped[str]
    form_key: Mapped[str | None] = mapped_column(unique=True)
    claim: Mapped[Claim] = relationship(back_populates="messages")
    staff: Mapped[Staff | None] = relationship()


def holds_pieces() -> ColumnElement[bool]:
    """Of the claim that belongs to `Return`: whether its pieces can't be in another return meanwhile.

    A claim that nobody has decided keeps nobody from withdrawing; what stays with the customer can still come back.
    """
    accepted = (Claim.return_id == Return.id, Return.decision == "approved")
    return exists().where(*accepted, or_(Claim.goods_back, Claim.remedy.in_(CURES))).correlate(Return)


def claims_where(*where: ColumnElement[bool]) -> Select[Any]:
    """Claims with their return, its lines and what was written."""
    found = select(Claim).join(Claim.ret).options(contains_eager(Claim.ret), selectinload(Claim.messages))
    return found.where(*where).execution_options(populate_existing=True)


def claim_of(return_id: int) -> Claim | None:
    return session.scalar(claims_where(Claim.return_id == return_id))


def pending(order_id: int) -> dict[int, int]:
    """By line, pieces in claims that wait to be decided."""
    found = select(ReturnLine.order_line_id, func.sum(ReturnLine.quantity)).join(ReturnLine.ret)
    found = found.where(Return.order_id == order_id, Return.kind == "claim", Return.decision == "requested")
    rows = session.execute(found.group_by(ReturnLine.order_line_id))
    return {line_id: int(pieces) for line_id, pieces in rows}


def open_about(parcel_id: int) -> Claim | None:
    """The claim that says that this parcel never arrived, unless it was declined or called off."""
    alive = (Claim.parcel_id == parcel_id, Return.decision.in_(("requested", "approved")))
    return session.scalar(select(Claim).join(Claim.ret).where(*alive).limit(1))


def cured_before(claim: Claim) -> Claim | None:
    """The earlier claim whose repair or replacement did not help: about the same line, or the one that this order
    went out for.
    """
    lines = select(ReturnLine.order_line_id).where(ReturnLine.return_id == claim.return_id)
    same_line = exists().where(ReturnLine.return_id == Return.id, ReturnLine.order_line_id.in_(lines))
    earlier = and_(same_line, Return.id < claim.return_id)
    behind = select(ReturnLine.return_id).join(SentInstead, SentInstead.return_line_id == ReturnLine.id)
    behind = behind.where(SentInstead.order_line_id.in_(lines))
    tried = (Claim.remedy.in_(CURES), Return.decision == "approved", or_(earlier, Return.id.in_(behind)))
    return session.scalar(claims_where(*tried).order_by(Claim.id.desc()).limit(1))
