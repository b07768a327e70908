"""Mail leaves through Flask-Mail, with time-outs and certificates that it does not look at itself."""

import smtplib
import ssl
from contextlib import suppress
from email import charset
from socket import SHUT_RDWR
from threading import Timer
from typing import Any

from flask import current_app
from flask_mail import BadHeaderError, Connection, Mail, Message

from portal.adapters.errors import Permanent, Temporary

TIMEOUT = 20.0  # seconds for each exchange with the server
LONGEST = 60.0  # seconds for one mail, however slowly the server drips
# Flask-Mail has bodies sent as they are; a letter's HTML has lines longer than the 998 bytes that SMTP takes
charset.add_charset("utf-8", charset.SHORTEST, charset.QP, "utf-8")


class Line(smtplib.SMTP):
    """A line to the server that is cut when one mail takes too long: smtplib's time-out is for each byte."""

    def connect(self, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        self.end = Timer(LONGEST, self.cut)
        self.end.daemon = True
        self.end.start()
        return super().connect(*arguments, **options)

    def cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(SHUT_RDWR)  # type: ignore[union-attr]

    def close(self) -> None:
        self.end.cancel()
        super().close()


class EncryptedLine(Line, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


class TimedConnection(Connection):
    """Flask-Mail's connection, which by itself would wait for ever and trust any server."""

    def configure_host(self) -> smtplib.SMTP:
        if self.mail.use_ssl:
            trusted = ssl.create_default_context()
            host: smtplib.SMTP = EncryptedLine(self.mail.server, self.mail.port, timeout=TIMEOUT, context=trusted)
        else:
            host = Line(self.mail.server, self.mail.port, timeout=TIMEOUT)
        if self.mail.use_tls:
            host.starttls(context=ssl.create_default_context())
        if self.mail.username and self.mail.password:
            host.login(self.mail.username, self.mail.password)
        return host


class Mailer(Mail):
    def connect(self) -> Connection:
        return TimedConnection(current_app.extensions["mail"])


mailer = Mailer()


def send(*, to: str, subject: str, html: str, text: str, message_id: str, headers: dict[str, str]) -> None:
    """Hand one mail to the server. Raises Permanent when it will never be taken, Temporary when it may be later."""
    message = Message(subject=subject, recipients=[to], body=text, html=html, extra_headers=dict(headers))
    message.msgId = message_id
    try:
        with mailer.connect() as connection:
            # what can't be delivered comes back to where answers go
            connection.send(message, envelope_from=headers.get("Reply-To"))
    except ssl.SSLError as error:  # one of them is a ValueError too
        raise Temporary(f"the mail server can't be trusted: {error}") from error
    except (BadHeaderError, UnicodeError, ValueError) as error:
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


def _judge(code: int) -> type[Permanent] | type[Temporary]:
    return Permanent if code >= 500 else Temporary


def _readable(reason: bytes | str) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
