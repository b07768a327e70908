"""A month of a shop whose truth was planted: what is good and what is bad about it is known to this file alone.

Of four products two have a defect, of three couriers one is slow. Machines follow the links of a third of all mails,
and vote the worst where they can. People answer twice, change their minds, or come when it is too late; some of them
buy twice, and are to be asked once.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from random import Random

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from portal.adapters.channels import IncomingLine, IncomingOrder
from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.db import session
from portal.fulfilment.tracking import record_update
from portal.lib import clock
from portal.mail.jobs import send_letter
from portal.mail.models import Letter
from portal.orders.actions import accept_order
from portal.orders.models import Order
from tests.conftest import as_owner
from tests.feedback.scenes import html_of
from tests.fulfilment.hands import brought_to
from tests.returns import hands
from tests.world import ALICES_ORDER, World

PRODUCTS = ("LAMP", "JUG", "MUG", "BOWL")
DEFECTS = {"LAMP": ("defective", "The switch broke on the first evening"), "JUG": ("damaged", "The spout was chipped")}
COURIERS, SLOW = ("dhl", "ups", "dpd"), "dpd"
LATE = "It came far too late"
GOOD = ("Lovely, thank you", "Beautiful glaze", "", "Exactly as I hoped", "")
CHANCE = {(False, False): 0.97, (False, True): 0.35, (True, False): 0.1, (True, True): 0.03}
"""That somebody is satisfied, by whether the product has a defect and whether the parcel came late."""
SCANNED, BACK_AFTER_A_SCAN, TOO_LATE, TWICE, BUYS_AGAIN, SENDS_BACK = 1 / 3, 0.75, 0.04, 0.15, 0.06, 0.7
DAYS = 28
BEGAN = timedelta(days=-(DAYS + 75))
HIDDEN = re.compile(r'<input[^>]*name="(shown|version)"[^>]*value="([^"]*)"')
LINK = re.compile(r'href="[^"]*?(/l/[\w-]+)(\?v=\d)?"')


@dataclass
class Bought:
    """One order of the month, and what really came of it."""

    number: int
    day: int
    product: str
    courier: str
    email: str
    good: bool
    asked: bool = False
    answered: bool = False
    machine_only: bool = False
    order_id: int = 0

    @property
    def late(self) -> bool:
        return self.courier == SLOW

    @property
    def score(self) -> int:
        return 5 if self.good else 1

    @property
    def words(self) -> str:
        if self.good:
            return GOOD[self.number % len(GOOD)]
        return DEFECTS[self.product][1] if self.product in DEFECTS else LATE


@dataclass
class Month:
    """The shop's people and doors, and all that happened."""

    app: Flask
    world: World
    work: Callable[..., int]
    mails: list[EmailMessage]
    chance: Random
    bought: list[Bought] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def live(self, orders: int) -> "Month":
        """Day by day: orders come in, parcels arrive, customers are asked, machines and people answer."""
        self.bought = list(self.plan(orders))
        for day in range(DAYS + 45):
            if day % 10 == 5:
                gather_statistics()
            with clock.moved(BEGAN + timedelta(days=day)):
                self.today(day)
        return self

    def plan(self, orders: int) -> Iterator[Bought]:
        for number in range(orders):
            product, courier = PRODUCTS[number % len(PRODUCTS)], COURIERS[number % len(COURIERS)]
            good = self.chance.random() < CHANCE[product in DEFECTS, courier == SLOW]
            who = number if number < 10 or self.chance.random() > BUYS_AGAIN else self.chance.randrange(number)
            yield Bought(number, number * DAYS // orders, product, courier, f"buyer{who}@example.org", good)

    def today(self, day: int) -> None:
        for one in self.bought:
            if one.day == day:
                self.sell(one)
            if one.day + (9 if one.late else 2) == day:
                self.arrive(one)
        for task in ("feedback.schedule", "feedback.send", "feedback.count", "feedback.expire"):
            self.work(until=clock.now(), task=task)
        waiting = select(Letter).where(Letter.kind == "how-was-it", Letter.state == "queued")
        for letter in session.scalars(waiting).all():
            self.ask(letter)

    def sell(self, one: Bought) -> None:
        """A channel brings the order, and the warehouse sends it the same day."""
        now = clock.now()
        order, _ = accept_order(_incoming(one, now), by="channel", now=now)
        one.order_id = order.id
        brought_to("handed_over", order, self.world.max, now, courier=one.courier, number=f"N{one.number:09}")

    def arrive(self, one: Bought) -> None:
        event = TrackingEvent(at=clock.now(), status=Tracking.delivered)
        record_update(TrackingUpdate(number=f"N{one.number:09}", carrier=one.courier, events=(event,)), now=clock.now())
        session.commit()

    def ask(self, letter: Letter) -> None:
        """The mail leaves; in a third of all boxes a machine looks at it first."""
        one = next(one for one in self.bought if one.order_id == letter.order_id)
        self.mails.clear()
        send_letter(letter.id)
        self.asked[one.email] += 1
        one.asked, links = True, dict.fromkeys(LINK.findall(html_of(self.mails[0])))
        votes = [path + vote for path, vote in links if vote]
        scanned = self.chance.random() < SCANNED
        if scanned:
            self.scan([path + vote for path, vote in links], votes)
        if not scanned or self.chance.random() < BACK_AFTER_A_SCAN:
            self.answer(one, votes)
        one.machine_only = scanned and not one.answered
        if one.answered and one.product in DEFECTS and not one.good and self.chance.random() < SENDS_BACK:
            self.send_back(one)

    def scan(self, links: list[str], votes: list[str]) -> None:
        """All links at once, the hidden one too; or a browser that runs scripts and sends the form."""
        machine = self.app.test_client()
        for link in links:
            machine.head(link)
            machine.get(link, headers={"Purpose": "prefetch"})
        for link in links if self.chance.random() < 0.5 else votes * 2:
            machine.get(link)
        self.send(machine, votes[0], "1", "", wait=0.0)

    def answer(self, one: Bought, votes: list[str]) -> None:
        """A person, the next day: some too late, some twice, some with another opinion at first."""
        late = self.chance.random() < TOO_LATE
        with clock.moved(timedelta(days=40 if late else 1)):
            person = self.app.test_client()
            if not late and self.chance.random() < TWICE:
                self.send(person, votes[2], "3", "", wait=20)
            for _again in range(1 + (self.chance.random() < TWICE)):
                self.send(person, votes[one.score - 1], str(one.score), one.words, wait=20)
            one.answered = not late

    def send(self, browser: FlaskClient, vote: str, score: str, words: str, wait: float) -> None:
        """The form as it is shown, sent after so many seconds. What is over has no form any more."""
        opened = browser.get(vote)
        if opened.status_code != 303:
            return
        page = browser.get(opened.location).text
        with clock.moved(timedelta(seconds=wait)):
            form = {**dict(HIDDEN.findall(page)), "score": score, "words": words}
            browser.post(opened.location.partition("?")[0], data=form)

    def send_back(self, one: Bought) -> None:
        """What has the defect comes back, and the bench finds it broken."""
        order = session.get_one(Order, one.order_id)
        with clock.moved(timedelta(days=2)):
            wish = hands.wish(order, one.product, reason=DEFECTS[one.product][0])
            hands.inspected(self.world, order, wish, grade="damaged", disposition="discard")
            self.work(until=clock.now(), task="feedback.count")


def gather_statistics() -> None:
    """As PostgreSQL does by itself, but not within the one transaction that a test is."""
    with as_owner():
        session.execute(text("ANALYZE"))


def _incoming(one: Bought, now: datetime) -> IncomingOrder:
    line = IncomingLine("L1", one.product.title(), 1, 2000, 2000, sku=one.product)
    return replace(
        ALICES_ORDER, external_id=f"M-{one.number}", number=f"M{one.number}",
        placed_at=now, paid_at=now, updated_at=now,
        email=one.email, name="A buyer", total=2000, captured=2000, lines=(line,), payment_intent=f"pi_m{one.number}",
    )  # fmt: skip
