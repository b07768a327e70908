"""Who may do what. One small enum of roles, one set of permissions each."""

from enum import StrEnum


class Role(StrEnum):
    picker = "picker"
    packer = "packer"
    shipper = "shipper"
    returns = "returns"
    support = "support"
    finance = "finance"
    manager = "manager"
    admin = "admin"


LOOK = frozenset({"desk.see"})
WAREHOUSE = LOOK | {"parcels.see", "stock.see"}
PERMISSIONS: dict[Role, frozenset[str]] = {
    Role.picker: WAREHOUSE | {"parcels.pick"},
    Role.packer: WAREHOUSE | {"parcels.pick", "parcels.pack"},
    Role.shipper: WAREHOUSE | {"parcels.pack", "parcels.ship", "parcels.watch"},
    Role.returns: WAREHOUSE
    | {"orders.see", "returns.see", "returns.decide", "returns.receive", "refunds.see", "refunds.request"},
    Role.support: WAREHOUSE
    | {"orders.see", "returns.see", "returns.decide", "refunds.see", "refunds.request", "cases.see", "cases.work"}
    | {"letters.see", "letters.send", "parcels.watch", "orders.settle", "returns.override"},
    Role.finance: LOOK
    | {"orders.see", "orders.prove", "returns.see", "refunds.see", "refunds.request", "refunds.approve", "letters.see"},
}
PERMISSIONS[Role.manager] = frozenset().union(*PERMISSIONS.values()) | {
    "stock.change",
    "promise.set",
    "insight.see",
    "privacy.manage",
    "refunds.limit",
    "returns.exempt",
    "returns.override",
    "returns.policy",
    "claims.set",
    "surveys.set",
    "cases.set",
}
PERMISSIONS[Role.admin] = PERMISSIONS[Role.manager] | {"staff.manage", "keys.manage"}

DEPARTMENTS = ("picking", "packing", "shipping", "returns", "support", "finance")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1024
