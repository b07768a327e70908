"""What Shopify is told: parcels as fulfilments, everything else as a line in the order's note (GraphQL Admin API)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.adapters.channels import Push
from portal.adapters.channels.telling import mark, tell, words_of
from portal.adapters.errors import Permanent, Temporary, Unknown
from portal.adapters.reading import part, parts, text

LONGEST_NOTE = 5000
"""Characters that Shopify keeps of an order's note."""
LIVING = ("OPEN", "IN_PROGRESS")
"""Fulfilment orders of which something can be sent."""
WHAT_IS_LEFT = """query($id: ID!) { order(id: $id) { id
  fulfillments(first: 50) { id status trackingInfo(first: 5) { number } }
  fulfillmentOrders(first: 5) { nodes { id status supportedActions { action }
    lineItems(first: 80) { nodes { id remainingQuantity lineItem { id } } } } } } }"""
WHAT_IS_INSIDE = """query($id: ID!) { fulfillment(id: $id) {
  fulfillmentLineItems(first: 100) { nodes { quantity lineItem { id } } } } }"""
SHIP = """mutation($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) {
  fulfillment { id trackingInfo(first: 5) { number } } userErrors { field message } } }"""
READ_NOTE = "query($id: ID!) { order(id: $id) { id note } }"
WRITE_NOTE = """mutation($input: OrderInput!) { orderUpdate(input: $input) {
  order { id note } userErrors { field message } } }"""

Pieces = dict[str, int]


@dataclass(frozen=True, slots=True)
class Graph:
    """The one address to which every question goes."""

    address: str
    headers: Mapping[str, str]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Its data. Raises Temporary, Permanent or Unknown, also for what comes with status 200."""
        said = tell("POST", self.address, self.headers, {"query": query, "variables": variables})
        if part(said).get("errors"):
            _raise(part(said))
        found = part(said).get("data")
        if not isinstance(found, dict):
            raise Unknown("the answer is no answer to our question")
        return found

    def change(self, name: str, query: str, **variables: Any) -> dict[str, Any]:
        """What a mutation made. Raises Permanent with its userErrors."""
        made = part(self.ask(query, **variables).get(name))
        if errors := parts(made.get("userErrors")):
            raise Permanent("Shopify says no: " + "; ".join(text(one.get("message")) for one in errors)[:300])
        return made


def _raise(said: dict[str, Any]) -> None:
    first = (parts(said["errors"]) or [{"message": said["errors"]}])[0]
    code, why = text(part(first.get("extensions")).get("code")), text(first.get("message"))
    if code == "THROTTLED":
        raise Temporary("Shopify wants us to wait", wait=_refilled_in(part(part(said.get("extensions")).get("cost"))))
    if code == "INTERNAL_SERVER_ERROR":
        raise Unknown(f"Shopify failed: {why}")
    raise Permanent(f"Shopify says no: {why or 'it does not say why'}")


def _refilled_in(cost: dict[str, Any]) -> float:
    """Seconds until its bucket holds what the question costs."""
    status = part(cost.get("throttleStatus"))
    wanted, there, rate = cost.get("requestedQueryCost"), status.get("currentlyAvailable"), status.get("restoreRate")
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in (wanted, there, rate)) or not rate:
        return 10.0
    return max(1.0, min(60.0, (wanted - there) / rate))  # type: ignore[operator]


def ship(graph: Graph, push: Push) -> str:
    """A fulfilment with this number for each place that it is sent from; what is there already is not made again.

    Shopify does not write to the customer: the portal does.
    """
    order = _order(graph, push, WHAT_IS_LEFT)
    known = [text(one.get("id")) for one in parts(order.get("fulfillments")) if _is_ours(one, push.number)]
    left = _without(push.pieces, [_inside(graph, one) for one in known])
    if known and not left:
        return known[0]
    made = [_create(graph, push, goods) for goods in _shares(order, left)]
    if not made and not known:
        raise Permanent("Shopify has nothing of this left to be sent: it was sent from there, or is on hold")
    return (known or made)[0]


def _order(graph: Graph, push: Push, query: str) -> dict[str, Any]:
    found = graph.ask(query, id=_gid(push))
    if found.get("order") is None and "order" in found:
        raise Permanent("Shopify does not know this order any more")
    order = part(found.get("order"))
    if order.get("id") != _gid(push):
        raise Unknown("the answer is about something else")
    return order


def _gid(push: Push) -> str:
    return f"gid://shopify/Order/{push.order_external_id}"


def _is_ours(fulfilment: dict[str, Any], number: str) -> bool:
    numbers = {text(one.get("number")) for one in parts(fulfilment.get("trackingInfo"))}
    return number in numbers and text(fulfilment.get("status")) not in ("CANCELLED", "ERROR", "FAILURE")


def _inside(graph: Graph, fulfilment: str) -> Pieces:
    found = part(graph.ask(WHAT_IS_INSIDE, id=fulfilment).get("fulfillment"))
    rows = parts(part(found.get("fulfillmentLineItems")).get("nodes"))
    return {_line(row): _count(row.get("quantity")) for row in rows}


def _without(pieces: Mapping[str, int], told: list[Pieces]) -> Pieces:
    left = {line: n - sum(one.get(line, 0) for one in told) for line, n in pieces.items()}
    return {line: n for line, n in left.items() if n > 0}


def _shares(order: dict[str, Any], left: Pieces) -> Iterator[dict[str, Any]]:
    """What each fulfilment order can give of it; each is for one place, and a fulfilment can't be for two."""
    for each in parts(part(order.get("fulfillmentOrders")).get("nodes")):
        actions = {text(one.get("action")) for one in parts(each.get("supportedActions"))}
        if text(each.get("status")) not in LIVING or "CREATE_FULFILLMENT" not in actions:
            continue
        goods = list(_taken(parts(part(each.get("lineItems")).get("nodes")), left))
        if goods:
            yield {"fulfillmentOrderId": each.get("id"), "fulfillmentOrderLineItems": goods}


def _taken(rows: list[dict[str, Any]], left: Pieces) -> Iterator[dict[str, Any]]:
    for row in rows:
        pieces = min(_count(row.get("remainingQuantity")), left.get(_line(row), 0))
        if pieces:
            left[_line(row)] -= pieces
            yield {"id": row.get("id"), "quantity": pieces}


def _line(row: dict[str, Any]) -> str:
    """The line's id as the webhooks tell it: the last part of the long one."""
    return text(part(row.get("lineItem")).get("id")).rpartition("/")[2]


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _create(graph: Graph, push: Push, goods: dict[str, Any]) -> str:
    tracking = {"number": push.number, "company": push.courier} | ({"url": push.page} if push.page else {})
    wanted = {"lineItemsByFulfillmentOrder": [goods], "trackingInfo": tracking, "notifyCustomer": False}
    made = part(graph.change("fulfillmentCreate", SHIP, f=wanted).get("fulfillment"))
    return _made(made, _is_ours(made, push.number))


def _made(thing: dict[str, Any], ours: bool) -> str:
    if not ours or not text(thing.get("id")):
        raise Unknown("the answer is about something else")
    return text(thing.get("id"))


def note(graph: Graph, push: Push) -> str:
    """A line at the end of the order's note. There is one note per order, so it is read before it is written."""
    before = _order(graph, push, READ_NOTE).get("note")
    written = before if isinstance(before, str) else ""
    if mark(push.key) in written:
        return _gid(push)
    after = "\n".join(filter(None, (written.rstrip(), words_of(push))))
    if len(after) > LONGEST_NOTE:
        raise Permanent("the order's note is full")
    made = part(graph.change("orderUpdate", WRITE_NOTE, input={"id": _gid(push), "note": after}).get("order"))
    return _made(made, mark(push.key) in str(made.get("note")))
