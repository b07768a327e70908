"""A return that the customer called off, whose parcel comes all the same."""

from portal.db import session
from portal.lib import clock, tokens
from portal.returns import actions
from portal.returns.rules import Wish
from tests.returns import hands
from tests.world import World


def test_one_that_was_called_off_and_is_here_all_the_same_can_be_taken(world: World) -> None:
    hands.delivered(world, world.alice)
    wish, now = Wish(hands.line_of(world.alice, "MUG-01").id, 1, "changed_mind"), clock.now()
    ret = actions.request_return(world.alice.id, [wish], key=tokens.mint(), by="customer", now=now)
    session.commit()
    actions.cancel_return(ret, now=now)
    actions.receive_return(ret, by=world.rita, now=now)
    assert ret.decision == "cancelled"
    actions.accept_anyway(ret, by=world.rita, now=now)
    assert (ret.decision, ret.goods) == ("approved", "received")
