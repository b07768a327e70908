"""Pictures brought to an order, as customers and staff bring them."""

from sqlalchemy import select

from portal.db import session
from portal.lib import clock, tokens
from portal.orders.models import Order
from portal.pictures import actions
from portal.pictures.models import Picture
from portal.pictures.reading import read
from portal.staff.models import Staff
from tests.uploads import files


def uploader(order: Order, browser: bytes | None = b"hers", staff: Staff | None = None) -> actions.Uploader:
    return actions.Uploader(order.id, tokens.mint(), browser, staff)


def draft(order: Order, turn: int = 0, who: actions.Uploader | None = None) -> Picture:
    """A picture beside a form that was not sent."""
    who = who or uploader(order)
    actions.keep_draft(read(files.photo(turn)), who, now=clock.now())
    session.commit()
    return session.scalars(select(Picture).where(Picture.form_key == who.key).order_by(Picture.id.desc())).first()  # type: ignore[return-value]


def sent(order: Order, about: str, turn: int = 0, staff: Staff | None = None) -> Picture:
    """A picture that belongs to something."""
    picture = draft(order, turn, uploader(order, None if staff else b"hers", staff))
    assert actions.attach(order.id, picture.form_key, about) == 1
    session.commit()
    session.refresh(picture)
    return picture
