"""What a customer paid to send back what is broken is the shop's to pay."""

from html import unescape

import pytest

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.flags import open_flags
from portal.returns.claims_models import Claim
from portal.returns.postage import pay_postage, tell_postage
from tests.conftest import nothing_appears
from tests.returns.claim_hands import accepted, claimed, the_claim
from tests.returns.hands import delivered
from tests.world import World, open_link, sign_in


@pytest.fixture
def claim(at_home: World) -> Claim:
    """Alice sends a broken mug back to be repaired."""
    return accepted(at_home, claimed(at_home.alice, wish="repair"), "repair")


def test_the_customer_tells_it_and_a_person_gives_it_back(client, world, claim, work, mails):
    ret = claim.ret
    at = f"/orders/{world.alice.ref}/claims/{ret.rma}"
    alice = open_link(client, world.alice)
    assert alice.post(f"{at}/postage", data={"amount": "6,90"}).status_code == 303
    assert "You told us €6.90." in unescape(alice.get(at).text)
    assert "postage" in [flag.code for flag in open_flags(world.alice.id)]
    desk = sign_in(client, world.rita)
    assert "It is the shop's to pay." in unescape(desk.get(f"/desk/claims/{ret.id}").text)
    desk.post(f"/desk/claims/{ret.id}/postage", data={"amount": "690", "note": "By bank transfer."})
    session.expire_all()
    assert (the_claim(ret.id).postage_note, open_flags(world.alice.id)) == ("By bank transfer.", [])
    work()
    assert mails[-1]["Subject"] == f"€6.90 for the way back: claim {ret.rma}"
    alice = open_link(client, world.alice)
    assert "We gave you back €6.90." in unescape(alice.get(at).text)


@pytest.mark.parametrize(("typed", "status"), [("", 422), ("no", 422), ("0", 422), ("-4", 422), ("99999", 409)])
def test_an_amount_is_an_amount(client, world, claim, typed, status):
    alice = open_link(client, world.alice)
    with nothing_appears():
        answer = alice.post(f"/orders/{world.alice.ref}/claims/{claim.ret.rma}/postage", data={"amount": typed})
    assert answer.status_code == status


def test_where_nothing_comes_back_nothing_was_paid_for_it(world):
    delivered(world, world.alice)
    claim = accepted(world, claimed(world.alice, wish="money"), "keep_money")
    with nothing_appears(), pytest.raises(Refused, match="nothing to tell"):
        tell_postage(claim, 690, by="customer", now=clock.now())


def test_it_is_given_back_once_and_as_it_was_seen(world, claim):
    tell_postage(claim, 690, by="customer", now=clock.now())
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="amount has changed"):
        pay_postage(claim, 590, note="By bank.", by=world.rita, now=clock.now())
    pay_postage(claim, 690, note="By bank.", by=world.rita, now=clock.now())
    session.commit()
    for again in (
        lambda: pay_postage(claim, 690, note="Again.", by=world.rita, now=clock.now()),
        lambda: tell_postage(claim, 700, by="customer", now=clock.now()),
    ):
        with nothing_appears(), pytest.raises(Refused):
            again()
