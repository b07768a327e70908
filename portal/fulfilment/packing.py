"""At the packing table: what was picked is checked piece by piece while it goes into the box."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select, update

from portal.db import session
from portal.fulfilment import actions, handoffs
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib.errors import Refused
from portal.staff.models import Staff


def line_to_box(parcel: Parcel, scanned: str) -> ParcelLine:
    """The line that this code is about, one that is not all in the box if it can be. Raises Refused for a stranger."""
    code = scanned.strip().casefold()
    found = [packed for packed in parcel.lines if code and packed.line.sku.casefold() == code]
    if not found:
        raise Refused(_("%(code)s does not belong in this parcel. Put it aside.", code=scanned.strip()[:40] or "–"))
    return next((packed for packed in found if packed.to_box), found[0])


def put_in(packed: ParcelLine, pieces: int, *, by: Staff, now: datetime) -> None:
    """Count pieces into the box, or, with a negative number, out of it. Never more than were picked.

    Who begins has taken the work over.
    """
    here = select(Parcel.id).where(Parcel.id == packed.parcel_id, Parcel.state == "picked")
    wanted = ParcelLine.boxed + pieces
    counted = update(ParcelLine).where(
        ParcelLine.id == packed.id, ParcelLine.parcel_id.in_(here), wanted >= 0, wanted <= ParcelLine.quantity
    )
    if not session.scalar(counted.values(boxed=wanted).returning(ParcelLine.id)):
        _refuse(packed, pieces)
    session.refresh(packed, ["boxed"])
    handoffs.take(packed.parcel, by=by, now=now)


def _refuse(packed: ParcelLine, pieces: int) -> None:
    session.refresh(packed.parcel, ["state"])
    if packed.parcel.state != "picked":
        raise Refused(_("This parcel is not being packed. Nothing was counted."))
    enough = _("Too many: %(title)s is complete with %(n)s.", title=packed.title, n=packed.quantity)
    raise Refused(enough if pieces > 0 else _("Nothing of this line is in the box yet."))


def close_here(parcel: Parcel, *, by: Staff, now: datetime) -> Parcel:
    """The box is full: what is not in it goes into a second parcel, which is packed next."""
    rest = {packed.id: packed.to_box for packed in parcel.lines}
    return actions.split(parcel, rest, by=by, now=now)
