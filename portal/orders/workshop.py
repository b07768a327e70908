"""The workshop: goods that came back and are to be repaired. They are counted there, and nobody can buy them."""

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from portal.db import session
from portal.lib.errors import Refused
from portal.orders.shelves import StockItem, StockMove, StockPlace, counted
from portal.orders.stock import bring_back, shift
from portal.staff.models import Actor, Staff

PLACE = "workshop"


def set_aside(sku: str, pieces: int, cause: str, *, by: Actor, now: datetime) -> None:
    """So many pieces of an article that is counted lie in the workshop because of this cause ("return-line:7").

    Saying it again with another number puts it right, as far as they still lie there.
    """
    if not counted({sku}):
        return
    place = _place()
    same = (StockMove.cause == cause, StockItem.place_id == place.id)
    before = select(func.coalesce(func.sum(StockMove.on_hand), 0)).join(StockItem, StockItem.id == StockMove.item_id)
    change = pieces - int(session.scalar(before.where(*same)) or 0)
    if change:
        item = _item(sku, place)
        shift(item, "refurbish", cause, by, now, on_hand=max(change, -item.on_hand))


def _place() -> StockPlace:
    new = insert(StockPlace).values(code=PLACE, name=_("Workshop"), sold=False)
    session.execute(new.on_conflict_do_nothing(index_elements=["code"]))
    return session.scalars(select(StockPlace).where(StockPlace.code == PLACE)).one()


def _item(sku: str, place: StockPlace) -> StockItem:
    title = session.scalar(select(StockItem.title).where(StockItem.sku == sku, StockItem.title != "").limit(1)) or ""
    new = insert(StockItem).values(sku=sku, place_id=place.id, title=title, low_at=0, on_hand=0, reserved=0)
    session.execute(new.on_conflict_do_nothing(index_elements=["sku", "place_id"]))
    mine = select(StockItem).where(StockItem.sku == sku, StockItem.place_id == place.id).with_for_update(of=StockItem)
    return session.scalars(mine, execution_options={"populate_existing": True}).one()


def waiting() -> Sequence[StockItem]:
    """What lies in the workshop."""
    there = (StockPlace.code == PLACE, StockItem.on_hand > 0)
    found = select(StockItem).join(StockItem.place).where(*there).options(joinedload(StockItem.place))
    return session.scalars(found.order_by(StockItem.sku)).all()


def finish(item_id: int, pieces: int, repaired: bool, *, by: Staff, now: datetime) -> None:
    """Repaired pieces lie on the shelf again and can be sold; what can't be repaired is recycled.

    Raises Refused for more than lies there.
    """
    item = session.get_one(StockItem, item_id, with_for_update={"of": StockItem}, populate_existing=True)
    if item.place.code != PLACE or not 0 < pieces <= item.on_hand:
        raise Refused(_("There are not so many of %(sku)s left.", sku=item.sku))
    shift(item, "refurbished" if repaired else "recycled", "", by, now, on_hand=-pieces)
    if repaired:
        last = session.scalar(select(func.max(StockMove.id)).where(StockMove.item_id == item.id))
        bring_back(item.sku, pieces, "restock", f"workshop:{last}", by=by, now=now)
