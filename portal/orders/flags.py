"""What a person should look at about an order: found by us, settled by somebody, asked once."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.models import Order, OrderFlag
from portal.orders.timeline import named, names, record, words
from portal.staff.models import Actor, Staff

CODES: dict[str, tuple[Any, Any]] = {
    "changed": (_l("The channel changed the order"), _l("The warehouse had begun. Nothing leaves until you decide.")),
    "cancelled": (
        _l("The channel cancelled the order"),
        _l("The warehouse had begun. Nothing leaves until you decide."),
    ),
    "deleted": (_l("The order was deleted in the channel"), _l("Find out why before it is sent.")),
    "refund_by_hand": (
        _l("The customer cancelled it before it was sent"),
        _l("The money is with the sales channel. Give it back there."),
    ),
    "withdrawn": (
        _l("The customer withdrew from the contract"),
        _l("Some of it is still here. It must not leave; take it out, or cancel the parcel."),
    ),
    "no_return_label": (
        _l("No label for the way back"),
        _l("None was offered within the limits. The customer has the slip; send a label by mail if you want to help."),
    ),
    "postage": (
        _l("The customer paid for the way back of a claim"),
        _l("It is the shop's to pay. Give it back by hand, and write it down on the claim's page."),
    ),
    "copy_asked": (
        _l("The customer asks for a copy of their data"),
        _l("A manager hands it out under “Customers' data”."),
    ),
    "not_paid": (_l("Not paid"), _l("Nothing is promised or planned until the channel says that it is paid.")),
    "test": (_l("A test order"), _l("Nothing is promised or planned.")),
    "already_sent": (_l("Sent before we knew of it"), _l("The channel says that all of it has been sent already.")),
    "no_items": (_l("Nothing to send"), _l("There is no line with goods in it.")),
    "not_shipped": (_l("Some lines are not sent"), _l("Gift cards and services stay in the channel.")),
    "missing_sku": (_l("A line has no SKU"), _l("It can't be scanned or counted. Look at its title.")),
    "missing_address": (_l("No address"), _l("Ask the customer where it should go.")),
    "unknown_country": (_l("The country is unknown"), _l("The promise counts it as abroad. Ask the customer.")),
    "missing_email": (_l("No e-mail address"), _l("The customer gets no letters. Hand out the link yourself.")),
    "bad_email": (_l("The e-mail address can't be right"), _l("The customer gets no letters. Ask for another one.")),
    "totals": (_l("The amounts do not add up"), _l("The lines together are not the total. Compare with the channel.")),
    "pieces": (_l("A quantity is not whole"), _l("It is rounded up here. Compare with the channel.")),
    "amount": (_l("An amount can't be read"), _l("It counts as nothing here. Compare with the channel.")),
}
"""What each code says, and what to do about it."""
KEPT_ONLY = ("not_paid", "test", "already_sent")
"""Why an order is kept without being promised or planned."""
OURS = {"changed", "cancelled", "deleted", "refund_by_hand", "withdrawn", "no_return_label", "postage", "copy_asked"}
FROM_THE_COPY = frozenset(CODES) - OURS
"""What a newer copy of the order may mend by itself."""

names({f"flag:{code}": told for code, (told, _advice) in CODES.items()})
words("order.flagged", staff=_l("Needs a look: %(what)s"))
words("order.flag_settled", staff=_l("Looked at: %(what)s. %(note)s"))


def title(code: str) -> str:
    """The flag in a few words."""
    return str(CODES[code][0]) if code in CODES else code


def advice(code: str) -> str:
    return str(CODES[code][1]) if code in CODES else ""


def raise_flag(order_id: int, code: str, *, now: datetime) -> bool:
    """Ask a person to look, unless that is asked already. Whether it was new."""
    once = insert(OrderFlag).values(order_id=order_id, code=code, found_at=now, note="").on_conflict_do_nothing()
    return session.scalar(once.returning(OrderFlag.id)) is not None


def follow_copy(order_id: int, problems: Collection[str], *, leave: Collection[str] = (), now: datetime) -> None:
    """Open what is odd about the newest copy and close what is mended, but for what is to be left as it is.

    What a person settled is not asked again.
    """
    session.flush()
    known = session.scalars(select(OrderFlag).where(OrderFlag.order_id == order_id)).all()
    still = {flag.code for flag in known if flag.settled_at is None or flag.settled_by_id is not None}
    for flag in known:
        if flag.settled_at is None and flag.code in FROM_THE_COPY.difference(problems, leave):
            flag.settled_at = now
    for code in problems:
        if code not in still.union(leave):
            raise_flag(order_id, code, now=now)
    session.flush()


def settle(flag: OrderFlag, note: str, *, by: Staff, now: datetime) -> None:
    """A person has looked at it. Raises Refused when somebody else was quicker."""
    mine = update(OrderFlag).where(OrderFlag.id == flag.id, OrderFlag.settled_at.is_(None))
    done = mine.values(settled_at=now, settled_by_id=by.id, note=note).returning(OrderFlag.id)
    if session.scalar(done.execution_options(synchronize_session=False)) is None:
        raise Refused(_("Somebody else has settled this meanwhile. Nothing was changed."))
    session.expire(flag)
    record(flag.order_id, "order.flag_settled", by=by, now=now, what=named(f"flag:{flag.code}"), note=note)
    _look_again(flag.order_id)


def drop_flags(order_id: int, codes: Collection[str], *, now: datetime) -> None:
    """What was asked is no longer a question."""
    asked = (OrderFlag.order_id == order_id, OrderFlag.code.in_(codes), OrderFlag.settled_at.is_(None))
    session.execute(update(OrderFlag).where(*asked).values(settled_at=now))
    _look_again(order_id)


def _look_again(order_id: int) -> None:
    order = session.get(Order, order_id)
    if order is not None:
        session.expire(order, ["attention"])


def open_flags(order_id: int) -> Sequence[OrderFlag]:
    """What waits for a person, the oldest first."""
    asked = select(OrderFlag).where(OrderFlag.order_id == order_id, OrderFlag.settled_at.is_(None))
    return session.scalars(asked.order_by(OrderFlag.id)).all()


def problems(order_id: int) -> list[str]:
    """The codes of what waits for a person."""
    return [flag.code for flag in open_flags(order_id)]


def tell_once(order_id: int, code: str, *, by: Actor, now: datetime) -> None:
    """Raise the flag unless a person has settled it before."""
    settled = (OrderFlag.order_id == order_id, OrderFlag.code == code, OrderFlag.settled_by_id.is_not(None))
    if session.scalar(select(OrderFlag.id).where(*settled).limit(1)) is None:
        tell(order_id, code, by=by, now=now)


def tell(order_id: int, code: str, *, by: Actor, now: datetime) -> None:
    """Raise the flag, and say so on the timeline when it is new."""
    if raise_flag(order_id, code, now=now):
        record(order_id, "order.flagged", by=by, now=now, what=named(f"flag:{code}"))
    _look_again(order_id)
