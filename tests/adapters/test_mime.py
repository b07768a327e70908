"""A mail as it leaves says what was given, and nothing more."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.adapters.mime import written

SAID = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"))
LINE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


def read(mail: bytes) -> EmailMessage:
    return message_from_bytes(mail, policy=policy.default)  # type: ignore[arg-type]


@given(SAID, SAID)
def test_both_readings_arrive_as_they_were(text: str, html: str) -> None:
    mail = written({"Subject": "s"}, text=text, html=html)
    parts: list[Any] = [read(mail).get_body((kind,)) for kind in ("plain", "html")]
    assert [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parts] == [text, html]
    assert max(map(len, mail.split(b"\r\n"))) <= 78
    assert b"\n" not in mail.replace(b"\r\n", b"")


@given(LINE.filter(lambda line: "=?" not in line))
def test_a_header_is_read_as_it_was_written(subject: str) -> None:
    mail = read(written({"Subject": subject, "To": "a@example.org"}, text="t", html="h"))
    assert " ".join(mail["Subject"].split()) == " ".join(subject.split())
    assert set(mail.keys()) == {"Subject", "To", "MIME-Version", "Content-Type"}


def test_a_long_address_stays_one_word() -> None:
    stop = f"<https://shop.example/{'a' * 120}>"
    assert stop.encode() in written({"List-Unsubscribe": stop}, text="t", html="h")


@pytest.mark.parametrize("value", ["x\nBcc: eve@example.net", "x\r\n y", "x\ry"])
def test_no_header_becomes_two(value: str) -> None:
    with pytest.raises(ValueError, match="Subject"):
        written({"Subject": value}, text="t", html="h")
