"""Everybody's mailbox: takes each mail over SMTP, keeps it as a file, and shows it. Nothing leaves this machine."""

import re
import secrets
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import make_msgid, parsedate_to_datetime
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

BIGGEST_MAIL = 20_000_000
NAME = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{6}")
HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
HTML_POLICY = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox {SANDBOX}"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came in."""

    name: str
    raw: bytes
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def sender(self) -> str:
        return str(self.message["From"] or "")

    @property
    def recipient(self) -> str:
        return str(self.message["Delivered-To"] or self.message["To"] or "")

    @property
    def answers_to(self) -> str:
        """Where an answer goes; empty for a letter that says none but its sender, whom nobody reads here."""
        return str(self.message["Reply-To"] or "")

    def answer(self, words: str) -> EmailMessage:
        """As mail programs write one: from whom it came to, with the letter quoted below."""
        answer, message_id = EmailMessage(), str(self.message["Message-ID"])
        answer["From"], answer["To"], answer["Subject"] = self.message["To"], self.answers_to, f"Re: {self.subject}"
        answer["Message-ID"] = make_msgid(domain="mailbox.example")
        answer["In-Reply-To"], answer["References"] = message_id, message_id
        quoted = "\n".join(f"> {line}" for line in self.text.splitlines())
        answer.set_content(f"{words}\n\nOn {self.message['Date']}, {self.message['From']} wrote:\n\n{quoted}\n")
        return answer

    @property
    def date(self) -> datetime | None:
        """When the sender says it was written."""
        try:
            return parsedate_to_datetime(str(self.message["Date"]))
        except (TypeError, ValueError):
            return None

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        return str(part.get_content()) if part else ""


class Mailbox:
    """A folder with a file per mail; the names sort by arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, content: bytes, recipients: list[str]) -> str:
        """Store a mail under a new name, all of it or nothing."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
        delivered = f"Delivered-To: {', '.join(recipients)}\r\n".encode()
        unfinished = self.folder / f"{name}.part"
        unfinished.write_bytes(delivered + content)
        unfinished.rename(self._path(name))
        return name

    def read(self, name: str) -> Mail | None:
        if not NAME.fullmatch(name) or not self._path(name).exists():
            return None
        raw = self._path(name).read_bytes()
        return Mail(name, raw, message_from_bytes(raw, policy=policy.default))

    def newest(self, to: str = "") -> Iterator[Mail]:
        """The mails, newest first; with `to` only those whose recipient contains it."""
        for path in sorted(self.folder.glob("*.eml"), reverse=True):
            mail = self.read(path.stem)
            if mail and to.lower() in mail.recipient.lower():
                yield mail

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.eml"


class Catcher:
    """What aiosmtpd calls for each mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        self.mailbox.keep(bytes(envelope.original_content or b""), envelope.rcpt_tos)
        return "250 kept"


def smtp_server(mailbox: Mailbox, port: int) -> Controller:
    """An SMTP server on loopback that keeps everything it is given; `.start()` it."""
    return Controller(Catcher(mailbox), hostname="127.0.0.1", port=port, data_size_limit=BIGGEST_MAIL)


bp = Blueprint("mailbox", __name__, url_prefix="/mail")


def _mailbox() -> Mailbox:
    mailbox: Mailbox = current_app.config["MAILBOX"]
    return mailbox


def _mail(name: str) -> Mail:
    return _mailbox().read(name) or abort(404)


@bp.get("/")
def index() -> ResponseReturnValue:
    to = request.args.get("to", "")
    return render_template("outside/mails.html", mails=_mailbox().newest(to), to=to)


@bp.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    mail = _mail(name)
    shown = request.args.get("as", "html" if mail.html else "text")
    return render_template("outside/mail.html", mail=mail, shown=shown, sandbox=SANDBOX)


@bp.post("/<name>/answers")
def answer(name: str) -> ResponseReturnValue:
    """Write back, through the same door that a shop's mail server would knock at."""
    mail, words = _mail(name), request.form.get("words", "").strip()
    if not mail.answers_to or not words:
        abort(400)
    try:
        with smtplib.SMTP("127.0.0.1", current_app.config["MAIL_DOOR"], timeout=10) as line:
            line.send_message(mail.answer(words))
    except smtplib.SMTPRecipientsRefused as refused:
        code, why = next(iter(refused.recipients.values()))
        flash(f"Not taken: {code} {why.decode()}")
    except OSError as error:
        flash(f"The portal's door for mails does not answer: {error}")
    else:
        flash("Your answer was taken. Within moments it stands in the conversation, here and at the desk.")
    return redirect(url_for(".show", name=name), 303)


@bp.get("/<name>/html")
def html(name: str) -> ResponseReturnValue:
    """The mail's own page, for a frame that may do nothing; its links open beside it."""
    page = HEAD.sub(r'\g<0><base target="_blank">', _mail(name).html, count=1)
    return Response(page, mimetype="text/html", headers={"Content-Security-Policy": HTML_POLICY})


@bp.get("/<name>/raw")
def raw(name: str) -> ResponseReturnValue:
    return Response(_mail(name).raw, mimetype="text/plain")
