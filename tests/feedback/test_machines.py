"""What a machine sends counts for nothing: it stands apart, opens nothing, and takes no person's place."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.db import session
from portal.feedback.actions import give_answer
from portal.feedback.case_models import Case
from portal.feedback.machines import Signs, doubt, signs, stamp
from portal.feedback.models import Answer
from portal.lib import clock
from portal.orders import links
from tests.conftest import nothing_appears
from tests.feedback.scenes import asked, html_of, invitation_of, kinds, text_of, written
from tests.world import open_link

A_SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Signs(), ""),
        (Signs(trapped_here=True), "trap"),
        (Signs(trapped_lately=True), "trap"),
        (Signs(opened=3), ""),
        (Signs(opened=4), "many"),
        (Signs(shown_for=timedelta(milliseconds=900)), "quick"),
        (Signs(shown_for=A_SECOND), ""),
        (Signs(trapped_here=True, opened=9, shown_for=timedelta()), "trap"),
    ],
)
def test_what_speaks_for_a_machine(found, why):
    assert doubt(found) == why


@pytest.fixture
def page(surveyed):
    return f"/orders/{surveyed.alice.ref}/survey"


def answers() -> list[tuple[int, bool]]:
    session.expire_all()
    return [(answer.score, answer.provisional) for answer in session.scalars(select(Answer))]


def trapped(client, order):
    """This browser followed the link that nobody sees."""
    token = links.mint(order.id, "trap", None, clock.now())
    session.commit()
    client.get(f"/l/{token}")


def test_the_letter_hides_its_trap_from_people(world, work, mails):
    asked(world.alice, world.pat, work)
    (mail,) = written(mails, "How was it?")
    hidden = [part for part in html_of(mail).split("<a ") if "display:none" in part.split(">")[0]]
    assert len(hidden) == 1
    assert 'aria-hidden="true"' in hidden[0].split(">")[0]
    assert html_of(mail).index(hidden[0]) < html_of(mail).index("?v=1")
    secret = hidden[0].split("/l/")[1][:28]
    assert secret not in text_of(mail)
    assert session.scalar(select(links.Link.purpose).where(links.Link.digest == links.digest(secret))) == "trap"


def test_a_trap_opens_nothing(client, world, page):
    trapped(client, world.alice)
    with nothing_appears():
        assert client.get(page).status_code == 404
        assert client.post(page, data={"score": "1"}).status_code == 404


def test_who_followed_the_trap_answers_provisionally(client, world, page):
    open_link(client, world.alice, "survey")
    trapped(client, world.alice)
    client.post(page, data={"score": "1", "words": "x"})
    assert answers() == [(1, True)]
    assert session.scalars(select(Case)).all() == []
    assert invitation_of(world.alice).state == "sent"
    assert kinds(world.alice)[-1] == "survey.doubted.trap"
    assert "Was that you?" in client.get(page).text


def test_a_scanner_with_a_fresh_jar_for_every_link_is_found_too(app, client, world, page):
    trapped(app.test_client(), world.alice)
    open_link(client, world.alice, "survey")
    client.post(page, data={"score": "1"})
    assert answers() == [(1, True)]


def test_a_person_who_answers_later_counts_though_the_mail_was_scanned(app, client, world, page):
    trapped(app.test_client(), world.alice)
    with clock.moved(timedelta(minutes=2)):
        open_link(client, world.alice, "survey")
        client.post(page, data={"score": "2"})
    assert answers() == [(2, False)]
    assert len(session.scalars(select(Case)).all()) == 1


def test_who_opens_all_links_at_once_is_a_machine(app, world, page):
    token = links.mint(world.alice.id, "survey", None, clock.now())
    session.commit()
    machines = [app.test_client() for _ in range(5)]
    for score, machine in enumerate(machines, 1):
        machine.get(f"/l/{token}?v={score}")
    machines[0].post(page, data={"score": "1"})
    assert answers() == [(1, True)]


def test_who_sends_the_form_the_moment_it_is_shown_is_a_machine(client, world, page):
    open_link(client, world.alice, "survey")
    now = clock.now()
    client.post(page, data={"score": "5", "shown": stamp(world.alice.id, now=now)})
    assert answers() == [(5, True)]
    client.post(page, data={"score": "5", "shown": stamp(world.alice.id, now=now - 2 * A_SECOND)})
    assert answers() == [(5, False)]


@pytest.mark.parametrize("forged", ["", "x", "1|2", "1|2.AAAA"])
def test_a_moment_that_was_forged_says_nothing(world, forged):
    assert signs(world.alice.id, "", forged, now=clock.now()).shown_for is None


def test_a_moment_of_another_order_says_nothing(world):
    now = clock.now()
    assert signs(world.alice.id, "", stamp(world.bob.id, now=now), now=now).shown_for is None


def test_a_machine_takes_no_persons_place(world, page):
    give_answer(world.alice.id, 5, "Lovely.", now=clock.now())
    with nothing_appears():
        give_answer(world.alice.id, 1, "", now=clock.now(), doubt="quick")
    assert answers() == [(5, False)]


def test_a_person_takes_a_machines_place_even_with_the_same_score(world, page):
    give_answer(world.alice.id, 1, "", now=clock.now(), doubt="quick")
    give_answer(world.alice.id, 1, "", now=clock.now())
    assert answers() == [(1, False)]
    assert kinds(world.alice)[-2:] == ["survey.answered", "case.opened"]
    assert invitation_of(world.alice).state == "answered"
