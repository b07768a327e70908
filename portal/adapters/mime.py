"""A mail as it goes over the line: two readings of one letter, by the email package's older and much faster way.

Its newer one, under Flask-Mail's `Message`, makes objects of every header and takes each apart whenever asked for.
"""

from collections.abc import Mapping
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import Compat32
from quopri import encodestring
from secrets import token_hex
from typing import Any

LINE = 76


class AsSmtp(Compat32):
    """Most headers fit in a line as they are; the email package looks at each for where it could be folded."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        whole = f"{name}: {value}"
        if isinstance(value, str) and len(whole) < LINE and whole.isascii():
            return f"{whole}{self.linesep}".encode()
        return super().fold_binary(name, value)


AS_SMTP = AsSmtp(linesep="\r\n")


def written(headers: Mapping[str, str], *, text: str, html: str) -> bytes:
    """Raises ValueError when a header would become two."""
    mail = MIMEMultipart("alternative", boundary=f"=_{token_hex(8)}")  # "=_" stands in nothing quoted-printable
    for name, value in headers.items():
        mail[name] = _header(name, value)  # type: ignore[assignment]
    mail.attach(_reading("plain", text))
    mail.attach(_reading("html", html))
    return mail.as_bytes(policy=AS_SMTP)


def _header(name: str, value: str) -> str | Header:
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name} has more than one line")
    return value if value.isascii() and value.isprintable() else Header(value, "utf-8", header_name=name)


def _reading(kind: str, content: str) -> MIMENonMultipart:
    """Quoted-printable: a letter's HTML has lines longer than the 998 bytes that SMTP takes."""
    reading = MIMENonMultipart("text", kind, charset="utf-8")
    reading["Content-Transfer-Encoding"] = "quoted-printable"
    one_way = content.replace("\r\n", "\n").replace("\r", "\n")
    reading.set_payload(encodestring(one_way.encode()).decode("ascii"))
    return reading
