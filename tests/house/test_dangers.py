"""What no line of the portal does: build SQL or templates from what somebody sent, run it, call just anybody."""

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.house.source import Module, at, called, calls, modules, planted

RUNS_WHAT_IT_READS = {"eval", "exec", "compile", "pickle", "marshal", "shelve", "yaml", "dill", "jsonpickle"}
SPEAKS = {"requests", "urllib.request", "http.client", "httpx", "aiohttp", "socket", "smtplib"}
MAY_SPEAK = {"portal.adapters.web", "portal.adapters.smtp", "portal.checks", "portal.serving"}
"""Adapters speak through the first two; the third names the errors of the second, the last
only listens. Stripe's library speaks for itself,
to the address of the settings.
"""
DEMO = "demo"


def dangers(module: Module) -> Iterator[str]:
    imports = module.imports()
    sql = "sqlalchemy.text" in imports
    for call in calls(module.tree):
        name = called(call)
        if sql and name == "text" and call.args and is_made(call.args[0]):
            yield at(module, call, "SQL put together")
        if name.endswith("render_template_string"):
            yield at(module, call, "a template that is no file")
        if name in RUNS_WHAT_IT_READS:
            yield at(module, call, f"runs what it reads: {name}")
        if name.startswith("subprocess.") and any(word.arg == "shell" for word in call.keywords):
            yield at(module, call, "a shell")
    for name in sorted(imports):
        if name.partition(".")[0] in RUNS_WHAT_IT_READS:
            yield f"{module.name} imports {name}"
        if any(f"{name}.".startswith(f"{way}.") for way in SPEAKS) and not may_speak(module, name):
            yield f"{module.name} speaks by itself: {name}"


def is_made(argument: ast.expr) -> bool:
    """Whether the text is made of parts: f"…", "…" + x, "…" % x, "…".format(x)."""
    if isinstance(argument, ast.JoinedStr | ast.BinOp):
        return True
    return isinstance(argument, ast.Call) and called(argument).endswith("format")


def may_speak(module: Module, name: str) -> bool:
    return module.name in MAY_SPEAK or module.package == DEMO or name.startswith("requests.exceptions")


@cache
def all_dangers() -> tuple[str, ...]:
    return tuple(told for module in modules() if module.package != DEMO for told in dangers(module))


def found(kind: str) -> list[str]:
    return [told for told in all_dangers() if kind in told]


def test_1_2_4_no_sql_is_put_together_from_parts() -> None:
    assert found("SQL put together") == []


def test_1_3_7_no_template_is_made_of_what_somebody_wrote() -> None:
    assert found("a template that is no file") == []


def test_1_5_2_nothing_that_is_read_is_run() -> None:
    assert found("runs what it reads") + found("imports") + found("a shell") == []


def test_1_3_6_nobody_is_called_but_through_the_adapters() -> None:
    assert found("speaks by itself") == []


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import text\nsession.execute(text(f'SELECT * FROM {name}'))",
        "from sqlalchemy import text\ntext('SELECT ' + name)",
        "from sqlalchemy import text\ntext('SELECT %s' % name)",
        "from sqlalchemy import text\ntext('SELECT {}'.format(name))",
        "flask.render_template_string(words)",
        "eval(words)",
        "subprocess.run(words, shell=True)",
        "import pickle",
        "from yaml import load",
        "import requests",
        "from urllib.request import urlopen",
    ],
)
def test_each_danger_is_found(code: str) -> None:
    assert list(dangers(planted("portal.orders.actions", code)))
