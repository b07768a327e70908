"""Mail leaves with Flask-Mail's settings, and with time-outs and certificates that it does not look at itself.

A line to the server carries the mails that follow at once: to open one takes as long as to send a mail, and much longer
where it is encrypted.
"""

import atexit
import os
import smtplib
import ssl
import time
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from socket import SHUT_RDWR
from threading import RLock, Thread
from typing import Any

from flask import current_app
from flask_mail import Connection, Mail, sanitize_address

from portal.adapters.errors import Permanent, Temporary
from portal.adapters.mime import written

TIMEOUT = 20.0  # seconds for each exchange with the server
LONGEST = 60.0  # seconds for one mail, however slowly the server drips
IDLE = 5.0  # seconds that a line waits for its next mail
MOST = 50  # mails on one line


class Line(smtplib.SMTP):
    """A line to the server that is cut when one mail takes too long: smtplib's time-out is for each byte."""

    carried = 0
    handed_over = False
    """Whether the mail itself was sent: then the server may have it, whatever it said."""

    def connect(self, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        LINES.watch(self)
        try:
            return super().connect(*arguments, **options)
        except BaseException:
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """After "354" goes the mail."""
        code, reply = super().getreply()
        self.handed_over = self.handed_over or code == 354
        return code, reply

    def cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(SHUT_RDWR)  # type: ignore[union-attr]

    def hang_up(self) -> None:
        """Say goodbye, and wait for no answer."""
        with suppress(smtplib.SMTPException, OSError):
            self.putcmd("quit")
        with suppress(OSError):
            self.close()

    def close(self) -> None:
        LINES.forget(self)
        super().close()


class EncryptedLine(Line, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class Lines:
    """All that are open, looked after: who talks for too long is cut, who waits for too long is hung up."""

    def __init__(self) -> None:
        self.ends: dict[Line, float] = {}
        self.waiting: dict[Line, object] = {}
        self.lock, self.looked_after = RLock(), False

    def watch(self, line: Line) -> None:
        """Somebody begins to talk."""
        with self.lock:
            self.ends[line] = time.monotonic() + LONGEST
            if not self.looked_after:
                self.looked_after = True
                Thread(target=self._look_again_and_again, daemon=True).start()

    def forget(self, line: Line) -> None:
        with self.lock:
            self.ends.pop(line, None)
            self.waiting.pop(line, None)

    def keep(self, line: Line, where: object) -> None:
        """It waits for the next mail that goes there."""
        with self.lock:
            if line in self.ends:
                self.ends[line], self.waiting[line] = time.monotonic() + IDLE, where

    def take(self, where: object) -> Line | None:
        """The one that began to wait last, of those that lead there."""
        with self.lock:
            line = next((line for line, leads in reversed(self.waiting.items()) if leads == where), None)
            if line:
                del self.waiting[line]
                self.watch(line)
        return line

    def _look_again_and_again(self) -> None:
        while self._look():
            time.sleep(0.2)

    def _look(self) -> bool:
        """End what has had its time. Whether there is anything left to look after."""
        with self.lock:
            late = [line for line, end in self.ends.items() if end < time.monotonic()]
            waited = [line for line in late if line in self.waiting]
            for line in late:
                self.forget(line)
            left = self.looked_after = bool(self.ends)
        for line in late:
            line.hang_up() if line in waited else line.cut()
        return left

    def hang_up(self) -> None:
        """Nobody has mails any more."""
        with self.lock:
            for line in list(self.waiting):
                line.hang_up()


LINES = Lines()
os.register_at_fork(after_in_child=lambda: vars(LINES).update(vars(Lines())))  # they are the parent's
atexit.register(LINES.hang_up)


class TimedConnection(Connection):
    """Flask-Mail's connection, which by itself would wait for ever and trust any server."""

    def configure_host(self) -> Line:
        host = self._opened()
        try:
            if self.mail.use_tls:
                host.starttls(context=ssl.create_default_context())
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.hang_up()
            raise
        return host

    def _opened(self) -> Line:
        if self.mail.use_ssl:
            trusted = ssl.create_default_context()
            return EncryptedLine(self.mail.server, self.mail.port, timeout=TIMEOUT, context=trusted)
        return Line(self.mail.server, self.mail.port, timeout=TIMEOUT)


class Mailer(Mail):
    def connect(self) -> TimedConnection:
        return TimedConnection(current_app.extensions["mail"])


mailer = Mailer()
ours = lru_cache(maxsize=100)(sanitize_address)
"""Letters come from one address; answers go to it, or to that of a conversation."""


def send(*, to: str, subject: str, html: str, text: str, message_id: str, headers: dict[str, str]) -> None:
    """Hand one mail to the server. Raises Permanent when it will never be taken, Temporary when it may be later."""
    connection = mailer.connect()
    sender = connection.mail.default_sender
    try:
        named = {"Subject": subject, "From": ours(sender), "To": sanitize_address(to)}
        dated = {"Date": formatdate(localtime=True), "Message-ID": message_id}
        mail = written({**named, **dated, **headers}, text=text, html=html)
        back_to = headers.get("Reply-To") or sender  # what can't be delivered comes back to where answers go
        _hand_over(connection, ours(back_to), named["To"], mail)
    except ssl.SSLError as error:  # one of them is a ValueError too
        raise Temporary(f"the mail server can't be trusted: {error}") from error
    except (UnicodeError, ValueError) as error:
        raise Permanent(f"this mail can't be written: {error}") from error
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        raise _judge(code)(f"{code} {_readable(reason)}") from error
    except smtplib.SMTPAuthenticationError as error:
        raise Temporary(f"the mail server refuses our password: {_readable(error.smtp_error)}") from error
    except smtplib.SMTPResponseException as error:
        raise _judge(error.smtp_code)(f"{error.smtp_code} {_readable(error.smtp_error)}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Temporary(f"the mail server is away: {error}") from error


def _hand_over(connection: TimedConnection, sender: str, to: str, mail: bytes) -> None:
    """A line that carried mails before may be tired: its no counts only once it was given this one."""
    if connection.mail.suppress:
        return
    where = tuple(vars(connection.mail).values())
    if used := LINES.take(where):
        try:
            _say(used, where, sender, to, mail)
        except (smtplib.SMTPException, OSError):
            if used.handed_over:
                raise
        else:
            return
    _say(connection.configure_host(), where, sender, to, mail)


def _say(line: Line, where: object, sender: str, to: str, mail: bytes) -> None:
    line.handed_over, line.carried = False, line.carried + 1
    try:
        line.sendmail(sender, [to], mail)
    except BaseException:
        line.hang_up()
        raise
    if line.carried < MOST:
        LINES.keep(line, where)
    else:
        line.hang_up()


def _judge(code: int) -> type[Permanent] | type[Temporary]:
    return Permanent if code >= 500 else Temporary


def _readable(reason: bytes | str) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
