"""Who may what with whose: the three axes of every route, generated from its guard, its marks and its address.

A route brings its own row: the guard it stands behind and what its view is marked with say what each person gets. What
an address names must have its place below, or the tests of the matrix fail.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import Select, String, cast, select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from portal.db import session
from portal.feedback.case_models import Case, CaseMessage
from portal.feedback.cause_models import CauseChange, CauseMember
from portal.fulfilment.models import BackParcel, LabelPurchase, Parcel, ParcelLine
from portal.lib import clock, tokens
from portal.lib.guards import anyone
from portal.orders import links
from portal.orders.guards import has_api_key, has_link
from portal.orders.keys import make_key
from portal.orders.links import OPENS
from portal.orders.models import Code, Order
from portal.pictures.models import Picture
from portal.pulse import has_metrics_token
from portal.refunds.credit import CreditEntry
from portal.refunds.credit_notes import CreditNote
from portal.refunds.models import Refund
from portal.returns.claims_models import Claim
from portal.returns.models import Return, ReturnLine
from portal.returns.withdrawals import Withdrawal
from portal.staff.guards import password_shown, signed_in
from portal.staff.models import Staff, StaffPasskey, StaffSession
from portal.staff.rules import PERMISSIONS, Role
from tests.world import World

METRICS = "metrics-" * 3
NAMED = re.compile(r"([\w-]+)/<(?:int:)?(\w+)>")
"""What stands before a gap of an address says what the gap names: `returns/<rma>`."""

# --- the objects ---


def _case_pictures() -> Select[Any]:
    return select(Picture.id, Picture.order_id).where(Picture.about.startswith("case_message:"))


def _pictures_of_returns() -> Select[Any]:
    of_line = Picture.about == "return-line:" + cast(ReturnLine.id, String)
    return select(Picture.id, ReturnLine.return_id).join(ReturnLine, of_line)


BY_ORDER: Mapping[str, tuple[Any, Callable[[], Select[Any]]]] = {
    "returns": (Return.rma, lambda: select(Return.rma, Return.order_id)),
    "claims": (Return.rma, lambda: select(Return.rma, Return.order_id).join(Claim, Claim.return_id == Return.id)),
    "parcels": (Parcel.id, lambda: select(Parcel.id, Parcel.order_id).where(Parcel.state != "cancelled")),
    "cases": (Case.id, lambda: select(Case.id, Case.order_id)),
    "case-pictures": (Picture.id, _case_pictures),
    "withdrawal": (Withdrawal.reference, lambda: select(Withdrawal.reference, Withdrawal.order_id)),
    "pictures": (Picture.id, lambda: select(Picture.id, Picture.order_id).where(Picture.about.is_not(None))),
    "credit-notes": (CreditNote.number, lambda: select(CreditNote.number, Refund.order_id).join(Refund)),
}
"""On customers' pages: what belongs to one order, and which. The order itself is reached through its link."""

BY_PARENT: Mapping[tuple[str, str], Callable[[], Select[Any]]] = {
    ("cases", "messages"): lambda: select(CaseMessage.id, CaseMessage.case_id),
    ("parcels", "lines"): lambda: select(ParcelLine.id, ParcelLine.parcel_id),
    ("parcels", "rates"): lambda: select(LabelPurchase.id, LabelPurchase.parcel_id),
    ("returns", "parcels"): lambda: select(BackParcel.id, BackParcel.return_id),
    ("returns", "labels"): lambda: select(BackParcel.id, BackParcel.return_id),
    ("returns", "pictures"): _pictures_of_returns,
    ("causes", "changes"): lambda: select(CauseChange.id, CauseChange.cause_id),
    ("causes", "members"): lambda: select(CauseMember.id, CauseMember.cause_id),
    ("waves", "parcels"): lambda: select(Parcel.id, Parcel.wave_id),
    ("waves", "lines"): lambda: select(ParcelLine.id, Parcel.wave_id).join(Parcel),
    ("credit", "spendings"): lambda: select(CreditEntry.id, CreditEntry.credit_id),
}
"""What belongs to the thing that is named before it, at the desk and on customers' pages."""

BY_PERSON: Mapping[str, Callable[[], Select[Any]]] = {
    "sessions": lambda: select(StaffSession.id, StaffSession.staff_id),
    "passkeys": lambda: select(StaffPasskey.id, StaffPasskey.staff_id),
    "drafts": lambda: select(Picture.id, Picture.staff_id),
}
"""At the desk: what is a person's own, whatever their role."""

THE_SHOPS = {
    "absences", "attention", "boxes", "cases", "causes", "claims", "closed-days", "closings", "credit", "credit-notes",
    "customers", "departments", "differences", "exemptions", "flags", "handoffs", "keys", "letters", "manifests",
    "oddities",
    "offices", "orders", "parcels", "people", "pictures", "pushes", "questions", "refunds", "return-policy",
    "return-reasons", "returns", "rules", "short-picks", "snippets", "stock", "terms", "transit-times", "waves",
    "withdrawals", "workshop",
}  # fmt: skip
"""At the desk: what belongs to the one shop that works here. Whose role opens the view may open each of them."""

BROWSERS = frozenset({"drafts"})
"""What belongs to the one browser, or the one person's form, that sent it: `tests/uploads`."""

BESIDE = frozenset({("parcels", "vans"), ("withdrawals", "orders")})
"""Two things of the shop in one address, neither of which belongs to the other."""

SECRETS = frozenset({"l", "unsubscribe", "invitations"})
"""The gap is a secret that opens by itself (L10); what is wrong is one and the same page."""

SENDERS = frozenset({"hooks"})


def named(rule: Rule) -> list[tuple[str, str]]:
    """The things that an address names, outermost first, with the name of the gap; the customer's order left out."""
    return [(thing, gap) for thing, gap in NAMED.findall(rule.rule) if gap != "ref"]


def without_place(app: Flask) -> Iterator[str]:
    """Addresses that name something of which nobody has said whose it is."""
    for rule in app.url_map.iter_rules():
        things = [thing for thing, _gap in named(rule)]
        guard = guard_of(app, rule)
        known: Any = (
            set(BY_ORDER) if guard is has_link else THE_SHOPS | set(BY_PERSON) if guard is signed_in else SECRETS
        )
        if things and things[0] not in (SENDERS if rule.endpoint == "hooks.receive" else known | BROWSERS):
            yield f"{rule.rule}: whose are {things[0]}?"
        elif len(things) == 2 and tuple(things) not in (set(BY_PARENT) | BESIDE):
            yield f"{rule.rule}: whose are {things[1]}?"
        elif len(things) > 2 or len(things) != len(rule.arguments - {"ref", "filename"}):
            yield f"{rule.rule}: what do its gaps name?"


def guard_of(app: Flask, rule: Rule) -> Any:
    return app.extensions["guards"].get(rule.endpoint.rpartition(".")[0])


# --- the people ---


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, by what the browser carries. `role` for who sits at the desk, `held` for who came through a link."""

    name: str
    headers: Mapping[str, str]
    role: Role | None = None
    proven: bool = True
    fresh: bool = True
    held: str = ""
    tier: int = 0
    key: bool = False
    watches: bool = False


def visitors(world: World) -> list[Visitor]:
    """Everybody who may come: nobody, each role, links of each purpose and age, machines."""
    return [
        Visitor("a stranger", {}),
        Visitor("with a secret that was made up", {"Cookie": f"desk={tokens.mint()}; c={tokens.mint()}"}),
        *(Visitor(role, _desk(world.sam), role) for role in Role),
        Visitor("an admin who showed a second factor long ago", _desk(world.sam, 11), Role.admin, fresh=False),
        Visitor("an admin who gave a password only", _desk(world.sam, None), Role.admin, proven=False),
        *(Visitor(f"a young link: {held}", _link(world.alice, held), held=held, tier=1) for held in OPENS),
        Visitor("an old link: track", _link(world.alice, "track", days=60), held="track"),
        Visitor("the customer, with the code", _link(world.alice, "track", code=True), held="track", tier=2),
        Visitor("another customer, with the code", _link(world.bob, "track", code=True)),
        Visitor("a link that was ended", _link(world.alice, "track", ended=True)),
        Visitor("a shop's own system", {"Authorization": f"Bearer {_key()}"}, key=True),
        Visitor("who watches", {"Authorization": f"Bearer {METRICS}"}, watches=True),
    ]


def _desk(person: Staff, proven: int | None = 0) -> Mapping[str, str]:
    """A browser of this person's, in which both factors were shown so many minutes ago."""
    token, now = tokens.mint(), clock.now()
    at = None if proven is None else now - timedelta(minutes=proven)
    session.add(
        StaffSession(digest=tokens.digest(token), staff_id=person.id, created_at=now, seen_at=now, proven_at=at)
    )
    return {"Cookie": f"desk={token}"}


def _link(order: Order, purpose: str, *, days: int = 0, code: bool = False, ended: bool = False) -> Mapping[str, str]:
    """A browser that came through a link that was sent so many days ago."""
    now, cookie = clock.now(), tokens.mint()
    token = links.mint(order.id, purpose, 1, now - timedelta(days=days))
    found = links.find(token, now=now)
    assert found is not None
    links.grant(found, cookie, now=now)
    if code:
        shown = {"created_at": now, "expires_at": now, "used_at": now}
        session.add(Code(order_id=order.id, browser=tokens.digest(cookie), **shown))
    if ended:
        found.revoked_at = now
    return {"Cookie": f"c={cookie}"}


def _key() -> str:
    return make_key("matrix", "first", by=None, now=clock.now())


# --- what each gets ---

OPEN = "open"
ASKED = {"sign in": "/desk/sign-in", "second factor": "/desk/second-factor", "home": "/desk/", "code": "/code"}


def expected(app: Flask, rule: Rule, who: Visitor) -> str:
    """What the guard and the marks of the view say that this visitor gets."""
    guard, view = guard_of(app, rule), app.view_functions[rule.endpoint]
    if guard is anyone:
        return OPEN
    if guard is signed_in:
        return _at_desk(view, who)
    if guard is password_shown:
        return "sign in" if who.role is None else OPEN if not who.proven else "home"
    if guard is has_link:
        return _behind_link(view, who)
    return OPEN if (guard is has_api_key and who.key) or (guard is has_metrics_token and who.watches) else _shut(guard)


def _shut(guard: Any) -> str:
    return "401" if guard is has_api_key else "404"


def _at_desk(view: Any, who: Visitor) -> str:
    if who.role is None:
        return "sign in"
    if not who.proven:
        return "second factor"
    if view.permission not in PERMISSIONS[who.role]:
        return "403"
    return OPEN if who.fresh or not getattr(view, "fresh", False) else "401"


def _behind_link(view: Any, who: Visitor) -> str:
    if view.purpose not in OPENS.get(who.held, ()):
        return "404"
    owns = 2 if view.purpose == "case" and who.held in links.ABOUT_A_CASE else who.tier
    return OPEN if owns >= view.tier else "code"


def got(app: Flask, path: str, method: str, who: Visitor) -> str:
    """What the guards answer; the view itself is not reached."""
    with app.test_request_context(path, method=method, headers=dict(who.headers)):
        try:
            answer: Any = app.preprocess_request()
        except HTTPException as error:
            return str(error.code)
    if answer is None:
        return OPEN
    if not hasattr(answer, "location"):
        return str(answer[1])
    where = str(answer.location).partition("?")[0]
    return next(what for what, end in ASKED.items() if where.endswith(end))
