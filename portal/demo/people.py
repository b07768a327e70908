"""Who works at Lantern & Loom, and what each does there."""

from datetime import datetime

from portal.db import session
from portal.staff.actions import accept_invitation, find_invitation, invite_staff
from portal.staff.models import Department, Staff
from portal.staff.rules import Role

PASSWORD = "a-lamp-for-everybody"
TEAM = {
    "mona": ("Mona Albrecht", Role.manager, "sees everything, leads everybody"),
    "pia": ("Pia Sander", Role.picker, "picks"),
    "paul": ("Paul Engel", Role.packer, "packs"),
    "sven": ("Sven Okoro", Role.shipper, "ships"),
    "rita": ("Rita Haas", Role.returns, "receives and inspects returns, asks for money back"),
    "sam": ("Sam Lindner", Role.support, "answers customers, decides returns"),
    "fran": ("Fran Keller", Role.finance, "approves money"),
    "ada": ("Ada Winter", Role.admin, "lets people in"),
}
DEPARTMENTS = {
    "picking": "pia", "packing": "paul", "shipping": "sven", "returns": "rita", "support": "sam", "finance": "fran",
}  # fmt: skip


def address(name: str) -> str:
    return f"{name}@lantern-loom.example"


def hire(now: datetime) -> dict[str, Staff]:
    """Everybody was invited and chose the demo's password; each department has a responsible person and a deputy."""
    team = {name: _hire(name, now) for name in TEAM}
    for code, name in DEPARTMENTS.items():
        session.add(Department(code=code, responsible_id=team[name].id, deputy_id=team["mona"].id))
    session.commit()
    return team


def _hire(name: str, now: datetime) -> Staff:
    full_name, role, _ = TEAM[name]
    invitation = find_invitation(invite_staff(address(name), full_name, role, now=now), now=now)
    if invitation is None:
        raise RuntimeError(f"{name} was not let in")
    accept_invitation(invitation, PASSWORD, now=now)
    return invitation.staff
