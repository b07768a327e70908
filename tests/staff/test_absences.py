"""Who is away says so at the desk, for their own days; a manager for everybody."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import session
from portal.lib import clock
from portal.lib.days import shop_day
from portal.staff.absences import go_away, responsible_for
from portal.staff.models import StaffAbsence
from tests.conftest import nothing_appears
from tests.world import sign_in


def days(first: int = 0, last: int = 3, person: int = 0) -> dict[str, str]:
    day = shop_day(clock.now())
    return {"person": str(person), "first": str(day + timedelta(first)), "last": str(day + timedelta(last))}


def test_somebody_enters_their_own_days_and_takes_them_back(client, world):
    sign_in(client, world.sam)
    assert "Everybody is here" in client.get("/desk/absences").text
    assert client.post("/desk/absences", data=days(person=world.sam.id)).status_code == 303
    absence = session.scalars(select(StaffAbsence)).one()
    assert absence.staff_id == world.sam.id
    assert "Away now" in client.get("/desk/absences").text
    assert client.post(f"/desk/absences/{absence.id}/end").status_code == 303
    assert session.scalars(select(StaffAbsence)).all() == []


def test_a_manager_enters_everybodys(client, world):
    sign_in(client, world.max)
    assert client.post("/desk/absences", data=days(person=world.sam.id)).status_code == 303


def test_nobody_else_does(client, world):
    sign_in(client, world.max)
    client.post("/desk/absences", data=days(person=world.max.id))
    absence = session.scalars(select(StaffAbsence)).one()
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post("/desk/absences", data=days(person=world.max.id)).status_code == 422
        assert client.post(f"/desk/absences/{absence.id}/end").status_code == 404


@pytest.mark.parametrize(("first", "last"), [(3, 1), (0, 400)])
def test_it_refuses_days_that_make_no_sense(client, world, first, last):
    sign_in(client, world.sam)
    with nothing_appears():
        assert client.post("/desk/absences", data=days(first, last, world.sam.id)).status_code == 409


@pytest.mark.parametrize("day", ["", "soon", "2026-13-01"])
def test_it_refuses_what_is_no_day(client, world, day):
    sign_in(client, world.sam)
    with nothing_appears():
        form = {**days(person=world.sam.id), "last": day}
        assert client.post("/desk/absences", data=form).status_code == 422


def test_it_refuses_days_that_are_known_already(client, world):
    sign_in(client, world.sam)
    client.post("/desk/absences", data=days(person=world.sam.id))
    with nothing_appears():
        answer = client.post("/desk/absences", data=days(2, 5, world.sam.id))
    assert answer.status_code == 409
    assert "Sam is away then already." in answer.text


def away(*people) -> None:
    for person in people:
        go_away(person, shop_day(clock.now()), shop_day(clock.now()), by=person, now=clock.now())


def test_of_a_department_the_first_who_is_here_answers_for_it(world):
    """Sam answers for support and Max deputises; nobody else leads."""
    assert responsible_for("support", now=clock.now()) == world.sam.id
    assert responsible_for("support", now=clock.now(), away=True) == world.max.id
    away(world.sam)
    assert responsible_for("support", now=clock.now()) == world.max.id
    away(world.max)
    assert responsible_for("support", "finance", now=clock.now()) == world.fran.id
    away(world.fran, world.cleo, world.pat, world.rita, world.dan)
    assert responsible_for("support", now=clock.now()) == world.sam.id, "nobody is here: theirs all the same"


def test_only_people_of_these_roles_answer(world):
    assert responsible_for("support", now=clock.now(), named=world.dan.id, roles=("finance",)) == world.fran.id
    assert responsible_for("support", now=clock.now(), roles=("packer",)) is None
