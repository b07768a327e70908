"""Every text that a person reads is there in every language, with the same places for names and numbers."""

import io
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from portal.config import LANGUAGES

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "portal/translations"
TRANSLATED = sorted(set(LANGUAGES) - {"en"})
PLACES = re.compile(r"%\(\w+\)[sd]")
KEYWORDS = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}


@cache
def texts() -> frozenset[str]:
    """What code and templates say, a plural by its singular."""
    mapping, options = parse_mapping_cfg(io.StringIO((CATALOGUES / "babel.cfg").read_text()))
    found = extract_from_dir(ROOT, mapping, options, KEYWORDS)
    return frozenset(said if isinstance(said, str) else said[0] for _, _, said, _, _ in found)


@cache
def catalogue(language: str) -> Catalog:
    with (CATALOGUES / language / "LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(message: str | Iterable[str]) -> list[str]:
    return [message] if isinstance(message, str) else list(message)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_there(language: str) -> None:
    assert (
        texts() - {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue(language) if all(forms(m.string))}
        == set()
    )


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_name_or_number_is_lost(language: str) -> None:
    for message in catalogue(language):
        wanted = {place for said in forms(message.id) for place in PLACES.findall(said)}
        for said in forms(message.string)[-1:]:
            assert not message.id or set(PLACES.findall(said)) == wanted, message.id


def test_only_our_languages_have_a_catalogue() -> None:
    assert TRANSLATED
    assert {"en", *TRANSLATED} <= set(LANGUAGES)


def test_what_people_read_is_found_at_all() -> None:
    assert {"Send something back", "Arriving %(day)s"} & texts()
    assert len(texts()) > 500
