"""The whole road walked once, so that every table has rows, every page something to show, every letter a reason."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

from PIL import Image
from sqlalchemy import select

from portal.adapters.couriers import Tracking, TrackingEvent, TrackingUpdate
from portal.adapters.stripe import StripeRefund
from portal.db import session
from portal.desk.actions import cancel_short
from portal.feedback import alarms, cases, mail_reading, watching
from portal.feedback.case_models import CaseMessage
from portal.feedback.cause_models import About
from portal.feedback.causes import take_up
from portal.fulfilment import back, drop_off, shorts, waves
from portal.fulfilment.actions import plan_parcels
from portal.fulfilment.closing import close_day
from portal.fulfilment.jobs import watch_handoffs, watch_promises
from portal.fulfilment.manifests import Manifest
from portal.fulfilment.tracking import record_update
from portal.fulfilment.watching import send_again
from portal.lib import clock, tokens
from portal.offices.jobs import watch_offices
from portal.orders import codes, stock
from portal.orders.actions import accept_order, give_up_order
from portal.orders.pushes import ChannelPush
from portal.privacy import actions as privacy
from portal.privacy import retention
from portal.refunds.actions import approve_refund, open_refund, refuse_refund
from portal.refunds.alarms import Trouble, keep_alarms
from portal.refunds.comparison import COMPARED
from portal.refunds.credit import StoreCredit, take_back
from portal.refunds.facts import apply
from portal.refunds.models import Refund
from portal.refunds.rules import RefundPart
from portal.refunds.ways import prove
from portal.returns import actions as returns
from portal.returns import bench, claims, deciding, dispatch, exemptions, labels_back, oddities, withdrawals
from portal.returns.bench import Finding
from portal.returns.claims_terms import Terms, set_terms
from portal.returns.exchanges import Substitute, send_instead
from portal.returns.keeping import offer_keeping, take_offer
from portal.returns.oddities import Oddity
from portal.returns.own_labels import Given, Paper, give_label
from portal.returns.parcels_back import note_number
from portal.returns.policy import Policy, Rule, save_policy
from portal.returns.postage import pay_postage, tell_postage
from portal.returns.withdrawal_rules import right_of
from portal.staff import people
from portal.staff.rules import Role
from portal.tracking.actions import choose, send_new_link
from tests.feedback.scenes import case_of, tallied
from tests.fulfilment.hands import brought_to
from tests.returns import hands
from tests.returns.claim_hands import accepted, claimed
from tests.uploads import hands as pictures
from tests.world import ALICES_ORDER, BOBS_ORDER, World

Work = Callable[..., int]


def walk(world: World, work: Work) -> None:
    """Alice complains, sends back and gets her money; Bob sends back this and that."""
    stock.set_count(stock.begin_counting("VASE", stock.main_place()), 3, "counted", "", by=world.max, now=clock.now())
    break_a_promise(world)
    for order in (world.alice, world.bob):
        hands.delivered(world, order)
    work(task="feedback.schedule")
    travel_with_trouble(world)
    lack_goods(world)
    go_together(world)
    with clock.moved(timedelta(days=6)):
        work(task="feedback.send")
    with clock.moved(timedelta(days=12)):
        work(task="feedback.remind")
    complain(world, work)
    lose_favour(world)
    show_pictures(world)
    give_money_back(world)
    doubt_the_books(world)
    fail_to_tell(world)
    send_back(world)
    withdraw_from_contracts(world)
    give_back_otherwise(world)
    find_faults(world)
    wait_for_offices(world)
    send_new_link("1001", "alice@example.org", now=clock.now())
    codes.ask(world.alice, "her browser", now=clock.now())
    session.commit()
    be_forgotten(world)
    lose_keys(world)


def wait_for_offices(world: World) -> None:
    """Sam answers for the support, and hears of what waits there."""
    world.sam.password_hash = "none"
    session.commit()
    with clock.moved(timedelta(days=2)):
        watch_offices()


def fail_to_tell(world: World) -> None:
    """A channel that does not take what it is told; and somebody looks after why mugs make people complain."""
    take_up(About(product="MUG-01"), by=world.max, now=clock.now())
    row = ChannelPush(order_id=world.alice.id, channel="shopify", kind="note", key="note-1", body={"text": "Hello"})
    row.state, row.trouble, row.owed_at, row.next_try_at = "failed", "the note is full", clock.now(), clock.now()
    session.add(row)
    session.commit()


def travel_with_trouble(world: World) -> None:
    """A third order, whose parcel is late, missed, waits at a shop, comes back and is sent again."""
    third = replace(BOBS_ORDER, external_id="A-1003", number="1003", payment_intent="pi_third")
    order, _ = accept_order(third, by="channel", now=world.now)
    parcel = brought_to("handed_over", order, world.pat, world.now)
    closed = close_day("dhl", by=world.pat, now=clock.now())
    paper = {"paper": b"%PDF-1.4", "paper_kind": "application/pdf", "remote_id": "sf_1"}
    session.add(Manifest(closing_id=closed.id, carrier="DHL", state="made", **paper))
    for status in ("delayed", "out_for_delivery", "attempt_failed", "ready_for_pickup", "returning", "returned"):
        said = TrackingEvent(clock.now(), Tracking(status))
        record_update(TrackingUpdate(str(parcel.tracking_number), "DHL", (said,)), now=clock.now())
    send_again(parcel, goods_are_fine=True, by=world.pat, now=clock.now())
    session.commit()


def be_forgotten(world: World) -> None:
    """A fourth order's customer, whose goods never left, cancels and asks to be forgotten; Bob asks, and waits."""
    fourth = replace(
        BOBS_ORDER, external_id="A-1004", number="1004", payment_intent="pi_fourth", email="dora@example.org"
    )
    order, _ = accept_order(fourth, by="channel", now=world.now)
    give_up_order(order, by=world.sam, now=clock.now())
    for gone in (order, world.bob):
        erasure = privacy.ask(gone.customer_id, by=None, now=clock.now())
        privacy.begin(erasure.id, now=clock.now())
        privacy.finish(erasure.id, now=clock.now())
    retention.set_term("letters", "DE", 60)
    session.commit()


def lack_goods(world: World) -> None:
    """Of a fifth order one thing is broken, so the customer does without it."""
    fourth = replace(ALICES_ORDER, external_id="A-1005", number="1005", payment_intent="pi_fifth")
    order, _ = accept_order(fourth, by="channel", now=world.now)
    parcel = brought_to("picking", order, world.cleo, world.now)
    short = shorts.report(parcel.lines[0], 1, "damaged", "", by=world.cleo, now=clock.now())
    assert short is not None
    cancel_short(short, by=world.sam, now=clock.now())
    session.commit()


def go_together(world: World, number: str = "1006", picker: str = "cleo") -> None:
    """One more order is picked in a wave, and not to the end."""
    more = replace(BOBS_ORDER, external_id=f"A-{number}", number=number, payment_intent=f"pi_{number}")
    by = getattr(world, picker)
    plan_parcels(accept_order(more, by="channel", now=world.now)[0].id, now=clock.now())
    wave = waves.make("singles", 1, by=by, now=clock.now())
    waves.release(wave, now=clock.now())
    waves.begin(wave, by=by, now=clock.now())
    session.commit()


def lose_keys(world: World) -> None:
    """Somebody is invited, somebody forgot the password, somebody lost the phone."""
    world.sam.password_hash = "none"
    people.invite("nora@shop.example", "Nora", Role.support, by=world.max, now=clock.now())
    people.send_link(world.sam, by=world.max, now=clock.now())
    people.reset_second_factor(world.sam, by=world.max, now=clock.now())
    session.commit()


def break_a_promise(world: World) -> None:
    """Bob was promised his goods for today; they are still here days after they should have left, and he waits."""
    world.bob.promised_on = world.now.date()
    plan_parcels(world.bob.id, now=clock.now())
    # the world's orders have a fixed day; a promise broken long ago would be no news
    world.bob.promised_on = clock.now().date()
    session.commit()
    world.cleo.password_hash = world.sam.password_hash = "none"
    session.commit()
    with clock.moved(timedelta(days=4)):
        watch_promises()
        watch_handoffs()
        choose(world.bob.id, "wait", None, now=clock.now())
        session.commit()


def doubt_the_books(world: World) -> None:
    """Stripe has a refund that nobody here knows, and Fran, who works here by now, is told."""
    world.fran.password_hash = "none"
    keep_alarms([Trouble("unknown_here", "re_nobodys", "100 EUR odd", world.alice.id)], COMPARED, now=clock.now())
    session.commit()


def lose_favour(world: World) -> None:
    """Mugs were liked for weeks and no longer are; Max, who works here by now, is told."""
    world.max.password_hash = "none"
    today = clock.now().date()
    for day, good in ((today - timedelta(days=60), 90), (today - timedelta(days=3), 10)):
        tallied("csat", "product", "OLD-MUG", 100, good, 100 - good, day)
    alarms.watch(now=clock.now())
    session.commit()


def complain(world: World, work: Work) -> None:
    case = case_of(world.alice)
    watching.send_up(case.id, now=case.due_at + timedelta(days=9))
    last = session.scalars(select(CaseMessage.id).where(CaseMessage.case_id == case.id).order_by(CaseMessage.id)).all()[
        -1
    ]
    cases.reply(case, "A new one is on its way.", asks=False, seen=last, by=world.sam, now=clock.now())
    mail_reading.keep(case.id, with_a_picture(), "alice@example.org", now=clock.now())
    work(task="feedback.hear")


def with_a_picture(sender: str = "alice@example.org") -> bytes:
    """A customer writes back by mail."""
    mail, paper = EmailMessage(), io.BytesIO()
    Image.linear_gradient("L").save(paper, "JPEG")
    mail["From"], mail["Message-ID"] = sender, "<back@example.org>"
    mail.set_content("Look.\n\n> A new one is on its way.")
    mail.add_attachment(paper.getvalue(), maintype="image", subtype="jpeg", filename="mug.jpg")
    return mail.as_bytes()


def show_pictures(world: World) -> None:
    """Alice sent one, and has another beside a form that she has not sent."""
    pictures.sent(world.alice, "return:1")
    pictures.draft(world.alice, turn=5)


def find_faults(world: World) -> None:
    """Something is wrong with Carl's mug: asked about and declined, claimed once more and replaced."""
    his = {"external_id": "A-1011", "number": "1011", "payment_intent": "pi_carl", "email": "carl@example.org"}
    order, _ = accept_order(replace(BOBS_ORDER, name="Carl", **his), by="channel", now=clock.now())
    hands.delivered(world, order)
    first = claimed(order)
    claims.ask_customer(first, "Can you show us the box?", by=world.rita, now=clock.now())
    claims.decline_claim(first, note="It fell down.", by=world.rita, now=clock.now())
    session.commit()
    met = accepted(world, claimed(order), "replacement", goods_back=True)
    tell_postage(met, 690, by="customer", now=clock.now())
    pay_postage(met, 690, note="By bank transfer.", by=world.rita, now=clock.now())
    claims.send_replacement(met, by=world.rita, now=clock.now())
    set_terms("AT", Terms(guarantee_months=36))
    session.commit()


def give_money_back(world: World) -> None:
    """Asked, approved, confirmed by Stripe, and taken back by Stripe."""
    refund = hands.proposed(world, world.alice, 2000)
    approve_refund(refund, by=world.fran, now=clock.now())
    session.commit()
    for status in ("pending", "succeeded", "failed"):
        apply(as_stripe_has_it(refund, status), source="webhook", asked_at=clock.now(), now=clock.now())
        session.commit()


def as_stripe_has_it(refund: Refund, status: str) -> StripeRefund:
    """What a webhook says of it."""
    return StripeRefund(
        id=f"re_{refund.id}",
        status=status,
        amount=refund.amount,
        currency=refund.currency,
        payment_intent="pi_alice",
        our_id=str(refund.uuid),
        failure_reason="lost_or_stolen_card" if status == "failed" else "",
        bank_reference="",
        created_at=refund.requested_at,
    )


def give_back_otherwise(world: World) -> None:
    """Of the shirt's money a part is credit, a part was credit for a while, and a part was sent by hand."""
    shirt, now = world.alice.lines[1], clock.now()
    for way, amount in (("credit", 1000), ("credit", 900), ("hand", 800)):
        part = RefundPart(shirt.id, 0, amount)
        refund = open_refund(world.alice, [part], reason="goodwill", by=world.rita, now=now, way=way)
        approve_refund(refund, by=world.fran, now=now)
        if way == "hand":
            prove(refund, reference="SEPA-1", on=now.date(), by=world.rita, now=now)
    taken = session.scalars(select(StoreCredit).order_by(StoreCredit.id.desc())).first()
    assert taken is not None
    take_back(taken, note="They want the money.", by=world.fran, now=now)
    session.commit()


def send_back(world: World) -> None:
    """Called off by the customer and by us, turned down, received and closed without money, asked and refused."""
    now = clock.now()
    returns.cancel_return(hands.requested(world.bob), now=now)
    returns.call_off_return(hands.requested(world.bob), note="Keep it, it is yours.", by=world.rita, now=now)
    session.commit()
    returns.decline_return(hands.requested(world.bob), note="It was used.", by=world.rita, now=now)
    session.commit()
    kept = hands.received(world, world.bob)
    bench.inspect_return(kept, [Finding(row.id, counted=0) for row in kept.lines], by=world.rita, now=now)
    returns.close_return(kept, note="The box was empty.", by=world.rita, now=now)
    session.commit()
    refuse_refund(hands.proposed(world, world.alice, 2000), note="Sent back too late.", by=world.fran, now=now)
    session.commit()
    be_on_the_way(world)
    send_something_instead(world)


def be_on_the_way(world: World) -> None:
    """One return is shown to be sent and gets lost, of another the number is known, one is never sent."""
    deciding.decide(empty_box(world), "by_count", "The box was empty.", by=world.rita, now=clock.now())
    bound = withdrawals.withdraw(
        world.bob.id, right_of(world.bob, now=clock.now()).everything(), key="b" * 24, now=clock.now()
    ).ret
    assert bound
    drop_off.say("dhl", "https://shops.example", {"en": "At every kiosk."})
    own = Given("dhl", words="Stick it on.", paper=Paper(b"%PDF-1.4\n%%EOF", "application/pdf"))
    give_label(bound, own, by=world.rita, now=clock.now())
    note_number(bound, "dhl", "JJD0011223344", by="customer", now=clock.now())
    dispatch.show_dispatch(bound, "A receipt of the post office.", by=world.rita, now=clock.now())
    dispatch.lose(bound, by=world.rita, now=clock.now())
    refuse_refund(
        session.scalars(select(Refund).where(Refund.return_id == bound.id)).one(),
        note="x",
        by=world.fran,
        now=clock.now(),
    )
    label = ("bought", "gls", "GL0011223366")
    back_parcel = back.add(bound.order, bound.id, *label, since=bound.requested_at, by="system", now=clock.now())
    labels_back.tell(back_parcel.id, now=clock.now())
    never = hands.approved(world, world.alice, hands.wish(world.alice, "SHIRT-M"))
    back.take_out(
        note_number(never, "dhl", "JJD0011223355", by="customer", now=clock.now()), by="customer", now=clock.now()
    )
    dispatch.remind(never.id, now=clock.now())
    dispatch.expire(never.id, now=clock.now())
    session.commit()


def empty_box(world: World) -> Oddity:
    """Nothing was in the parcel of one of Bob's returns."""
    ret = hands.received(world, world.bob)
    bench.inspect_return(ret, [Finding(row.id, counted=0) for row in ret.lines], by=world.rita, now=clock.now())
    [odd] = oddities.of_return(ret.id)
    return odd


def send_something_instead(world: World) -> None:
    """Alice's shirt comes back, and another goes out."""
    ret = hands.approved(world, world.alice, hands.wish(world.alice, "SHIRT-M"))
    sent = send_instead(ret, [Substitute(ret.lines[0], 1)], key="1", by=world.rita, now=clock.now())
    give_up_order(sent, by=world.sam, now=clock.now())
    session.expire_all()
    returns.call_off_return(ret, note="Keep both.", by=world.rita, now=clock.now())
    session.commit()
    decide_against_a_rule(world)


def decide_against_a_rule(world: World) -> None:
    """The shop takes no shirts back, but for Alice, who then keeps hers."""
    rule, now = Rule("product", products=("SHIRT*",)), clock.now()
    save_policy(Policy(rules=(rule,)), seen=0, note="Shirts are worn.", by=world.max, now=now)
    shirt, why = hands.wish(world.alice, "SHIRT-M"), "She never wore it."
    ret = returns.request_return(world.alice.id, [shirt], key=tokens.mint(), by=world.sam, now=now, because=why)
    offer_keeping(ret, 50, by=world.rita, now=now)
    session.commit()
    take_offer(ret, 50, by="customer", now=now)
    session.commit()
    asked = session.scalars(select(Refund).where(Refund.return_id == ret.id)).one()
    refuse_refund(asked, note="She wore it.", by=world.fran, now=now)
    session.commit()


def withdraw_from_contracts(world: World) -> None:
    """From an order that has not left; from a part of Alice's, in words; and from what was bought elsewhere."""
    now = clock.now()
    early = replace(BOBS_ORDER, external_id="A-1007", number="1007", payment_intent="pi_early")
    order, _ = accept_order(early, by="channel", now=now)
    items = {line.id: line.quantity for line in order.lines if line.kind == "item"}
    withdrawals.withdraw(order.id, items, key=tokens.mint(), now=now)
    said = {"name": "Alice", "email": "alice@example.org", "goods": "One of the mugs.", "locale": "en"}
    withdrawals.match(withdrawals.state({**said, "contract": "1001"}, key=tokens.mint(), now=now).id, now=now)
    elsewhere = withdrawals.state({**said, "contract": "of the fair"}, key=tokens.mint(), now=now)
    withdrawals.answer(elsewhere, note="You bought it elsewhere.", by=world.rita, now=now)
    exemptions.exempt("CAKE", "perishable")
    session.commit()
