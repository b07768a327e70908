"""Laws 1 and 2: packages stand in one line, and inside a feature doors stand before actions before models."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import LINE, SETTINGS, TOP, Module, at, called, calls, modules, package_of, planted

DOORS = frozenset({"pages", "staff", "api"})
INNER = frozenset({"models", "rules"})
WRITES = frozenset({"add", "add_all", "delete", "merge", "bulk_save_objects"})


def out_of_line(module: Module) -> Iterator[str]:
    """What it imports that stands after it."""
    if module.package in TOP or module.package == "demo":
        return
    for name in module.imports():
        target = package_of(name)
        if not name.startswith("portal.") or target in (module.package, SETTINGS):
            continue
        if (module.package, target) == (SETTINGS, "lib"):
            continue
        if target not in LINE or module.package not in LINE or LINE.index(target) > LINE.index(module.package):
            yield f"{module.name} imports {name}"


def hidden_imports(module: Module) -> Iterator[str]:
    for function in module.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield at(module, node, f"an import inside {function.name}")


def doors_entered(module: Module) -> Iterator[str]:
    """Doors that it imports; only `create_app` opens doors, and models and rules know nothing of actions."""
    if module.package in TOP or module.package == "demo":
        return
    for name in module.imports():
        parts = name.split(".")
        if parts[0] != "portal" or len(parts) < 3 or parts[1] not in LINE[LINE.index("inbox") :]:
            continue
        if parts[2] in DOORS and parts[1:3] != ["staff", "staff"]:
            yield f"{module.name} imports the door {name}"
        if module.file in INNER and parts[2] in ("actions", "jobs"):
            yield f"{module.name} imports {name}"


def rows_written(module: Module) -> Iterator[str]:
    """Rows that a door writes itself instead of asking an action."""
    if module.file not in DOORS | {"jobs"} or module.package in ("jobs", "demo"):
        return
    if found := module.imports() & {"portal.db.move", "sqlalchemy.insert", "sqlalchemy.update", "sqlalchemy.delete"}:
        yield f"{module.name} imports {sorted(found)}"
    for call in calls(module.tree):
        holder, _, verb = called(call).rpartition(".")
        if holder.endswith("session") and verb in WRITES:
            yield at(module, call, f"session.{verb}")


def breaches(law: object, among: Iterable[Module]) -> list[str]:
    return [found for module in among for found in law(module)]  # type: ignore[operator]


@pytest.mark.parametrize("law", [out_of_line, hidden_imports, doors_entered, rows_written])
def test_the_house_keeps_its_line(law: object) -> None:
    assert breaches(law, modules()) == []


def test_every_package_stands_in_the_line() -> None:
    assert {module.package for module in modules()} - TOP - {SETTINGS} == set(LINE)


@pytest.mark.parametrize(
    ("law", "name", "code"),
    [
        (out_of_line, "portal.orders.actions", "from portal.returns.models import Return"),
        (out_of_line, "portal.orders.actions", "from portal import feedback"),
        (out_of_line, "portal.lib.money", "import portal.db"),
        (out_of_line, "portal.config", "from portal.db import session"),
        (out_of_line, "portal.tracking.pages", "from portal.demo.seed import seed"),
        (out_of_line, "portal.returns.actions", "from portal import create_app"),
        (out_of_line, "portal.returns.actions", "from portal.cli import main"),
        (hidden_imports, "portal.returns.actions", "def approve(r):\n    from portal.orders import models"),
        (hidden_imports, "portal.lib.money", "class A:\n    def f(self):\n        import stripe"),
        (doors_entered, "portal.returns.actions", "from portal.returns.pages import bp"),
        (doors_entered, "portal.desk.models", "from portal.refunds.staff import bp"),
        (doors_entered, "portal.returns.models", "from portal.returns.actions import approve_return"),
        (doors_entered, "portal.returns.rules", "from portal.returns import jobs"),
        (rows_written, "portal.returns.staff", "def f(r):\n    session.add(r)"),
        (rows_written, "portal.returns.jobs", "from portal.db import move, session"),
    ],
)
def test_a_breach_is_found(law: object, name: str, code: str) -> None:
    assert breaches(law, [planted(name, code)])
