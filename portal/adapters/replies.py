"""A mail that somebody wrote back to us: read without trusting anything in it, whatever made it.

The parser of the standard library does the MIME; headers are read one by one, because the newer policies take for ever
over headers made to be long, and a part without a charset, or with one that nobody knows, is still read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses
from hashlib import sha256
from html.parser import HTMLParser

DEEPEST, MOST_PARTS = 50, 100
LONGEST_HEADER, LONGEST_TEXT = 2000, 200_000  # characters
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")
MACHINES = ("mailer-daemon", "postmaster", "noreply", "no-reply", "donotreply")
BULK = ("bulk", "junk", "list", "auto_reply")
FROM_PROGRAMS = ("x-autoreply", "x-autorespond", "list-id", "list-unsubscribe")
HIDDEN = ("head", "style", "script", "title")
BLOCKS = ("p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "hr", "blockquote", "pre")


class Unreadable(Exception):
    """No mail that a person's program writes: nested too deep, or in too many parts."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A file as it came. The name is what the sender called it, and nothing more."""

    name: str
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail server says that a mail of ours was not delivered (RFC 3464): which one, and why.

    `why` may name an address, `status` (RFC 3463, like 5.1.1) never does.
    """

    message_id: str
    why: str
    status: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What was written, by whom. `sender` is in lower case, empty when there is none or more than one.

    `automatic` says that a program wrote it (RFC 3834): nobody's word. A bounce is always automatic.
    """

    message_id: str
    sender: str
    text: str
    attached: tuple[Attached, ...] = ()
    automatic: bool = False
    bounce: Bounce | None = None


def message_id(raw: bytes) -> str:
    """What tells this mail from all others: its Message-ID, else a hash of all of it."""
    head = raw[:LONGEST_TEXT].replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    found = re.search(rb"^message-id:\s*(<[!-;=?-~]{1,250}>)", head, re.IGNORECASE | re.MULTILINE)
    return found[1].decode("ascii") if found else f"sha256:{sha256(raw).hexdigest()}"


def read(raw: bytes, envelope_from: str = "") -> Mail:
    """The mail. Raises Unreadable."""
    if raw.lower().count(b"boundary=") > DEEPEST:
        raise Unreadable("parts within parts within parts")
    try:
        message = BytesParser().parsebytes(raw)
        parts = list(_parts(message))
    except (RecursionError, MessageError, ValueError, LookupError) as error:
        raise Unreadable(type(error).__name__) from None
    bounce = _bounce(message, parts)
    return Mail(
        message_id=message_id(raw),
        sender=_sender(message),
        text=_text(parts),
        attached=tuple(_attached(part) for part in parts if _is_attached(part)),
        automatic=bounce is not None or _is_automatic(message, envelope_from),
        bounce=bounce,
    )


def _parts(message: Message) -> Iterator[Message]:
    """The leaves, in their order; a mail inside the mail is a leaf."""
    waiting, seen = [message], 0
    while waiting:
        part, seen = waiting.pop(0), seen + 1
        if seen > MOST_PARTS:
            raise Unreadable("more parts than a person attaches")
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = _inside(part) + waiting
        else:
            yield part


def _inside(part: Message) -> list[Message]:
    """The mails within; none of a text, which is not asked for here: its charset may be one that nobody can spell."""
    inside = part.get_payload() if part.is_multipart() else []
    return [one for one in inside if isinstance(one, Message)]


def _header(message: Message, name: str) -> str:
    """Decoded as far as it can be, on one line."""
    raw = str(message.get(name, ""))[:LONGEST_HEADER]
    try:
        return " ".join(str(make_header(decode_header(raw))).split())
    except (LookupError, UnicodeError, ValueError, MessageError):
        return " ".join(raw.split())


def _sender(message: Message) -> str:
    """The one address in From. Of several, or of a line that can be read two ways, none counts."""
    lines = [str(line)[:LONGEST_HEADER] for line in message.get_all("From", [])]
    try:
        found = [address for _name, address in getaddresses(lines) if "@" in address]
    except (RecursionError, IndexError, ValueError):
        return ""
    return found[0].strip().lower() if len(lines) == 1 and len(found) == 1 else ""


def _is_automatic(message: Message, envelope_from: str) -> bool:
    submitted = _header(message, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if _header(message, "Precedence").lower() in BULK or any(name in message for name in FROM_PROGRAMS):
        return True
    return envelope_from == "<>" or _sender(message).partition("@")[0] in MACHINES


# --- words -----------------------------------------------------------------------------------------------------------


def _is_attached(part: Message) -> bool:
    if part.get_content_maintype() == "text" and part.get_content_subtype() in ("plain", "html"):
        return part.get_content_disposition() == "attachment"
    return True


def _text(parts: list[Message]) -> str:
    """The words: plain ones where there are any, else what a page would show."""
    said = [part for part in parts if not _is_attached(part)]
    plain = [_decoded(part) for part in said if part.get_content_subtype() == "plain"]
    if any(text.strip() for text in plain):
        return "\n".join(plain)
    return "\n".join(_shown(_decoded(part)) for part in said if part.get_content_subtype() == "html")


def _decoded(part: Message) -> str:
    """In the charset that it names; in one that nobody knows, as UTF-8 and then as Latin-1, which reads everything."""
    body = _body(part)[: 4 * LONGEST_TEXT]
    for charset, errors in ((part.get_content_charset() or "utf-8", "strict"), ("utf-8", "strict"), ("latin-1", "")):
        try:
            return body.decode(charset, errors or "replace")[:LONGEST_TEXT]
        except (LookupError, UnicodeError, ValueError):
            continue
    return ""


def _body(part: Message) -> bytes:
    body = part.get_payload(decode=True)
    return body if isinstance(body, bytes) else b""


class Shown(HTMLParser):
    """The text of a page, line by line; what is quoted bears the signs that plain mails bear."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self.hidden = self.quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.hidden += tag in HIDDEN
        if tag in BLOCKS:
            self._break()
        self.quoted += tag == "blockquote"

    def handle_endtag(self, tag: str) -> None:
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        if tag in BLOCKS:
            self._break()
        if tag == "blockquote":
            self.quoted = max(0, self.quoted - 1)

    def _break(self) -> None:
        if self.lines[-1].strip():
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        said = " ".join(data.split())
        if self.hidden or not said:
            return
        if not self.lines[-1]:
            self.lines[-1] = "> " * min(self.quoted, 3) + said
        else:
            self.lines[-1] += f" {said}"


def _shown(page: str) -> str:
    reader = Shown()
    reader.feed(page)
    reader.close()
    return "\n".join(line for line in reader.lines if line.strip())


# --- what comes along -------------------------------------------------------------------------------------------------


def _attached(part: Message) -> Attached:
    """A mail that was forwarded is a file too: its text, never opened."""
    kind = part.get_content_type()
    body = _body(part) if part.get_content_maintype() != "message" else part.as_bytes()
    return Attached(_name(part), kind, body)


def _name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
        name = str(make_header(decode_header(name)))
    except (LookupError, UnicodeError, ValueError, TypeError, MessageError):
        name = ""
    name = re.sub(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "", name).replace("\\", "/").rpartition("/")[2]
    return name.strip()[-100:]


def _bounce(message: Message, parts: list[Message]) -> Bounce | None:
    """The failure that a delivery report tells. Delays and successes are none."""
    if message.get_content_type() != "multipart/report":
        return None
    # what is in a message/delivery-status is parsed as a list of headers without a body
    told = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    blocks = [block for part in told for block in _inside(part)]
    failed = next((block for block in blocks if _header(block, "Action").lower() == "failed"), None)
    ours = next((found for part in parts if (found := _returned_id(part))), "")
    if failed is None:
        return None
    status = re.match(r"\d\.\d{1,3}\.\d{1,3}", _header(failed, "Status"))
    why = _header(failed, "Diagnostic-Code").partition(";")[2].strip() or _header(failed, "Status")
    return Bounce(ours, why[:300] or "it could not be delivered", status[0] if status else "5.0.0")


def _returned_id(part: Message) -> str:
    """The Message-ID of the mail that a report brings back, whole or only its head."""
    if part.get_content_type() == "message/rfc822":
        returned = next(iter(_inside(part)), None)
        text = str(returned.get("Message-ID", "")) if returned else ""
    elif part.get_content_type() == "text/rfc822-headers":
        head = re.search(r"^message-id:\s*(\S+)", _decoded(part), re.IGNORECASE | re.MULTILINE)
        text = head[1] if head else ""
    else:
        return ""
    found = MESSAGE_ID.search(text)
    return found[0] if found else ""
