"""How Lantern & Loom listens: rules for cases, building blocks, who is away, a cause that was found, a mail."""

from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from sqlalchemy import select

from portal.db import session
from portal.demo import faults
from portal.demo.history import CHANGED, FAILING, Season
from portal.demo.simulation import Story
from portal.demo.stories import Shop
from portal.feedback import case_rules, causes, mail_reading, snippets
from portal.feedback.case_models import Case
from portal.feedback.case_rules import USUAL
from portal.feedback.cause_models import About
from portal.lib import clock
from portal.orders.models import Customer, Order
from portal.staff.absences import go_away

EVERYTHING: dict[str, Any] = {
    "active": True, "trigger": "answer", "question": "", "score": "bad", "score_to": None, "words": {}, "sku": "",
    "days_late": 0, "reason": "", "department": "support", "owner_id": None, "hours": None, "severity": 2,
}  # fmt: skip
RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Something is broken", "score": "any", "severity": 3, "hours": 8,
        "words": {"": ["cracked", "broken"], "de": ["Sprung", "zerbrochen"], "fr": ["cassé", "fêlé"]},
    },
    {"name": "More than five days late", "trigger": "late", "days_late": 5, "department": "shipping", "severity": 1},
    {"name": "Came back defective", "trigger": "return", "reason": "defective", "department": "returns"},
)  # fmt: skip
BLOCKS = (
    ("en", "A new one", "Dear {name}, a new one leaves today. Please just keep the other."),
    ("de", "Ersatz", "Guten Tag {name}, heute geht Ersatz für Bestellung {order} hinaus. Das andere behalten Sie."),
    ("fr", "Un nouveau", "Bonjour {name}, un nouvel exemplaire part aujourd'hui. Gardez simplement l'autre."),
)
A_MINUTE = timedelta(minutes=1)


def look_back(shop: Shop) -> Story:
    """The season before, and what Mona found out about the reading lamp."""
    season, began = Season(shop), shop.now - timedelta(days=365)
    season.bring(after=began, until=shop.now - CHANGED)
    yield shop.now - CHANGED - timedelta(days=2)
    mona, lamp = shop.member("mona"), About(product=FAILING, reason="defective")
    cause = causes.take_up(lamp, by=mona, now=clock.now())
    yield shop.now - CHANGED
    note = "The maker fits another switch; the lamps on the shelf were sent back to them."
    causes.note_change(cause, clock.now().astimezone(shop.now.tzinfo).date(), note, by=mona, now=clock.now())
    yield shop.now - 3 * A_MINUTE
    season.bring(after=shop.now - CHANGED, until=shop.now)
    causes.gather([cause], since=shop.now - timedelta(weeks=13), now=clock.now())


def take_care(shop: Shop) -> Story:
    """Rules in force since yesterday, words for answers, and who is not here."""
    mona, now = shop.member("mona"), clock.now()
    for rule in RULES:
        case_rules.set_rule("blank", {**EVERYTHING, **rule}, by=mona, now=now)
    case_rules.set_rule(USUAL, {**EVERYTHING, "name": "A bad answer", "hours": 12}, by=mona, now=now)
    for language, name, words in BLOCKS:
        snippets.keep(language, name, words, by=shop.member("sam"), now=now)
    today = shop.now.date()
    go_away(shop.member("ada"), today, today + timedelta(days=4), by=mona, now=now)
    go_away(shop.member("rita"), today + timedelta(days=8), today + timedelta(days=15), by=mona, now=now)
    yield from ()


def answer_by_mail(shop: Shop) -> Story:
    """What came through the mail server this morning: hers, with a picture, and her brother's, from his own address."""
    hers, his = "marlene.ziegler@example.org", "k.ziegler@example.net"
    owner = select(Case.id).join(Order, Order.id == Case.order_id).join(Customer)
    case_id = session.scalars(owner.where(Customer.email == hers)).one()
    said = "Danke für die schnelle Antwort! So sieht der Henkel jetzt aus.\n\nViele Grüße\nMarlene Ziegler"
    quoted = "\n\nAm Freitag schrieb Lantern & Loom:\n> Das tut uns leid. Wir schicken Ihnen heute Ersatz."
    _bring(case_id, hers, said + quoted, faults.a_broken_thing())
    yield shop.now - 4 * A_MINUTE
    _bring(case_id, his, "Ich schreibe für meine Schwester: Bitte den Ersatz an ihre Arbeit schicken.")


def _bring(case_id: int, sender: str, said: str, picture: bytes | None = None) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = sender, "Re: Ihre Bestellung", f"<{case_id}.{sender}>"
    mail["Date"] = format_datetime(clock.now())
    mail.set_content(said)
    if picture:
        mail.add_attachment(picture, maintype="image", subtype="jpeg", filename="henkel.jpg")
    mail_reading.keep(case_id, mail.as_bytes(policy=policy.SMTP), sender, now=clock.now())
