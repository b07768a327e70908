"""The numbers of a return's parcels, as customers and staff tell them."""

from datetime import datetime

from flask_babel import gettext as _

from portal.adapters.couriers import normal_number
from portal.fulfilment import back
from portal.fulfilment.models import BackParcel
from portal.lib.errors import Refused
from portal.returns.actions import lock_whole
from portal.returns.models import Return
from portal.staff.models import Actor

MOST_PARCELS = 5


def note_number(ret: Return, courier: str | None, number: str, *, by: Actor, now: datetime) -> BackParcel:
    """A parcel of this return travels under this number; told twice it is one parcel.

    Raises Refused when nothing is awaited, for too many, and for a number that means another parcel.
    """
    lock_whole(ret)
    if ret.decision != "approved" or ret.goods not in ("awaited", "in_transit", "lost"):
        raise Refused(_("Nothing is awaited of this return."))
    if known := next((one for one in ret.living if one.tracking_number == normal_number(number)), None):
        return known
    if len(ret.living) >= MOST_PARCELS:
        raise Refused(_("That are many parcels. Please write to us, and we help you."))
    return back.add(ret.order, ret.id, "typed", courier, number, since=ret.requested_at, by=by, now=now)
