"""Law 11 of what is owed: every job has a handler, every fact a listener, every letter its parts in every language."""

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from flask import Flask
from jinja2 import StrictUndefined, UndefinedError

import portal
from portal import jobs, mail
from portal.config import LANGUAGES
from portal.mail.rendering import Rendered, render
from tests.conftest import ROOT
from tests.house.road import walk
from tests.house.source import Module, at, called, calls, modules, planted
from tests.world import World

LETTERS = ROOT / "templates" / "mail"
PARTS = {"subject.txt", "body.mjml", "body.txt"}


def first_name(call: ast.Call) -> str:
    return called(call.args[0]) if call.args else ""


def first_text(call: ast.Call) -> str:
    value = call.args[0] if call.args else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def owed_to_nobody(module: Module) -> Iterator[str]:
    """What is deferred although it is no task."""
    for call in calls(module.tree):
        if called(call).rpartition(".")[2] == "defer" and module.name != "portal.jobs":
            names = first_names(call)
            if not names or not all(is_task(module, name) for name in names):
                yield at(module, call, f"defer({ast.unparse(call.args[0]) if call.args else ''})")


def first_names(call: ast.Call) -> list[str]:
    """The names it may defer: both, when it chooses."""
    chosen = call.args[0] if call.args else None
    both = [chosen.body, chosen.orelse] if isinstance(chosen, ast.IfExp) else [chosen]
    return [name for node in both if node is not None and (name := called(node))]


def is_task(module: Module, name: str) -> bool:
    holder: Any = import_module(module.name)
    for step in name.split("."):
        holder = getattr(holder, step, None)
    return getattr(getattr(holder, "task", None), "name", None) in jobs.app.tasks


def test_every_deferred_job_has_a_handler() -> None:
    assert [found for module in modules() for found in owed_to_nobody(module)] == []


def test_a_job_without_a_handler_is_found() -> None:
    assert list(owed_to_nobody(planted("portal.refunds.actions", "defer(accept_order, order_id=1)")))
    assert list(owed_to_nobody(planted("portal.refunds.actions", "jobs.defer(nothing, id=1)")))


def test_every_module_of_jobs_is_known_to_the_application() -> None:
    there = {module.name for module in modules() if module.file == "jobs" and module.package != "demo"}
    doors = {name for name in there if "@task" in (ROOT / (name.replace(".", "/") + ".py")).read_text("utf-8")}
    assert doors <= {module.__name__ for module in portal.JOBS}


def test_every_job_is_a_function_of_a_module_of_jobs() -> None:
    ours = [task for name, task in jobs.app.tasks.items() if not name.startswith(("builtin", "procrastinate"))]
    assert {task.func.__module__.rpartition(".")[2] for task in ours} <= {"jobs", "sweeps"}


def facts(word: str) -> set[str]:
    return {first_text(call) for module in modules() for call in calls(module.tree) if called(call).endswith(word)} - {
        ""
    }


def test_every_fact_that_is_followed_is_announced() -> None:
    assert facts("follows") <= facts("announce")
    assert facts("follows") == set(jobs.FOLLOWERS)


# --- letters ---


def kinds() -> set[str]:
    return {path.name for path in LETTERS.iterdir() if path.is_dir()}


def written(module: Module) -> set[str]:
    """Letters that it writes by name."""
    names = ("mail.queue", "write", "_write")
    return {first_text(call) for call in calls(module.tree) if called(call) in names} - {""}


def test_every_letter_has_its_three_parts() -> None:
    assert {kind: {path.name for path in (LETTERS / kind).iterdir()} for kind in kinds()} == dict.fromkeys(
        kinds(), PARTS
    )


def test_every_letter_is_written_by_somebody_and_every_writing_has_its_letter() -> None:
    assert set().union(*(written(module) for module in modules())) == kinds()


def test_a_letter_without_parts_is_found() -> None:
    assert written(planted("portal.orders.actions", 'mail.queue("no-such-letter", to=x)')) == {"no-such-letter"}


Walk = Callable[..., int]


@pytest.fixture
def contexts(world: World, work: Walk, mails: object, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What each kind of letter was written about on the road, rendered as strictly as can be."""
    seen: dict[str, dict[str, Any]] = {}

    def note(kind: str, locale: str, context: dict[str, Any], mark: str) -> Rendered:
        seen[kind] = context
        return render(kind, locale, context, mark)

    monkeypatch.setattr(mail, "render", note)
    walk(world, work)
    return seen


def test_every_letter_renders_in_every_language(app: Flask, contexts: dict[str, dict[str, Any]]) -> None:
    assert set(contexts) == kinds()
    with strict(app):
        for kind, context in contexts.items():
            for language in LANGUAGES:
                check_letter(kind, language, render(kind, language, context, "mark"))


def check_letter(kind: str, language: str, letter: Rendered) -> None:
    """It has a subject, both bodies say the same link, and nothing was left unfilled."""
    where = f"{kind} in {language}"
    assert 5 < len(letter.subject) < 120, where
    assert "\n" not in letter.subject, where
    for body in (letter.html, letter.text):
        assert not re.search(r"%\(\w+\)s|\{\{|None\b|Undefined", body), where
    assert f'lang="{language}"' in letter.html, where
    assert set(re.findall(r"/\w+/~mark\.[a-z.0-9]+~", letter.text)) <= set(
        re.findall(r"/\w+/~mark\.[a-z.0-9]+~", letter.html)
    ), where


class strict:  # noqa: N801
    """Within this block a template that names something unknown fails."""

    def __init__(self, app: Flask) -> None:
        self.environment = app.jinja_env

    def __enter__(self) -> None:
        self.before, self.environment.undefined = self.environment.undefined, StrictUndefined

    def __exit__(self, *_: object) -> None:
        self.environment.undefined = self.before


def test_a_letter_that_names_something_unknown_fails(app: Flask) -> None:
    with strict(app), pytest.raises(UndefinedError):
        app.jinja_env.from_string("{{ nothing }}").render()
