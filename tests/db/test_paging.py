"""Pages of a list by its own order: each row is met once, whatever comes and goes while somebody turns pages."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Date, Integer, column, delete, select, values
from werkzeug.exceptions import NotFound

from portal.db import paging, session
from portal.db.paging import Page, page_of
from portal.returns import articles
from portal.returns.articles import Article
from tests.house.source import Module, at, called, calls, modules, planted
from tests.world import World, sign_in

DAYS = [None, date(2026, 11, 24), date(2026, 11, 23), None, date(2026, 11, 24), date(2026, 11, 23), date(2026, 11, 25)]
ROWS = [(number, DAYS[number % len(DAYS)]) for number in range(1, 24)]


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE", 5)


def listed(at: str, last_first: bool = False) -> Page[int]:
    """Some rows by day, those without one last; their numbers."""
    table = values(column("id", Integer), column("due", Date), name="listed").data(ROWS)
    due: Any = table.c.due.is_not(None) if last_first else table.c.due.is_(None)
    keys = (due, table.c.due, table.c.id)
    return page_of(select(table), *keys, at=at, last_first=last_first, into=lambda number, _due: number)


def all_pages(read: Any) -> list[Page[Any]]:
    """From the first to the last by "older"."""
    pages = [read("")]
    while pages[-1].older is not None:
        pages.append(read(pages[-1].older))
    return pages


@pytest.mark.parametrize("last_first", [False, True])
def test_who_turns_all_pages_forth_and_back_meets_each_row_once_in_order(app: Flask, last_first: bool) -> None:
    way = -1 if last_first else 1

    def order(row: tuple[int, date | None]) -> tuple[bool, int, int]:
        return row[1] is None, (row[1] or date.max).toordinal() * way, row[0] * way

    forth = all_pages(lambda at: listed(at, last_first))
    assert [number for page in forth for number in page.rows] == [number for number, _due in sorted(ROWS, key=order)]
    assert [len(page.rows) for page in forth] == [5, 5, 5, 5, 3]
    assert (forth[0].newer, forth[-1].older) == (None, None)
    for page, following in pairwise(forth):
        back = listed(following.newer or "", last_first)
        assert (back.rows, back.newer is None) == (page.rows, page is forth[0])


def test_what_was_there_all_along_is_met_once_while_others_come_and_go(app: Flask) -> None:
    articles.import_articles([{"sku": f"{n:02}", **dict.fromkeys(articles.COLUMNS[1:], "")} for n in range(10, 40)])
    met: list[str] = []
    at: str | None = ""
    for turn in range(20):
        page = articles.search("", at or "")
        met += [article.sku for article in page.rows]
        session.execute(delete(Article).where(Article.sku == f"{turn * 5 + 14}"))
        articles.import_articles([{"sku": f"{turn * 5 + 9}a", **dict.fromkeys(articles.COLUMNS[1:], "")}])
        if (at := page.older) is None:
            break
    stayed = set(session.scalars(select(Article.sku).where(Article.sku.regexp_match("^[0-9]+$"))))
    assert len(met) == len(set(met))
    assert stayed <= set(met)
    assert len(stayed) == 24


def test_a_page_whose_rows_are_all_gone_leads_to_the_first(app: Flask) -> None:
    articles.import_articles([{"sku": f"{n:02}", **dict.fromkeys(articles.COLUMNS[1:], "")} for n in range(10, 16)])
    first = articles.search("", "")
    last = articles.search("", first.older or "")
    session.execute(delete(Article).where(Article.sku == "15"))
    assert articles.search("", first.older or "") == Page([], newer="", older=None)
    session.execute(delete(Article))
    assert articles.search("", last.newer or "") == Page([], newer=None, older="")


@pytest.mark.parametrize("at", ["2", "W2ZhbHNlLFsiMTAiXV0", "'", "é"])
def test_a_place_that_was_not_ours_is_not_found(client: FlaskClient, world: World, at: str) -> None:
    desk = sign_in(client, world.max)
    for path in ("returns", "refunds", "credit", "credit-notes", "parcels", "pushes", "stock", "cases", "handoffs"):
        assert desk.get(f"/desk/{path}", query_string={"page": at}).status_code == 404, path


def test_no_list_is_paged_by_number() -> None:
    assert [found for module in modules() for found in by_number(module)] == []
    assert list(by_number(planted("portal.orders.lists", "found.limit(51).offset(50)")))


def by_number(module: Module) -> Iterator[str]:
    return (at(module, call, "by number") for call in calls(module.tree) if called(call).endswith(".offset"))


def test_a_place_of_another_list_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        listed(listed("").older or "", last_first=True)
    with pytest.raises(NotFound):
        articles.search("", listed("").older or "")
