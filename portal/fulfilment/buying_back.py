"""Labels for parcels that come back, bought like those that leave: a row before the call, one label per row.

Nobody stands by to choose: the cheapest service within the shop's limit is taken, else none.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from portal.adapters.couriers.selling import Address, Rate, Shipment
from portal.config import Settings
from portal.db import move, session
from portal.fulfilment.models import LIVING_PURCHASES, BackParcel, LabelPurchase, Parcel
from portal.jobs import announce
from portal.lib.tokens import reference
from portal.orders.flags import tell
from portal.orders.models import Order
from portal.staff.models import Actor, Staff

A_DAY = timedelta(days=1)


def want_label(order: Order, return_id: int, *, since: datetime, by: Actor, now: datetime) -> BackParcel:
    """Expect a parcel and ask what its label costs. Nothing is bought yet."""
    person = by.id if isinstance(by, Staff) else None
    made = BackParcel(
        ref=reference(), order_id=order.id, return_id=return_id, source="bought", since=since, created_at=now,
        added_by_id=person,
    )  # fmt: skip
    session.add(made)
    session.flush()
    purchase = LabelPurchase(
        back_parcel_id=made.id, seller="easypost", reference=f"{made.ref}-{reference(6)}", asked_by_id=person,
        asked_at=now,
    )  # fmt: skip
    session.add(purchase)
    session.flush()
    announce("label.rates_wanted", purchase_id=purchase.id)
    return made


def bought_today(now: datetime) -> int:
    """Labels for the way back that were asked for within a day and may cost money."""
    asked = (LabelPurchase.back_parcel_id.is_not(None), LabelPurchase.asked_at > now - A_DAY)
    costly = LabelPurchase.state.in_((*LIVING_PURCHASES, "voided"))
    return session.scalar(select(func.count()).select_from(LabelPurchase).where(*asked, costly)) or 0


def shipment(purchase: LabelPurchase, back: BackParcel, sender: Address, receiver: Address) -> Shipment:
    """The way out with a flag: the courier swaps the two addresses on the label."""
    weighed = select(func.max(Parcel.weight_grams)).where(Parcel.order_id == back.order_id)
    settings: Settings = current_app.config["SETTINGS"]
    return Shipment(
        reference=purchase.reference,
        sender=sender,
        receiver=receiver,
        grams=session.scalar(weighed) or settings.return_parcel_grams,
        order_number=back.order.number,
        comes_back=True,
    )


def choose(purchase: LabelPurchase, *, now: datetime, lease: timedelta) -> None:
    """Take the cheapest that the shop allows; without one nothing is bought and a person hears of it."""
    settings: Settings = current_app.config["SETTINGS"]
    allowed = [rate for rate in purchase.offers if _allowed(rate, settings)]
    best = min(allowed, key=lambda rate: rate.cost.amount, default=None)
    if best is None:
        move(purchase, "state", "drop")
        give_up_without(purchase, now=now)
        return
    chosen = {
        "carrier": best.carrier,
        "service": best.service,
        "cost": best.cost.amount,
        "currency": best.cost.currency,
    }
    move(purchase, "state", "choose", rate_id=best.id, next_look_at=now + lease, **chosen)
    announce("label.chosen", purchase_id=purchase.id)


def _allowed(rate: Rate, settings: Settings) -> bool:
    most = settings.return_label_limit(rate.cost.currency)
    return most is not None and rate.cost.amount <= most


def give_up_without(purchase: LabelPurchase, *, now: datetime) -> None:
    """No label: the customer sends it with the slip, and a person may help."""
    back = session.get_one(BackParcel, purchase.back_parcel_id)
    back.ended_at = now
    tell(back.order_id, "no_return_label", by="system", now=now)


def void(purchase: LabelPurchase, *, until: datetime) -> None:
    """Its return ended: the label goes back to the courier; looked at again at `until`."""
    move(purchase, "state", "void", next_look_at=until)
    announce("label.unwanted", purchase_id=purchase.id)


def give_up(back_parcel_id: int, *, until: datetime) -> None:
    """The parcel will not come: its label goes back; one that is being bought this moment follows once it is known."""
    living_one = (LabelPurchase.back_parcel_id == back_parcel_id, LabelPurchase.state.in_(LIVING_PURCHASES))
    purchase = session.scalar(select(LabelPurchase).where(*living_one))
    if purchase is not None and purchase.state == "bought":
        void(purchase, until=until)
    elif purchase is not None and purchase.state in ("quoting", "quoted"):
        move(purchase, "state", "drop")


def paper_of(back_parcel_id: int) -> LabelPurchase | None:
    """The label of a parcel that comes back, with its paper and its code, when it is here."""
    bought = select(LabelPurchase).where(
        LabelPurchase.back_parcel_id == back_parcel_id,
        LabelPurchase.state == "bought",
        LabelPurchase.paper.is_not(None),
    )
    return session.scalar(bought.options(undefer(LabelPurchase.paper), undefer(LabelPurchase.code)))


def number_to_follow(parcel: BackParcel, carriers: Mapping[str, str]) -> tuple[str, str] | None:
    """Number and courier that EasyPost is to follow; labels that we bought are followed by themselves."""
    settings = current_app.config["SETTINGS"]
    if not (settings.easypost_api_key and settings.easypost_tracks) or parcel.source != "typed":
        return None
    return parcel.tracking_number or "", carriers.get(parcel.courier or "", "")


def comes_back(purchase_id: int) -> bool:
    return session.get_one(LabelPurchase, purchase_id).back_parcel_id is not None
