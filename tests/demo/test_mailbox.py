"""The demo's mailbox: what is sent over SMTP can be read, and can do nothing."""

import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from portal.demo.mailbox import Mailbox, smtp_server
from portal.demo.outside import create_outside


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    nobody: Any = None
    return create_outside(Mailbox(tmp_path / "mail"), nobody, nobody).test_client()


@pytest.fixture
def smtp(tmp_path: Path) -> Iterator[smtplib.SMTP]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = smtp_server(Mailbox(tmp_path / "mail"), port)
    server.start()
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as connection:
        yield connection
    server.stop()


def letter(subject: str = "Your parcel is on its way", to: str = "ada@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", to, subject
    message["Date"] = "Mon, 23 Nov 2026 09:00:00 +0000"
    message.set_content("Follow it: http://127.0.0.1:8000/l/abc\n")
    message.add_alternative("<!doctype html><html><head></head><body><h1>On its way</h1></body></html>", subtype="html")
    return message


def test_a_mail_is_listed_and_shown_as_a_page_as_text_and_raw(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter())
    [mail] = client.application.config["MAILBOX"].newest()
    assert "Your parcel is on its way" in client.get("/mail/").text
    assert "<h1>On its way</h1>" in client.get(f"/mail/{mail.name}/html").text
    assert 'href="http://127.0.0.1:8000/l/abc"' in client.get(f"/mail/{mail.name}?as=text").text
    assert "Subject: Your parcel is on its way" in client.get(f"/mail/{mail.name}/raw").text


def test_the_newest_mail_comes_first_and_one_address_can_be_picked_out(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter("First"))
    smtp.send_message(letter("Second", to="grace@example.com"))
    box: Mailbox = client.application.config["MAILBOX"]
    assert [mail.subject for mail in box.newest()] == ["Second", "First"]
    assert [mail.subject for mail in box.newest(to="ADA@")] == ["First"]
    assert "Second" not in client.get("/mail/?to=ada").text


def test_a_blind_copy_shows_who_really_got_it(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter(to="list@example.com"), to_addrs=["hidden@example.com"])
    [mail] = client.application.config["MAILBOX"].newest()
    assert mail.recipient == "hidden@example.com"


def test_a_mail_s_page_runs_no_script_and_its_links_open_beside_it(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter())
    [mail] = client.application.config["MAILBOX"].newest()
    answer = client.get(f"/mail/{mail.name}/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert '<head><base target="_blank">' in answer.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in client.get(f"/mail/{mail.name}").text


def test_a_subject_that_is_markup_is_shown_as_words(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter("<script>alert(1)</script>"))
    assert "<script>" not in client.get("/mail/").text
    assert "&lt;script&gt;" in client.get("/mail/").text


def test_a_mail_in_latin_1_without_a_real_date_is_shown_too(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.sendmail(
        "a@example.com",
        ["b@example.com"],
        b"Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\nDate: soon\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe",
    )
    assert client.get("/mail/").text.count("Grüße") == 2


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "20261123T090000000000-abcdef"])
def test_a_name_that_is_no_mail_is_not_found(client: FlaskClient, name: str) -> None:
    assert client.get(f"/mail/{name}").status_code == 404
    assert client.get(f"/mail/{name}/raw").status_code == 404


def test_an_empty_mailbox_says_so(client: FlaskClient) -> None:
    assert "No mail yet" in client.get("/mail/").text


def test_a_letter_that_says_where_to_can_be_answered(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    """The mailbox's own SMTP server stands in for the portal's door."""
    asks = letter("Is it solved?")
    asks["Reply-To"], asks["Message-ID"] = "answers+7.abc@reply.shop.example", "<ours@aftersale>"
    smtp.send_message(asks)
    client.application.config["MAIL_DOOR"] = smtp.sock.getpeername()[1]
    box: Mailbox = client.application.config["MAILBOX"]
    [mail] = box.newest()
    assert "Answer this mail" in client.get(f"/mail/{mail.name}").text
    assert client.post(f"/mail/{mail.name}/answers", data={"words": "Not yet."}).status_code == 303
    answer = next(box.newest())
    assert (answer.recipient, answer.sender) == ("answers+7.abc@reply.shop.example", "ada@example.com")
    assert answer.message["In-Reply-To"] == "<ours@aftersale>"
    said = answer.text.replace("\r\n", "\n")
    assert said.startswith("Not yet.\n\nOn Mon, 23 Nov 2026 09:00:00 +0000, shop@example.com wrote:\n\n> Follow it")


def test_a_letter_that_does_not_say_where_to_can_not(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    smtp.send_message(letter())
    [mail] = client.application.config["MAILBOX"].newest()
    assert "Answer this mail" not in client.get(f"/mail/{mail.name}").text
    assert client.post(f"/mail/{mail.name}/answers", data={"words": "Not yet."}).status_code == 400


def test_a_door_that_is_shut_is_said(client: FlaskClient, smtp: smtplib.SMTP) -> None:
    asks = letter("Is it solved?")
    asks["Reply-To"] = "answers+7.abc@reply.shop.example"
    smtp.send_message(asks)
    client.application.config["MAIL_DOOR"] = 1
    [mail] = client.application.config["MAILBOX"].newest()
    said = client.post(f"/mail/{mail.name}/answers", data={"words": "Not yet."}, follow_redirects=True).text
    assert "door for mails does not answer" in said
