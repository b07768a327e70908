"""What comes back to the demo's shop: a parcel on its way, what the bench saw, and parcels that nobody announced."""

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from PIL import Image, ImageDraw
from sqlalchemy import select

from portal.db import session
from portal.demo.courier import STEPS, UnderWay
from portal.demo.simulation import Simulation
from portal.fulfilment import drop_off
from portal.lib import clock
from portal.lib.tokens import mint
from portal.orders.models import Customer, Order
from portal.pictures.actions import Uploader, attach, keep_draft
from portal.pictures.reading import read
from portal.returns import oddities, own_labels, reasons
from portal.returns.models import Inspection, Return
from portal.returns.own_labels import Given, Paper
from portal.returns.slip import return_slip
from portal.staff.models import Staff

AN_HOUR = timedelta(hours=1)
DROP_OFFS: dict[str, tuple[str, dict[str, str]]] = {
    "dhl": ("https://www.dhl.de/locations", {
        "en": "Post offices, parcel shops and lockers.", "de": "Filialen, Paketshops und Packstationen.",
    }),
    "dpd": ("https://my.dpd.de/shopfinder.aspx", {"en": "Parcel shops.", "de": "Pickup-Paketshops."}),
    "laposte": ("https://localiser.laposte.fr", {"en": "Post offices.", "fr": "Bureaux de poste et relais Pickup."}),
}  # fmt: skip
NUMBER = "JJD014600007788"
STRANGERS = (
    ("No paper inside. On the box: A. Vogel, Berlin. One mug, wrapped in a newspaper.", ""),
    ("Scanned: our own label of last week, the box was used again. Three bowls.", "Conor Walsh"),
)
"""What the bench noted down, and whose order was on the box."""


def add(simulation: Simulation, shop: Any) -> None:
    """Once when the shop opened, then in the last days."""
    simulation.add(shop.now - timedelta(days=59), ask_for_pictures())
    simulation.add(shop.now - 26 * AN_HOUR, give_a_label(shop))
    simulation.add(shop.now - 3 * AN_HOUR, find_strangers(shop))
    simulation.add(shop.now - 2 * AN_HOUR, show_what_was_deducted_for(shop))


def ask_for_pictures() -> Iterator[datetime]:
    """What arrived damaged is to be shown, if the customer likes; and where parcels are handed in."""
    for row in reasons.rows():
        if row.code in ("damaged", "not_as_described"):
            about: dict[str, Any] = {"labels": row.labels, "types": row.types, "fault": row.fault, "words": row.words}
            reasons.change_reason(row, **about, photo="optional")
    for courier, (link, words) in DROP_OFFS.items():
        drop_off.say(courier, link, words)
    yield from ()


def give_a_label(shop: Any) -> Iterator[datetime]:
    """Sophie's bed linen comes back with a label of the shop's; the courier has it by now."""
    ret = _return_of("Sophie Weber")
    if ret is None:
        return
    paper = Paper(return_slip(ret, current_app.config["SETTINGS"]), "application/pdf")
    words = "Kleben Sie die Marke bitte über die alte."
    own_labels.give_label(ret, Given("dhl", NUMBER, words, paper), by=shop.member("rita"), now=clock.now())
    yield clock.now() + 20 * AN_HOUR
    order = _return_of("Sophie Weber")
    if order is not None:
        _scan(shop, order.order)


def _return_of(name: str) -> Return | None:
    mine = (Customer.name == name, Return.decision == "approved", Return.goods == "awaited")
    found = select(Return).join(Return.order).join(Order.customer).where(*mine)
    return session.scalars(found.order_by(Return.id.desc()).limit(1)).first()


def _scan(shop: Any, order: Order) -> None:
    """Through the same door as ever."""
    where = order.ship_to or {}
    under_way = UnderWay(NUMBER, "dhl", "", order.number, order.customer.name, where.get("city", ""), "DE")
    session.commit()
    shop.courier.report(under_way, STEPS["picked-up"], now=clock.now())


def find_strangers(shop: Any) -> Iterator[datetime]:
    for detail, name in STRANGERS:
        theirs = select(Order).join(Order.customer).where(Customer.name == name).order_by(Order.id.desc()).limit(1)
        order = session.scalar(theirs) if name else None
        oddities.find("no_number", None, detail=detail, order=order, by=shop.member("rita"), now=clock.now())
    yield from ()


def show_what_was_deducted_for(shop: Any) -> Iterator[datetime]:
    """The bench had taken a picture of each thing for which something was deducted."""
    for found in session.scalars(select(Inspection).where(Inspection.deduction > 0)):
        _show(found, found.return_line.ret.order_id, shop.member("rita"))
    yield from ()


def _show(found: Inspection, order_id: int, by: Staff) -> None:
    who = Uploader(order_id, mint(), staff=by)
    keep_draft(read(an_undone_fringe()), who, now=found.inspected_at)
    attach(order_id, who.key, f"inspection:{found.id}")


def an_undone_fringe() -> bytes:
    """The edge of a throw on the bench, drawn: one fringe hangs in single threads."""
    image = Image.new("RGB", (1200, 900), "#d9d4cb")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1200, 520), fill="#8f8a86")
    for row in range(0, 520, 26):
        draw.line([(0, row), (1200, row)], fill="#7d7874", width=5)
    for place in range(40, 1200, 80):
        loose = place == 600
        for thread in range(-14, 15, 7):
            spread = thread * (5 if loose else 1)
            draw.line([(place + thread, 515), (place + spread, 760 if loose else 690)], fill="#6d6864", width=6)
        if not loose:
            draw.ellipse((place - 18, 560, place + 18, 596), fill="#5d5854")
    paper = io.BytesIO()
    image.save(paper, "JPEG", quality=90)
    return paper.getvalue()
