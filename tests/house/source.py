"""The portal's own source, parsed once, and snippets parsed as if they stood in it: to prove that a law can fail."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from textwrap import dedent

from tests.conftest import ROOT

LINE = (
    "lib", "db", "adapters", "jobs", "inbox", "mail", "staff", "orders", "pictures", "fulfilment", "refunds", "returns",
    "feedback", "offices", "privacy", "tracking", "desk", "demo",
)  # fmt: skip
"""Packages in the order in which they may be imported: each only those before it."""
TOP = frozenset({"", "backups", "cli", "checks", "edge", "problems", "pulse", "serving"})
"""What may import all and is imported by nobody."""
SETTINGS = "config"
"""What everybody may import."""


@dataclass(frozen=True)
class Module:
    """A module of the portal."""

    name: str
    tree: ast.Module
    lines: int = 0

    @property
    def package(self) -> str:
        """The package below `portal` that it belongs to, or its own name at the top."""
        return package_of(self.name)

    @property
    def file(self) -> str:
        """The last part of its name: actions, models, staff …; of a package's own file, `__init__`.

        A second noun's door ends in `_staff` or `_pages` and is a door like the first.
        """
        parts = self.name.split(".")
        file = parts[2] if len(parts) > 2 else "__init__"
        return next((door for door in ("staff", "pages") if file.endswith(f"_{door}")), file)

    def imports(self) -> set[str]:
        """Dotted names of what it imports, as far as they are spelt: `portal.db.session`, `flask.request`."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (n for n in ast.walk(self.tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def package_of(name: str) -> str:
    """`orders` of `portal.orders.models`; nothing of `portal` itself."""
    return name.removeprefix("portal").removeprefix(".").partition(".")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the portal."""
    found = []
    for path in sorted((ROOT / "portal").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        text = path.read_text("utf-8")
        found.append(Module(name, ast.parse(text), len(text.splitlines())))
    return tuple(found)


def planted(name: str, code: str) -> Module:
    """This code, as if it stood in the module of that name."""
    return Module(name, ast.parse(dedent(code)), len(code.splitlines()))


def called(node: ast.AST) -> str:
    """The dotted name that a call calls, as far as it is one: `session.commit`, `move`."""
    if isinstance(node, ast.Call):
        return called(node.func)
    if isinstance(node, ast.Attribute):
        return f"{called(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def at(module: Module, node: ast.AST, what: str) -> str:
    return f"{module.name}:{getattr(node, 'lineno', 1)}: {what}"
