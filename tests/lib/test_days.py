"""Dates in our six languages."""

from datetime import date

import pytest

from portal.config import LANGUAGES
from portal.lib import days

TODAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Tuesday, 24 November"),
        ("de", "Dienstag, 24. November"),
        ("fr", "mardi 24 novembre"),
        ("nl", "dinsdag 24 november"),
        ("es", "martes, 24 de noviembre"),
        ("hu", "november 24., kedd"),
    ],
)
def test_a_date_is_written_as_its_readers_write_it(locale: str, words: str) -> None:
    assert days.spelled(TUESDAY, TODAY, locale) == words


def test_another_year_is_named() -> None:
    assert days.spelled(date(2027, 1, 4), TODAY, "en") == "4 January 2027"
    assert days.spelled(date(2027, 1, 4), TODAY, "hu") == "2027. január 4."


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_language_has_a_short_form(locale: str) -> None:
    assert "24" in days.short(TUESDAY, locale)
    assert len(days.short(TUESDAY, locale)) < 14


def test_a_language_that_is_not_ours_gets_plain_english_order() -> None:
    assert days.spelled(TUESDAY, TODAY, "en_US") == "Tuesday, 24 November"
    assert days.spelled(TUESDAY, TODAY, "it").startswith("martedì, 24")
