"""What happened to each order of the demo, told by generators that act and yield the time of their next act."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import select

from portal.adapters.channels import IncomingOrder
from portal.adapters.couriers import Tracking, own
from portal.db import session
from portal.demo import faults
from portal.demo.calendar import Diary
from portal.demo.catalogue import DELIVERY, PRODUCTS, Person
from portal.demo.courier import STEPS, Courier, UnderWay
from portal.demo.simulation import Story
from portal.feedback import cases
from portal.feedback.actions import give_answer
from portal.feedback.case_models import Case
from portal.fulfilment import actions as warehouse
from portal.fulfilment import buying, handoffs, packing, watching
from portal.fulfilment.models import Parcel
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.refunds.actions import approve_refund
from portal.refunds.models import Refund
from portal.refunds.ways import choose_way
from portal.returns import actions as returns
from portal.returns import bench, settlement, withdrawals
from portal.returns.bench import Finding
from portal.returns.goods import read
from portal.returns.models import Return
from portal.returns.rules import Wish
from portal.returns.withdrawal_rules import right_of
from portal.staff.models import Staff

Scans = tuple[tuple[str, int, int, int], ...]
"""Steps of a courier: which, how many working days after the hand-over, at what time."""

TAKEN: Scans = (("picked-up", 0, 17, 40),)
MOVING: Scans = (*TAKEN, ("in-transit", 1, 4, 12))
ON_THE_WAY: dict[str, tuple[int, Scans]] = {
    "handed_over": (1, ()),
    "forgotten": (4, ()),
    "picked_up": (1, TAKEN),
    "in_transit": (1, MOVING),
    "silent": (7, MOVING),
    "delayed": (4, (*MOVING, ("delayed", 2, 9, 30))),
    "out_for_delivery": (2, (*MOVING, ("out-for-delivery", 2, 8, 5))),
    "attempt_failed": (3, (*MOVING, ("out-for-delivery", 2, 8, 15), ("attempt-failed", 2, 13, 20))),
    "at_pick_up_point": (3, (*MOVING, ("out-for-delivery", 2, 8, 15), ("at-pick-up-point", 2, 16, 50))),
    "damaged": (3, (*MOVING, ("damaged", 2, 6, 45))),
    "returning": (8, (*MOVING, ("attempt-failed", 2, 12, 10), ("returning", 6, 9, 0))),
    "came_back": (9, (*MOVING, ("attempt-failed", 2, 11, 40), ("returning", 5, 9, 0), ("came-back", 8, 10, 15))),
    "lost": (9, MOVING),
    "asked_for": (7, MOVING),
}
"""Where an order stays, by the working days since it was handed over and what the courier said."""
IN_THE_WAREHOUSE = ("to_pick", "picking", "picked", "packed", "labelled")
SENT_BACK = "sent_back"
"""Picked, and the packer sent it back."""
WITH_A_LABEL = ("rates_shown", "label_bought")
"""Packed like the others, and a label is asked for or bought."""
AGES = {
    "delivered": 3, "asked": 8, "answered": 14, "case_open": 8, "case_waiting": 9, "case_solved": 13,
    "case_reopened": 10, "return_requested": 4, "return_approved": 6, "return_received": 9, "return_declined": 8,
    "refund_requested": 10, "refunded": 16, "refund_failed": 12, "money_as_credit": 13, "money_by_hand": 11,
    "two_parcels": 3, "own_courier": 1, "left_lying": 3, "withdrawn": 5, "withdrawn_unclear": 4, "return_kept": 5,
    "claim_open": 3, "claim_asked": 4, "claim_replaced": 6,
}  # fmt: skip
"""How many working days ago an order was handed over, at the least, that got so far."""
COURIERS = {"DE": "dhl", "AT": "dpd", "GB": "royalmail", "FR": "laposte", "NL": "postnl"}
ANSWERS = {
    "de": "Das tut uns leid. Wir schicken Ihnen heute Ersatz; das beschädigte Stück behalten Sie bitte einfach.",
    "en": "We are sorry. A new one leaves today; please just keep the other.",
    "fr": "Nous sommes désolés. Un nouvel exemplaire part aujourd'hui ; gardez simplement l'autre.",
}
DECLINED = {
    "de": "Der Kratzer war beim Versand nicht da, wie Ihr Bild von der Ankunft zeigt. Wir nehmen sie so nicht zurück.",
    "en": "The scratch was not there when it left us. We can't take it back like this.",
    "fr": "La rayure n'était pas là au départ. Nous ne pouvons pas la reprendre ainsi.",
}
OTHER_WAYS = {
    "money_as_credit": ("credit", "The customer would rather have the next collection, and said so on the phone."),
    "money_by_hand": ("hand", "The card is closed; the customer sent an account number."),
}
"""How money goes back that does not go the way it came, and why."""
OPENED = ("opened", "restock", "One fringe was undone and had to be knotted again.")


@dataclass(frozen=True, slots=True)
class Plan:
    """An order of the demo: who, what, how far it gets, and what the customer says."""

    person: Person
    items: tuple[tuple[str, int], ...]
    until: str
    score: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Shop:
    """What the stories need of the world: the team, the courier, the way to pay, chance that is always the same."""

    team: dict[str, int]
    courier: Courier
    pay: Callable[[str, int, str, bool], str]
    chance: Random
    now: datetime

    def member(self, name: str) -> Staff:
        return session.get_one(Staff, self.team[name])


class Life:
    """One order's story."""

    def __init__(self, shop: Shop, plan: Plan, diary: Diary) -> None:
        self.shop, self.plan, self.diary = shop, plan, diary
        self.number, self.order_id = "", 0
        self.began = self._begin()

    def _begin(self) -> datetime:
        """When it was ordered: the evening before it was handed over, or just now."""
        if self.plan.until in (*IN_THE_WAREHOUSE, *WITH_A_LABEL, SENT_BACK):
            return self.shop.now - timedelta(
                hours=self.shop.chance.randint(3, 19), minutes=self.shop.chance.randint(0, 59)
            )
        if self.plan.until == "left_lying":
            return self.diary.on(-1, 10)
        return self.diary.on(-1, self.shop.chance.randint(7, 21), self.shop.chance.randint(0, 59))

    def story(self, number: str) -> Story:
        self.number = number
        self.place()
        self.diary.last = clock.now()
        if self.plan.until == "left_lying":
            return
        if self.plan.until in IN_THE_WAREHOUSE:
            yield from self.in_the_warehouse()
            return
        if self.plan.until == SENT_BACK:
            yield from self.come_back_from_packing()
            return
        if self.plan.until in WITH_A_LABEL:
            yield from self.with_a_label()
            return
        yield from self.leave()
        if self.plan.until in ON_THE_WAY:
            yield from self.travel(ON_THE_WAY[self.plan.until][1])
            yield from self.look_after_it()
            return
        yield from self.arrive()
        yield from self.afterwards()

    def place(self) -> None:
        """Bought and paid at the web shop."""
        person = self.plan.person
        items = [PRODUCTS[sku].line(person, str(n), pieces) for n, (sku, pieces) in enumerate(self.plan.items, 1)]
        lines = (*items, DELIVERY.line(person, "shipping", kind="shipping"))
        total, now = sum(line.paid for line in lines), clock.now()
        intent = self.shop.pay(self.number, total, person.currency, self.plan.until == "refund_failed")
        incoming = IncomingOrder(
            channel="api:webshop", external_id=self.number, number=self.number, placed_at=now, paid_at=now,
            updated_at=now, currency=person.currency, total=total, captured=total, lines=lines, address=person.address,
            name=person.name, email=person.email, locale=person.language, payment_intent=intent,
        )  # fmt: skip
        self.order_id = accept_order(incoming, by="channel", now=now)[0].id

    def parcels(self) -> list[Parcel]:
        return list(session.scalars(select(Parcel).where(Parcel.order_id == self.order_id).order_by(Parcel.id)))

    def in_the_warehouse(self) -> Story:
        """Ordered today, and so far so good."""
        steps = (self.start_picking, self.pick, self.pack, self.label)
        for act in steps[: IN_THE_WAREHOUSE.index(self.plan.until)]:
            yield self.diary.after(minutes=self.shop.chance.randint(9, 40))
            act()

    def come_back_from_packing(self) -> Story:
        for act in (self.start_picking, self.pick):
            yield self.diary.after(minutes=self.shop.chance.randint(9, 20))
            act()
        yield self.diary.after(minutes=12)
        [parcel], paul = self.parcels(), self.shop.member("paul")
        if handoff := handoffs.open_handoff(parcel.id):
            note = "The clock is the one in walnut."
            handoffs.refuse(handoff, "wrong_goods", note, by=paul, now=clock.now())

    def with_a_label(self) -> Story:
        """A label is asked for; of one the rates are still being looked at, the other is bought."""
        for act in (self.start_picking, self.pack_all):
            yield self.diary.after(minutes=self.shop.chance.randint(5, 20))
            act()
        sven, [parcel] = self.shop.member("sven"), self.parcels()
        purchase = buying.ask_for_rates(parcel, by=sven, now=clock.now())
        yield self.diary.after(minutes=2)
        if self.plan.until == "label_bought":
            session.refresh(purchase)
            buying.choose_rate(purchase, purchase.offers[0].id, by=self.shop.member("sven"), now=clock.now())

    def pack_all(self) -> None:
        self.pick()
        self.pack()

    def look_after_it(self) -> Story:
        """What people did about a parcel that was silent."""
        sven = self.shop.member("sven")
        if self.plan.until == "lost":
            yield self.diary.on(8, 9, 30)
            note = "The courier has looked for it in three depots."
            watching.count_as_lost(self.parcels()[0], note, by=sven, now=clock.now())
        if self.plan.until == "asked_for":
            yield self.diary.on(6, 15, 10)
            note = "They will look for it in Leipzig and call back."
            watching.ask_courier(self.parcels()[0], note, by=sven, now=clock.now())

    def leave(self) -> Story:
        """Picked, packed and handed over on one day."""
        yield self.diary.on(0, 8, self.shop.chance.randint(10, 59))
        self.start_picking()
        yield self.diary.after(minutes=6)
        self.pick()
        if self.plan.until == "two_parcels":
            yield self.diary.after(minutes=2)
            self.split()
        yield self.diary.after(minutes=self.shop.chance.randint(15, 45))
        self.pack()
        if self.plan.until == "own_courier":
            yield self.diary.after(minutes=4)
            self.label()
        yield self.diary.on(0, 15, self.shop.chance.randint(5, 50))
        self.hand_over()

    def start_picking(self) -> None:
        warehouse.start_picking(self.parcels()[0], by=self.shop.member("pia"), now=clock.now())

    def pick(self) -> None:
        parcel, picker = self.parcels()[0], self.shop.member("pia")
        for packed in parcel.lines:
            warehouse.pick(packed, packed.quantity, by=picker)
        warehouse.finish_picking(parcel, by=picker, now=clock.now())

    def split(self) -> None:
        """The last line travels alone."""
        parcel = self.parcels()[0]
        last = parcel.lines[-1]
        warehouse.split(parcel, {last.id: last.quantity}, by=self.shop.member("paul"), now=clock.now())

    def pack(self) -> None:
        paul = self.shop.member("paul")
        for parcel in self.parcels():
            for packed in parcel.lines:
                packing.put_in(packed, packed.quantity, by=paul, now=clock.now())
            grams = 350 + 620 * sum(packed.quantity for packed in parcel.lines)
            warehouse.pack(parcel, grams, by=paul, now=clock.now())

    def label(self) -> None:
        for parcel in self.parcels():
            warehouse.make_label(parcel, by=self.shop.member("sven"), now=clock.now())

    def hand_over(self) -> None:
        for n, parcel in enumerate(self.parcels()):
            ours = parcel.courier == own.CODE
            courier = own.CODE if ours else COURIERS.get(self.plan.person.country, "ups")
            number = (
                str(parcel.tracking_number)
                if ours
                else f"{courier[:2].upper()}{self.number}{n}0{7 * int(self.number):09}"
            )
            warehouse.hand_over(parcel, courier, number, by=self.shop.member("sven"), now=clock.now())

    def travel(self, scans: Scans, parcel: int = 0) -> Story:
        for step, days, hour, minute in scans:
            yield self.diary.on(days, hour, minute)
            self.scan(step, parcel)

    def scan(self, step: str, parcel: int = 0) -> None:
        """The courier says so, through the same door as ever."""
        label, person = self.parcels()[parcel], self.plan.person
        under_way = UnderWay(
            str(label.tracking_number), str(label.courier), "", self.number, person.name, person.city, person.country
        )
        session.commit()
        answer = self.shop.courier.report(under_way, STEPS[step], now=clock.now())
        if answer != "200 OK":
            raise RuntimeError(f"the portal answered {answer} to the courier")

    def arrive(self) -> Story:
        if self.plan.until == "own_courier":
            yield self.diary.on(1, 9)
            for parcel in self.parcels():
                sven = self.shop.member("sven")
                warehouse.say(parcel, Tracking.out_for_delivery, self.plan.person.city, by=sven, now=clock.now())
            return
        days = 1 if self.plan.person.country == "DE" else 3
        if self.plan.until == "two_parcels":
            yield from self.travel(MOVING, 1)
        yield from self.travel((*MOVING, ("out-for-delivery", days, 8, self.shop.chance.randint(2, 50))))
        yield self.diary.on(days, self.shop.chance.randint(10, 16), self.shop.chance.randint(0, 59))
        self.scan("delivered")

    def afterwards(self) -> Story:
        yield from faults.tell(self)
        if self.plan.until in ("answered", "case_open", "case_waiting", "case_solved", "case_reopened"):
            yield from self.answer()
        elif self.plan.until.startswith(("return", "refund", "money")):
            yield from self.send_back()
        elif self.plan.until in ("withdrawn", "withdrawn_unclear"):
            yield from self.withdraw()

    def withdraw(self) -> Story:
        """By the order's own link, all of it; or without one, naming no number that we know."""
        yield self.diary.after(days=1, hours=self.shop.chance.randint(2, 8))
        order, now = session.get_one(Order, self.order_id), clock.now()
        if self.plan.until == "withdrawn":
            withdrawals.withdraw(order.id, right_of(order, now=now).everything(), key=f"demo-{order.ref}", now=now)
            return
        who = {"name": order.customer.name, "email": str(order.customer.email), "locale": order.locale}
        stated = {**who, "contract": self.plan.words, "goods": ""}
        made = withdrawals.state(stated, key=f"demo-{order.ref}", now=now)
        withdrawals.match(made.id, now=now)

    def answer(self) -> Story:
        yield self.diary.after(days=5, hours=self.shop.chance.randint(2, 30))
        give_answer(self.order_id, self.plan.score or 0, self.plan.words, now=clock.now())
        if self.plan.until in ("answered", "case_open"):
            return
        yield self.diary.at_work(hours=3)
        case = self.case()
        sam, seen = self.shop.member("sam"), case.last_message_id
        cases.reply(case, ANSWERS[self.plan.person.language], asks=True, seen=seen, by=sam, now=clock.now())
        if self.plan.until == "case_solved":
            yield self.diary.after(days=2, hours=5)
            cases.say_solved(self.case(), now=clock.now())
        if self.plan.until == "case_reopened":
            yield self.diary.after(hours=20)
            cases.say_not_solved(self.case(), now=clock.now())

    def case(self) -> Case:
        return session.scalars(select(Case).where(Case.order_id == self.order_id)).one()

    def send_back(self) -> Story:
        yield self.diary.after(days=1, hours=self.shop.chance.randint(2, 8))
        self.ask()
        if self.plan.until in ("return_requested", "return_kept"):
            return
        yield self.diary.at_work(hours=self.shop.chance.randint(8, 14))
        if self.plan.until == "return_declined":
            note = DECLINED[self.plan.person.language]
            return returns.decline_return(self.ret(), note=note, by=self.shop.member("sam"), now=clock.now())
        if self.ret().decision == "requested":
            returns.approve_return(self.ret(), by=self.shop.member("sam"), now=clock.now())
        if self.plan.until == "return_approved":
            return
        yield self.diary.at_work(days=3)
        returns.receive_return(self.ret(), by=self.shop.member("rita"), now=clock.now())
        if self.plan.until != "return_received":
            yield from self.give_back()

    def ask(self) -> None:
        reason, words = self.plan.words.split("|")
        reason, _, variant = reason.partition(">")
        reason, _, pieces = reason.partition("*")
        line = session.get_one(Order, self.order_id).lines[0]
        choice = "keep" if self.plan.until == "return_kept" else "exchange" if variant else "money"
        wish = Wish(line.id, int(pieces or line.quantity), reason, words, choice=choice, variant=variant)
        returns.request_return(self.order_id, [wish], key=f"demo-{self.number}", by="customer", now=clock.now())

    def ret(self) -> Return:
        return session.scalars(select(Return).where(Return.order_id == self.order_id)).one()

    def give_back(self) -> Iterator[datetime]:
        yield self.diary.at_work(minutes=50)
        bench.inspect_return(self.ret(), [self.finding()], by=self.shop.member("rita"), now=clock.now())
        yield self.diary.after(minutes=4)
        ret, rita = self.ret(), self.shop.member("rita")
        facts = read(ret.order, now=clock.now(), besides=ret.id)
        returns.propose_refund(ret, settlement.work_out(ret, facts).total, by=rita, now=clock.now())
        if self.plan.until == "refund_requested":
            return
        yield self.diary.at_work(hours=18)
        refund = session.scalars(select(Refund).where(Refund.order_id == self.order_id)).one()
        if self.plan.until in OTHER_WAYS:
            way, note = OTHER_WAYS[self.plan.until]
            amounts = {line.id: line.amount for line in refund.lines}
            refund = choose_way(refund, way, amounts, note=note, by=rita, now=clock.now())
        approve_refund(refund, by=self.shop.member("fran"), now=clock.now())

    def finding(self) -> Finding:
        line = self.ret().lines[0]
        if line.reason in ("damaged", "defective"):
            return Finding(line.id, line.quantity, "damaged", "discard")
        if line.line.sku == "THROW-WOOL":
            grade, disposition, note = OPENED
            return Finding(line.id, line.quantity, grade, disposition, 1500, note)
        return Finding(line.id, line.quantity, "as_new", "restock")
