"""Laws 10 and 11 of the doors: nouns in URLs, a GET that changes nothing, a guard before every view."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Select, func, select, text
from werkzeug.routing import Rule

from portal.db import Base, session
from portal.feedback.case_models import Case
from portal.feedback.cause_models import Cause
from portal.fulfilment.closing import Closing
from portal.fulfilment.handoffs import HandOff
from portal.fulfilment.manifests import Manifest
from portal.fulfilment.models import BackParcel, Parcel
from portal.fulfilment.shorts import ShortPick
from portal.fulfilment.waves import Wave
from portal.lib.guards import anyone
from portal.mail.models import Letter
from portal.offices.models import OfficeWork
from portal.orders.guards import has_api_key, has_link
from portal.orders.keys import ApiKey
from portal.orders.links import LIVES, OPENS
from portal.orders.pushes import ChannelPush
from portal.orders.shelves import StockItem
from portal.pictures.models import Picture
from portal.pulse import has_metrics_token
from portal.refunds.credit import StoreCredit
from portal.refunds.models import Refund
from portal.returns.claims_models import Claim
from portal.returns.models import Return
from portal.returns.oddities import Oddity
from portal.returns.own_labels import OwnLabel
from portal.returns.policy import ReturnPolicy
from portal.returns.reasons import ReturnReason
from portal.returns.withdrawals import Withdrawal
from portal.staff.guards import password_shown, signed_in
from portal.staff.rules import PERMISSIONS, Role
from tests.conftest import COMES_AND_GOES
from tests.world import World, open_link, sign_in

VERBS = re.compile(
    r"accept|answer|approve|ask|assign|cancel|change|close|confirm|create|decline|delete|do|drop|edit|find-out|get|make|open"
    r"|pack|pay|pick|process|put|receive|refuse|reject|remove|reopen|repeat|resend|retry|save|send|set|show|solve|split|start"
    r"|stop|submit|update|upload|write"
)
GUARDS = {anyone, has_api_key, has_link, has_metrics_token, password_shown, signed_in}
OPENED = frozenset().union(*OPENS.values())
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]


def verbs_in(path: str) -> list[str]:
    """Segments that say what to do instead of what there is."""
    return [part for part in path.split("/") if VERBS.fullmatch(part)]


def test_urls_are_made_of_nouns(app: Flask) -> None:
    assert {rule.rule: found for rule in rules(app) if (found := verbs_in(rule.rule))} == {}


def test_a_verb_in_a_url_is_found() -> None:
    assert verbs_in("/desk/returns/<int:id>/approve") == ["approve"]
    assert verbs_in("/desk/returns/<int:id>/approval") == []


def test_pages_are_read_by_get_and_changed_by_post(app: Flask) -> None:
    assert {rule.rule for rule in rules(app) if not (rule.methods or set()) <= METHODS} == set()
    assert {rule.rule for rule in rules(app) if {"GET", "POST"} <= (rule.methods or set())} == set()


def unguarded(app: Flask) -> Iterator[str]:
    """Routes without a guard, and views that do not say what they need."""
    known = app.extensions["guards"]
    permissions = frozenset().union(*PERMISSIONS.values())
    for rule in rules(app):
        view, guard = app.view_functions[rule.endpoint], known.get(rule.endpoint.rpartition(".")[0])
        if guard not in GUARDS or guard not in app.before_request_funcs.get(rule.endpoint.rpartition(".")[0], []):
            yield f"{rule.rule} has no guard"
        elif guard is signed_in and getattr(view, "permission", None) not in permissions:
            yield f"{rule.rule} needs a permission that somebody has"
        elif guard is has_link and (getattr(view, "purpose", None) not in OPENED or "ref" not in rule.arguments):
            yield f"{rule.rule} needs a purpose and a <ref>"
        elif guard not in (signed_in, has_link) and (hasattr(view, "permission") or hasattr(view, "purpose")):
            yield f"{rule.rule} is marked, but its guard does not look"


def test_every_route_is_guarded(app: Flask) -> None:
    assert list(unguarded(app)) == []


@pytest.mark.parametrize(
    ("blueprint", "view"),
    [("", "plain"), ("desk", "plain"), ("desk", "strange"), ("tracking", "plain"), ("finding", "marked")],
)
def test_a_route_without_a_guard_is_found(app: Flask, blueprint: str, view: str) -> None:
    def plain() -> str:
        return ""

    strange, marked = (lambda: ""), (lambda: "")
    strange.permission, marked.permission = "everything", "desk.see"  # type: ignore[attr-defined]
    endpoint = f"{blueprint}.planted".lstrip(".")
    app.view_functions[endpoint] = {"plain": plain, "strange": strange, "marked": marked}[view]
    rule = Rule("/planted", endpoint=endpoint)
    app.url_map.add(rule)
    try:
        assert [found for found in unguarded(app) if found.startswith("/planted")]
    finally:
        del app.view_functions[endpoint]
        app.url_map._rules.remove(rule)
        app.url_map._rules_by_endpoint.pop(endpoint)


def test_every_purpose_of_a_link_ends_and_opens_something() -> None:
    assert set(OPENS) == set(LIVES) - {"unsubscribe"}


def test_every_permission_belongs_to_a_view_and_every_role_gets_in(app: Flask) -> None:
    used = {getattr(view, "permission", None) for view in app.view_functions.values()}
    assert frozenset().union(*PERMISSIONS.values()) - used == frozenset()
    assert all("desk.see" in PERMISSIONS[role] for role in Role)


# --- a GET changes nothing ---


def written() -> int:
    """How many rows of business tables this test wrote until now, taken back or not: PostgreSQL counts them."""
    names = [*(Base.metadata.tables.keys() - COMES_AND_GOES), "procrastinate_jobs"]
    counted = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables WHERE relname = ANY(:names)"
    session.flush()
    return int(session.scalar(text(counted), {"names": names}) or 0)


def fingerprint() -> dict[str, str]:
    """A hash of every row of every business table, jobs included."""
    session.expire_all()
    names = [*(Base.metadata.tables.keys() - COMES_AND_GOES), "procrastinate_jobs"]
    one = "SELECT '{0}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t.id), '')) AS hash FROM {0} t"
    return {row.name: row.hash for row in session.execute(text(" UNION ALL ".join(map(one.format, names))))}


def values_for(rule: Rule, world: World) -> dict[str, object]:
    """What fills the gaps of an address, so that it leads to a row that is there."""
    own, labels = select(Parcel.id).where(Parcel.courier == "own"), OwnLabel.back_parcel_id == BackParcel.id
    ids: dict[str, Any] = {
        "desk.order": world.alice.id,
        "desk.evidence": world.alice.id,
        "desk.evidence_json": world.alice.id,
        "desk.end_links": world.alice.id,
        "account": 1,
        "passkeys": 1,
        "desk_people": world.sam.id,
        "desk_couriers": select(Closing.id),
        "desk_couriers.form": select(Manifest.id),
        "desk_couriers.ask_again": select(Manifest.id),
        "desk_handoffs": select(HandOff.id),
        "desk": select(Letter.id),
        "desk_parcels": own,
        "desk_watch": own,
        "desk.give_up_parcel": own,
        "desk_boxes": 1,
        "desk_waves": select(Wave.id),
        "desk_shorts": select(ShortPick.id),
        "desk.cancel_short": select(ShortPick.id),
        "desk_labels": own,
        "desk_keys": select(func.coalesce(func.min(ApiKey.id), 1)),
        "desk_pushes": select(ChannelPush.id),
        "desk_pushes.write": world.alice.id,
        "desk_stock": select(StockItem.id),
        "desk_calendar": 1,
        "desk_attention": 1,
        "feedback.picture": select(Picture.id).where(Picture.about.startswith("case_message:")),
        "feedback.thumbnail": select(Picture.id).where(Picture.about.startswith("case_message:")),
        "pictures": select(Picture.id),
        "desk_pictures": select(Picture.id),
        "desk_claims": select(Claim.return_id),
        "claims": select(Parcel.id).where(Parcel.order_id == world.alice.id),
        "desk_returns": select(Return.id),
        "desk_bench": select(Return.id),
        "desk_second": select(Return.id),
        "desk_oddities": select(Oddity.id),
        "desk_workshop": select(StockItem.id),
        "desk_dispatch": select(Return.id),
        "desk_dispatch.label": select(BackParcel.return_id).join(OwnLabel, labels),
        "returns": select(Picture.id),
        "desk_policy": select(ReturnPolicy.id),
        "desk_reasons": select(ReturnReason.id),
        "desk_asking": world.alice.id,
        "desk_withdrawals": select(Withdrawal.id),
        "desk_refunds": select(Refund.id),
        "desk_credit": select(func.coalesce(func.min(StoreCredit.id), 1)),
        "desk_absences": 1,
        "desk_snippets": 1,
        "desk_replies": select(Case.id),
        "desk_causes": select(Cause.id),
        "desk_causes.put_case": select(Case.id),
        "desk_cases": select(Case.id),
        "feedback": select(Case.id),
        "desk_offices": select(OfficeWork.id),
        "desk_privacy": world.alice.customer_id,
    }
    known: dict[str, Any] = {
        "id": ids.get(rule.endpoint, ids.get(rule.endpoint.partition(".")[0])),
        "ref": world.alice.ref,
        "rma": select(Return.rma).where(Return.order_id == world.alice.id),
        "reference": select(Withdrawal.reference).where(Withdrawal.order_id == world.alice.id),
        "token": "a" * 28,
        "source": "shopify",
        "line_id": 1,
        "parcel_id": select(func.coalesce(func.min(BackParcel.id), 1)).join(OwnLabel, labels),
        "picture_id": 1,
        "change_id": 1,
        "member_id": 1,
        "message_id": 1,
        "order_id": world.alice.id,
        "purchase_id": 1,
        "code": "picking",
        "question": "csat",
        "van_id": 1,
        "rule": "bad-answer",
        "entry": 1,
        "number": 1,
    }
    asked = {name: known[name] for name in rule.arguments}
    return {name: session.scalar(each) if isinstance(each, Select) else each for name, each in asked.items()}


@pytest.fixture
def walked(client: FlaskClient, walked: World) -> World:
    walked.max.role = "admin"
    open_link(sign_in(client, walked.max), walked.alice)
    return walked


def test_l5_and_3_5_3_a_get_changes_nothing(client: FlaskClient, walked: World) -> None:
    answers: dict[str, int] = {}
    before, rows = written(), fingerprint()
    for rule in rules(client.application):
        if "GET" in (rule.methods or set()):
            path = client.application.url_map.bind("localhost").build(rule.endpoint, values_for(rule, walked))
            answers[rule.rule] = client.get(path).status_code
            assert written() == before, rule.rule
            client.head(path)
            assert written() == before, f"HEAD {rule.rule}"
    assert fingerprint() == rows
    assert {path for path, code in answers.items() if code not in (200, 303)} == LOCKED


LOCKED = {
    *("/l/<token>", "/unsubscribe/<token>", "/desk/invitations/<token>", "/desk/returns/bench", "/metrics"),
    *("/orders/<ref>/drafts/<int:id>", "/desk/pictures/drafts/<int:id>"),
    "/desk/sign-in/single/return",
}
"""Pages that a made-up secret, no number at all, or another browser than a draft's own does not open."""


def test_a_change_is_noticed(walked: World) -> None:
    before, rows = fingerprint(), written()
    walked.alice.locale = "de"
    session.commit()
    assert written() == rows + 1
    assert {name for name, rows in fingerprint().items() if rows != before[name]} == {"orders"}


STRANGE = ("0", "-1", "99999999999999999999", "%00", "1%00", "..", "'", "%F0%9F%92%A9", "x" * 500)


def test_strange_addresses_are_no_mistakes_of_ours(client: FlaskClient, walked: World) -> None:
    """Whatever stands in an address or behind it, the answer is a clear one."""
    for rule in rules(client.application):
        for strange in STRANGE:
            path = re.sub(r"<[^>]+>", strange, rule.rule)
            for way in (rule.methods or set()) & {"GET", "POST"}:
                answer = client.open(f"{path}?state={strange}&q={strange}&page={strange}&v={strange}", method=way)
                assert answer.status_code < 500, f"{way} {path}"
