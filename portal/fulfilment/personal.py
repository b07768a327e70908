"""What parcels and labels know of customers."""

from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, or_, select

from portal.db.personal import Ids, Kept
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.models import BackParcel, CourierEvent, LabelPurchase, Parcel, ParcelLine
from portal.fulfilment.promises import PromiseBreak
from portal.fulfilment.shorts import ShortPick


def _parcels(ids: Ids) -> Select[Any]:
    return select(Parcel.id).where(Parcel.order_id.in_(ids))


def _coming_back(ids: Ids) -> Select[Any]:
    return select(BackParcel.id).where(BackParcel.order_id.in_(ids))


def _labels(ids: Ids) -> ColumnElement[bool]:
    back = LabelPurchase.back_parcel_id.in_(_coming_back(ids))
    return or_(LabelPurchase.parcel_id.in_(_parcels(ids)), back)


KEPT = (
    Kept(
        Parcel,
        lambda ids: Parcel.order_id.in_(ids),
        shown=("ref", "courier", "tracking_number", "packed_at", "handed_over_at", "delivered_at"),
        taken={"tracking_number": "erased", "sscc": None},
        stays=("ref", "state", "courier", "tracking_status", "risk", "fate"),
    ),
    Kept(ParcelLine, lambda ids: ParcelLine.parcel_id.in_(_parcels(ids))),
    Kept(
        ShortPick,
        lambda ids: ShortPick.parcel_id.in_(_parcels(ids)),
        taken={"note": ""},
        stays=("state", "reason"),
    ),
    Kept(
        BackParcel,
        lambda ids: BackParcel.order_id.in_(ids),
        shown=("courier", "tracking_number", "scanned_at", "note"),
        taken={"tracking_number": "erased", "note": cast(BackParcel.id, String)},
        stays=("ref", "source", "courier", "tracking_status"),
    ),
    Kept(
        CourierEvent,
        lambda ids: or_(CourierEvent.parcel_id.in_(_parcels(ids)), CourierEvent.back_parcel_id.in_(_coming_back(ids))),
        shown=("at", "status", "place", "message"),
        taken={"place": cast(CourierEvent.id, String), "message": ""},
        stays=("at_raw", "status", "code"),
    ),
    Kept(
        LabelPurchase,
        _labels,
        shown=("carrier", "service", "bought_at"),
        taken={"paper": None, "code": None, "trouble": "", "rates": [], "tracking_number": "erased"},
        stays=(
            *("seller", "reference", "state", "shipment_id", "rate_id", "carrier", "service", "currency"),
            *("paper_at", "paper_kind", "paper_digest", "code_kind"),
        ),
    ),
    Kept(
        HandOff,
        lambda ids: HandOff.parcel_id.in_(_parcels(ids)),
        taken={"note": ""},
        stays=("giver", "department", "state", "reason"),
    ),
    Kept(
        PromiseBreak,
        lambda ids: PromiseBreak.order_id.in_(ids),
        shown=("noticed_at", "promised_on", "expected_on", "choice", "chosen_on"),
        stays=("choice",),
    ),
)
"""An event's place becomes its own number: two scans of one moment stay two."""
