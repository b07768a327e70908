"""Returns brought to any step, as customers and staff bring them there."""

from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.adapters.couriers import Tracking
from portal.db import session
from portal.fulfilment import actions as fulfilment
from portal.fulfilment.models import Parcel
from portal.lib import clock, tokens
from portal.lib.money import Money
from portal.orders.models import Order, OrderLine
from portal.refunds.models import Refund
from portal.returns import actions, bench
from portal.returns.bench import Finding
from portal.returns.models import Return
from portal.returns.policy import Policy, Rule, current_policy, save_policy
from portal.returns.rules import Wish
from tests.fulfilment.hands import brought_to
from tests.world import World


def delivered(world: World, order: Order, at: datetime | None = None) -> Parcel:
    """The order's parcel is with the customer."""
    now = at or clock.now()
    parcel = brought_to("handed_over", order, world.max, now - timedelta(minutes=1), courier="own")
    fulfilment.say(parcel, Tracking.delivered, "", by=world.max, now=now)
    session.commit()
    return parcel


def saved(world: World, *rules_of_it: Rule, **more: object) -> Policy:
    """Max saves a policy with these rules."""
    policy = Policy(rules=rules_of_it, **more)  # type: ignore[arg-type]
    row = save_policy(policy, seen=current_policy().version, note="Spring", by=world.max, now=clock.now())
    session.commit()
    return row.policy


def line_of(order: Order, sku: str) -> OrderLine:
    return next(line for line in order.lines if line.sku == sku)


def wish(order: Order, sku: str = "MUG-01", quantity: int = 1, reason: str = "changed_mind", words: str = "") -> Wish:
    return Wish(line_of(order, sku).id, quantity, reason, words)


def requested(order: Order, *wishes: Wish) -> Return:
    """Asked for where every request waits for a person."""
    policy = replace(current_policy(), accepts_itself=False)
    about: dict[str, Any] = {"key": tokens.mint(), "by": "customer", "now": clock.now()}
    ret = actions.request_return(order.id, wishes or (wish(order),), policy=policy, **about)
    session.commit()
    return ret


def approved(world: World, order: Order, *wishes: Wish) -> Return:
    ret = requested(order, *wishes)
    actions.approve_return(ret, by=world.rita, now=clock.now())
    session.commit()
    return ret


def received(world: World, order: Order, *wishes: Wish) -> Return:
    ret = approved(world, order, *wishes)
    actions.receive_return(ret, by=world.rita, now=clock.now())
    session.commit()
    return ret


def found(ret: Return, **differs: object) -> list[Finding]:
    """Every line as announced and as new, but for what differs."""
    fine: dict[str, object] = {"grade": "as_new", "disposition": "restock"}
    return [Finding(**{"line_id": row.id, "counted": row.quantity, **fine, **differs}) for row in ret.lines]  # type: ignore[arg-type]


def inspected(world: World, order: Order, *wishes: Wish, **differs: object) -> Return:
    ret = received(world, order, *wishes)
    bench.inspect_return(ret, found(ret, **differs), by=world.rita, now=clock.now())
    session.commit()
    return ret


def proposed(world: World, order: Order, amount: int, *wishes: Wish) -> Refund:
    ret = inspected(world, order, *wishes)
    refund = actions.propose_refund(ret, Money(amount, order.currency), by=world.rita, now=clock.now())
    session.commit()
    return refund


def post(desk: FlaskClient, ret: Return, door: str, **fields: Any) -> TestResponse:
    answer = desk.post(f"/desk/returns/{ret.id}/{door}", data=fields)
    session.expire_all()
    return answer


def page_of(desk: FlaskClient, ret: Return) -> str:
    answer = desk.get(f"/desk/returns/{ret.id}")
    assert answer.status_code == 200
    return unescape(answer.text)


def at_the_bench(ret: Return, **differs: Any) -> dict[str, Any]:
    """The bench's form, filled in: all as announced and as new, but for what differs."""
    fine = {"grade": "as_new", "disposition": "restock", "deduction": "", "note": "", **differs}
    return {
        f"row_{row.id}-{name}": value for row in ret.lines for name, value in {"counted": row.quantity, **fine}.items()
    }
