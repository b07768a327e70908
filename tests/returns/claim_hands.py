"""Claims brought to any step, as customers and staff bring them there."""

from datetime import datetime
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.db import session
from portal.lib import clock, tokens
from portal.orders.models import Order
from portal.returns import claims
from portal.returns.claims import Decision
from portal.returns.claims_models import Claim, claim_of
from portal.returns.claims_rules import Wrong
from tests.returns.hands import line_of
from tests.world import World


def wrong(
    order: Order,
    sku: str = "MUG-01",
    pieces: int = 1,
    fault: str = "damaged",
    wish: str = "replacement",
    words: str = "",
) -> Wrong:
    return Wrong({line_of(order, sku).id: pieces}, fault, wish, words)


def claimed(order: Order, sku: str = "MUG-01", now: datetime | None = None, **what: Any) -> Claim:
    """Something of a delivered order is wrong."""
    said = wrong(order, sku, **what)
    ret = claims.open_claim(order.id, said, key=tokens.mint(), by="customer", now=now or clock.now())
    session.commit()
    return the_claim(ret.id)


def the_claim(return_id: int) -> Claim:
    found = claim_of(return_id)
    assert found is not None
    return found


def accepted(world: World, claim: Claim, remedy: str, **how: Any) -> Claim:
    claims.accept_claim(claim, Decision(remedy, **how), by=world.rita, now=clock.now())
    session.commit()
    session.expire_all()
    return the_claim(claim.return_id)


def post(desk: FlaskClient, claim: Claim, door: str, **fields: Any) -> TestResponse:
    answer = desk.post(f"/desk/claims/{claim.return_id}/{door}", data=fields)
    session.expire_all()
    return answer
