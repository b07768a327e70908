"""The floor: what Flask and PostgreSQL can do at all. One statement, one template, the same text, and nothing else."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, abort, render_template
from psycopg_pool import ConnectionPool

SHOP = ZoneInfo("Europe/Berlin")
STATEMENT = Path(__file__).with_name("show.sql").read_text("utf-8")


def create_app(url: str) -> Flask:
    """No session, no cookie, no translation, no guard: whoever knows the reference reads the page."""
    app = Flask(__name__, template_folder=".")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(moment=moment, day=day, short=short)
    pool = ConnectionPool(url, min_size=2, max_size=12, kwargs={"autocommit": True}, open=False)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.get("/orders/<ref>")
    def show(ref: str) -> str:
        pool.open()  # in the process that answers: a pool's threads do not outlive a fork
        with pool.connection() as connection:
            row = connection.execute(STATEMENT, [ref]).fetchone()
        if row is None:
            abort(404)
        return render_template("show.html", order=row[0], steps=steps(row[0]))

    return app


def steps(order: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """The five, as the page shows them."""
    first = order["parcels"][0] if order["parcels"] else {}
    out = next((scan["at"] for scan in first.get("scans", ()) if scan["status"] == "out_for_delivery"), None)
    reached = [
        ("Ordered", order["placed_at"]),
        ("Packed", first.get("packed_at")),
        ("On its way", first.get("handed_over_at")),
        ("Out for delivery", out),
        ("Delivered", first.get("delivered_at")),
    ]
    last = max(number for number, (_label, at) in enumerate(reached) if at)
    return [
        (label, at, "done" if n < last or last == 4 else "current" if n == last else "todo")
        for n, (label, at) in enumerate(reached)
    ]


def moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHOP).strftime("%A, %d %B at %H:%M")


def short(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHOP).strftime("%a %d %b, %H:%M")


def day(text: str) -> str:
    return date.fromisoformat(text[:10]).strftime("%A, %d %B")
