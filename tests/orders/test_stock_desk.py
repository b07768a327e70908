"""Stock and the working calendar at the desk."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from portal import cli
from portal.db import session
from portal.lib import clock
from portal.orders import calendar, stock
from portal.orders.shelves import StockItem
from portal.orders.stock_imports import import_stock
from tests.conftest import nothing_appears, statements
from tests.orders.test_stock import buys, count, lie
from tests.world import World, sign_in

FILE = "sku;on_hand;place;title;low_at\nVASE;5;Cellar;Glass vase;2\nMUG-01;1;;Stoneware mug;\n"


def test_a_shop_that_counts_nothing_is_told_how_to_begin(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    page = client.get("/desk/stock").text
    assert "What is not counted is always there" in page
    assert "Count from a file" in page
    assert "Count from a file" not in sign_in(client, world.cleo).get("/desk/stock").text


def send(client: FlaskClient, text: str | bytes) -> int:
    raw = text.encode() if isinstance(text, str) else text
    return client.post("/desk/stock/imports", data={"file": (BytesIO(raw), "stock.csv")}).status_code


def test_a_file_counts_and_once_more_changes_nothing(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    assert send(client, FILE) == 303
    vase = session.scalars(select(StockItem).where(StockItem.sku == "VASE")).one()
    assert (vase.place.name, vase.title, vase.low_at, vase.on_hand) == ("Cellar", "Glass vase", 2, 5)
    with nothing_appears():
        assert send(client, FILE) == 303


@pytest.mark.parametrize(
    "text", ["sku\n", "sku,on_hand\n,1\n", "sku,on_hand\nVASE,many\n", b"sku,on_hand\n\xff,1\n", ""]
)
def test_5_2_2_a_file_with_mistakes_counts_nothing_at_the_desk(
    client: FlaskClient, world: World, text: str | bytes
) -> None:
    sign_in(client, world.max)
    with nothing_appears():
        assert send(client, text) == 422


def test_lists_show_what_is_low_and_what_orders_wait_for(client: FlaskClient, world: World) -> None:
    import_stock(FILE + "GLASS;0;;;\n", by=world.max, now=clock.now())
    order = buys("GLASS", 2)
    buys("VASE", 4)
    sign_in(client, world.max)
    low, short = (client.get(f"/desk/stock?state={view}").text for view in ("low", "short"))
    assert ("Glass vase" in low, "Stoneware mug" in low) == (True, False)
    assert f'href="/desk/orders/{order.id}"' in short
    found = client.get("/desk/stock?q=vAs").text
    assert ("Glass vase" in found, "Stoneware mug" in found) == (True, False)
    assert "Nothing found for" in client.get("/desk/stock?q=%25_\\").text
    assert client.get("/desk/stock?state=odd").status_code == 404


def test_the_list_takes_as_many_statements_for_many_articles_as_for_one(client: FlaskClient, world: World) -> None:
    sign_in(client, world.cleo)

    def counted() -> int:
        with statements() as seen:
            client.get("/desk/stock")
        return len(seen)

    lie("VASE", 1)
    few = counted()
    import_stock("sku,on_hand,place\n" + "".join(f"A{n},1,P{n}\n" for n in range(12)), by="system", now=clock.now())
    session.commit()
    assert counted() == few


def test_a_count_is_corrected_with_its_reason(client: FlaskClient, world: World) -> None:
    vases = lie("VASE", 3)
    sign_in(client, world.max)
    data = {"count": "5", "reason": "found", "note": "Behind the door", "seen": "3"}
    assert client.post(f"/desk/stock/{vases.id}/corrections", data=data).status_code == 303
    assert count(vases) == (5, 0, 5)
    assert "Behind the door" in client.get(f"/desk/stock/{vases.id}").text
    with nothing_appears():
        again = client.post(f"/desk/stock/{vases.id}/corrections", data=data)
        assert (again.status_code, "has changed to 5" in again.text) == (409, True)
        assert client.post(f"/desk/stock/{vases.id}/corrections", data={**data, "count": "x"}).status_code == 422


def test_who_only_looks_changes_nothing(client: FlaskClient, world: World) -> None:
    vases = lie("VASE", 3)
    sign_in(client, world.cleo)
    assert "Correct the count" not in client.get(f"/desk/stock/{vases.id}").text
    with nothing_appears():
        for path in (f"/desk/stock/{vases.id}/corrections", "/desk/stock/imports", "/desk/calendar/hours"):
            assert client.post(path).status_code == 403
        assert client.get("/desk/calendar").status_code == 403


def test_the_command_counts_the_good_rows_and_names_the_others(
    monkeypatch: pytest.MonkeyPatch, world: World, tmp_path: Path, client: FlaskClient
) -> None:
    file = tmp_path / "stock.csv"
    file.write_text(FILE + ";1;;;\n", "utf-8")
    monkeypatch.setattr(cli, "open_portal", lambda: client.application)
    result = CliRunner().invoke(cli.main, ["import-stock", str(file)])
    assert result.exit_code == 1
    assert "2 rows were counted, 1 were refused." in result.output
    assert "Row 4: the SKU is missing." in result.output


# --- the working calendar ---

HOURS = {"country": "DE", "region": "", "weekdays": ["0", "1", "2", "3", "4"], "cutoff": "09:30", "handling_days": "3"}


def test_a_manager_sets_when_the_warehouse_works(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    assert client.post("/desk/calendar/hours", data=HOURS).status_code == 303
    now = calendar.terms()
    assert (now.cutoff.isoformat(), now.handling_days) == ("09:30:00", 3)
    page = client.get("/desk/calendar").text
    assert "An order paid now is promised for" in page
    assert "Germany" in page


def test_a_day_off_is_added_and_taken_back(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    day = clock.now().date() + timedelta(days=20)
    client.post("/desk/calendar/closed-days", data={"day": day.isoformat(), "why": "Stocktaking"})
    (closed,) = calendar.closed_days(clock.now().date())
    assert "Stocktaking" in client.get("/desk/calendar").text
    assert client.post(f"/desk/calendar/closed-days/{closed.id}/opening").status_code == 303
    assert calendar.closed_days(clock.now().date()) == []


def test_days_on_the_road_are_set_and_removed(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    data = {"courier": "dhl", "country": "FR", "days": "3", "usual": "y"}
    assert client.post("/desk/calendar/transit-times", data=data).status_code == 303
    (row,) = calendar.transit_times()
    assert (row.courier, row.country, row.days, row.usual) == ("dhl", "FR", 3, True)
    assert "France" in client.get("/desk/calendar").text
    assert client.post(f"/desk/calendar/transit-times/{row.id}/removal").status_code == 303
    assert calendar.transit_times() == []


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        ("hours", {**HOURS, "cutoff": "noon"}, 422),
        ("hours", {**HOURS, "country": "XX"}, 422),
        ("hours", {**HOURS, "handling_days": "99"}, 422),
        ("hours", {**HOURS, "weekdays": []}, 409),
        ("hours", {**HOURS, "region": "NY"}, 409),
        ("closed-days", {"day": "soon"}, 422),
        ("transit-times", {"courier": "pigeon", "country": "FR", "days": "3"}, 422),
        ("transit-times", {"courier": "dhl", "country": "FR", "days": "-1"}, 422),
    ],
)
def test_what_makes_no_sense_is_not_set(
    client: FlaskClient, world: World, path: str, data: dict[str, object], code: int
) -> None:
    sign_in(client, world.max)
    with nothing_appears():
        assert client.post(f"/desk/calendar/{path}", data=data).status_code == code


def test_an_import_and_new_orders_meet_without_promising_twice(world: World) -> None:
    import_stock(FILE, by="system", now=clock.now())
    vase = session.scalars(select(StockItem).where(StockItem.sku == "VASE")).one()
    buys("VASE", 4)
    import_stock(FILE.replace("VASE;5", "VASE;2"), by="system", now=clock.now())
    assert count(vase) == (2, 2, 0)
    assert stock.MOVES["imported"]
