"""Labels of the shop's own: a file, a code, a number or only words that say how the parcel comes back."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.fulfilment import back
from portal.fulfilment.models import BackParcel
from portal.fulfilment.rules import COURIERS, courier_name
from portal.lib.errors import Refused
from portal.lib.tokens import reference
from portal.orders.timeline import record, words
from portal.pictures.reading import MOST_BYTES, read
from portal.returns.actions import lock_whole
from portal.returns.letters import write
from portal.returns.models import Return
from portal.returns.parcels_back import MOST_PARCELS
from portal.staff.models import Staff

words("return.label_given", staff=_l("Return %(rma)s: a label of our own was given"))


class OwnLabel(Base):
    """What a person of the shop gave for one parcel of a return. `code` is what a drop-off point scans."""

    __tablename__ = "own_labels"
    __table_args__ = (CheckConstraint("(paper IS NULL) = (paper_kind = '')", name="paper"),)
    back_parcel_id: Mapped[int] = mapped_column(ForeignKey("back_parcels.id"), unique=True)
    paper: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    paper_kind: Mapped[str] = mapped_column(default="")
    code: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    code_kind: Mapped[str] = mapped_column(default="")
    words: Mapped[str] = mapped_column(default="")


@dataclass(frozen=True, slots=True)
class Paper:
    """A file to be printed or shown."""

    content: bytes
    kind: str


def paper(raw: bytes) -> Paper | None:
    """A PDF as it is, a picture made anew; None for no file at all. Raises Refused for anything else."""
    if not raw:
        return None
    if not raw.startswith(b"%PDF-"):
        return Paper(read(raw).content, "image/jpeg")
    if len(raw) > MOST_BYTES:
        raise Refused(_("It has more than 5 MB. Please choose a smaller file."))
    if b"%%EOF" not in raw[-2048:]:
        raise Refused(_("The PDF is not whole. Please choose it once more."))
    return Paper(raw, "application/pdf")


@dataclass(frozen=True, slots=True)
class Given:
    """What is given for one parcel."""

    courier: str | None = None
    number: str = ""
    words: str = ""
    paper: Paper | None = None
    code: Paper | None = None


def give_label(ret: Return, given: Given, *, by: Staff, now: datetime) -> BackParcel:
    """A label for one more parcel; the customer gets a letter. Raises Refused for nothing at all, too many parcels,
    a number that means another parcel, and when nothing is awaited.
    """
    lock_whole(ret)
    if ret.decision != "approved" or ret.goods not in ("awaited", "in_transit"):
        raise Refused(_("Nothing is awaited of this return."))
    if not (given.number.strip() or given.words.strip() or given.paper or given.code):
        raise Refused(_("Give a file, a number, or words that say how it comes back."))
    if len(ret.living) >= MOST_PARCELS:
        raise Refused(_("A return comes in %(most)s parcels at most. Take one out first.", most=MOST_PARCELS))
    parcel = _expect(ret, given, by, now)
    label = OwnLabel(back_parcel_id=parcel.id, words=given.words.strip())
    if given.paper:
        label.paper, label.paper_kind = given.paper.content, given.paper.kind
    if given.code:
        label.code, label.code_kind = given.code.content, given.code.kind
    session.add(label)
    session.flush()
    record(ret.order_id, "return.label_given", by=by, now=now, rma=ret.rma)
    write(
        "return-label", ret, now, courier=courier_name(given.courier), words=label.words, printed=bool(given.paper),
        code=bool(given.code), carried_by=given.courier, once=f"return-label:{parcel.id}",
    )  # fmt: skip
    session.expire(ret, ["back"])
    return parcel


def _expect(ret: Return, given: Given, by: Staff, now: datetime) -> BackParcel:
    if given.number.strip():
        since = ret.requested_at
        return back.add(ret.order, ret.id, "own", given.courier, given.number, since=since, by=by, now=now)
    if given.courier is not None and given.courier not in COURIERS:
        raise Refused(_("Choose who carries it."))
    made = BackParcel(
        ref=reference(), order_id=ret.order_id, return_id=ret.id, source="own", courier=given.courier,
        since=ret.requested_at, created_at=now, added_by_id=by.id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def labels_of(ret: Return) -> dict[int, OwnLabel]:
    """By parcel of the return, the shop's own labels."""
    living = [parcel.id for parcel in ret.living if parcel.source == "own"]
    if not living:
        return {}
    found = session.scalars(select(OwnLabel).where(OwnLabel.back_parcel_id.in_(living)))
    return {label.back_parcel_id: label for label in found}
