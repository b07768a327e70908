"""Nothing is kept longer than its term; what would go can be seen before it goes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from portal.db import session
from portal.inbox.actions import claim, finish, receive
from portal.inbox.models import InboxMessage
from portal.lib import clock
from portal.mail.models import Letter
from portal.orders.models import Grant, Link, Order
from portal.pictures.models import Picture
from portal.privacy import retention
from portal.privacy.jobs import sweep_old
from portal.returns.actions import cancel_return
from tests.conftest import nothing_appears
from tests.returns import hands
from tests.uploads import hands as pictures
from tests.world import World, open_link, sign_in

Work = Callable[..., int]


def swept(days: float) -> None:
    with clock.moved(timedelta(days=days)):
        sweep_old()
    session.expire_all()


def done(body: bytes = b"{}") -> int:
    message = receive("shopify", "m1", body, now=clock.now())
    assert message
    kept = claim(message)
    assert kept
    finish(kept, now=clock.now())
    session.commit()
    return message


def test_raw_messages_go_after_thirty_days(world: World) -> None:
    message = done()
    swept(29.9)
    assert session.get(InboxMessage, message)
    swept(30.1)
    assert session.get(InboxMessage, message) is None


def test_a_message_that_waits_for_a_person_stays(world: World) -> None:
    message = receive("shopify", "m1", b"{}", now=clock.now())
    session.commit()
    swept(400)
    assert message is not None
    assert session.get(InboxMessage, message) is not None


def test_letters_keep_that_they_were_sent(world: World, work: Work, mails: list[object]) -> None:
    hands.delivered(world, world.alice)
    work()
    swept(31)
    for letter in session.scalars(select(Letter).where(Letter.state == "sent")):
        assert (letter.text, letter.html, letter.headers) == ("", "", {})
        assert (letter.subject != "", letter.to_address != "") == (True, True)


def test_links_go_ninety_days_after_they_ended(client: FlaskClient, world: World) -> None:
    open_link(client, world.alice)
    swept(179)
    assert session.scalar(select(func.count()).select_from(Link)) == 1
    swept(181)
    assert session.scalar(select(func.count()).select_from(Link)) == 0
    assert session.scalar(select(func.count()).select_from(Grant)) == 0


def how_many_pictures() -> int:
    return session.scalar(select(func.count()).select_from(Picture)) or 0


def test_pictures_go_half_a_year_after_all_is_closed(world: World) -> None:
    ret = hands.approved(world, hands.delivered(world, world.alice).order)
    pictures.sent(world.alice, f"return:{ret.id}")
    swept(200)
    assert how_many_pictures() == 1
    with clock.moved(timedelta(days=200)):
        cancel_return(ret, now=clock.now())
        session.commit()
    swept(200 + 182)
    assert how_many_pictures() == 1
    swept(200 + 184)
    assert how_many_pictures() == 0


def test_14_2_7_who_bought_is_forgotten_two_years_after_the_last_thing_happened(world: World) -> None:
    hands.delivered(world, world.alice)
    swept(725)
    assert session.get_one(Order, world.alice.id).erased_at is None
    swept(735)
    assert session.get_one(Order, world.alice.id).erased_at is not None
    assert session.get_one(Order, world.bob.id).erased_at is None


def test_the_dry_run_says_what_would_go_and_takes_nothing(world: World) -> None:
    hands.delivered(world, world.alice)
    done()
    with nothing_appears(), clock.moved(timedelta(days=735)):
        assert (retention.due("orders", now=clock.now()), retention.due("messages", now=clock.now())) == (
            {"": 1},
            {"": 1},
        )


def test_a_country_has_its_own_term(world: World) -> None:
    hands.delivered(world, world.alice)
    hands.delivered(world, world.bob)
    session.execute(text("UPDATE orders SET country = 'FR' WHERE number = '1002'"))
    retention.set_term("orders", "FR", 3650)
    session.commit()
    later = clock.now() + timedelta(days=735)
    assert retention.due("orders", now=later) == {"": 1, "FR": 0}
    swept(735)
    assert session.get_one(Order, world.bob.id).erased_at is None


def test_managers_set_terms(client: FlaskClient, world: World) -> None:
    sign_in(client, world.max)
    assert (
        client.post("/desk/privacy/terms", data={"kind": "letters", "country": "DE", "days": "60"}).status_code == 303
    )
    assert retention.terms("letters") == {"": 30, "DE": 60}
    [term] = session.scalars(select(retention.RetentionTerm.id))
    assert "Germany" in client.get("/desk/privacy").text
    assert client.post(f"/desk/privacy/terms/{term}/removal").status_code == 303
    assert retention.terms("letters") == {"": 30}


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({"kind": "letters", "country": "DE", "days": "0"}, 422),
        ({"kind": "letters", "country": "XX", "days": "5"}, 422),
        ({"kind": "everything", "country": "", "days": "5"}, 422),
        ({"kind": "messages", "country": "DE", "days": "5"}, 409),
    ],
)
def test_it_refuses_terms_that_make_no_sense(
    client: FlaskClient, world: World, typed: dict[str, str], status: int
) -> None:
    sign_in(client, world.max)
    with nothing_appears():
        assert client.post("/desk/privacy/terms", data=typed).status_code == status
