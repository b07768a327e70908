"""Where a courier takes parcels from customers, in the shop's own words and with a link of its choice.

Nobody sells us a list of such places beside the labels; a decision says why. The couriers' own pages have them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask_babel import gettext as _
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, session
from portal.fulfilment.rules import COURIERS, courier_name
from portal.lib.errors import Refused

LONGEST_LINK, LONGEST_WORDS = 300, 300


class DropOff(Base):
    """What the shop tells of one courier; the words by language."""

    __tablename__ = "drop_offs"
    courier: Mapped[str] = mapped_column(unique=True)
    link: Mapped[str] = mapped_column(default="")
    words: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """The same for one reader."""

    courier: str
    name: str
    link: str
    words: str


def say(courier: str, link: str, words: dict[str, str]) -> None:
    """From now on customers read this; with neither link nor words nothing is told of this courier."""
    if courier not in COURIERS:
        raise Refused(_("Choose who carries it."))
    if link and (len(link) > LONGEST_LINK or urlsplit(link).scheme != "https" or not urlsplit(link).hostname):
        raise Refused(_("The link must begin with https:// and lead to a page."))
    if not link and not words:
        session.execute(delete(DropOff).where(DropOff.courier == courier))
        return
    new = insert(DropOff).values(courier=courier, link=link, words=words)
    session.execute(new.on_conflict_do_update(index_elements=["courier"], set_={"link": link, "words": words}))


def rows() -> Sequence[DropOff]:
    return session.scalars(select(DropOff).order_by(DropOff.courier)).all()


def places(language: str) -> list[Place]:
    """For somebody who reads this language; English where there are no words in it."""
    spoken = language.partition("_")[0].partition("-")[0]
    return [
        Place(row.courier, courier_name(row.courier), row.link, row.words.get(spoken) or row.words.get("en", ""))
        for row in rows()
    ]


def lines(language: str, courier: str | None = None) -> list[tuple[str, str, str]]:
    """The same as a letter lists them, all or one courier's: who, the words, the link."""
    told = [place for place in places(language) if courier in (None, place.courier)]
    return [(place.name, place.words, place.link) for place in told]
