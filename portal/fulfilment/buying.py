"""Buying labels, which is money: a row before the call, one label per row, and a look before a second try."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from re import fullmatch

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from portal.adapters.couriers import code_of, normal_number, own
from portal.adapters.couriers.selling import Address, Bought, Paper, Quote, Shipment
from portal.config import Settings
from portal.db import move, session
from portal.fulfilment import buying_back
from portal.fulfilment.models import LIVING_PURCHASES, BackParcel, LabelPurchase, Parcel
from portal.jobs import announce
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.lib.tokens import reference
from portal.orders.models import Order
from portal.orders.timeline import record, words
from portal.staff.models import Staff

SELLER = "easypost"
CARRIERS = {
    "dhl": "DHLPaket", "dpd": "DPD", "fedex": "FedEx", "gls": "GLS", "laposte": "Colissimo", "postnl": "PostNL",
    "royalmail": "RoyalMail", "ups": "UPS", "usps": "USPS",
}  # fmt: skip
"""EasyPost's names for our couriers; without one it guesses from the number."""
LEASE = timedelta(seconds=120)
"""How long a claim holds: a try makes up to three calls of 33 seconds at worst."""
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=30)

words("label.bought", staff=_l("Label bought: %(carrier)s %(service)s, %(number)s, %(cost)s"))
words("label.refused", staff=_l("The label was not sold: %(why)s"))
words("label.unknown", staff=_l("It is not known whether the label was bought: %(why)s. We look before anything else."))
words("label.voided", staff=_l("Label %(number)s given back"))
words("label.not_voided", staff=_l("The courier does not take label %(number)s back"))


def ask_for_rates(parcel: Parcel, *, by: Staff, now: datetime) -> LabelPurchase:
    """Ask what a label for this parcel costs. Nothing is bought yet."""
    session.refresh(parcel, with_for_update={"of": Parcel})
    if parcel.state != "packed" or not parcel.weight_grams:
        raise Refused(_("A label is bought for a parcel that is packed and still here."))
    if living(parcel.id):
        raise Refused(_("A label for this parcel is already being bought."))
    if parcel.tracking_number:
        raise Refused(_("This parcel has a label already."))
    if not parcel.to.get("street") or not parcel.to.get("country"):
        raise Refused(_("The address is not complete: no courier sells a label for it."))
    purchase = LabelPurchase(
        parcel_id=parcel.id, seller=SELLER, reference=f"{parcel.ref}-{reference(6)}", asked_by_id=by.id, asked_at=now
    )
    session.add(purchase)
    session.flush()
    announce("label.rates_wanted", purchase_id=purchase.id)
    return purchase


def living(parcel_id: int) -> LabelPurchase | None:
    """The purchase that is under way or done for this parcel."""
    return session.scalar(
        select(LabelPurchase).where(LabelPurchase.parcel_id == parcel_id, LabelPurchase.state.in_(LIVING_PURCHASES))
    )


def latest(parcel_id: int) -> LabelPurchase | None:
    """The living purchase, else the last one that came to nothing."""
    newest = select(LabelPurchase).where(LabelPurchase.parcel_id == parcel_id).order_by(LabelPurchase.id.desc())
    return living(parcel_id) or session.scalar(newest.limit(1))


def shipment_to_quote(purchase_id: int) -> Shipment | None:
    """What the courier is asked about; None when nobody waits for it any more."""
    purchase = session.get_one(LabelPurchase, purchase_id)
    if purchase.state != "quoting":
        return None
    settings: Settings = current_app.config["SETTINGS"]
    if purchase.back is not None:
        us, them = sender(settings, settings.send_back_to), _receiver(purchase.back.order)
        return buying_back.shipment(purchase, purchase.back, us, them)
    parcel = _leaving(purchase)
    return Shipment(
        reference=purchase.reference,
        sender=sender(settings),
        receiver=_receiver(parcel.order),
        grams=parcel.weight_grams or 0,
        order_number=parcel.order.number,
    )


def _leaving(purchase: LabelPurchase) -> Parcel:
    parcel = purchase.parcel
    if parcel is None:
        raise Refused(_("This label is for a parcel that comes back."))
    return parcel


def sender(settings: Settings, lines: Sequence[str] = ()) -> Address:
    """The shop's own door, from the lines of its address: postcode and town stand in the last one."""
    *streets, town = lines or settings.ships_from or [""]
    found = fullmatch(r"((?:[A-Z]{1,2}-)?(?=\S*\d)\S+(?: (?=\S*[A-Z])[0-9A-Z]{2,3})?) (.+)", town)
    street, street2 = [*streets, "", ""][:2]
    return Address(
        name=settings.shop_name,
        company=settings.shop_name,
        street=street,
        street2=street2,
        city=found[2] if found else town,
        region="",
        postcode=found[1] if found else "",
        country=settings.shop_country,
        phone=settings.ship_from_phone,
        email=settings.shop_email,
    )


def _receiver(order: Order) -> Address:
    names = ("name", "company", "street", "street2", "city", "region", "postcode", "country")
    to, customer = order.ship_to or {}, order.customer
    given = {name: str(to.get(name) or "") for name in names}
    return Address(**{**given, "name": given["name"] or customer.name}, phone=customer.phone or "")


def record_rates(purchase_id: int, quote: Quote) -> None:
    """The courier answered; a quote without a rate is a refusal in other words."""
    purchase = session.get_one(LabelPurchase, purchase_id, with_for_update=True)
    if purchase.state != "quoting":
        return
    purchase.shipment_id, purchase.trouble = quote.shipment_id, " ".join(quote.complaints)[:1000]
    purchase.rates = [
        {**asdict(rate), "cost": rate.cost.amount, "currency": rate.cost.currency} for rate in quote.rates
    ]
    move(purchase, "state", "quote" if quote.rates else "fail")
    if purchase.back_parcel_id and quote.rates:
        buying_back.choose(purchase, now=database_now(), lease=LEASE)
    elif purchase.back_parcel_id:
        buying_back.give_up_without(purchase, now=database_now())


def record_no_rates(purchase_id: int, why: str) -> None:
    purchase = session.get_one(LabelPurchase, purchase_id, with_for_update=True)
    if purchase.state == "quoting":
        move(purchase, "state", "fail", trouble=why[:1000])
        if purchase.back_parcel_id:
            buying_back.give_up_without(purchase, now=database_now())


def choose_rate(purchase: LabelPurchase, rate_id: str, *, by: Staff, now: datetime) -> None:
    """Buy the label at this rate: from here on it may cost money."""
    if purchase.parcel_id is None or _parcel_of(purchase).state != "packed":
        raise Refused(_("A label is bought for a parcel that is packed and still here."))
    rate = next((rate for rate in purchase.rates if rate["id"] == rate_id), None)
    if rate is None:
        raise Refused(_("The courier did not offer that. Ask for the rates again."))
    chosen = {name: rate[name] for name in ("carrier", "service", "cost", "currency")}
    move(purchase, "state", "choose", rate_id=rate_id, asked_by_id=by.id, next_look_at=now + LEASE, **chosen)
    announce("label.chosen", purchase_id=purchase.id)


def _parcel_of(purchase: LabelPurchase) -> Parcel:
    return session.get_one(Parcel, purchase.parcel_id, with_for_update={"of": Parcel}, populate_existing=True)


def drop(purchase: LabelPurchase) -> None:
    """Nobody wants it any more, and nothing was paid."""
    move(purchase, "state", "drop")


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed purchase as the worker carries it out of the transaction. `sent`: an earlier try may have paid."""

    purchase_id: int
    attempt: int
    shipment_id: str
    reference: str
    rate_id: str
    sent: bool


def begin_buying(purchase_id: int) -> Due | None:
    """Claim the purchase under a lease and write down that the money may move; None when it is settled or another's."""
    purchase = session.get_one(LabelPurchase, purchase_id, with_for_update=True)
    now = database_now()
    if purchase.state not in ("requested", "unknown", "sent") or (purchase.lease_until or now) > now:
        return None
    sent, until = purchase.first_sent_at is not None, now + LEASE
    claimed = {"lease_until": until, "next_look_at": until, "first_sent_at": purchase.first_sent_at or now}
    move(purchase, "state", "claim", attempts=purchase.attempts + 1, **claimed)
    return Due(purchase.id, purchase.attempts, purchase.shipment_id, purchase.reference, purchase.rate_id, sent)


def database_now() -> datetime:
    """Leases are counted on the database's clock: hosts need not agree on the time."""
    return session.scalars(select(func.clock_timestamp())).one() + clock.ahead()


def _still_ours(due: Due) -> LabelPurchase | None:
    purchase = session.get_one(LabelPurchase, due.purchase_id, with_for_update=True, populate_existing=True)
    return purchase if purchase.state == "sent" and purchase.attempts == due.attempt else None


def record_bought(due: Due, bought: Bought, *, now: datetime) -> None:
    """It is ours: the parcel gets its number, unless it left under another one meanwhile."""
    purchase = session.get_one(LabelPurchase, due.purchase_id, with_for_update=True, populate_existing=True)
    if purchase.state != "sent":
        return
    cost = bought.cost or purchase.price
    settled = {
        "tracking_number": normal_number(bought.number),
        "carrier": bought.carrier or purchase.carrier,
        "service": bought.service or purchase.service,
        "cost": cost.amount if cost else None,
        "currency": cost.currency if cost else None,
        "paper_at": bought.paper,
    }
    move(purchase, "state", "buy", bought_at=now, lease_until=None, next_look_at=None, trouble="", **settled)
    parcel = _number_it(purchase)
    facts = {"carrier": purchase.carrier, "service": purchase.service, "number": purchase.tracking_number}
    by = purchase.asked_by or "system"
    record(parcel.order_id, "label.bought", by=by, now=now, parcel=parcel.ref, cost=cost, **facts)
    announce("label.bought", purchase_id=purchase.id)


def _number_it(purchase: LabelPurchase) -> Parcel | BackParcel:
    """The parcel gets its number, unless it left under another one or ended meanwhile."""
    if purchase.parcel_id is not None:
        parcel = _parcel_of(purchase)
        if parcel.state == "packed" and not parcel.tracking_number:
            parcel.courier, parcel.tracking_number = code_of(purchase.carrier), purchase.tracking_number
        return parcel
    back = session.get_one(BackParcel, purchase.back_parcel_id, with_for_update={"of": BackParcel})
    back.courier, back.tracking_number = code_of(purchase.carrier), purchase.tracking_number
    if back.ended_at:
        buying_back.void(purchase, until=database_now() + LEASE)
    return back


def record_doubt(due: Due, why: str, *, executed: bool, now: datetime) -> None:
    """No clear answer: what surely was never executed waits as before, else it is unknown until we have looked."""
    purchase = _still_ours(due)
    if purchase is None:
        return
    again = database_now() + min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(due.attempt - 1, 10))
    never = not executed and not due.sent
    also = {"first_sent_at": None} if never else {}
    move(
        purchase,
        "state",
        "postpone" if never else "lose",
        lease_until=None,
        next_look_at=again,
        trouble=why[:1000],
        **also,
    )
    if not never and due.attempt == 1:
        parcel = purchase.about
        record(parcel.order_id, "label.unknown", by="system", now=now, parcel=parcel.ref, why=why[:200])


def record_refusal(due: Due, why: str, *, now: datetime) -> None:
    """The courier said no, and nothing was paid: a person decides anew."""
    purchase = _still_ours(due)
    if purchase is None:
        return
    move(purchase, "state", "fail", lease_until=None, next_look_at=None, trouble=why[:1000])
    parcel = purchase.about
    record(parcel.order_id, "label.refused", by="system", now=now, parcel=parcel.ref, why=why[:200])
    if purchase.back_parcel_id:
        buying_back.give_up_without(purchase, now=now)


def take_overdue(now: datetime) -> list[int]:
    """Purchases that should have been looked at by now; each is looked at once more a lease later."""
    overdue = select(LabelPurchase).where(LabelPurchase.next_look_at <= now).with_for_update(skip_locked=True)
    found = session.scalars(overdue.limit(100)).all()
    for purchase in found:
        purchase.next_look_at = now + LEASE
    return [purchase.id for purchase in found]


def paper_to_fetch(purchase_id: int) -> Bought | None:
    """The label that was bought and is not here yet."""
    purchase = session.get_one(LabelPurchase, purchase_id)
    if purchase.state != "bought" or purchase.paper_digest:
        return None
    cost = purchase.price or Money(0, "EUR")
    return Bought(
        purchase.shipment_id,
        purchase.carrier,
        purchase.service,
        purchase.tracking_number or "",
        cost,
        purchase.paper_at,
    )


def record_paper(purchase_id: int, paper: Paper, code: Paper | None = None) -> None:
    """Kept for good: the courier's address of it will not last. `code` is for drop-off points."""
    purchase = session.get_one(LabelPurchase, purchase_id, with_for_update=True)
    if code is not None:
        purchase.code, purchase.code_kind = code.content, code.kind
    purchase.paper, purchase.paper_kind = paper.content, paper.kind
    purchase.paper_digest = sha256(paper.content).hexdigest()
    if purchase.back_parcel_id:
        announce("back_parcel.labelled", back_parcel_id=purchase.back_parcel_id)


def paper_of(parcel: Parcel) -> LabelPurchase | None:
    """The purchase whose label belongs on this parcel, when it is here to be printed."""
    bought = select(LabelPurchase).where(
        LabelPurchase.parcel_id == parcel.id,
        LabelPurchase.state == "bought",
        LabelPurchase.tracking_number == parcel.tracking_number,
        LabelPurchase.paper.is_not(None),
    )
    return session.scalar(bought.options(undefer(LabelPurchase.paper)))


def number_to_follow(parcel_id: int) -> tuple[str, str] | None:
    """Number and courier of a parcel whose label was bought elsewhere, where EasyPost is to follow those."""
    parcel, settings = session.get_one(Parcel, parcel_id), current_app.config["SETTINGS"]
    if not (settings.easypost_api_key and settings.easypost_tracks) or parcel.courier == own.CODE:
        return None
    ours = select(LabelPurchase.id).where(LabelPurchase.tracking_number == parcel.tracking_number).limit(1)
    return None if session.scalar(ours) else (parcel.tracking_number or "", CARRIERS.get(parcel.courier or "", ""))


def void(purchase: LabelPurchase, *, now: datetime) -> None:
    """Give a label back that was bought and not used."""
    parcel = _parcel_of(purchase)
    if parcel.state == "handed_over" and parcel.tracking_number == purchase.tracking_number:
        raise Refused(_("The courier has this parcel: its label can't be given back."))
    move(purchase, "state", "void", next_look_at=now + LEASE)
    announce("label.unwanted", purchase_id=purchase.id)


def give_up(parcel_id: int, *, now: datetime) -> None:
    """The parcel will not leave: its label goes back, and one that was only asked about is let go.

    What is being bought this moment is not called back; it stays with the parcel, where a person gives it back.
    """
    purchase = living(parcel_id)
    if purchase is not None and purchase.state == "bought":
        void(purchase, now=now)
    elif purchase is not None and purchase.state in ("quoting", "quoted"):
        drop(purchase)


def shipment_to_void(purchase_id: int) -> str | None:
    purchase = session.get_one(LabelPurchase, purchase_id)
    return purchase.shipment_id if purchase.state == "voiding" else None


def record_void(purchase_id: int, taken: bool, *, now: datetime) -> None:
    """What the courier said; when it took the label back, the parcel is without one again."""
    purchase = session.get_one(LabelPurchase, purchase_id, with_for_update=True)
    if purchase.state != "voiding":
        return
    parcel = _parcel_of(purchase) if purchase.parcel_id else purchase.about
    move(purchase, "state", "take_back" if taken else "keep", next_look_at=None)
    packed = isinstance(parcel, Parcel) and parcel.state == "packed"
    if taken and packed and parcel.tracking_number == purchase.tracking_number:
        parcel.courier = parcel.tracking_number = None
    kind = "label.voided" if taken else "label.not_voided"
    by = purchase.asked_by or "system"
    record(parcel.order_id, kind, by=by, now=now, parcel=parcel.ref, number=purchase.tracking_number)
