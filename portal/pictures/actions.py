"""What may be done with pictures: keep one beside a form, take it away again, give it to what the form made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from portal.db import limits, session
from portal.lib.errors import Refused
from portal.pictures.models import Picture
from portal.pictures.reading import Clean
from portal.staff.models import Staff

MOST_PER_FORM = 6
MOST_A_DAY = 40
"""Pictures that may be uploaded to one order in a day."""
DRAFTS_LAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who brings pictures with which form: a customer's browser (the hash of its cookie) or a person of the shop."""

    order_id: int
    key: str
    browser: bytes | None = None
    staff: Staff | None = None


def keep_draft(clean: Clean, who: Uploader, *, now: datetime) -> None:
    """Keep it beside the form until that is sent. The same picture twice is one; too many are refused."""
    if _has(who, Picture.digest == clean.digest):
        return
    if count(who) >= MOST_PER_FORM:
        raise Refused(_("No more than %(most)s pictures, please.", most=MOST_PER_FORM))
    if not limits.take("pictures", str(who.order_id), MOST_A_DAY, timedelta(days=1), now):
        raise Refused(_("That were many pictures today. Please try again tomorrow."))
    values = {
        "order_id": who.order_id, "form_key": who.key, "uploaded_at": now, "browser": who.browser,
        "staff_id": who.staff.id if who.staff else None, "width": clean.width, "height": clean.height,
        "digest": clean.digest, "looks": clean.looks, "content": clean.content, "thumbnail": clean.thumbnail,
    }  # fmt: skip
    session.execute(insert(Picture).values(values).on_conflict_do_nothing(index_elements=["form_key", "digest"]))


def _has(who: Uploader, *where: object) -> bool:
    found = select(Picture.id).where(Picture.form_key == who.key, Picture.order_id == who.order_id, *where)  # type: ignore[arg-type]
    return session.scalar(found.limit(1)) is not None


def count(who: Uploader) -> int:
    """How many pictures this form holds."""
    mine = (Picture.form_key == who.key, Picture.order_id == who.order_id)
    return session.scalar(select(func.count()).where(*mine)) or 0


def drop_draft(picture_id: int, who: Uploader) -> None:
    """Take one away from the form that it was uploaded with; anything else stays."""
    mine = (Picture.order_id == who.order_id, Picture.form_key == who.key, Picture.about.is_(None))
    session.execute(delete(Picture).where(Picture.id == picture_id, *mine))


def attach(order_id: int, key: str, about: str) -> int:
    """The form was sent: its pictures belong to what it made. How many they are."""
    mine = (Picture.order_id == order_id, Picture.form_key == key, Picture.about.is_(None))
    given = update(Picture).where(*mine).values(about=about, browser=None).returning(Picture.id)
    return len(session.scalars(given).all())


def hand_over(about: str, to: str) -> None:
    """What the pictures were about is gone: they belong to something else."""
    session.execute(update(Picture).where(Picture.about == about).values(about=to))


def drop(picture_id: int, abouts: Sequence[str]) -> None:
    """Take away a picture for good, when it belongs to one of these."""
    session.execute(delete(Picture).where(Picture.id == picture_id, Picture.about.in_(abouts)))


def sweep_drafts(*, now: datetime) -> None:
    """Forms that nobody sent lose their pictures."""
    old = (Picture.about.is_(None), Picture.uploaded_at < now - DRAFTS_LAST)
    session.execute(delete(Picture).where(*old))
