"""Laws 5 and 6: only jobs talk to the world, and no transaction is open while they do."""

import ast
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.house.source import TOP, Module, called, calls, modules, planted

SOCKETS = ("smtplib", "flask_mail", "stripe", "socket", "http", "urllib.request", "requests", "httpx", "subprocess")
READS = ("read_", "verify")  # what begins so only looks at bytes that are here
ERRORS = {"Exception", "Temporary", "Permanent", "Unknown"}


def talks(module: Module) -> bool:
    """Whether it reaches out of the process."""
    return any(name == reach or name.startswith(f"{reach}.") for name in module.imports() for reach in SOCKETS)


@cache
def talkers() -> frozenset[str]:
    """Adapters that open connections, and those that have one of them do it."""
    adapters = [module for module in modules() if module.package == "adapters"]
    direct = frozenset(module.name for module in adapters if talks(module))
    return direct | {module.name for module in adapters if module.imports() & direct}


@cache
def silent() -> frozenset[str]:
    """What talkers define that can be used without talking: exceptions, dataclasses, constants."""
    found: set[str] = set()
    for node in (node for module in modules() if module.name in talkers() for node in module.tree.body):
        if isinstance(node, ast.ClassDef) and (node.decorator_list or ERRORS & {called(base) for base in node.bases}):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id.isupper()}
    return frozenset(found)


MAY_WAIT = "portal.staff.staff.sign_on"
"""The one door that talks while somebody waits: they are on their way between us and who vouches for them."""


def reaches_out(module: Module) -> Iterator[str]:
    """Features talk through adapters, and only in their jobs."""
    if module.package in {*TOP, "demo", "adapters", "db"} or module.name == MAY_WAIT:
        return
    if talks(module):
        yield f"{module.name} opens connections itself"
    for name in module.imports() if module.file != "jobs" else ():
        holder, _, what = name.rpartition(".")
        if name in talkers() or (holder in talkers() and what not in silent()):
            yield f"{module.name} imports {name}"


def talks_within_a_transaction(module: Module) -> Iterator[str]:
    """Calls of a talker, or of a function that calls one, inside `with transaction()`."""
    loud = loud_names(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.With) and any(called(item.context_expr).endswith("transaction") for item in node.items):
            yield from (f"{module.name}:{call.lineno}: {called(call)}" for call in calls(node) if is_loud(call, loud))


def loud_names(module: Module) -> set[str]:
    """Imported talkers, what is imported from them, and the module's own functions that call those."""
    loud = {name.rpartition(".")[2] for name in module.imports() if {name, name.rpartition(".")[0]} & talkers()}
    loud -= silent()
    while more := {f.name for f in module.functions() if any(is_loud(call, loud) for call in calls(f))} - loud:
        loud |= more
    return loud


def is_loud(call: ast.Call, loud: set[str]) -> bool:
    first, *_, last = [*called(call).split("."), called(call).rpartition(".")[2]]
    return first in loud and last not in silent() and not last.startswith(READS)


Law = Callable[[Module], Iterator[str]]


@pytest.mark.parametrize("law", [reaches_out, talks_within_a_transaction])
def test_the_world_is_spoken_to_in_jobs_with_nothing_open(law: Law) -> None:
    assert [found for module in modules() for found in law(module)] == []


def test_who_talks_is_known() -> None:
    ours = {
        "sign_on",
        "smtp",
        "stripe",
        "web",
        "couriers.easypost_account",
        "channels.asking",
        "channels.telling",
        "channels.accounts",
    }
    assert {name.removeprefix("portal.adapters.") for name in talkers()} == ours


SENDS_INSIDE = """
    from portal.adapters import smtp
    def send_letter():
        with transaction():
            smtp.send()
"""
SENDS_FAR_INSIDE = """
    from portal.adapters.stripe import account
    def send_refund():
        with db.transaction():
            begin()
    def begin():
        look()
    def look():
        account().create_refund()
"""


@pytest.mark.parametrize(
    ("law", "name", "code"),
    [
        (reaches_out, "portal.refunds.actions", "from portal.adapters import stripe"),
        (reaches_out, "portal.refunds.staff", "from portal.adapters.stripe import account"),
        (reaches_out, "portal.mail.actions", "from portal.adapters.smtp import send"),
        (reaches_out, "portal.mail.jobs", "import smtplib"),
        (talks_within_a_transaction, "portal.mail.jobs", SENDS_INSIDE),
        (talks_within_a_transaction, "portal.refunds.jobs", SENDS_FAR_INSIDE),
    ],
)
def test_a_breach_is_found(law: Law, name: str, code: str) -> None:
    assert list(law(planted(name, code)))
