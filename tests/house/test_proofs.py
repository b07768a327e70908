"""Rules have ids, ids stand in names of tests, and docs/security.md and docs/faults.md say which are held."""

import re
from functools import cache

from tests.conftest import ROOT
from tests.planted.bugs import PLANTED

ID = re.compile(r"^\| (L\d+|\d+\.\d+\.\d+) \|(.*)\|$", re.MULTILINE)
NAMED = re.compile(r"^def test_((?:(?:l\d+|\d+_\d+_\d+)_(?:and_)?)+)", re.MULTILINE)
ADDRESS = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
FEWEST_RULES, FEWEST_FAULTS = 110, 30


@cache
def source(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


@cache
def told() -> dict[str, str]:
    """The ids of the tables, with the rest of their rows."""
    return dict(ID.findall(source("docs/security.md")))


@cache
def ids_of_tests() -> frozenset[str]:
    """The ids in names of tests, as the tables write them."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for ids in NAMED.findall(path.read_text("utf-8")):
            found |= {one.upper().replace("_", ".") for one in ids.rstrip("_").split("_and_")}
    return frozenset(found)


def test_every_rule_is_in_the_name_of_a_test_and_every_such_name_has_its_rule() -> None:
    assert len(told()) >= FEWEST_RULES
    held = {rule for rule, row in told().items() if "not held" not in row}
    assert held - ids_of_tests() == set()
    assert ids_of_tests() - held == set()


def test_what_is_not_held_is_said_with_its_reason() -> None:
    reasons = {rule: row for rule, row in told().items() if "not held" in row}
    assert all(re.search(r"not held(?: by a test)?: \w+", row) for row in reasons.values())
    assert len(reasons) <= 4


def faults() -> list[str]:
    """The rows of docs/faults.md."""
    return [row for row in source("docs/faults.md").splitlines() if row.startswith("| ")][1:]


def test_every_fault_names_tests_that_are_there() -> None:
    assert len(faults()) >= FEWEST_FAULTS
    assert [row for row in faults() if not ADDRESS.search(row)] == []
    named = ADDRESS.findall(source("docs/faults.md"))
    assert [f"{file}::{test}" for file, test in named if f"def {test}(" not in source(file)] == []


def test_the_promise_counts_its_planted_bugs_right() -> None:
    assert f"plants {len(PLANTED)} bugs" in " ".join(source("SECURITY.md").split())
