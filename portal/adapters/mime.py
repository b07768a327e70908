"""A mail as it goes over the line: two readings of one letter, written straight down.

Python's email package makes objects of every header and asks them about themselves at each turn; that took as long as
all the rest of a letter.
"""

from collections.abc import Mapping
from email.header import Header
from quopri import encodestring

BETWEEN = "=_between_two_readings"
"""Quoted-printable text never has `=_` in it."""


def written(headers: Mapping[str, str], *, text: str, html: str) -> bytes:
    """Raises ValueError when a header would become two."""
    lines = [_header(name, value) for name, value in headers.items()]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{BETWEEN}"', ""]
    for kind, content in (("plain", text), ("html", html)):
        lines += [
            f"--{BETWEEN}",
            f'Content-Type: text/{kind}; charset="utf-8"',
            "Content-Transfer-Encoding: quoted-printable",
            "",
            _quoted(content),
        ]
    return "\r\n".join([*lines, f"--{BETWEEN}--", ""]).encode("ascii")


def _header(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError(f"{name} has more than one line")
    line = f"{name}: {value}"
    if len(line) <= 78 and value.isascii():
        return line
    folded = Header(value, header_name=name).encode(linesep="\r\n")
    return f"{name}: {folded}"


def _quoted(content: str) -> str:
    one_way = content.replace("\r\n", "\n").replace("\r", "\n")
    return encodestring(one_way.encode()).replace(b"\n", b"\r\n").decode("ascii")
