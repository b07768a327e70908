"""How much one person may approve, who sets it, and that beyond it nothing happens."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.refunds.actions import approve_refund
from portal.refunds.limits import MoneyLimit, MoneyLimitChange, barrier, last_changes, set_limit
from portal.refunds.models import Refund
from tests.conftest import nothing_appears
from tests.refunds.hands import again, asked
from tests.world import World, sign_in


def limited(world: World, most: int | None = None, per_day: int | None = None, reason: str = "", **more: str) -> None:
    """Max sets a limit for finance."""
    terms = {"role": "finance", "currency": "EUR", **more}
    set_limit(**terms, reason=reason, most=most, per_day=per_day, by=world.max, now=clock.now())
    session.commit()


def approve(refund: Refund, world: World, by: str = "fran") -> str:
    approve_refund(refund, by=getattr(world, by), now=clock.now())
    session.commit()
    return again(refund).state


def for_reason(refund: Refund, reason: str) -> Refund:
    refund.reason = reason
    session.commit()
    return refund


def test_up_to_the_limit_it_is_approved(world: World) -> None:
    limited(world, most=4000)
    assert approve(asked(world, 4000), world) == "approved"


def test_2_3_2_beyond_it_somebody_higher_decides(world: World) -> None:
    limited(world, most=3999)
    refund = asked(world, 4000)
    with nothing_appears(), pytest.raises(Refused, match=r"your limit of €39\.99 at once.* A manager has to"):
        approve(refund, world)
    session.rollback()
    assert again(refund).state == "requested"
    assert approve(refund, world, by="max") == "approved"


def test_when_managers_may_not_either_an_admin_decides(world: World) -> None:
    limited(world, most=100)
    world.max.role = "admin"
    limited(world, most=200, role="manager")
    world.max.role = "manager"
    session.commit()
    refund = asked(world, 4000)
    assert "An admin has to approve it." in barrier(refund, world.fran, now=clock.now())
    assert "An admin has to approve it." in barrier(refund, world.max, now=clock.now())
    world.max.role = "admin"
    assert approve(refund, world, by="max") == "approved"


def test_a_days_total_counts_what_the_person_approved_before(world: World) -> None:
    limited(world, per_day=5000)
    approve(asked(world, 4000), world)
    refund = asked(world, 0, 1001)
    with nothing_appears(), pytest.raises(Refused, match=r"your €50\.00 of one day; you have approved €40\.00 today"):
        approve(refund, world)
    session.rollback()
    assert barrier(refund, world.max, now=clock.now()) == ""
    assert barrier(refund, world.fran, now=clock.now() + timedelta(days=1)) == ""


def test_a_limit_for_a_reason_binds_only_that(world: World) -> None:
    limited(world, most=1000, reason="undelivered")
    returned = for_reason(asked(world, 2000), "return:RMA-1")
    lost = for_reason(asked(world, 1500), "undelivered:P-1")
    assert barrier(returned, world.fran, now=clock.now()) == ""
    assert "for this reason" in barrier(lost, world.fran, now=clock.now())


def test_a_days_total_for_a_reason_counts_only_that(world: World) -> None:
    limited(world, per_day=2000, reason="undelivered")
    approve(for_reason(asked(world, 1500), "return:RMA-1"), world)
    lost = for_reason(asked(world, 1500), "undelivered:P-1")
    assert approve(lost, world) == "approved"
    assert barrier(for_reason(asked(world, 501), "undelivered:P-2"), world.fran, now=clock.now())


def test_another_currency_has_limits_of_its_own(world: World) -> None:
    limited(world, most=1, currency="JPY")
    assert approve(asked(world, 4000), world) == "approved"


def test_nobody_approves_money_to_themselves(world: World) -> None:
    refund = asked(world, 4000)
    world.fran.email = world.alice.customer.email or ""
    session.commit()
    with nothing_appears(), pytest.raises(Refused, match="would go to yourself"):
        approve(refund, world)


@pytest.mark.parametrize(
    ("by", "role"), [("max", "manager"), ("max", "admin"), ("fran", "finance"), ("sam", "finance")]
)
def test_nobody_sets_a_limit_for_their_own_rank_or_above(world: World, by: str, role: str) -> None:
    person, now = getattr(world, by), clock.now()
    with nothing_appears(), pytest.raises(Refused, match="below you"):
        set_limit(role, "EUR", "", most=None, per_day=100, by=person, now=now)


def test_each_change_is_in_the_journal_for_good(world: World) -> None:
    limited(world, most=100)
    limited(world, most=100)
    limited(world, most=200, per_day=300)
    limited(world)
    limited(world)
    told = [(change.by.name, change.most, change.per_day) for change in last_changes()]
    assert told == [("Max", None, None), ("Max", 200, 300), ("Max", 100, None)]
    assert session.scalars(select(MoneyLimit)).all() == []
    with pytest.raises(DBAPIError, match="permission denied"):
        session.execute(text("DELETE FROM money_limit_changes"))
    session.rollback()


def test_a_manager_sets_it_at_the_desk_and_the_approver_reads_it(client: FlaskClient, world: World) -> None:
    form = {"role": "finance", "currency": "eur", "reason": "", "most": "20,00", "per_day": ""}
    sign_in(client, world.max)
    assert client.post("/desk/limits", data=form).status_code == 303
    page = client.get("/desk/limits").text
    assert "€20.00" in page
    assert "Max" in page
    refund = asked(world, 4000)
    sign_in(client, world.fran)
    shown = client.get(f"/desk/refunds/{refund.id}").text
    assert "You may not approve this" in shown
    assert f"/desk/refunds/{refund.id}/approval" not in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [({"currency": "EURO"}, "currency like EUR"), ({"currency": "XXX"}, "currency like EUR"),
     ({"most": "a lot"}, "amount like 4.50"), ({"per_day": "1.234"}, "amount like 4.50"), ({"most": "-1"}, "amount")],
)  # fmt: skip
def test_what_is_no_amount_is_said_at_its_field(
    client: FlaskClient, world: World, typed: dict[str, str], said: str
) -> None:
    form = {"role": "finance", "currency": "EUR", "reason": "", "most": "1", "per_day": "2", **typed}
    sign_in(client, world.max)
    with nothing_appears():
        answer = client.post("/desk/limits", data=form)
    assert answer.status_code == 422
    assert said in answer.text


def test_who_may_not_set_limits_does_not_see_them(client: FlaskClient, world: World) -> None:
    sign_in(client, world.fran)
    assert client.get("/desk/limits").status_code == 403
    with nothing_appears():
        assert client.post("/desk/limits", data={}).status_code == 403
    assert session.scalars(select(MoneyLimitChange)).all() == []


def test_what_is_due_soon_is_a_list_by_its_legal_latest_day(client: FlaskClient, world: World) -> None:
    today = clock.now().date()
    for days, amount in ((3, 300), (-1, 100), (4, 400), (0, 200)):
        asked(world, amount, due_on=today + timedelta(days=days))
    page = sign_in(client, world.fran).get("/desk/refunds?state=urgent").text
    assert page.index("€1.00") < page.index("€2.00") < page.index("€3.00")
    assert "€4.00" not in page
