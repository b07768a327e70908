"""Customers answer by mail: through a real SMTP door, kept raw and once, read later, and never believed blindly."""

import io
import smtplib
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import policy
from email.message import EmailMessage

import pytest
from PIL import Image
from sqlalchemy import select

from portal.adapters.mail_door import BIGGEST_MAIL, open_door
from portal.db import session
from portal.feedback import cases
from portal.feedback import mails as addresses
from portal.feedback.case_models import Case, CaseAttachment, CaseMessage
from portal.feedback.jobs import hear
from portal.feedback.mail_keeper import Keeper
from portal.inbox.models import InboxMessage, InboxRefusal
from portal.lib import clock
from portal.lib.errors import Refused
from portal.mail.models import Letter
from portal.pictures.models import Picture
from portal.privacy.actions import forget
from tests.conftest import nothing_appears
from tests.feedback.scenes import case_of, html_of, invited, kinds, text_of, written
from tests.world import open_link, sign_in


@pytest.fixture
def answering(app):
    """The shop takes answers by mail."""
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = before.model_copy(update={"reply_address": "answers@reply.shop.example"})
    yield app
    app.config["SETTINGS"] = before


@pytest.fixture
def case(answering, world, work, mails) -> Case:
    """Alice's mug came broken, and Sam answered by mail."""
    case = complained(world)
    answer(case, world.sam)
    work()
    return case


def complained(world) -> Case:
    invited(world.alice)
    return case_of(world.alice)


def answer(case: Case, by, said: str = "A new mug is on its way.") -> None:
    session.expire_all()
    cases.reply(case, said, asks=True, seen=case.last_message_id, by=by, now=clock.now())
    session.commit()


@pytest.fixture
def door(answering, free_port) -> Iterator[Callable[..., tuple[int, str]]]:
    """A real SMTP server; `door(raw)` brings it a mail like the shop's mail server does, and says what it answered."""
    port = free_port()
    server = open_door(Keeper(answering), "127.0.0.1", port)
    server.start()

    def bring(raw: bytes | EmailMessage, to: str, sender: str = "alice@example.org") -> tuple[int, str]:
        session.commit()
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as line:
            line.ehlo()
            line.mail(sender)
            code, words = line.rcpt(to)
            if code == 250:
                code, words = line.data(raw if isinstance(raw, bytes) else raw.as_bytes(policy=policy.SMTP))
        session.expire_all()
        return code, words.decode()

    yield bring
    server.stop()


def mail(said: str = "It is still broken.", sender: str = "Alice <alice@example.org>", **head: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, "Re: x", "<one@example.org>"
    for name, value in head.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    message.set_content(said)
    return message


def here(case: Case) -> str:
    return str(addresses.address_of(case.id))


def last(case: Case) -> Case:
    session.expire_all()
    return session.get_one(Case, case.id)


def test_our_letter_says_where_to_answer_and_above_which_line(case, mails) -> None:
    (letter,) = written(mails, "Is it solved?")
    assert letter["Reply-To"] == here(case)
    assert text_of(letter).startswith("——— Just answer this mail, and write above this line ———")
    assert "——— Just answer this mail, and write above this line ———" in html_of(letter)


def test_the_letters_of_a_case_are_one_thread(case, world, work, mails, door) -> None:
    door(mail(), here(case))
    work()
    answer(case, world.sam, "We send another one.")
    work()
    first, second = written(mails, "Is it solved?")
    assert second["In-Reply-To"] == "<one@example.org>"
    assert first["References"] in second["References"]
    assert first["Message-ID"] in second["References"]
    assert second["References"].endswith("<one@example.org>")


def test_what_the_customer_answers_by_mail_is_one_conversation_with_their_page(case, door, work, client, world):
    written_back = mail("It is still broken.\n\nOn Monday Lantern wrote:\n> A new mug is on its way.")
    assert door(written_back, here(case))[0] == 250
    assert case.state == "waiting_for_customer"
    work()
    message = last(case).messages[-1]
    assert (case.state, message.words, message.via, message.counts) == ("open", "It is still broken.", "mail", True)
    assert message.quoted == "On Monday Lantern wrote:\n> A new mug is on its way."
    assert kinds(world.alice)[-1] == "case.heard"
    open_link(client, world.alice, "case", case.id)
    page = client.get(f"/orders/{world.alice.ref}/cases/{case.id}").text
    assert page.index("A new mug is on its way.") < page.index("It is still broken.")
    assert "by mail" in page
    assert "<summary>Quoted text" in page
    desk = sign_in(answering_client(client), world.sam).get(f"/desk/cases/{case.id}").text
    assert "It is still broken." in desk


def answering_client(client):
    return client.application.test_client()


def test_a_mail_that_is_delivered_twice_is_one_message(case, door, work):
    door(mail(), here(case))
    work()
    with nothing_appears():
        assert door(mail(), here(case))[0] == 250
        work()
    assert len(session.scalars(select(InboxMessage).where(InboxMessage.source == "mail")).all()) == 1


def test_a_worker_that_stopped_midway_reads_it_again_and_once(case, door, work):
    door(mail(), here(case))
    work(task="feedback.hear")
    stored = session.scalars(select(InboxMessage).where(InboxMessage.source == "mail")).one()
    with nothing_appears():
        hear(stored.id)
    assert stored.state == "done"


@pytest.mark.parametrize(
    "change",
    [
        lambda address: address.replace("+", "+9"),
        lambda address: address.replace(".", "a.", 1),
        lambda address: address.replace("@reply.", "@"),
        lambda address: address[:-30] + ("a" if address[-30] != "a" else "b") + address[-29:],
        lambda address: "answers@reply.shop.example",
        lambda address: "answers+9999999999.aaaaaaaaaaaaaaaa@reply.shop.example",
        lambda address: "x" * 300 + address,
    ],
)
def test_a_wrong_signature_is_nobodys_address(case, door, change):
    changed = change(here(case))
    with nothing_appears(but={"inbox_refusals"}):
        assert door(mail(), changed)[0] in (550, 501, 553)
    assert case.state == "waiting_for_customer"


def test_refused_addresses_are_counted(case, door):
    door(mail(), "answers+1.aaaaaaaaaaaaaaaa@reply.shop.example")
    assert session.scalars(select(InboxRefusal.count).where(InboxRefusal.source == "mail")).one() == 1


def test_an_address_in_capitals_is_the_same(case, door):
    assert door(mail(), here(case).upper())[0] == 250


def test_another_cases_signature_opens_nothing(case, door, world):
    other = str(addresses.address_of(case.id + 1)).replace(f"+{case.id + 1}.", f"+{case.id}.")
    assert door(mail(), other)[0] == 550


def test_a_huge_mail_is_refused_at_the_door(case, door):
    with nothing_appears():
        lines = (b"x" * 998 + b"\r\n") * (BIGGEST_MAIL // 1000)
        code, _words = door(b"From: alice@example.org\r\n\r\n" + lines, here(case))
    assert code == 552


def test_a_flood_is_told_to_come_later(case, door):
    for n in range(addresses.MAILS_PER_HOUR):
        assert addresses.may_come(here(case), now=clock.now()) == "yes", n
    session.commit()
    assert door(mail(), here(case))[0] == 450


def test_what_ended_long_ago_and_whose_customer_is_forgotten_takes_no_mail(case, door):
    cases.say_solved(case, now=clock.now())
    session.commit()
    assert door(mail(), here(case))[0] == 250
    with clock.moved(addresses.OPEN_FOR + timedelta(days=1)):
        code, words = door(mail(Message_ID="<two@example.org>"), here(case))
    assert code == 550
    assert "This conversation ended long ago. Please write to shop@example.com" in words


def test_a_mail_opens_what_silence_had_closed(case, door, work, world):
    session.execute(Case.__table__.update().values(state="closed", closed_at=clock.now()))
    door(mail(), here(case))
    work()
    assert (last(case).state, case.closed_at, case.messages[-1].words) == ("open", None, "It is still broken.")


# --- whose word it is ---


def test_a_mail_from_another_address_is_kept_and_is_nobodys_word(case, door, work, client, world):
    door(mail("Send the money to me.", "Alice <alice@evil.example>"), here(case), sender="alice@evil.example")
    work()
    message = last(case).messages[-1]
    assert (case.state, message.counts, message.from_address) == ("waiting_for_customer", False, "alice@evil.example")
    assert case.asks_if_solved
    open_link(client, world.alice, "case", case.id)
    assert "Send the money" not in client.get(f"/orders/{world.alice.ref}/cases/{case.id}").text
    desk = sign_in(answering_client(client), world.sam)
    assert "This is not the customer's address" in desk.get(f"/desk/cases/{case.id}").text
    assert ">1001<" in desk.get("/desk/cases").text
    assert kinds(world.alice)[-1] == "case.stranger"


def test_somebody_of_the_shop_may_know_better(case, door, work, client, world):
    door(mail("It is me.", "alice@work.example"), here(case), sender="alice@work.example")
    work()
    message, desk = last(case).messages[-1], sign_in(client, world.sam)
    address = f"/desk/cases/{case.id}/messages/{message.id}/acceptance"
    assert desk.post(address).status_code == 303
    assert (last(case).state, message.counts) == ("open", True)
    with nothing_appears():
        assert desk.post(address).status_code == 409
        assert desk.post(f"/desk/cases/{case.id}/messages/999999/acceptance").status_code == 409


@pytest.mark.parametrize("who", ["fran", "cleo"])
def test_only_who_works_on_cases_judges_that(case, door, work, client, world, who):
    door(mail("It is me.", "alice@work.example"), here(case), sender="alice@work.example")
    work()
    sign_in(client, getattr(world, who))
    with nothing_appears():
        answer = client.post(f"/desk/cases/{case.id}/messages/{last(case).messages[-1].id}/acceptance")
    assert answer.status_code == 403


def test_a_message_of_the_customers_own_needs_no_judge(case, world):
    with nothing_appears(), pytest.raises(Refused):
        cases.take_as_theirs(case, case.messages[0].id, by=world.sam, now=clock.now())


@pytest.mark.parametrize("head", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X_Autoreply": "yes"}])
def test_an_answer_of_a_machine_is_nobodys_word(case, door, work, world, head):
    door(mail("I am on holiday.", **head), here(case))
    work()
    assert (last(case).state, len(case.messages)) == ("waiting_for_customer", 2)
    assert kinds(world.alice)[-1] == "case.automatic"


def test_our_own_letter_that_comes_around_does_nothing(case, door, work, world):
    letter = session.scalars(select(Letter).where(Letter.kind == "case-reply")).one()
    before = kinds(world.alice)
    door(mail("A new mug", Message_ID=letter.message_id), here(case))
    door(mail("A new mug", f"Shop <{here(case)}>", Message_ID="<two@example.org>"), here(case))
    work()
    assert (last(case).state, len(case.messages), kinds(world.alice)) == ("waiting_for_customer", 2, before)


def bounced(letter: str, action: str = "failed") -> bytes:
    return (
        "From: MAILER-DAEMON@example.org\r\nMessage-ID: <dsn@example.org>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nAction: {action}\r\n"
        "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 <alice@example.org> unknown\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {letter}\r\n\r\n--b--\r\n"
    ).encode()


def test_a_letter_that_comes_back_waits_for_a_person_and_so_does_the_case(case, door, work, world):
    letter = session.scalars(select(Letter).where(Letter.kind == "case-reply")).one()
    door(bounced(letter.message_id), here(case), sender="")
    work()
    assert (last(case).state, letter.state, letter.error) == ("open", "dead", "550 5.1.1 <alice@example.org> unknown")
    assert kinds(world.alice)[-1] == "case.came_back"
    assert case.due_at > clock.now()


@pytest.mark.parametrize("which", ["<nobodys@aftersale>", ""])
def test_a_bounce_of_somebody_elses_mail_does_nothing(case, door, work, which):
    door(bounced(which), here(case), sender="")
    work()
    assert last(case).state == "waiting_for_customer"


def test_a_delay_is_no_bounce(case, door, work):
    letter = session.scalars(select(Letter).where(Letter.kind == "case-reply")).one()
    door(bounced(letter.message_id, "delayed"), here(case), sender="")
    work()
    assert (last(case).state, letter.state) == ("waiting_for_customer", "sent")


def test_our_letters_come_back_to_the_case(case, smtp_server, world, work):
    assert smtp_server[0].senders[-1] == here(case)


# --- what is in it ---


def test_a_mail_that_nobody_can_read_is_kept_and_said(case, door, work, world):
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    assert door(b"From: alice@example.org\r\n" + deep + b"\r\nwords", here(case))[0] == 250
    work()
    stored = session.scalars(select(InboxMessage).where(InboxMessage.source == "mail")).one()
    assert (stored.state, last(case).state) == ("failed", "waiting_for_customer")
    assert kinds(world.alice)[-1] == "case.unreadable"


def test_files_are_not_kept_but_said(case, door, work, client, world):
    with_file = mail()
    with_file.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="invoice.pdf")
    door(with_file, here(case))
    work()
    (file,) = session.scalars(select(CaseAttachment)).all()
    assert (file.name, file.size, file.picture_id) == ("invoice.pdf", 8, None)
    page = sign_in(client, world.sam).get(f"/desk/cases/{case.id}").text
    assert "invoice.pdf" in page
    assert "only pictures are, since other files may carry programs" in page


def test_a_picture_is_made_anew_and_shown_to_both(case, door, work, client, world):
    with_picture = mail()
    with_picture.add_attachment(photo(), maintype="image", subtype="jpeg", filename="mug.jpg")
    with_picture.add_attachment(b"GIF89a<script>", maintype="image", subtype="gif", filename="evil.gif")
    door(with_picture, here(case))
    work()
    (kept,) = session.scalars(select(Picture)).all()
    assert b"Exif" not in kept.content
    assert kept.about == f"case_message:{last(case).messages[-1].id}"
    open_link(client, world.alice, "case", case.id)
    address = f"/orders/{world.alice.ref}/case-pictures/{kept.id}"
    page = client.get(f"/orders/{world.alice.ref}/cases/{case.id}").text
    assert f'src="{address}/thumbnail"' in page
    assert client.get(address).mimetype == "image/jpeg"
    assert client.get(f"{address}/thumbnail").mimetype == "image/jpeg"
    assert client.get(f"{address}0").status_code == 404
    desk = sign_in(answering_client(client), world.sam).get(f"/desk/cases/{case.id}").text
    assert f'src="/desk/pictures/{kept.id}/thumbnail"' in desk
    assert "evil.gif" in desk
    assert "It is not a picture that we can read." in desk


def test_pictures_of_a_case_are_nobody_elses(case, door, work, client, world):
    with_picture = mail()
    with_picture.add_attachment(photo(), maintype="image", subtype="jpeg", filename="mug.jpg")
    door(with_picture, here(case))
    work()
    kept = session.scalars(select(Picture)).one()
    open_link(client, world.bob, "case", case.id)
    for ref in (world.alice.ref, world.bob.ref):
        assert client.get(f"/orders/{ref}/case-pictures/{kept.id}").status_code == 404


def photo() -> bytes:
    """As a telephone makes one, with what it tells about itself."""
    exif, paper = Image.Exif(), io.BytesIO()
    exif[271] = "Telephone"
    Image.linear_gradient("L").save(paper, "JPEG", exif=exif)
    return paper.getvalue()


def test_words_of_a_mail_stay_words(case, door, work, client, world):
    door(mail("<script>alert(1)</script>\x07{{ 7*7 }}"), here(case))
    work()
    assert last(case).messages[-1].words == "<script>alert(1)</script>{{ 7*7 }}"
    page = sign_in(client, world.sam).get(f"/desk/cases/{case.id}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in page


def test_a_novel_is_cut(case, door, work):
    door(mail("word " * 30_000), here(case))
    work()
    assert len(last(case).messages[-1].words) < 21_000


def test_who_is_forgotten_leaves_no_mail_behind(case, door, work, world):
    door(mail("It is me.", "alice@work.example"), here(case), sender="alice@work.example")
    work()
    forget([world.alice.id], now=clock.now())
    session.commit()
    assert session.scalars(select(InboxMessage).where(InboxMessage.source == "mail")).all() == []
    said = session.scalars(select(CaseMessage)).all()
    assert {(one.words, one.quoted, one.from_address, one.mail_id) for one in said} == {("", "", "", "")}


def test_without_an_address_for_answers_letters_ask_for_none(app, world, work, mails):
    answer(complained(world), world.sam)
    work()
    (letter,) = written(mails, "Is it solved?")
    assert letter["Reply-To"] is None
    assert "———" not in text_of(letter)
