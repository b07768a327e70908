"""Entries are sealed one over the other; whoever meddles with them is found."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.orders.timeline import record
from portal.privacy import retention
from portal.staff import journal, seals
from portal.staff.jobs import seal_entries
from portal.staff.models import StaffEvent
from portal.staff.seals import Fault
from tests.conftest import as_owner, nothing_appears
from tests.world import World


@pytest.fixture
def entries(world: World) -> list[int]:
    """Three entries of Alice's order, sealed with all that was there before."""
    for _ in range(3):
        record(world.alice.id, "order.accepted", by="system", now=clock.now())
    journal.note("signed_out", world.dan.id, now=clock.now())
    session.commit()
    while seals.seal_new(now=clock.now()):
        pass
    return list(session.scalars(text("SELECT id FROM timeline ORDER BY id DESC LIMIT 3")))[::-1]


@pytest.fixture
def unguarded() -> Iterator[Callable[..., None]]:
    """Do what only the owner of the tables can: past the triggers."""

    def meddle(statement: str, **values: object) -> None:
        with as_owner():
            session.execute(text(statement), values)

    return meddle


def faults(noted: str = "") -> list[Fault]:
    return list(seals.verify(noted, now=clock.now()).faults)


def test_what_nobody_touched_is_whole(entries: list[int]) -> None:
    verdict = seals.verify(now=clock.now())
    assert verdict.sealed == session.scalar(text("SELECT (SELECT count(*) FROM timeline) + count(*) FROM staff_events"))
    assert (verdict.faults, verdict.knows_noted, len(verdict.head)) == ([], True, 64)


def test_what_is_sealed_is_sealed_once(entries: list[int]) -> None:
    before = seals.verify(now=clock.now())
    assert seals.seal_new(now=clock.now()) == 0
    assert seals.verify(now=clock.now()) == before


@pytest.mark.parametrize(
    "change",
    ["at = at - interval '1 day'", "kind = 'order.cancelled'", "\"by\" = 'somebody'", "facts = '{\"a\": 1}'"],
)
def test_an_entry_that_was_changed_is_found(entries: list[int], unguarded: Callable[..., None], change: str) -> None:
    unguarded(f"UPDATE timeline SET {change} WHERE id = :id", id=entries[1])
    assert faults() == [Fault("changed", "timeline", entries[1])]


def test_an_entry_that_was_removed_is_found(entries: list[int], unguarded: Callable[..., None]) -> None:
    unguarded("DELETE FROM timeline WHERE id = :id", id=entries[1])
    assert faults() == [Fault("missing", "timeline", entries[1])]


def test_entries_that_changed_places_are_found(entries: list[int], unguarded: Callable[..., None]) -> None:
    first, last = entries[0], entries[2]
    for here, there in ((first, -1), (last, first), (-1, last)):
        unguarded("UPDATE timeline SET id = :there WHERE id = :here", here=here, there=there)
    assert faults() == [Fault("changed", "timeline", first), Fault("changed", "timeline", last)]


def test_an_entry_whose_seal_was_removed_with_it_leaves_a_gap(
    entries: list[int], unguarded: Callable[..., None]
) -> None:
    """What stood after it does not follow from what stands before it now."""
    unguarded("DELETE FROM timeline WHERE id = :id", id=entries[1])
    unguarded("DELETE FROM seals WHERE entry_of = 'timeline' AND entry_id = :id", id=entries[1])
    assert faults() == [Fault("changed", "timeline", entries[2])]


def test_an_end_that_was_cut_off_is_found_by_who_wrote_the_last_seal_down(
    entries: list[int], unguarded: Callable[..., None]
) -> None:
    noted = seals.verify(now=clock.now()).head
    assert seals.verify(noted, now=clock.now()).knows_noted
    unguarded("DELETE FROM staff_events WHERE id = (SELECT max(id) FROM staff_events)")
    unguarded("DELETE FROM seals WHERE id = (SELECT max(id) FROM seals)")
    verdict = seals.verify(noted, now=clock.now())
    assert (verdict.faults, verdict.knows_noted) == ([], False)


def test_what_was_slipped_in_has_no_seal(entries: list[int], world: World) -> None:
    record(world.alice.id, "order.accepted", by="system", now=clock.now() - timedelta(hours=2))
    record(world.alice.id, "order.accepted", by="system", now=clock.now())
    [fault] = faults()
    assert (fault.kind, fault.entry_of, fault.entry_id > entries[-1]) == ("unsealed", "timeline", True)


ROWS, TABLES = ("timeline", "staff_events", "seals"), ("refund_attempts", "stock_moves")


@pytest.mark.parametrize(
    "meddling",
    [
        *(
            f"{verb} {table}{rest}"
            for table in ROWS
            for verb, rest in (("DELETE FROM", ""), ("UPDATE", " SET id = id"))
        ),
        *(f"TRUNCATE {table} CASCADE" for table in ROWS + TABLES),
    ],
)
def test_the_database_refuses_to_change_what_happened(entries: list[int], meddling: str) -> None:
    """The application's role is given no way to; to the owner of the tables their triggers say no."""
    with pytest.raises(ProgrammingError, match="permission denied"), session.begin_nested():
        session.execute(text(meddling))
    session.execute(text("SET LOCAL ROLE postgres"))
    with pytest.raises(ProgrammingError, match="append-only"):
        session.execute(text(meddling))


def grown_old(days: int = 800) -> tuple[int, int]:
    """Entries of so many days ago, sealed then; the ids of the first and the last."""
    then = clock.now() - timedelta(days=days)
    for kind in ("signed_in", "signed_out", "signed_in"):
        journal.note(kind, None, now=then)
    session.flush()
    ids = list(session.scalars(select(StaffEvent.id).where(StaffEvent.at == then).order_by(StaffEvent.id)))
    while seals.seal_new(now=then):
        pass
    return ids[0], ids[-1]


def sealed() -> None:
    while seals.seal_new(now=clock.now()):
        pass


def test_what_the_journal_let_go_by_its_term_is_not_missed(world: World) -> None:
    first, last = grown_old()
    retention.apply("journal", now=clock.now())
    sealed()
    assert faults() == []
    left = session.scalars(select(StaffEvent.id).where(StaffEvent.id.between(first, last))).all()
    said = session.scalars(select(StaffEvent.detail).where(StaffEvent.kind == "journal_let_go")).all()
    assert (left, said) == ([], [str(last)])


def test_the_dry_run_says_how_much_of_the_journal_would_go(world: World) -> None:
    grown_old()
    assert retention.due("journal", now=clock.now()) == {"": 3}


def test_younger_entries_are_let_go_by_nobody(entries: list[int], world: World) -> None:
    """Not by the function, whatever it is asked for; not by who says of himself that he lets go."""
    grown_old(300)
    count = select(func.count()).select_from(StaffEvent)
    before = session.scalar(count)
    assert (journal.let_go(10**9, now=clock.now()), session.scalar(count)) == (0, before)
    session.execute(text("SET LOCAL aftersale.lets_go = 'staff_events'"))
    with pytest.raises(ProgrammingError, match="permission denied"), session.begin_nested():
        session.execute(text("DELETE FROM staff_events"))
    session.execute(text("SET LOCAL ROLE postgres"))
    with pytest.raises(ProgrammingError, match="append-only"):
        session.execute(text("DELETE FROM staff_events"))


def test_what_was_stolen_is_missed_though_somebody_says_that_it_was_let_go(
    entries: list[int], unguarded: Callable[..., None]
) -> None:
    stolen = session.scalar(select(func.max(StaffEvent.id)))
    unguarded("DELETE FROM staff_events WHERE id = :id", id=stolen)
    journal.note("journal_let_go", None, now=clock.now(), detail=str(stolen))
    sealed()
    assert [(fault.kind, fault.entry_id) for fault in faults()] == [("missing", stolen)]


def test_a_term_for_the_journal_below_a_year_is_refused(world: World) -> None:
    with nothing_appears(), pytest.raises(Refused, match="365 days"):
        retention.set_term("journal", "", 364)


def test_the_worker_seals_what_waits(world: World, work: Callable[..., int]) -> None:
    record(world.alice.id, "order.accepted", by="system", now=clock.now())
    seal_entries()
    verdict = seals.verify(now=clock.now() + timedelta(days=1))
    assert (verdict.faults, verdict.sealed > 0) == ([], True)
