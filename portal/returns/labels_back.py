"""Labels for the way back: who gets one, how many, and what becomes of those that are not used."""

from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select

from portal.config import Settings
from portal.db import session
from portal.fulfilment import buying, buying_back
from portal.fulfilment.drop_off import Place, places
from portal.fulfilment.models import BackParcel, LabelPurchase
from portal.fulfilment.rules import courier_name
from portal.lib.errors import Refused
from portal.orders import flags
from portal.returns.actions import lock_whole
from portal.returns.letters import write
from portal.returns.models import Return
from portal.returns.own_labels import OwnLabel, labels_of
from portal.staff.models import Actor


def first_label(return_id: int, *, now: datetime) -> None:
    """A return was accepted: the label that the shop gives, when it gives one."""
    ret = session.get_one(Return, return_id)
    if _settings().return_labels != "none" and not _labels(ret) and ret.goods == "awaited":
        order_label(ret, by="system", now=now)


def _settings() -> Settings:
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def _labels(ret: Return) -> list[BackParcel]:
    return [parcel for parcel in ret.living if parcel.source == "bought"]


def order_label(ret: Return, *, by: Actor, now: datetime) -> None:
    """One more label. Raises Refused before anybody accepted the return, and beyond what the shop gives.

    Beyond the day's number none is bought either; the customer sends it with the slip, and a person hears of it.
    """
    lock_whole(ret)
    settings = _settings()
    if settings.return_labels == "none" or ret.decision != "approved" or ret.goods not in ("awaited", "in_transit"):
        raise Refused(_("There is no label for this return."))
    if len(_labels(ret)) >= settings.return_labels_each:
        raise Refused(_("You have all labels that we give for a return. Please write to us if you need more."))
    if buying_back.bought_today(now) >= settings.return_labels_a_day:
        flags.tell(ret.order_id, "no_return_label", by=by, now=now)
    else:
        buying_back.want_label(ret.order, ret.id, since=ret.requested_at, by=by, now=now)
    session.expire(ret, ["back"])


def give_up(return_id: int, *, now: datetime) -> None:
    """The return ends: what was not used is not expected any more, and labels that cost money are given back."""
    ret = session.get_one(Return, return_id)
    for parcel in ret.living if ret.decision == "cancelled" or ret.stays else []:
        if parcel.scanned_at is None:
            parcel.ended_at = now
            buying_back.give_up(parcel.id, until=buying.database_now() + buying.LEASE)


@dataclass(frozen=True, slots=True)
class Here:
    """What there is for a parcel: a label to be printed, a code for drop-off points, the shop's words."""

    paper: bool
    code: bool
    words: str = ""


def papers(ret: Return) -> dict[int, Here]:
    """By parcel whose label is here, bought or given by the shop."""
    own = labels_of(ret).items()
    given = {back_id: Here(bool(label.paper_kind), bool(label.code_kind), label.words) for back_id, label in own}
    if not _labels(ret):
        return given
    here = select(LabelPurchase.back_parcel_id, LabelPurchase.code_kind).where(
        LabelPurchase.back_parcel_id.in_([parcel.id for parcel in ret.living]),
        LabelPurchase.state == "bought",
        LabelPurchase.paper_digest != "",
    )
    return given | {back_id: Here(True, bool(kind)) for back_id, kind in session.execute(here) if back_id}


def to_hand_in(ret: Return) -> list[Place]:
    """Where couriers take parcels, while something is to be sent."""
    return places(str(get_locale() or "en")) if ret.decision == "approved" and ret.goods == "awaited" else []


def paper_of(ret: Return, ref: str) -> LabelPurchase | OwnLabel | None:
    """The label of this parcel, or, without a name, of the first that has one."""
    given = labels_of(ret)
    wanted = [parcel for parcel in ret.living if ref in ("", parcel.ref) and parcel.source in ("bought", "own")]
    found = (given.get(parcel.id) or buying_back.paper_of(parcel.id) for parcel in wanted)
    return next((paper for paper in found if paper), None)


def tell(back_parcel_id: int, *, now: datetime) -> None:
    """The customer hears that the label is there."""
    parcel = session.get_one(BackParcel, back_parcel_id)
    ret = session.get_one(Return, parcel.return_id)
    if ret.decision == "approved" and parcel.ended_at is None:
        about = {"courier": courier_name(parcel.courier), "words": "", "printed": True}
        code = papers(ret).get(parcel.id, Here(True, False)).code
        once = f"return-label:{parcel.id}"
        write("return-label", ret, now, carried_by=parcel.courier, **about, code=code, once=once)
