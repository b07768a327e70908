"""Letters: rendered when they are owed, sent once by the worker, seen when they fail."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader, TemplateNotFound
from sqlalchemy import func, select, text

from portal import mail
from portal.adapters.errors import Temporary
from portal.db import session
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.actions import FORGOTTEN_AFTER, MOST_ATTEMPTS, begin_sending, record_failure, record_sent
from portal.mail.jobs import send_letter, sweep_letters
from portal.mail.models import Letter
from portal.orders.models import Link
from tests.conftest import Catcher, nothing_appears, owed
from tests.world import World

NOTE = {
    "mail/note/subject.txt": "About\n{{ words }}",
    "mail/note/body.txt": "{{ words }} {{ link('track') }} {{ link('case', 7) }}",
    "mail/note/body.mjml": (
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ words }} {{ link('track') }}</mj-text>"
        "</mj-column></mj-section></mj-body></mjml>"
    ),
    "mail/half/subject.txt": "Half",
}
Work = Callable[..., int]


@pytest.fixture(autouse=True)
def note(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter of the tests' own, with all its parts; and half of one."""
    monkeypatch.setattr(app.jinja_env, "loader", ChoiceLoader([DictLoader(NOTE), app.jinja_env.loader]))  # type: ignore[list-item]


def queue(world: World, words: str = "Hello", **more: Any) -> int | None:
    given = {"to": "alice@example.org", "locale": "en", "order_id": world.alice.id, **more}
    letter = mail.queue("note", now=clock.now(), words=words, **given)
    session.commit()
    return letter


def letter() -> Letter:
    session.expire_all()
    return session.scalars(select(Letter)).one()


def links() -> int:
    return session.scalar(select(func.count()).select_from(Link)) or 0


def bodies(message: EmailMessage) -> str:
    return "".join(str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text")


@pytest.fixture
def refusing(smtp_server: tuple[Catcher, int], mails: list[EmailMessage]) -> Iterator[Catcher]:
    """The mail server, to be told what to answer."""
    yield smtp_server[0]
    smtp_server[0].answer = "250 OK"


def test_a_letter_is_kept_as_it_will_be_read_and_owed(world: World) -> None:
    queue(world, about="return:17")
    assert (letter().kind, letter().subject, letter().state, letter().about) == (
        "note",
        "About Hello",
        "queued",
        "return:17",
    )
    assert ("mail.send_letter", {"letter_id": letter().id}) in owed()


def test_it_is_sent_with_its_parts_and_links_minted_as_it_leaves(
    world: World, work: Work, mails: list[EmailMessage]
) -> None:
    queue(world)
    assert links() == 0
    work(task="mail.send_letter")
    [sent] = mails
    assert (sent["To"], sent["Subject"], sent["Message-ID"]) == (
        "alice@example.org",
        "About Hello",
        letter().message_id,
    )
    assert {part.get_content_type() for part in sent.walk()} >= {"text/plain", "text/html"}
    assert len(set(re.findall(r"/l/([a-z2-7]{28})", bodies(sent)))) == 2
    assert (letter().state, letter().attempts, links()) == ("sent", 1, 2)


def test_l2_no_secret_is_in_the_database(world: World, work: Work, mails: list[EmailMessage]) -> None:
    queue(world)
    work(task="mail.send_letter")
    [secret, _] = sorted(set(re.findall(r"/l/([a-z2-7]{28})", bodies(mails[0]))))
    for table in ("letters", "links", "procrastinate_jobs"):
        rows = session.execute(text(f"SELECT string_agg(t::text, '') FROM {table} t")).scalar_one() or ""
        assert secret not in rows
        assert secret.encode().hex() not in rows


def test_the_minted_link_opens_the_order(world: World, work: Work, mails: list[EmailMessage], client: Any) -> None:
    queue(world)
    work(task="mail.send_letter")
    plain: Any = mails[0].get_body(("plain",))
    [track, _] = re.findall(r"/l/[a-z2-7]{28}", plain.get_content())
    assert client.get(track).location == f"/orders/{world.alice.ref}"


def test_nobody_can_write_a_placeholder_into_what_a_letter_quotes(
    world: World, work: Work, mails: list[EmailMessage]
) -> None:
    typed = "~track~ ~mark.track~ ~anything.7~ " + f"~{'0' * 32}.track~"
    queue(world, typed)
    work(task="mail.send_letter")
    assert letter().state == "sent"
    assert typed in str(mails[0].get_body(("plain",)).get_content())  # type: ignore[union-attr]


def test_what_people_typed_is_escaped_in_html_and_not_in_text(world: World) -> None:
    queue(world, "<b>Tom & Ann</b>")
    assert "&lt;b&gt;Tom &amp; Ann" in letter().html
    assert "<b>Tom & Ann</b>" in letter().text


def test_1_3_11_a_subject_is_one_line(world: World, work: Work, mails: list[EmailMessage]) -> None:
    queue(world, "x\r\nBcc: eve@example.net")
    work(task="mail.send_letter")
    assert (mails[0]["Bcc"], mails[0]["Subject"]) == (None, "About x Bcc: eve@example.net")


@pytest.mark.parametrize(("asked", "kept"), [("de", "de"), ("de-AT", "de"), ("pl", "en"), ("", "en")])
def test_a_letter_is_in_a_language_of_ours(world: World, asked: str, kept: str) -> None:
    queue(world, locale=asked)
    assert letter().locale == kept


def test_without_an_address_nothing_is_owed(world: World) -> None:
    with nothing_appears():
        assert queue(world, to=None) is None
        assert queue(world, to="") is None


def test_what_may_be_written_once_is_written_once(world: World) -> None:
    assert queue(world, once="on-its-way:parcel:3") is not None
    with nothing_appears():
        assert queue(world, once="on-its-way:parcel:3") is None


def test_a_letter_without_its_parts_fails_where_it_is_written(world: World) -> None:
    with nothing_appears(), pytest.raises(TemplateNotFound):
        mail.queue("half", to="alice@example.org", locale="en", now=clock.now())


def test_a_letter_that_comes_too_late_is_not_sent(world: World, work: Work, mails: list[EmailMessage]) -> None:
    queue(world, not_after=clock.now() + timedelta(hours=1))
    with clock.moved(timedelta(hours=2)):
        work(task="mail.send_letter")
    assert (letter().state, mails, links()) == ("suppressed", [], 0)


def test_a_letter_that_was_sent_is_not_sent_again(world: World, work: Work, mails: list[EmailMessage]) -> None:
    queue(world)
    work(task="mail.send_letter")
    send_letter(letter().id)
    assert len(mails) == 1


def test_a_mail_that_may_go_later_is_tried_again(world: World, refusing: Catcher, mails: list[EmailMessage]) -> None:
    queue(world)
    refusing.answer = "451 Come back later"
    with pytest.raises(Temporary):
        send_letter(letter().id)
    assert (letter().state, letter().error, letter().sent_at) == ("failed", "451 Come back later", None)
    refusing.answer = "250 OK"
    send_letter(letter().id)
    assert (letter().state, letter().error, letter().attempts, len(mails)) == ("sent", None, 2, 1)


def test_a_mail_that_never_goes_is_for_a_person_to_look_at(world: World, refusing: Catcher) -> None:
    queue(world)
    refusing.answer = "550 Nobody here"
    send_letter(letter().id)
    assert (letter().state, letter().error) == ("dead", "550 Nobody here")


def test_after_the_last_try_it_is_given_up(world: World, refusing: Catcher) -> None:
    queue(world)
    refusing.answer = "451 Come back later"
    for _ in range(MOST_ATTEMPTS - 1):
        with pytest.raises(Temporary):
            send_letter(letter().id)
    send_letter(letter().id)
    assert (letter().state, letter().attempts) == ("dead", MOST_ATTEMPTS)
    with nothing_appears():
        send_letter(letter().id)


def test_a_person_can_have_it_tried_again(
    world: World, refusing: Catcher, work: Work, mails: list[EmailMessage]
) -> None:
    queue(world)
    refusing.answer = "550 Nobody here"
    work(task="mail.send_letter")
    mail.send_again(letter())
    session.commit()
    refusing.answer = "250 OK"
    work(task="mail.send_letter")
    assert (letter().state, letter().attempts, len(mails)) == ("sent", 1, 1)


def test_what_was_sent_is_not_sent_again_by_hand(world: World, work: Work, mails: list[EmailMessage]) -> None:
    queue(world)
    work(task="mail.send_letter")
    with nothing_appears(), pytest.raises(Refused):
        mail.send_again(letter())


def test_a_worker_that_was_taken_for_dead_may_say_late_how_it_ended(world: World) -> None:
    queue(world)
    begin_sending(letter().id, now=clock.now())
    record_sent(letter().id, now=clock.now())
    sent_at = letter().sent_at
    record_sent(letter().id, now=clock.now() + timedelta(minutes=1))
    assert record_failure(letter().id, "cut off", for_good=False) is False
    assert (letter().state, letter().sent_at, letter().error) == ("sent", sent_at, None)


def test_a_letter_that_no_job_will_send_comes_to_a_person(world: World) -> None:
    queue(world)
    queue(world, "Another")
    lost, kept = session.scalars(select(Letter).order_by(Letter.id))
    session.execute(text("DELETE FROM procrastinate_jobs WHERE args->>'letter_id' = :id"), {"id": str(lost.id)})
    session.commit()
    sweep_letters()
    assert session.get_one(Letter, lost.id, populate_existing=True).state == "queued", "its job may still be on its way"
    with clock.moved(FORGOTTEN_AFTER + timedelta(minutes=1)):
        sweep_letters()
    states = {row.id: row.state for row in session.execute(select(Letter.id, Letter.state))}
    assert states == {lost.id: "dead", kept.id: "queued"}
