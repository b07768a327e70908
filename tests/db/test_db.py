"""The commit at the edge, the one way a state changes, and limits that hold over all processes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from portal.db import Base, engine_options, limits, may, move, psycopg_url, session, transaction
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.models import Order
from tests.conftest import nothing_appears, statements
from tests.world import World

# --- move ---


def test_a_verb_moves_a_row_and_sets_what_goes_with_it(world: World) -> None:
    now = clock.now()
    move(world.alice, "state", "close", closed_at=now)
    assert (world.alice.state, world.alice.closed_at) == ("closed", now)
    session.expire_all()
    assert (world.alice.state, world.alice.closed_at) == ("closed", now)


def test_2_3_1_it_refuses_a_verb_that_the_state_does_not_allow(world: World) -> None:
    move(world.alice, "state", "cancel")
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="Nothing was changed"):
        move(world.alice, "state", "close", closed_at=clock.now())
    assert (world.alice.state, world.alice.closed_at) == ("cancelled", None)


def test_it_decides_by_the_row_as_it_is_and_not_as_it_was_read(world: World) -> None:
    assert may(world.alice, "state", "close")
    session.execute(text("UPDATE orders SET state = 'cancelled' WHERE id = :id"), {"id": world.alice.id})
    assert may(world.alice, "state", "close"), "what was read is old by now"
    with pytest.raises(Refused):
        move(world.alice, "state", "close")
    assert world.alice.state == "cancelled", "and after the refusal it is the truth"


def test_what_was_set_before_the_move_is_kept(world: World) -> None:
    world.alice.locale = "de"
    move(world.alice, "state", "hold")
    session.commit()
    assert (world.alice.locale, world.alice.state) == ("de", "on_hold")


def test_a_verb_that_does_not_exist_is_a_mistake_of_ours(world: World) -> None:
    with pytest.raises(KeyError):
        move(world.alice, "state", "vanish")


def test_every_move_leads_from_and_to_states_that_the_database_knows() -> None:
    for mapper in Base.registry.mappers:
        for column, moves in mapper.class_.MOVES.items():
            checks = [str(c.sqltext) for c in mapper.local_table.constraints if hasattr(c, "sqltext")]  # type: ignore[attr-defined]
            [allowed] = [check for check in checks if check.startswith(f"{column} IN")]
            for origins, target in moves.values():
                assert all(f"'{state}'" in allowed for state in (*origins, target)), (mapper.class_, column)


@pytest.mark.processes
def test_15_4_2_of_many_who_move_one_row_at_once_one_succeeds(real: Flask) -> None:
    made = InboxMessage(source="s", external_id="1", body=b"", received_at=clock.now())
    session.add(made)
    session.commit()
    made_id = made.id

    def finish(_: int) -> bool:
        with real.app_context():
            try:
                with transaction():
                    move(session.get_one(InboxMessage, made_id), "state", "park", subject="x")
                    move(session.get_one(InboxMessage, made_id), "state", "finish")
            except Refused:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(finish, range(16))) == 1


# --- transactions ---


def test_a_step_that_raises_leaves_nothing(world: World) -> None:
    def step() -> None:
        with transaction():
            world.alice.number = "seen"
            session.flush()
            raise KeyboardInterrupt

    with nothing_appears(), pytest.raises(KeyboardInterrupt):
        step()
    session.expire_all()
    assert world.alice.number == "1001"


@pytest.fixture
def view(client: FlaskClient) -> Callable[[Callable[[], Any]], Any]:
    """Answer GET /healthz with this view, once."""

    def answer(do: Callable[[], Any]) -> Any:
        client.application.view_functions["pulse.healthz"] = do
        return client.get("/healthz")

    before = client.application.view_functions["pulse.healthz"]
    yield answer  # type: ignore[misc]
    client.application.view_functions["pulse.healthz"] = before


def number(order: Order) -> str | None:
    return session.scalar(select(Order.number).where(Order.id == order.id))


def test_a_request_that_returns_commits_once(world: World, view: Callable[..., Any]) -> None:
    def write() -> tuple[str, int]:
        session.get_one(Order, world.alice.id).number = "seen"
        return "", 422

    assert view(write).status_code == 422
    assert number(world.alice) == "seen"


@pytest.mark.parametrize(("error", "code"), [(Refused("No."), 409), (RuntimeError("oh"), 500)])
def test_a_request_that_raises_leaves_nothing(
    world: World, view: Callable[..., Any], error: Exception, code: int
) -> None:
    def write() -> None:
        session.get_one(Order, world.alice.id).number = "seen"
        session.flush()
        raise error

    assert view(write).status_code == code
    assert number(world.alice) == "1001"


def test_16_5_3_a_commit_that_fails_is_said_and_not_hidden(world: World, view: Callable[..., Any]) -> None:
    def break_a_rule() -> str:
        session.get_one(Order, world.alice.id).state = "lost"
        return "all is well"

    answer = view(break_a_rule)
    assert (answer.status_code, "all is well" in answer.text) == (500, False)


def test_16_5_2_a_database_that_goes_away_at_the_commit_is_a_reason_to_try_again(
    world: World, view: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        monkeypatch.undo()
        raise OperationalError("COMMIT", {}, Exception("gone"))

    def arm() -> str:
        monkeypatch.setattr(session, "commit", away)
        return ""

    answer = view(arm)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


# --- limits ---


def taken(times: int, who: str = "a", later: timedelta = timedelta()) -> list[bool]:
    return [limits.take("test", who, 3, timedelta(minutes=1), clock.now() + later) for _ in range(times)]


def test_a_limit_lets_so_many_through_and_no_more(app: Flask) -> None:
    assert taken(5) == [True, True, True, False, False]
    assert taken(1, "b") == [True]


def test_a_limit_refills_evenly(app: Flask) -> None:
    taken(3)
    assert taken(2, later=timedelta(seconds=21)) == [True, False]
    assert taken(4, later=timedelta(hours=9)) == [True, True, True, False]


def test_a_clock_that_goes_back_gives_nothing_away(app: Flask) -> None:
    taken(3)
    assert taken(1, later=-timedelta(hours=1)) == [False]


def test_l13_nobody_can_read_who_is_counted(app: Flask) -> None:
    limits.take("look-up", "alice@example.org", 1, timedelta(minutes=1), clock.now())
    rows = session.execute(text("SELECT string_agg(b::text, '') FROM buckets b")).scalar_one()
    assert "alice" not in rows
    assert b"alice@example.org".hex() not in rows


def test_full_counters_are_forgotten(app: Flask) -> None:
    taken(1)
    limits.forget(now=clock.now() + timedelta(hours=23))
    assert session.scalar(select(func.count()).select_from(limits.Bucket)) == 1
    limits.forget(now=clock.now() + timedelta(hours=25))
    assert session.scalar(select(func.count()).select_from(limits.Bucket)) == 0


def test_a_limit_over_more_than_a_day_could_be_forgotten_too_early(app: Flask) -> None:
    with pytest.raises(ValueError, match="within a day"):
        limits.take("test", "a", 1, timedelta(days=2), clock.now())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::/64"),
        (None, ""),
        ("unknown", ""),
    ],
)
def test_l13_of_ipv6_a_network_counts_as_one(address: str | None, network: str) -> None:
    assert limits.network(address) == network


@pytest.mark.processes
def test_l13_a_limit_holds_for_many_at_once(real: Flask) -> None:
    def take(_: int) -> bool:
        with real.app_context(), transaction():
            return limits.take("test", "a", 5, timedelta(hours=1), clock.now())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(30))) == 5


# --- the engine ---


@pytest.mark.parametrize("given", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"])
def test_any_usual_address_of_a_database_will_do(given: str) -> None:
    assert psycopg_url(given) == "postgresql+psycopg://u@h/d"


def test_no_statement_and_no_lock_waits_for_ever(app: Flask) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
    asked = [session.execute(text(f"SHOW {name}")).scalar_one() for name in names]
    assert asked == ["15s", "5s", "1min", "UTC"]


def test_16_2_5_an_error_of_the_database_quotes_no_values(app: Flask) -> None:
    with pytest.raises(Exception, match="nothing_like_it") as failed:
        session.execute(text("SELECT * FROM nothing_like_it WHERE email = :email"), {"email": "alice@example.org"})
    assert "alice@example.org" not in str(failed.value)
    assert engine_options(pooled=True)["hide_parameters"] is True


def test_health_is_one_statement(client: FlaskClient) -> None:
    with statements() as seen:
        assert client.get("/healthz").status_code == 200
    assert len(seen) == 1
