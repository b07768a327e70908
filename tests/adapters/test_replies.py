"""Mails are read without trusting them: whatever is wrong in one, it is read or refused, and never takes us down."""

import time
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.adapters.replies import Bounce, Unreadable, message_id, read

HEAD = b"From: Alice <Alice@Example.org>\r\nMessage-ID: <a1@example.org>\r\n"


def mail(head: bytes = b"", body: bytes = b"Still broken.\r\n") -> bytes:
    return HEAD + head + b"\r\n" + body


def test_a_plain_mail_says_who_wrote_what() -> None:
    found = read(mail())
    assert (found.sender, found.text.strip(), found.message_id) == (
        "alice@example.org", "Still broken.", "<a1@example.org>"
    )  # fmt: skip
    assert (found.automatic, found.bounce, found.attached) == (False, None, ())


@pytest.mark.parametrize(
    ("charset", "body", "says"),
    [
        (b"utf-8", "kaputt – schön".encode(), "kaputt – schön"),
        (b"iso-8859-1", "schön".encode("latin-1"), "schön"),
        (b"iso-2022-jp", "壊れた".encode("iso-2022-jp"), "壊れた"),
        (b"windows-1250", "törött".encode("cp1250"), "törött"),
        (b"utf-16", "broken".encode("utf-16"), "broken"),
        (b"x-nobody-knows", b"broken", "broken"),
        (b"utf-8", b"sch\xf6n", "schön"),
        (b"unknown-8bit", b"sch\xf6n", "schön"),
        (b"utf\x008", b"broken", "broken"),
        (b"zlib", b"broken", "broken"),
    ],
)
def test_every_charset_is_read_and_so_is_one_that_nobody_knows(charset: bytes, body: bytes, says: str) -> None:
    assert says in read(mail(b"Content-Type: text/plain; charset=" + charset + b"\r\n", body)).text


def test_a_mail_that_is_only_a_page_is_read_as_text() -> None:
    page = (
        b"<html><head><title>x</title><style>p{}</style></head><body><p>Still&nbsp;broken.</p><script>alert(1)</script>"
        b"<blockquote>Sorry!<br>A new one.</blockquote></body></html>"
    )
    found = read(mail(b"Content-Type: text/html; charset=utf-8\r\n", page)).text
    assert found == "Still broken.\n> Sorry!\n> A new one."


def test_the_plain_words_go_before_the_page() -> None:
    both = EmailMessage()
    both["From"] = "alice@example.org"
    both.set_content("plain words")
    both.add_alternative("<p>a page</p>", subtype="html")
    assert read(both.as_bytes()).text.strip() == "plain words"


def test_files_come_along_with_a_name_that_leads_nowhere() -> None:
    with_file = EmailMessage()
    with_file["From"] = "alice@example.org"
    with_file.set_content("look")
    with_file.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="../../etc/\u202egnp.exe")
    (file,) = read(with_file.as_bytes()).attached
    assert (file.name, file.kind, file.body) == ("gnp.exe", "image/png", b"\x89PNG")


def test_a_mail_within_the_mail_is_a_file() -> None:
    inner, outer = EmailMessage(), EmailMessage()
    inner.set_content("inner words")
    outer["From"] = "alice@example.org"
    outer.set_content("outer words")
    outer.add_attachment(inner)
    found = read(outer.as_bytes())
    assert found.text.strip() == "outer words"
    assert [file.kind for file in found.attached] == ["message/rfc822"]


@pytest.mark.parametrize(
    "head",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"Auto-Submitted: auto-generated (vacation)\r\n",
        b"Precedence: bulk\r\n",
        b"Precedence: AUTO_REPLY\r\n",
        b"X-Autoreply: yes\r\n",
        b"List-Id: <news.example.org>\r\n",
    ],
)
def test_what_a_program_wrote_is_known_by_its_head(head: bytes) -> None:
    assert read(mail(head)).automatic


@pytest.mark.parametrize("head", [b"Auto-Submitted: no\r\n", b"Precedence: first-class\r\n", b""])
def test_what_a_person_wrote_is_not(head: bytes) -> None:
    assert not read(mail(head), "alice@example.org").automatic


def test_a_mail_that_wants_no_bounce_is_from_a_program() -> None:
    assert read(mail(), "<>").automatic
    assert read(b"From: MAILER-DAEMON@example.org\r\n\r\nx").automatic


@pytest.mark.parametrize(
    "head",
    [
        b"From: alice@example.org, eve@example.org\r\n\r\n",
        b"From: alice@example.org\r\nFrom: eve@example.org\r\n\r\n",
        b"From: nobody\r\n\r\n",
        b"\r\n",
    ],
)
def test_of_several_senders_or_none_nobody_counts(head: bytes) -> None:
    assert read(head + b"words").sender == ""


def test_a_name_that_looks_like_an_address_is_only_a_name() -> None:
    assert read(b'From: "alice@example.org" <eve@example.net>\r\n\r\nwords').sender == "eve@example.net"


def report(action: bytes = b"failed") -> bytes:
    """As Postfix reports."""
    return (
        b"From: MAILER-DAEMON@example.org\r\nContent-Type: multipart/report; report-type=delivery-status; "
        b'boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        b"Final-Recipient: rfc822; alice@example.org\r\nAction: " + action + b"\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 <alice@example.org>: user unknown\r\n\r\n"
        b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <ours@aftersale>\r\nSubject: x\r\n\r\n--b--\r\n"
    )


def test_a_report_says_which_mail_came_back_and_why() -> None:
    found = read(report())
    assert found.automatic
    assert found.bounce == Bounce("<ours@aftersale>", "550 5.1.1 <alice@example.org>: user unknown", "5.1.1")


def test_a_delay_is_no_bounce() -> None:
    found = read(report(b"delayed"))
    assert (found.bounce, found.automatic) == (None, True)


def test_what_tells_a_mail_from_others_is_its_id_or_all_of_it() -> None:
    assert message_id(mail()) == "<a1@example.org>"
    assert message_id(b"From: a@b.c\r\n\r\none") != message_id(b"From: a@b.c\r\n\r\ntwo")
    assert message_id(b"From: a@b.c\r\n\r\nMessage-ID: <in@body>\r\n").startswith("sha256:")


def nested(levels: int) -> bytes:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return HEAD + head + b"\r\nwords"


@pytest.mark.parametrize(
    "raw",
    [
        nested(200),
        nested(5000),
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 200 + b"--b--",
    ],
)
def test_parts_within_parts_and_parts_without_end_are_refused(raw: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(Unreadable):
        read(raw)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 5000,
        b"From: " + b"a@b.c, " * 50_000 + b"\r\n\r\nwords",
        b"From: " + b"(" * 50_000 + b"\r\n\r\nwords",
        b"From: =?utf-8?q?" + b"=C3" * 20_000 + b"?= <a@b.c>\r\n\r\nwords",
        b"Content-Type: text/plain; " + b"a=b; " * 20_000 + b"\r\n\r\nwords",
        b"Content-Type: multipart/mixed\r\n\r\nwords without a boundary",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"Content-Type: image/png; name*=x'y'%ff\r\n\r\nwords",
        b"Content-Type: text/plain; charset*0*=\r\n\r\nbro\xff",
        b"Content-Type: multipart/mixed; charset*0*=; boundary=b\r\n\r\nbro\xff",
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 50_000,
        b"x" * 1_000_000,
    ],
)
def test_nonsense_is_read_in_no_time(raw: bytes) -> None:
    began = time.perf_counter()
    read(raw)
    assert time.perf_counter() - began < 2


@settings(max_examples=30)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_mail_or_refused(raw: bytes) -> None:
    for given_raw in (raw, HEAD + raw, HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + raw):
        try:
            read(given_raw)
        except Unreadable:
            continue
