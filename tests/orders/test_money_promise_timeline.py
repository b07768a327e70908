"""The balance of a payment, the promised day, and the order's story."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time

import pytest
from flask import Flask
from flask_babel import force_locale
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from portal.config import Settings
from portal.db import session, transaction
from portal.lib import clock
from portal.lib.errors import Refused
from portal.lib.money import Money
from portal.orders import calendar, timeline
from portal.orders.models import Payment
from portal.orders.payments import add_external, release, reserve
from portal.orders.promise import add_working_days, on_or_after
from tests.world import World, build

# --- money ---


def balance(payment: Payment) -> tuple[int, int, int]:
    session.expire_all()
    return payment.reserved, payment.external, payment.left.amount


@pytest.fixture
def payment(world: World) -> Payment:
    """Alice's 84.00 EUR."""
    assert world.alice.payment is not None
    return world.alice.payment


def test_what_is_promised_back_is_no_longer_left(payment: Payment) -> None:
    reserve(payment, 5000)
    add_external(payment, 1000)
    assert balance(payment) == (5000, 1000, 2400)
    release(payment, 2000)
    assert balance(payment) == (3000, 1000, 4400)


@pytest.mark.parametrize("amount", [8401, 10**12])
def test_it_refuses_more_than_is_left(payment: Payment, amount: int) -> None:
    with pytest.raises(Refused, match="more than what is left"):
        reserve(payment, amount)
    assert balance(payment) == (0, 0, 8400)


def test_what_was_given_back_elsewhere_counts_and_may_be_more_than_all(payment: Payment) -> None:
    add_external(payment, 9000)
    assert balance(payment) == (0, 9000, 0)
    with pytest.raises(Refused):
        reserve(payment, 1)


@pytest.mark.parametrize("amount", [0, -1, True, 1.0])
def test_it_refuses_what_is_no_amount(payment: Payment, amount: int) -> None:
    with pytest.raises(Refused, match="more than nothing"):
        reserve(payment, amount)


def test_nothing_is_released_that_was_not_reserved(payment: Payment) -> None:
    reserve(payment, 100)
    with pytest.raises(ValueError, match="less than 101 reserved"):
        release(payment, 101)


def test_the_database_itself_refuses_more_than_was_captured(payment: Payment) -> None:
    with pytest.raises(DBAPIError, match="ck_payments_reserved"):
        session.execute(text("UPDATE payments SET reserved = captured + 1"))


@pytest.mark.processes
def test_of_many_who_take_the_last_of_it_at_once_one_succeeds(real: Flask) -> None:
    alice = build(now=clock.now()).alice
    payment_id = session.scalars(select(Payment.id).where(Payment.order_id == alice.id)).one()
    session.commit()

    def take(_: int) -> bool:
        with real.app_context():
            try:
                with transaction():
                    reserve(session.get_one(Payment, payment_id), 5000)
            except Refused:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(12))) == 1


# --- the promise ---

BERLIN = Settings(
    secret_key="k" * 32, shop_country="DE", shop_timezone="Europe/Berlin", cutoff=time(14), handling_days=1,
    transit_days=2, transit_days_abroad=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("paid_at", "country", "promised"),
    [
        ("2026-11-23T12:59:00+00:00", "DE", "2026-11-26"),  # Monday, a minute before two in Berlin
        ("2026-11-23T13:00:00+00:00", "DE", "2026-11-27"),  # at two: counts as Tuesday
        ("2026-11-20T09:00:00+00:00", "DE", "2026-11-25"),  # Friday: over the weekend
        ("2026-11-21T09:00:00+00:00", "DE", "2026-11-26"),  # Saturday: begins on Monday
        ("2026-12-23T09:00:00+00:00", "DE", "2026-12-29"),  # over Christmas and a Sunday
        ("2026-11-23T09:00:00+00:00", "AT", "2026-11-30"),  # abroad takes longer
        ("2026-11-23T09:00:00+00:00", None, "2026-11-26"),  # unknown: as at home
        ("2026-07-01T11:59:00+00:00", "DE", "2026-07-06"),  # summer time: a minute before two
        ("2026-07-01T12:00:00+00:00", "DE", "2026-07-07"),
        ("2026-11-23T23:30:00-11:00", "DE", "2026-11-27"),  # whatever the offset it is told with
    ],
)
def test_the_promised_day_is_counted_in_working_days_of_the_warehouse(
    paid_at: str, country: str | None, promised: str
) -> None:
    told = calendar.promised_for(datetime.fromisoformat(paid_at), country, calendar.of(BERLIN))
    assert told == date.fromisoformat(promised)


def test_a_country_without_a_known_calendar_works_on_weekdays() -> None:
    assert on_or_after(date(2026, 12, 25), "QQ") == date(2026, 12, 25)
    assert add_working_days(date(2026, 12, 24), 1, "DE") == date(2026, 12, 28)


# --- the story ---

timeline.words("tests.paid", staff=_l("%(who)s paid %(amount)s"), customer=_l("You paid %(amount)s"))
timeline.words("tests.noted", staff=_l("Noted: 100 % sure"))


def test_the_story_is_told_to_each_in_their_words(world: World) -> None:
    now = clock.now()
    timeline.record(world.alice.id, "tests.paid", by=world.fran, now=now, who="Alice", amount=Money(1250, "EUR"))
    timeline.record(world.alice.id, "tests.noted", by="system", now=now)
    newest = timeline.for_staff(world.alice.id)[:2]
    assert [(entry.text, entry.by) for entry in newest] == [
        ("Noted: 100 % sure", "by itself"),
        ("Alice paid €12.50", "Fran"),
    ]
    told = timeline.for_customer(world.alice.id, "de")
    assert [(entry.text, entry.by) for entry in told] == [("You paid 12,50\u00a0€", ""), ("We have your order", "")]


def test_days_are_told_in_the_readers_way(world: World) -> None:
    told = {locale: in_language(world.alice.id, locale) for locale in ("en", "de")}
    assert "2026-11-25" not in told["en"] + told["de"]
    assert "25" in told["en"]


def in_language(order_id: int, locale: str) -> str:
    with force_locale(locale):
        return timeline.for_staff(order_id, locale)[-1].text


def test_an_entry_that_nobody_can_tell_is_not_written(world: World) -> None:
    with pytest.raises(KeyError, match="nobody can tell what tests"):
        timeline.record(world.alice.id, "tests.unknown", by="system", now=clock.now())


@pytest.mark.parametrize("change", ["UPDATE timeline SET by = 'nobody'", "DELETE FROM timeline"])
def test_the_story_is_never_changed(world: World, change: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied for table timeline"):
        session.execute(text(change))


def test_what_happened_is_put_into_words_once() -> None:
    with pytest.raises(KeyError, match=r"tests\.paid has its words already"):
        timeline.words("tests.paid", staff=_l("Paid again"))
