"""What is wrong with orders of the demo: a broken mug with its picture, a lamp that flickers, a chipped bowl."""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from PIL import Image, ImageDraw

from portal.db import session
from portal.lib import clock
from portal.orders.models import Order
from portal.pictures.actions import Uploader, keep_draft
from portal.pictures.reading import read
from portal.returns import claims
from portal.returns.claims import Decision
from portal.returns.claims_models import Claim, claims_where
from portal.returns.claims_rules import Wrong

KEY = "demo-claim-{}"
QUESTION = {
    "de": "Das tut uns leid. Steht auf der Unterseite eine Nummer? Ein Bild davon genügt.",
    "en": "We are sorry. Is there a number on its base? A picture of it is enough.",
}


def tell(life: Any) -> Iterator[datetime]:
    """The customer says what is wrong; of some the desk has asked or decided."""
    if not life.plan.until.startswith("claim"):
        return
    yield life.diary.after(days=1, hours=life.shop.chance.randint(2, 8))
    fault, _, words = life.plan.words.partition("|")
    order, key = session.get_one(Order, life.order_id), KEY.format(life.number)
    if fault == "damaged":
        keep_draft(read(a_broken_thing()), Uploader(order.id, key), now=clock.now())
    wish = "repair" if fault == "defective" else "replacement"
    claims.open_claim(
        order.id, Wrong({order.lines[0].id: 1}, fault, wish, words), key=key, by="customer", now=clock.now()
    )
    if life.plan.until == "claim_open":
        return
    yield life.diary.at_work(hours=3)
    sam = life.shop.member("sam")
    if life.plan.until == "claim_asked":
        claims.ask_customer(the_claim(life), QUESTION[life.plan.person.language], by=sam, now=clock.now())
    else:
        claims.accept_claim(the_claim(life), Decision("replacement"), by=sam, now=clock.now())


def the_claim(life: Any) -> Claim:
    return session.scalars(claims_where(Claim.ret.has(order_id=life.order_id)).order_by(Claim.id.desc())).first()  # type: ignore[return-value]


def a_broken_thing() -> bytes:
    """A mug on a table, drawn: with a crack from its rim to its foot."""
    image = Image.new("RGB", (1200, 900), "#cdbfa9")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 620, 1200, 900), fill="#8d6e4f")
    draw.ellipse((760, 300, 940, 560), outline="#5f7464", width=44)
    draw.rounded_rectangle((380, 220, 820, 690), 60, fill="#6f8776")
    draw.ellipse((380, 180, 820, 280), fill="#3f4d44")
    draw.line([(560, 232), (600, 330), (545, 420), (620, 520), (580, 690)], fill="#20261f", width=9, joint="curve")
    draw.polygon([(560, 232), (640, 240), (600, 330)], fill="#cdbfa9")
    paper = io.BytesIO()
    image.save(paper, "JPEG", quality=90)
    return paper.getvalue()
