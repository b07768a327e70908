"""Pictures of an order: what they are about, who brought them, and the picture itself."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, func, or_, select
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.staff.models import Staff

ALIKE = 4
"""Bits of 64 in which two pictures may differ that look the same."""


class Picture(Base):
    """One picture, made anew by us. `about` names what it belongs to like a letter's ("return:7", "inspection:3").

    Without it, it is a draft of the form with this key, in this browser or of this person, and is swept after a day.
    """

    __tablename__ = "pictures"
    __table_args__ = (
        UniqueConstraint("form_key", "digest"),
        CheckConstraint("about IS NULL OR browser IS NULL", name="kept"),
        Index("ix_pictures_drafts", "uploaded_at", postgresql_where="about IS NULL"),
    )
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    about: Mapped[str | None] = mapped_column(index=True)
    form_key: Mapped[str]
    browser: Mapped[bytes | None] = mapped_column(LargeBinary)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    uploaded_at: Mapped[datetime]
    width: Mapped[int]
    height: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    looks: Mapped[int | None]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    thumbnail: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    @property
    def name(self) -> str:
        """The file's name: ours, whatever the customer's was."""
        return f"picture-{self.id}.jpg"


def drafts(order_id: int, key: str) -> Sequence[Picture]:
    """What was uploaded with this form and not sent yet."""
    found = select(Picture).where(Picture.order_id == order_id, Picture.form_key == key, Picture.about.is_(None))
    return session.scalars(found.order_by(Picture.id)).all()


def pictures_of(abouts: Iterable[str]) -> dict[str, list[Picture]]:
    """By what they are about, in one statement."""
    found: dict[str, list[Picture]] = {about: [] for about in abouts}
    for picture in session.scalars(select(Picture).where(Picture.about.in_(found)).order_by(Picture.id)):
        found[str(picture.about)].append(picture)
    return found


def used_before(picture: Picture) -> Sequence[Picture]:
    """Earlier pictures of other orders that are the same, or look the same."""
    same = [Picture.digest == picture.digest]
    if picture.looks is not None:
        differing = Picture.looks.op("#")(picture.looks).cast(BIT(64))
        same.append(func.bit_count(differing) <= ALIKE)
    others = (Picture.order_id != picture.order_id, Picture.about.is_not(None), Picture.id < picture.id)
    return session.scalars(select(Picture).where(or_(*same), *others).order_by(Picture.id)).all()


def brought_by(picture: Picture) -> Staff | None:
    """The person of the shop who took it; nobody when it was the customer."""
    return session.get(Staff, picture.staff_id) if picture.staff_id else None


def sent_pictures(orders: Sequence[int]) -> Iterator[Picture]:
    """All pictures of these orders that are no drafts, one after the other in memory."""
    sent = (Picture.order_id.in_(orders), Picture.about.is_not(None))
    for picture_id in session.scalars(select(Picture.id).where(*sent).order_by(Picture.id)).all():
        picture = session.get_one(Picture, picture_id)
        yield picture
        session.expunge(picture)
