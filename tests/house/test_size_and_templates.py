"""Files stay small, functions short; templates hold no styles, no scripts, and nothing foreign."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ROOT
from tests.house.source import Module, modules, planted

LONGEST_FILE, LONG_FUNCTION = 400, 45
PAGES = [path for path in sorted((ROOT / "templates").rglob("*.html")) if path.name != "letter.html"]
INLINE = re.compile(r"<style|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
FOREIGN = re.compile(r"(?:https?:)?//[a-z0-9][\w.-]*\.[a-z]|url\(\s*[\"']?(?:https?:)?//|@import", re.IGNORECASE)


def lengths(among: Iterable[Module]) -> dict[str, int]:
    """How many lines each function has, from its first decorator on."""
    found = {}
    for module in among:
        for function in module.functions():
            start = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
            found[f"{module.name}:{function.lineno} {function.name}"] = (function.end_lineno or start) - start + 1
    return found


def too_long(among: Iterable[Module]) -> list[str]:
    return [f"{module.name} has {module.lines} lines" for module in among if module.lines > LONGEST_FILE]


def test_no_file_holds_two_nouns() -> None:
    assert too_long(modules()) == []


def test_functions_are_short() -> None:
    counted = lengths(modules())
    long = {name: lines for name, lines in counted.items() if lines > LONG_FUNCTION}
    assert 3 <= median(counted.values()) <= 9
    assert len(long) <= len(counted) * 0.05, long


def test_what_is_long_is_found() -> None:
    module = planted("portal.orders.actions", "def f():\n" + "    x = 1\n" * 500)
    assert too_long([module])
    assert max(lengths([module]).values()) == 501


def strange_in(text: str) -> list[str]:
    """Inline styles and scripts, and addresses of others."""
    return [found[0] for pattern in (INLINE, FOREIGN) for found in pattern.finditer(text)]


def files() -> Iterator[Path]:
    yield from PAGES
    yield from (ROOT / "static").glob("*.css")
    yield from (ROOT / "static").glob("*.js")


def test_pages_hold_no_styles_no_scripts_and_nothing_foreign() -> None:
    assert {path.name: found for path in files() if (found := strange_in(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:red">',
        "<style>p {}</style>",
        "<script>alert(1)</script>",
        '<a onclick="go()">',
        '<a href="javascript:go()">',
        '<img src="https://cdn.example.com/x.png">',
        '<link href="//fonts.example.com/a.css">',
        "p { background: url(https://example.com/x.png) }",
        '@import "other.css";',
    ],
)
def test_what_is_strange_is_found(text: str) -> None:
    assert strange_in(text)


@pytest.mark.parametrize(
    "text", ["<script src=\"{{ static_url('desk.js') }}\" defer></script>", "<p>{{ on }} // only</p>"]
)
def test_what_is_ours_is_not(text: str) -> None:
    assert strange_in(text) == []


def test_letters_load_nothing() -> None:
    """A picture in a mail would tell others who reads it, and when."""
    for path in (ROOT / "templates" / "mail").rglob("*.mjml"):
        assert not re.search(r"<mj-image|<img|<mj-font|mj-include|url\(", path.read_text("utf-8")), path
