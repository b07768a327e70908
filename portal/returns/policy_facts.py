"""What the shop's policy asks about an order beyond the goods: read only where its door is asked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from portal.db import session
from portal.orders.models import Order
from portal.orders.shelves import StockItem, counted
from portal.returns.articles import Article, articles_of, variants_of
from portal.returns.goods import Facts, Variant, last_day, read
from portal.returns.models import Return
from portal.returns.policy import Policy

LATELY = timedelta(days=365)


def read_under(policy: Policy, order: Order, *, now: datetime, besides: int | None = None) -> Facts:
    """The order as this policy sees it."""
    return under(policy, read(order, now=now, besides=besides), now=now, besides=besides)


def under(policy: Policy, facts: Facts, *, now: datetime, besides: int | None = None, on: date | None = None) -> Facts:
    """The same facts under this policy, on another day when it is given."""
    if current_app.config["SETTINGS"].return_labels == "none":
        policy = replace(policy, label={})
    until = last_day(facts.delivered_at, current_app.config["SETTINGS"], policy.window_days)
    skus = [goods.line.sku for goods in facts.goods]
    types = {sku: article.type for sku, article in articles_of(skus).items()}
    often = _often(facts.order, now, besides) if policy.asks("often") else 0
    others = _variants(skus) if "exchange" in policy.choices else {}
    known: dict[str, Any] = {"types": types, "often": often, "variants": others}
    return replace(facts, policy=policy, last_day=until, today=on or facts.today, **known)


def _variants(skus: Sequence[str]) -> dict[str, list[Variant]]:
    """By article, what it can be exchanged for, also what is gone at the moment."""
    found = variants_of(skus)
    items = counted({other.sku for others in found.values() for other in others})
    return {sku: [_variant(other, items.get(other.sku)) for other in others] for sku, others in found.items()}


def _variant(article: Article, items: Sequence[StockItem] | None) -> Variant:
    left = None if items is None else sum(item.available for item in items)
    return Variant(article.sku, article.variant or article.title or article.sku, left)


def _often(order: Order, now: datetime, besides: int | None) -> int:
    """The customer's returns of the last year that were not called off, whatever the order; withdrawals don't count."""
    mine = (Order.customer_id == order.customer_id, Return.kind == "return", Return.decision != "cancelled")
    found = select(func.count()).select_from(Return).join(Return.order)
    return session.scalar(found.where(*mine, Return.requested_at > now - LATELY, Return.id != (besides or 0))) or 0
