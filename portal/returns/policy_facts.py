"""What the shop's policy asks about an order beyond the goods: read only where its door is asked."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from flask import current_app
from sqlalchemy import func, select

from portal.db import session
from portal.orders.models import Order
from portal.returns.articles import articles_of
from portal.returns.goods import Facts, last_day, read
from portal.returns.models import Return
from portal.returns.policy import Policy

LATELY = timedelta(days=365)


def read_under(policy: Policy, order: Order, *, now: datetime, besides: int | None = None) -> Facts:
    """The order as this policy sees it."""
    return under(policy, read(order, now=now, besides=besides), now=now, besides=besides)


def under(policy: Policy, facts: Facts, *, now: datetime, besides: int | None = None, on: date | None = None) -> Facts:
    """The same facts under this policy, on another day when it is given."""
    until = last_day(facts.delivered_at, current_app.config["SETTINGS"], policy.window_days)
    skus = [goods.line.sku for goods in facts.goods]
    types = {sku: article.type for sku, article in articles_of(skus).items()}
    often = _often(facts.order, now, besides) if policy.asks("often") else 0
    return replace(facts, policy=policy, last_day=until, types=types, often=often, today=on or facts.today)


def _often(order: Order, now: datetime, besides: int | None) -> int:
    """The customer's returns of the last year that were not called off, whatever the order; withdrawals don't count."""
    mine = (Order.customer_id == order.customer_id, Return.kind == "return", Return.decision != "cancelled")
    found = select(func.count()).select_from(Return).join(Return.order)
    return session.scalar(found.where(*mine, Return.requested_at > now - LATELY, Return.id != (besides or 0))) or 0
