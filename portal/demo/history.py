"""What the shop lived before it worked with the portal: a season of orders, answers and returns, brought along as rows.

So many are needed until scores are more than grey. Two things are hidden in it: of the reading lamps many failed until
their switch was changed six weeks ago, and DPD is slow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from portal.db import session
from portal.demo.catalogue import PEOPLE, PRODUCTS, Person, Product
from portal.demo.stories import ANSWERS, Shop
from portal.feedback.case_models import Case, CaseMessage
from portal.feedback.models import Answer, AnswerStars, SurveyInvitation
from portal.feedback.questions import QuestionVersion, current
from portal.feedback.rollups import BATCH, count_again
from portal.fulfilment.models import Parcel, ParcelLine
from portal.lib import clock
from portal.lib.tokens import reference
from portal.orders.models import Customer, Order, OrderLine
from portal.returns.models import Inspection, Return, ReturnLine

DAY = timedelta(days=1)
FIRST, LAST = 100, 13
"""The first and the last order were so many days ago."""
ORDERS, ANSWERED, BY_A_MACHINE = 620, 0.6, 0.04
FAILING = "LAMP-READ"
CHANGED = timedelta(days=42)
"""So long ago the lamp got another switch."""
SELLS = (FAILING,) * 6 + ("MUG-STONE",) * 4 + ("LANT-SM",) * 4 + ("CANDLE-6",) * 3 + ("TOWEL-HAM", "TRAY-OAK", "BOWL-3")
COURIERS, SLOW = ("dhl", "dhl", "ups", "dpd"), "dpd"
KINDS = ("csat",) * 7 + ("nps",) * 2 + ("stars",)
SCORES = {"csat": ((1, 2), (3,), (4, 5)), "nps": (range(7), (7, 8), (9, 10)), "stars": ((1, 2), (3,), (4, 5))}
"""Bad, in between and good ones of each question."""
SAID: dict[str, dict[str, tuple[str, ...]]] = {
    "failing": {
        "en": ("The switch broke after a week.", "It flickers, the switch is loose.", "Dead on the second evening."),
        "de": ("Der Schalter ist nach einer Woche gebrochen.", "Sie flackert, der Schalter sitzt lose.", ""),
        "fr": ("L'interrupteur a cassé au bout d'une semaine.", "Elle clignote, l'interrupteur est lâche.", ""),
    },
    "late": {
        "en": ("It came days late.", "Late, and nobody told me.", ""),
        "de": ("Die Lieferung kam Tage zu spät.", "Zu spät, und niemand sagte etwas.", ""),
        "fr": ("La livraison est arrivée en retard.", "En retard, sans un mot.", ""),
    },
    "bad": {
        "en": ("Not what I had hoped for.", ""),
        "de": ("Nicht, was ich erhofft hatte.", ""),
        "fr": ("Pas ce que j'espérais.", ""),
    },
    "good": {
        "en": ("Beautifully packed.", "Lovely, thank you.", "", "", "Exactly as described."),
        "de": ("Wunderschön verpackt.", "Gerne wieder.", "", "", "Genau wie beschrieben."),
        "fr": ("Très bien emballé.", "Magnifique.", "", "", "Exactement comme décrit."),
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bought:
    """One order of the season, and what really came of it."""

    number: int
    at: datetime
    person: Person
    product: Product
    courier: str
    late: bool
    failing: bool
    mood: int

    @property
    def why(self) -> str:
        if self.mood == 2:
            return "good"
        return "failing" if self.failing else "late" if self.late else "bad"


class Season:
    """Brings the season along, in two parts: what was before the lamp was changed, and what came after."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.chance = shop, Random(7)
        self.bought = list(self._plan())
        self.sam, self.rita = shop.team["sam"], shop.team["rita"]

    def _plan(self) -> Iterator[Bought]:
        chance, now = self.chance, self.shop.now
        for number in range(ORDERS):
            at = now - FIRST * DAY + (FIRST - LAST) * DAY * number / ORDERS
            courier, sku = chance.choice(COURIERS), chance.choice(SELLS)
            late = chance.random() < (0.7 if courier == SLOW else 0.04)
            failing = sku == FAILING and at < now - CHANGED
            pleased = (0.4 if failing else 0.9) * (0.3 if late else 1)
            mood = 2 if chance.random() < pleased else 1 if chance.random() < 0.2 else 0
            yield Bought(number, at, self._somebody(), PRODUCTS[sku], courier, late, failing, mood)

    def _somebody(self) -> Person:
        """Whoever lives where somebody of the shop's people lives, under another name."""
        home, other = self.chance.choice(PEOPLE), self.chance.choice(PEOPLE)
        name = f"{home.name.split()[0]} {other.name.split()[-1]}"
        return Person(name, home.language, home.currency, home.street, home.postcode, home.city, home.country)

    def bring(self, *, after: datetime, until: datetime) -> None:
        """Those that were bought between the two moments."""
        versions = {kind: current(kind, now=clock.now()) for kind in SCORES}
        orders = [self._order(one, versions) for one in self.bought if after <= one.at < until]
        session.flush()
        for at in range(0, len(orders), BATCH):
            count_again([order.id for order in orders[at : at + BATCH]])
        session.commit()

    def _order(self, one: Bought, versions: dict[str, QuestionVersion]) -> Order:
        person, line = one.person, one.product.line(one.person, "1")
        email = person.email.replace("@", f".{one.number}@")
        promised = (one.at + 3 * DAY).date()
        order = Order(
            customer=Customer(email=email, name=person.name, locale=person.language), ref=reference(),
            channel="api:webshop", external_id=f"before-{one.number}", number=f"B{one.number:04}", state="closed",
            locale=person.language, currency=person.currency, total=line.paid, country=person.country, placed_at=one.at,
            paid_at=one.at, external_updated_at=one.at, accepted_at=one.at, created_at=one.at, promised_on=promised,
            closed_at=one.at + 12 * DAY, ship_to={"name": person.name, "city": person.city, "country": person.country},
        )  # fmt: skip
        sold = OrderLine(
            order=order, external_id="1", sku=line.sku, title=line.title, variant=line.variant, quantity=1,
            unit_price=line.paid, paid=line.paid,
        )  # fmt: skip
        session.add_all([order, sold, self._parcel(one, order, sold)])
        self._ask(one, order, sold, versions[self.chance.choice(KINDS)])
        return order

    def _parcel(self, one: Bought, order: Order, sold: OrderLine) -> Parcel:
        arrived = one.at + (6 if one.late else 2) * DAY
        return Parcel(
            order=order, ref=reference(), state="handed_over", courier=one.courier,
            tracking_number=f"{one.courier.upper()}{one.number:010}", tracking_status="delivered", created_at=one.at,
            packed_at=one.at + DAY / 2, handed_over_at=one.at + DAY / 2, delivered_at=arrived, last_event_at=arrived,
            lines=[ParcelLine(line=sold, quantity=1, picked=1, boxed=1)],
        )  # fmt: skip

    def _ask(self, one: Bought, order: Order, sold: OrderLine, version: QuestionVersion) -> None:
        """Everybody was asked; some answered, and in some boxes a machine did."""
        asked, drawn = one.at + 8 * DAY, self.chance.random()
        answered, machine = drawn < ANSWERED, drawn > 1 - BY_A_MACHINE
        invitation = SurveyInvitation(
            order=order, state="answered" if answered else "expired", version=version, due_at=asked, sent_at=asked,
            closes_at=asked + 30 * DAY, ground="existing_customer",
        )  # fmt: skip
        session.add(invitation)
        if answered or machine:
            self._answer(one, order, sold, invitation, machine)
        if (one.failing and self.chance.random() < 0.3) or self.chance.random() < 0.03:
            self._send_back(one, order, sold)

    def _answer(
        self, one: Bought, order: Order, sold: OrderLine, invitation: SurveyInvitation, machine: bool
    ) -> None:
        version, language = invitation.version, one.person.language
        score = self.chance.choice(SCORES[version.kind][0 if machine else one.mood])
        at = min(one.at + 9 * DAY, self.shop.now - DAY / 4)
        answer = Answer(
            invitation=invitation, version=version, question=version.said(language).ask, kind=version.kind, score=score,
            mood=version.mood(score), words="" if machine else self.chance.choice(SAID[one.why][language]),
            provisional=machine, answered_at=at,
        )  # fmt: skip
        session.add(answer)
        if version.kind == "stars":
            session.flush()
            answer.stars.append(AnswerStars(order_line_id=sold.id, sku=sold.sku, title=sold.title, stars=score))
        if answer.bad and not machine:
            self._make_right(order, answer, language)

    def _make_right(self, order: Order, answer: Answer, language: str) -> None:
        """Sam answered; most said that it is solved, some said nothing more."""
        at, silent = answer.answered_at, self.chance.random() < 0.2
        ended: dict[str, Any] = {"closed_at": at + 4 * DAY} if silent else {"solved_at": at + DAY}
        said = [CaseMessage(words=answer.words, at=at)] if answer.words else []
        reply = CaseMessage(words=ANSWERS[language], staff_id=self.sam, at=at + DAY / 3, asks_if_solved=True)
        session.add(
            Case(
                order=order, answer=answer, state="closed" if silent else "solved", owner_id=self.sam, opened_at=at,
                due_at=at + 2 * DAY, messages=[*said, reply], **ended,
            )
        )  # fmt: skip

    def _send_back(self, one: Bought, order: Order, sold: OrderLine) -> None:
        """The money went through the former system."""
        asked, reason = one.at + 5 * DAY, "defective" if one.failing else "changed_mind"
        grade, disposition = ("damaged", "discard") if one.failing else ("as_new", "restock")
        found = Inspection(
            counted=1, grade=grade, disposition=disposition, inspected_by_id=self.rita, inspected_at=asked + 4 * DAY
        )
        ret = Return(
            rma=reference().upper(), order=order, decision="approved", goods="received", requested_at=asked,
            decided_at=asked + DAY, decided_by_id=self.sam, received_at=asked + 4 * DAY, received_by_id=self.rita,
            inspected_at=asked + 4 * DAY, closed_at=asked + 5 * DAY, closed_as="in_channel",
            lines=[ReturnLine(line=sold, quantity=1, reason=reason, inspections=[found])],
        )  # fmt: skip
        session.add(ret)
