"""The shop's boxes, the sizes of what it sells, and which box surely holds it. What is not measured is not guessed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations

from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, Index, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.lib.errors import Refused
from portal.orders.models import Order, OrderLine

Sides = tuple[int, int, int]
"""Millimetres, in any order."""
MOST_PIECES = 200
"""Beyond that nobody works out how they lie."""


class Box(Base):
    """A box that the shop keeps: its inner sides, what it weighs itself, and what it may weigh when it is full."""

    __tablename__ = "boxes"
    __table_args__ = (
        CheckConstraint("length > 0 AND width > 0 AND height > 0", name="sides"),
        CheckConstraint("own_grams >= 0 AND holds_grams > own_grams", name="weight"),
        Index("uq_boxes_name", "name", unique=True, postgresql_where="gone_at IS NULL"),
    )
    name: Mapped[str]
    length: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    own_grams: Mapped[int]
    holds_grams: Mapped[int]
    gone_at: Mapped[datetime | None]

    @property
    def sides(self) -> Sides:
        return self.length, self.width, self.height

    @property
    def volume(self) -> int:
        return self.length * self.width * self.height


class ArticleSize(Base):
    """One piece of an article as somebody measured and weighed it."""

    __tablename__ = "article_sizes"
    __table_args__ = (
        CheckConstraint("length > 0 AND width > 0 AND height > 0", name="sides"),
        CheckConstraint("grams > 0", name="weight"),
    )
    sku: Mapped[str] = mapped_column(unique=True)
    length: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    grams: Mapped[int]

    @property
    def sides(self) -> Sides:
        return self.length, self.width, self.height


@dataclass(frozen=True, slots=True)
class Advice:
    """Which box surely holds the goods and what it then weighs; or what is not known, or that none is sure to."""

    box: Box | None = None
    grams: int = 0
    unknown: tuple[str, ...] = ()


# --- working it out ---------------------------------------------------------------------------------------------------


def packs(pieces: Iterable[Sides], inner: Sides) -> bool:
    """Whether the pieces surely fit: a way to lay them is found, each along the sides, the largest first.

    No is not proof that there is no other way; yes is one that works.
    """
    spaces = [inner]
    for piece in sorted(pieces, key=_volume, reverse=True):
        found = [(space, laid) for space in spaces for laid in set(permutations(piece)) if _holds(space, laid)]
        if not found:
            return False
        space, laid = min(found, key=lambda pair: (_volume(pair[0]), _waste(*pair), pair))
        spaces.remove(space)
        spaces += _left_of(space, laid)
    return True


def _volume(sides: Sequence[int]) -> int:
    return sides[0] * sides[1] * sides[2]


def _holds(space: Sequence[int], piece: Sequence[int]) -> bool:
    return all(side <= room for side, room in zip(piece, space, strict=True))


def _waste(space: Sequence[int], piece: Sequence[int]) -> int:
    return min(room - side for side, room in zip(piece, space, strict=True))


def _left_of(space: Sequence[int], piece: Sequence[int]) -> list[Sides]:
    """What a piece in the corner leaves free: beside it, before it, above it."""
    (length, width, height), (x, y, z) = space, piece
    parts = ((length - x, width, height), (x, width - y, height), (x, y, height - z))
    return [part for part in parts if all(part)]


def advise(wanted: Mapping[str, int], sizes: Mapping[str, ArticleSize], boxes: Iterable[Box]) -> Advice:
    """The smallest of the boxes for so many pieces of each article; articles without a size are named."""
    if unknown := tuple(sorted(sku for sku in wanted if sku not in sizes)):
        return Advice(unknown=unknown)
    if not wanted or sum(wanted.values()) > MOST_PIECES:
        return Advice()
    pieces = [sizes[sku].sides for sku, count in wanted.items() for _piece in range(count)]
    grams = sum(sizes[sku].grams * count for sku, count in wanted.items())
    for box in sorted(boxes, key=lambda box: (box.volume, box.id or 0)):
        if grams + box.own_grams <= box.holds_grams and packs(pieces, box.sides):
            return Advice(box, grams + box.own_grams)
    return Advice()


# --- the shop's -------------------------------------------------------------------------------------------------------


def kept() -> Sequence[Box]:
    """The boxes the shop has, the smallest first."""
    volume = Box.length * Box.width * Box.height
    return session.scalars(select(Box).where(Box.gone_at.is_(None)).order_by(volume, Box.id)).all()


def sizes_of(skus: Iterable[str]) -> dict[str, ArticleSize]:
    """By article number, what was measured."""
    found = session.scalars(select(ArticleSize).where(ArticleSize.sku.in_({sku for sku in skus if sku})))
    return {size.sku: size for size in found}


def measured(limit: int = 200) -> Sequence[ArticleSize]:
    return session.scalars(select(ArticleSize).order_by(ArticleSize.sku).limit(limit)).all()


def unmeasured(limit: int = 20) -> list[tuple[str, str]]:
    """Articles of open orders that nobody has measured, those that are wanted most leading: number and title."""
    known = select(ArticleSize.id).where(ArticleSize.sku == OrderLine.sku).exists()
    wanted = (Order.state.in_(("accepted", "on_hold")), OrderLine.kind == "item", OrderLine.sku != "", ~known)
    found = select(OrderLine.sku, func.min(OrderLine.title)).join(OrderLine.order).where(*wanted)
    rows = session.execute(found.group_by(OrderLine.sku).order_by(func.count().desc(), OrderLine.sku).limit(limit))
    return [(sku, title) for sku, title in rows]


def keep(name: str, sides: Sides, own_grams: int, holds_grams: int) -> Box:
    """A box that the shop has from now on. Raises Refused for a name that is taken, and for one that holds nothing."""
    if holds_grams <= own_grams:
        raise Refused(_("A box has to hold more than it weighs itself."))
    if session.scalar(select(Box.id).where(Box.name == name, Box.gone_at.is_(None))):
        raise Refused(_("There is a box of that name already."))
    length, width, height = sides
    box = Box(name=name, length=length, width=width, height=height, own_grams=own_grams, holds_grams=holds_grams)
    session.add(box)
    session.flush()
    return box


def keep_no_more(box: Box, *, now: datetime) -> None:
    """The shop has no such box any more; parcels that went in one still say so."""
    box.gone_at = box.gone_at or now


def measure(sku: str, sides: Sides, grams: int) -> None:
    """What one piece of this article measures and weighs, from now on."""
    values = dict(zip(("length", "width", "height"), sides, strict=True)) | {"grams": grams}
    row = insert(ArticleSize).values(sku=sku, **values)
    session.execute(row.on_conflict_do_update(index_elements=["sku"], set_=values))
    session.expire_all()
