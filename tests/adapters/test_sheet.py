"""Orders from a CSV file."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.adapters.channels import IncomingOrder
from portal.adapters.channels.sheet import BadSheet, read

BERLIN = ZoneInfo("Europe/Berlin")
HEAD = (
    "number,placed_at,currency,title,quantity,unit_price,paid,kind,sku,name,email,locale,city,country,payment_intent\n"
)
TWO_LINES = (
    HEAD
    + "7001,2026-11-20 09:30,EUR,Linen shirt,2,39.00,70.00,,SHIRT-M,Ada Lovelace,ada@example.org,de,Köln,DE,pi_7001\n"
    + "7001,,,Standard delivery,1,5,,shipping,,,,,,,\n"
)


def orders(text: str) -> list[IncomingOrder]:
    return [found.order for found in read(text, "csv", BERLIN) if found.order]


def refused(text: str) -> str:
    with pytest.raises(BadSheet) as bad:
        read(text, "csv", BERLIN)
    return str(bad.value)


def test_rows_with_the_same_number_become_one_order() -> None:
    [order] = orders(TWO_LINES)
    assert (order.channel, order.external_id, order.number) == ("csv", "7001", "7001")
    assert [(line.title, line.quantity, line.unit_price, line.paid) for line in order.lines] == [
        ("Linen shirt", 2, 3900, 7000),
        ("Standard delivery", 1, 500, 500),
    ]
    assert (order.total, order.captured, order.payment_intent) == (7500, 7500, "pi_7001")
    assert (order.address.city, order.address.country, order.email, order.locale) == (
        "Köln",
        "DE",
        "ada@example.org",
        "de",
    )


def test_a_time_without_an_offset_is_in_the_shop_s_zone() -> None:
    [order] = orders(TWO_LINES)
    assert order.placed_at == datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def test_semicolons_a_byte_order_mark_and_empty_rows_do_no_harm() -> None:
    assert orders("\ufeff" + TWO_LINES.replace(",", ";") + ";;;\n\n") == orders(TWO_LINES)


def test_rows_of_one_order_need_not_stand_together() -> None:
    other = "7002,2026-11-21,EUR,Mug,1,12.50,,,,,,,,,\n"
    first, second, third = TWO_LINES.splitlines(keepends=True)
    found = orders(first + second + other + third)
    assert [(order.number, len(order.lines)) for order in found] == [("7001", 2), ("7002", 1)]


def test_columns_that_are_missing_or_misspelt_are_named() -> None:
    missing, unknown = refused("number,placed_at,curency\n1,2,3\n").splitlines()
    assert missing == "These columns are missing: currency, title, quantity, unit_price."
    assert unknown.startswith("These columns are not known: curency. There are: number, placed_at, currency, title,")


def test_an_empty_file_says_what_it_needs() -> None:
    assert refused("") == "These columns are missing: number, placed_at, currency, title, quantity, unit_price."


def test_a_column_that_stands_there_twice_is_refused() -> None:
    assert refused("number,number,placed_at,currency,title,quantity,unit_price\n") == "A column stands there twice."


def test_a_quote_that_never_ends_is_refused() -> None:
    assert refused(HEAD + '7001,"2026').startswith("This is no CSV file: ")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,yesterday,EUR,Mug,1,5", "placed_at: 'yesterday' is no time; write it like 2026-11-23 14:30"),
        ("1,2026-11-20,EUR,Mug,two,5", "quantity: 'two' is no whole number that we take"),
        ("1,2026-11-20,EUR,Mug,-1,5", "quantity: '-1' is no whole number that we take"),
        ("1,2026-11-20,EUR,Mug,1,5.999", "unit_price: 5.999 does not fit EUR"),
        ("1,2026-11-20,EUR,Mug,1,-5", "total: must be at least 0"),
        ("1,2026-11-20,XXX,Mug,1,5", "unit_price: unknown currency: 'XXX'"),
        ("1,2026-11-20,EUR,,1,5", "title: is missing"),
        (",2026-11-20,EUR,Mug,1,5", "external_id: must not be empty"),
        ("1,1999-12-31,EUR,Mug,1,5", "placed_at: must lie between the years 2000 and 2100"),
    ],
)
def test_a_mistake_is_told_with_its_row(row: str, said: str) -> None:
    [found] = read("number,placed_at,currency,title,quantity,unit_price\n\n" + row + "\n", "csv", BERLIN)
    assert (found.place, found.order, found.mistakes[0]) == (3, None, said)


def test_a_mistake_in_one_order_leaves_the_others() -> None:
    head = "number,placed_at,currency,title,quantity,unit_price\n"
    sheet = head + '1,never,EUR,Mug,1,5\n2,2026-11-20,EUR,"A mug\nof two lines",1,5\n3,2026-11-20,EUR,Mug,x,5\n'
    assert [(row.place, row.number, bool(row.order)) for row in read(sheet, "csv", BERLIN)] == [
        (2, "1", False),
        (3, "2", True),
        (4, "3", False),
    ]
