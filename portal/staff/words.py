"""What roles and states are called."""

from flask_babel import lazy_gettext as _l

from portal.staff.rules import Role

ROLE = {
    Role.picker: _l("Picks"),
    Role.packer: _l("Packs"),
    Role.shipper: _l("Ships"),
    Role.returns: _l("Receives returns"),
    Role.support: _l("Answers customers"),
    Role.finance: _l("Approves money"),
    Role.manager: _l("Leads: sees and may do everything but manage people"),
    Role.admin: _l("Leads and manages people"),
}
DEPARTMENT = {
    "picking": _l("Picking"),
    "packing": _l("Packing"),
    "shipping": _l("Shipping"),
    "returns": _l("Returns"),
    "support": _l("Support"),
    "finance": _l("Finance"),
}
STATE = {
    "active": (_l("Active"), "good"),
    "invited": (_l("Invited"), "info"),
    "disabled": (_l("Shut out"), "bad"),
}
