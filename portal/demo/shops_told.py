"""What the stand-in shops let themselves be told: Shopify's fulfilments and note by GraphQL, WooCommerce's notes and
statuses by REST. What they were told changes when an order was changed last, as in the real ones, so that it comes back
by webhook or when they are asked.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Thing = dict[str, Any]
Answer = tuple[int, Thing | list[Thing]]


@dataclass(slots=True)
class Told:
    """Beside the orders of a shop: what others wrote to them."""

    record: Path | None = None
    fulfilments: dict[str, list[Thing]] = field(default_factory=dict)
    notes: dict[str, list[Thing]] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    meta: dict[str, list[Thing]] = field(default_factory=dict)

    def read(self) -> None:
        if self.record and self.record.exists():
            known = json.loads(self.record.read_text())
            self.fulfilments, self.notes, self.written, self.meta = (known[name] for name in NAMES)

    def keep(self) -> None:
        if self.record:
            self.record.write_text(json.dumps({name: getattr(self, name) for name in NAMES}))

    def graphql(self, body: Thing, orders: dict[str, Thing]) -> Answer:
        """Answers the questions that the portal asks, by what stands in them."""
        query, variables = str(body.get("query", "")), body.get("variables") or {}
        if "fulfillmentCreate" in query:
            return 200, {"data": {"fulfillmentCreate": self._create(variables["f"], orders)}}
        if "orderUpdate" in query:
            return 200, {"data": {"orderUpdate": self._write(variables["input"], orders)}}
        if "fulfillmentLineItems" in query:
            return 200, {"data": {"fulfillment": self._inside(str(variables["id"]))}}
        number = str(variables.get("id", "")).rpartition("/")[2]
        found = self._order(number, orders[number]) if number in orders else None
        return 200, {"data": {"order": found}}

    def _order(self, number: str, order: Thing) -> Thing:
        made = [{key: one[key] for key in ("id", "status", "trackingInfo")} for one in self.fulfilments.get(number, [])]
        places = range(int(order.get("places", 1)))
        nodes = [self._fulfilment_order(number, order, place) for place in places]
        known = {"id": f"gid://shopify/Order/{number}", "note": self.written.get(number)}
        return {**known, "fulfillments": made, "fulfillmentOrders": {"nodes": nodes}}

    def _fulfilment_order(self, number: str, order: Thing, place: int) -> Thing:
        """One per place that goods are sent from; lines lie in the places in turn."""
        rows = [
            {
                "id": f"gid://shopify/FulfillmentOrderLineItem/{line['id']}",
                "remainingQuantity": line["quantity"] - self._sent(number, str(line["id"])),
                "lineItem": {"id": f"gid://shopify/LineItem/{line['id']}"},
            }
            for n, line in enumerate(order["line_items"])
            if n % int(order.get("places", 1)) == place
        ]
        held = bool(order.get("on_hold"))
        there = not held and any(row["remainingQuantity"] for row in rows)
        return {
            "id": f"gid://shopify/FulfillmentOrder/{number}{place}",
            "status": "OPEN" if there else "ON_HOLD" if held else "CLOSED",
            "supportedActions": [{"action": "CREATE_FULFILLMENT"}] if there else [],
            "lineItems": {"nodes": rows},
        }

    def _sent(self, number: str, line: str) -> int:
        return sum(one["pieces"].get(line, 0) for one in self.fulfilments.get(number, []))

    def _create(self, wanted: Thing, orders: dict[str, Thing]) -> Thing:
        group = wanted["lineItemsByFulfillmentOrder"][0]
        number = str(group["fulfillmentOrderId"]).rpartition("/")[2][:-1]
        pieces = {str(row["id"]).rpartition("/")[2]: row["quantity"] for row in group["fulfillmentOrderLineItems"]}
        lines = {str(line["id"]): line["quantity"] for line in orders[number]["line_items"]}
        if any(n > lines[line] - self._sent(number, line) for line, n in pieces.items()):
            return {"fulfillment": None, "userErrors": [{"field": ["f"], "message": "Invalid quantity requested."}]}
        mine = self.fulfilments.setdefault(number, [])
        made = {"id": f"gid://shopify/Fulfillment/{number}{len(mine)}", "status": "SUCCESS"}
        told = {"number": wanted["trackingInfo"]["number"], "company": wanted["trackingInfo"]["company"]}
        mine.append({**made, "trackingInfo": [told], "pieces": pieces})
        done = all(n <= self._sent(number, line) for line, n in lines.items())
        orders[number] |= {"fulfillment_status": "fulfilled" if done else "partial", "updated_at": f"{_now()}+00:00"}
        return {"fulfillment": {**made, "trackingInfo": [told]}, "userErrors": []}

    def _inside(self, fulfilment: str) -> Thing:
        known = [one for rows in self.fulfilments.values() for one in rows if one["id"] == fulfilment]
        pieces = known[0]["pieces"] if known else {}
        rows = [{"quantity": n, "lineItem": {"id": f"gid://shopify/LineItem/{line}"}} for line, n in pieces.items()]
        return {"fulfillmentLineItems": {"nodes": rows}}

    def _write(self, wanted: Thing, orders: dict[str, Thing]) -> Thing:
        number = str(wanted["id"]).rpartition("/")[2]
        self.written[number] = wanted["note"]
        orders[number] |= {"updated_at": f"{_now()}+00:00"}
        return {"order": {"id": wanted["id"], "note": wanted["note"]}, "userErrors": []}

    def rest(self, method: str, path: str, body: Thing, orders: dict[str, Thing]) -> Answer:
        """`path` is what follows /orders/: the order's number, and notes."""
        number, _, part = path.partition("/")
        if number not in orders:
            return 404, {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID."}
        acts: dict[tuple[str, str], Callable[[], Answer]] = {
            ("GET", "notes"): lambda: (200, self.notes.get(number, [])),
            ("POST", "notes"): lambda: (201, self._note(number, body)),
            ("GET", ""): lambda: (200, orders[number]),
            ("PUT", ""): lambda: (200, self._change(number, body, orders)),
        }
        act = acts.get((method, part))
        return act() if act else (404, {"code": "rest_no_route", "message": "No route was found."})

    def _note(self, number: str, body: Thing) -> Thing:
        mine = self.notes.setdefault(number, [])
        mine.append({"id": int(number) * 100 + len(mine), **body})
        return mine[-1]

    def _change(self, number: str, body: Thing, orders: dict[str, Thing]) -> Thing:
        """Meta data of the same key is replaced, not added."""
        kept = {one["key"]: one for one in [*self.meta.get(number, []), *body.get("meta_data", [])]}
        self.meta[number] = list(kept.values())
        status = {"status": body["status"]} if "status" in body else {}
        orders[number] |= {**status, "meta_data": self.meta[number], "date_modified_gmt": _now()}
        return orders[number]


NAMES = ("fulfilments", "notes", "written", "meta")


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
