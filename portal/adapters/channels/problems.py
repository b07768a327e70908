"""Codes of what a person should look at: an order is kept and flagged, never refused, for what a shop can't know."""

from portal.adapters.channels import IncomingOrder


def common(order: IncomingOrder, mail: str) -> dict[str, bool]:
    """What any channel's order may lack; `mail` is the address as it was given."""
    items = [line for line in order.lines if line.kind == "item"]
    reachable = bool(order.address.street and order.address.city)
    return {
        "no_items": not items,
        "missing_sku": any(not line.sku for line in items),
        "missing_address": not reachable,
        "unknown_country": reachable and not order.address.country,
        "missing_email": not mail,
        "bad_email": bool(mail) and order.email is None,
        "totals": not order.reconciled,
        "not_paid": order.total > 0 and not order.captured,
        "test": order.test,
        "already_sent": order.sent,
    }


def codes(odd: dict[str, bool]) -> tuple[str, ...]:
    return tuple(code for code, is_so in odd.items() if is_so)
