"""What WooCommerce is told: notes for the shop's people, and that an order is complete (REST API, version 3)."""

from collections.abc import Mapping
from typing import Any

from portal.adapters.channels import Push
from portal.adapters.channels.telling import mark, tell, words_of
from portal.adapters.errors import Unknown
from portal.adapters.reading import part, parts, text

TO_BE_SENT = ("processing", "on-hold")
"""Statuses from which an order becomes complete; what was cancelled or refunded there stays so."""


def note(order: str, push: Push, headers: Mapping[str, str]) -> str:
    """A note that only the shop's people see; `order` is its address. What is there is not written again."""
    found = tell("GET", f"{order}/notes", headers)
    if not isinstance(found, list):
        raise Unknown("the answer is no list of notes")
    known = [text(one.get("id")) for one in parts(found) if mark(push.key) in str(one.get("note"))]
    if known:
        return known[0]
    made = part(tell("POST", f"{order}/notes", headers, {"note": words_of(push), "customer_note": False}))
    if mark(push.key) not in str(made.get("note")) or not text(made.get("id")):
        raise Unknown("the answer is about something else")
    return text(made.get("id"))


def mark_sent(order: str, push: Push, headers: Mapping[str, str]) -> None:
    """The tracking number beside the order, and, when nothing more will follow, that it is complete. Again is the same.

    WooCommerce mails the customer when an order is complete, unless the shop has switched that letter off.
    """
    wanted: dict[str, Any] = {"meta_data": [{"key": f"_aftersale_{push.key}", "value": push.number}]}
    if push.last and _status(order, headers) in TO_BE_SENT:
        wanted["status"] = "completed"
    if text(part(tell("PUT", order, headers, wanted)).get("id")) != push.order_external_id:
        raise Unknown("the answer is about something else")


def _status(order: str, headers: Mapping[str, str]) -> str:
    found = tell("GET", order, headers)
    if not isinstance(found, dict) or not text(found.get("status")):
        raise Unknown("the answer is no order")
    return text(found.get("status"))
