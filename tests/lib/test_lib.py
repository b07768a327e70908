"""Money, tokens, time and the languages that people ask for."""

import re
from contextlib import suppress
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.config import LANGUAGES, spoken
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.money import EXPONENTS, TOO_MUCH, Money, NotMoney, exponent, share, step, to_minor
from portal.lib.tokens import ALPHABET, LINK_LENGTH, digest, mint, reference

# --- money ---


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.34", "EUR", 1234),
        ("12", "EUR", 1200),
        ("-0.05", "EUR", -5),
        ("1999", "JPY", 1999),
        ("1.230", "KWD", 1230),
        ("5", "ISK", 500),
        ("5.00", "UGX", 500),
        ("0.00", "HUF", 0),
        (7, "EUR", 700),
        (Decimal("1E2"), "EUR", 10000),
        ("  3.50 ", "EUR", 350),
    ],
)
def test_an_amount_is_read_exactly(amount: Any, currency: str, minor: int) -> None:
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("12.345", "EUR"),
        ("0.5", "JPY"),
        ("1.234", "KWD"),
        ("5.50", "ISK"),
        ("", "EUR"),
        ("12,34", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("1e400", "EUR"),
        ("9" * 30, "EUR"),
        (1.5, "EUR"),
        (True, "EUR"),
        (None, "EUR"),
        ("1.00", "XXX"),
        ("1.00", "eur"),
        ("1.00", None),
        ("1.00", ["EUR"]),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: Any, currency: Any) -> None:
    with pytest.raises(NotMoney):
        to_minor(amount, currency)


@given(st.text())
def test_no_text_crashes_the_reader(text: str) -> None:
    with suppress(NotMoney):
        assert abs(to_minor(text, "EUR")) < TOO_MUCH


@given(st.integers(-TOO_MUCH + 1, TOO_MUCH - 1), st.sampled_from(sorted(set(EXPONENTS) - {"ISK", "UGX"})))
def test_what_is_written_is_read_again(minor: int, currency: str) -> None:
    minor -= minor % 10 if exponent(currency) == 3 else 0
    assert to_minor(str(Money(minor, currency).decimal), currency) == minor


def test_money_adds_up_in_its_own_currency_only() -> None:
    assert Money(100, "EUR") + Money(50, "EUR") - Money(1, "EUR") == Money(149, "EUR")
    assert (bool(Money(0, "EUR")), bool(Money(1, "EUR"))) == (False, True)
    with pytest.raises(NotMoney):
        Money(100, "EUR") + Money(100, "USD")


@pytest.mark.parametrize("amount", [1.0, "1", True, None, Decimal(1)])
def test_money_is_whole_minor_units(amount: Any) -> None:
    with pytest.raises(NotMoney):
        Money(amount, "EUR")


@pytest.mark.parametrize(
    ("money", "locale", "words"),
    [
        (Money(123456, "EUR"), "en", "€1,234.56"),
        (Money(123456, "EUR"), "de", "1.234,56\u00a0€"),
        (Money(1999, "JPY"), "en", "¥1,999"),
        (Money(500, "ISK"), "en", "ISK\u00a05"),
        (Money(-1250, "CHF"), "en", "-CHF\u00a012.50"),
        (Money(1250, "CHF"), "de", "12,50\u00a0CHF"),
    ],
)
def test_money_is_written_as_people_write_it(money: Money, locale: str, words: str) -> None:
    assert money.format(locale) == words


@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=9), st.sampled_from(sorted(EXPONENTS)))
def test_every_share_is_an_amount_that_stripe_moves_in_this_currency(pieces: int, parts: list[int], code: str) -> None:
    """33.33 crowns of Iceland, or a fils, would be refused."""
    total, taken, given_out = pieces * step(code), 0, []
    for part in parts:
        given_out.append(share(total, part, sum(parts), taken, currency=code))
        taken += part
    assert sum(given_out) == total
    assert all(got >= 0 and got % step(code) == 0 for got in given_out)


@given(st.integers(0, TOO_MUCH), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_shares_add_up_to_the_whole_whatever_the_parts(total: int, parts: list[int]) -> None:
    whole, taken, given_out = sum(parts), 0, []
    for part in parts:
        given_out.append(share(total, part, whole, taken))
        taken += part
    assert sum(given_out) == total
    assert all(abs(got - total * part / whole) <= 1 + total / 1e15 for got, part in zip(given_out, parts, strict=True))


# --- tokens ---


def test_l1_and_7_2_3_and_11_5_1_a_secret_has_140_bits_that_no_mail_program_breaks() -> None:
    made = {mint() for _ in range(10_000)}
    assert len(made) == 10_000
    assert all(re.fullmatch(f"[{ALPHABET}]{{{LINK_LENGTH}}}", token) for token in made)
    assert len({token[n] for token in made for n in range(LINK_LENGTH)}) == len(ALPHABET)


def test_every_place_of_a_secret_takes_every_letter() -> None:
    made = [mint() for _ in range(5_000)]
    assert {len({token[n] for token in made}) for n in range(LINK_LENGTH)} == {len(ALPHABET)}


@pytest.mark.parametrize("token", ["", "a", "\ud800", "é" * 100, "\0"])
def test_any_text_has_a_digest(token: str) -> None:
    assert len(digest(token)) == 32


def test_l12_references_can_be_read_aloud() -> None:
    assert re.fullmatch("[a-z2-7]{10}", reference())
    assert len(reference(6)) == 6
    assert len({reference() for _ in range(1000)}) == 1000


# --- time, words ---


def test_time_is_aware_and_can_be_moved() -> None:
    before = clock.now()
    assert before.tzinfo is UTC
    with clock.moved(timedelta(days=14)):
        with clock.moved(timedelta(hours=-1)):
            assert timedelta(days=13, hours=23) <= clock.now() - before < timedelta(days=14)
        assert clock.now() - before >= timedelta(days=14)
    assert clock.now() - before < timedelta(minutes=5)


def test_no_has_a_sentence() -> None:
    assert Refused("It is too late.").message == "It is too late."


@pytest.mark.parametrize(
    ("asked", "read"),
    [("de", "de"), ("de-AT", "de"), ("HU_hu", "hu"), ("zh-TW", "nl"), ("", "nl"), (None, "nl"), ("deutsch", "nl")],
)
def test_a_language_of_ours_is_found_by_its_tag(asked: str | None, read: str) -> None:
    assert spoken(asked, "nl") == read
    assert read in LANGUAGES
