"""Laws 3, 4, 7 and 9: what actions see and do, and the one way a state changes."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from portal.db import Base
from tests.house.source import Module, at, called, calls, modules, planted

DOORS = frozenset({"pages", "staff", "api", "jobs", "guards", "forms", "imports"})
WEB = frozenset(
    {"request", "flash", "g", "session", "redirect", "render_template", "url_for", "abort", "make_response"}
)
ENDS = frozenset({"commit", "rollback", "transaction"})
MAY_END = frozenset(
    {"portal.db", "portal.jobs.failures", "portal.problems", "portal.cli", "portal.backups", "portal.edge"}
    | {"portal.staff.staff.sign_on"}  # before it waits for who vouches
    | {"portal.feedback.mail_keeper"}
)
SIGNALS = re.compile(
    r"sqlalchemy\.(orm\.)?event|flask\.signals|blinker|flask\.\w*_(started|finished|exception|committed)"
)
PAPERS = {"portal.mail.rendering", "portal.privacy.copy"}
"""What is written by template and is no answer: letters, the copy for a customer."""


def sees_the_web(module: Module) -> Iterator[str]:
    """Actions, models and rules take plain values: no request, no answer."""
    if module.package in ("lib", "") or module.file in DOORS or module.name.count(".") < 2 or module.package == "demo":
        return
    for name in sorted(module.imports()):
        word = name.removeprefix("flask.")
        a_paper = module.name in PAPERS and word == "render_template"
        if name.startswith("flask.") and word in WEB and not a_paper:
            yield f"{module.name} imports {name}"


def ends_transactions(module: Module) -> Iterator[str]:
    """Only the edges of web and mail, a job per step, and the command commit; a door may roll back what was refused."""
    if module.name in MAY_END or module.package == "demo":
        return
    by_steps = module.file == "jobs" or module.package == "jobs"
    may = {"transaction"} if by_steps else {"rollback"} if module.file in ("pages", "staff") else set()
    for call in calls(module.tree):
        if called(call).rpartition(".")[2] in ENDS - may:
            yield at(module, call, called(call))


@cache
def states() -> frozenset[str]:
    """The columns that only `move` changes."""
    return frozenset(column for mapper in Base.registry.mappers for column in mapper.class_.MOVES)


def assigns_a_state(module: Module) -> Iterator[str]:
    """A state that is set instead of moved. A row may be born in any state."""
    if module.name == "portal.db":
        return
    for node in ast.walk(module.tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) else []:
            for part in ast.walk(target) if target else []:
                if isinstance(part, ast.Attribute) and part.attr in states():
                    yield at(module, node, f"assigns .{part.attr}")
        if isinstance(node, ast.Call):
            yield from _set_by_call(module, node)


def _set_by_call(module: Module, call: ast.Call) -> Iterator[str]:
    name = called(call)
    if name == "setattr" and isinstance(call.args[1], ast.Constant) and call.args[1].value in states():
        yield at(module, call, "setattr")
    updates = name.startswith("update") and name.endswith(".values")
    if updates and {keyword.arg for keyword in call.keywords} & states():
        yield at(module, call, "update(…).values(state=…)")
    if name == "text" and re.search(rf"(?is)update\s.*\sset\s.*\b({'|'.join(states())})\s*=", ast.unparse(call)):
        yield at(module, call, "UPDATE … SET state")


def listens(module: Module) -> Iterator[str]:
    """Nothing happens behind an action's back."""
    if module.package == "demo":
        return
    for name in sorted(module.imports()):
        if SIGNALS.match(name):
            yield f"{module.name} imports {name}"
    for call in calls(module.tree):
        if called(call).endswith(("listens_for", "event.listen", ".connect_via")):
            yield at(module, call, called(call))


Law = Callable[[Module], Iterator[str]]


@pytest.mark.parametrize("law", [sees_the_web, ends_transactions, assigns_a_state, listens])
def test_actions_keep_to_themselves(law: Law) -> None:
    assert [found for module in modules() for found in law(module)] == []


@pytest.mark.parametrize(
    ("law", "name", "code"),
    [
        (sees_the_web, "portal.returns.actions", "from flask import request"),
        (sees_the_web, "portal.orders.timeline", "from flask import current_app, g"),
        (sees_the_web, "portal.returns.models", "from flask import flash"),
        (ends_transactions, "portal.returns.actions", "session.commit()"),
        (ends_transactions, "portal.returns.staff", "db.session.commit()"),
        (ends_transactions, "portal.returns.actions", "session.rollback()"),
        (ends_transactions, "portal.returns.actions", "with transaction():\n    pass"),
        (ends_transactions, "portal.returns.jobs", "session.commit()"),
        (assigns_a_state, "portal.returns.actions", "ret.decision = 'approved'"),
        (assigns_a_state, "portal.orders.actions", "order.state, order.closed_at = 'closed', now"),
        (assigns_a_state, "portal.orders.actions", "setattr(order, 'state', 'closed')"),
        (assigns_a_state, "portal.orders.actions", "update(Order).where(x).values(state='closed')"),
        (assigns_a_state, "portal.orders.actions", "text('UPDATE orders SET state = 1')"),
        (listens, "portal.orders.models", "from sqlalchemy import event"),
        (listens, "portal.orders.models", "@listens_for(Order, 'after_update')\ndef f(*a): ..."),
        (listens, "portal.edge", "from flask import request_started"),
    ],
)
def test_a_breach_is_found(law: Law, name: str, code: str) -> None:
    assert list(law(planted(name, code)))


def test_there_are_states_to_look_after() -> None:
    assert {"state", "decision", "goods"} <= states()
