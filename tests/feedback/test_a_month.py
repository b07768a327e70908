"""A month of a shop with planted truth (`month`): the page finds the causes again, and nothing that is none.

In the suite one seed and as many orders as are needed to tell; by `make month` several seeds, each with many more.
"""

import os
from random import Random

import pytest
from sqlalchemy import text

from portal.db import session
from portal.feedback import alarms, reasons, rollups
from portal.feedback.insight import Wish, picture, weeks_until
from portal.feedback.words_written import Asked, words
from portal.lib import clock
from portal.lib.days import shop_day
from tests.conftest import as_owner
from tests.feedback.month import CHANCE, DEFECTS, LATE, PRODUCTS, SLOW, Month

ORDERS = int(os.environ.get("MONTH_ORDERS", "168"))
SEEDS = range(1, 1 + int(os.environ.get("MONTH_SEEDS", "1")))


def planted(defect: bool | None, late: bool | None) -> float:
    """The share of the satisfied in per cent: half the products have a defect, one of three couriers is slow."""
    parts = [
        (0.5 if defect is None else 1) * (1 if late is not None else 1 / 3 if is_late else 2 / 3) * share
        for (has_defect, is_late), share in CHANCE.items()
        if defect in (None, has_defect) and late in (None, is_late)
    ]
    return 100 * sum(parts)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_page_recovers_what_was_planted_ignores_machines_and_asked_nobody_twice(app, world, work, mails, seed):
    app.config["WTF_CSRF_ENABLED"] = False
    month = Month(app, world, work, mails, Random(seed)).live(ORDERS)
    asked, answered = [one for one in month.bought if one.asked], [one for one in month.bought if one.answered]
    first, last = weeks_until(shop_day(clock.now()), 26)
    seen = picture(Wish("csat", first, last), {})

    assert max(month.asked.values()) == 1, "nobody was asked twice"
    assert seen.all.asked.n == len(asked) == len({one.email for one in month.bought})
    assert seen.all.score.n == len(answered), "machines, and those who came too late, are not among them"
    assert seen.all.score.good == sum(one.good for one in answered), "each counts once, with the last word"
    assert seen.machines == sum(one.machine_only for one in month.bought) > 0

    found = {(name, row.value): row for name, rows in seen.tables.items() for row in rows}
    worse = {where for where, row in found.items() if row.stands_out == "worse"}
    assert worse >= {("product", product) for product in DEFECTS} | {("courier", SLOW), ("promise", "late")}
    assert {name for name, _ in worse} <= {"product", "courier", "promise", "back"}
    assert {value for name, value in worse if name in ("product", "courier")} == {*DEFECTS, SLOW}

    truth = {("courier", courier): planted(None, courier == SLOW) for courier in ("dhl", "ups", SLOW)}
    truth |= {("product", product): planted(product in DEFECTS, None) for product in PRODUCTS}
    held = [low <= truth[where] <= high for where in truth for low, high in [found[where].score.interval]]
    assert sum(held) >= len(held) - 1, "of a hundred intervals five may miss the truth"

    table = {(row.sku, row.code): row for row in reasons.table(first, last)}
    assert set(table) == {(product, reason) for product, (reason, _) in DEFECTS.items()}
    assert all(row.stands_out == "worse" and row.grades["damaged"].value == 100 for row in table.values())

    written = {word.stem: word for word in words(Asked(first, last, "en"))}
    assert {"switch", "spout", "late"} <= {stem for stem, word in written.items() if word.bad == word.n}
    assert written["late"].n == sum(one.words == LATE for one in answered)

    assert alarms.watch(now=clock.now()) == 0, "there is nothing before to compare it with"
    assert not rollups.wrong_sums()
    with as_owner():
        session.execute(text("ANALYZE"))  # a month in one transaction, of which nobody has gathered statistics
    assert not [key for keys in rollups.batches() for key in rollups.stale(keys)]
