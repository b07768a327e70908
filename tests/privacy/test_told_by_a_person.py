"""What a person told us goes, whatever the code says of its own tables: facts come in as they do, and are sought."""

from dataclasses import replace

from portal.adapters.channels import IncomingAddress
from portal.db import session
from portal.feedback import cases
from portal.feedback.asking import schedule_survey
from portal.lib import clock
from portal.orders.actions import accept_order
from portal.orders.models import Order
from portal.privacy import actions
from portal.returns.actions import request_return
from tests.feedback.scenes import case_of
from tests.privacy.test_erasure import where
from tests.returns import hands
from tests.world import ALICES_ORDER, World

HOME = IncomingAddress(
    "Wren Nestling", "Nestling & Sons", "Finkenweg 12", "Hinterhaus", "10999", "Vogelsdorf", "Brandenburg", "DE"
)
WREN = replace(
    ALICES_ORDER, external_id="W-7701", number="7701", payment_intent="pi_wren", address=HOME, name="Wren Nestling",
    email="wren@nest.example", phone="+49 30 5550199",
)  # fmt: skip
SAID = ("the handle cut my finger", "it smells of my cellar", "ring at my mother's door")
FACTS = (
    *SAID, "Wren", "wren@nest.example", "5550199", "Nestling & Sons", "Finkenweg", "Hinterhaus", "10999", "Vogelsdorf",
    "Brandenburg",
)  # fmt: skip


def told(world: World) -> Order:
    """An order, a return, an answer and a conversation."""
    order, _ = accept_order(WREN, by="channel", now=clock.now())
    hands.delivered(world, order)
    wish = hands.wish(order, reason="damaged", words=SAID[0])
    request_return(order.id, [wish], key="k", by="customer", now=clock.now())
    schedule_survey(order.id, now=clock.now())
    cases.write_to_shop(case_of(order, said=SAID[1]), SAID[2], now=clock.now())
    session.commit()
    return order


def test_14_2_6_nothing_that_a_person_told_us_outlives_the_erasure(world: World) -> None:
    order = told(world)
    assert [fact for fact in FACTS if not where(fact)] == []
    actions.forget([order.id], now=clock.now())
    session.commit()
    assert {fact: found for fact in FACTS if (found := where(fact))} == {}
