"""The door for mail: an SMTP server that asks for each recipient whether anybody is there, and keeps what it is given.

It stands behind the shop's own mail server, which forwards to it: so no TLS, no sign-in, and loopback by default. No
LMTP: a mail server speaks SMTP to a next hop just as well, and one answer for all recipients is what we mean.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

log = logging.getLogger(__name__)
BIGGEST_MAIL = 15_000_000  # bytes; pictures from a telephone, in base64
MOST_RECIPIENTS = 10
A_MINUTE = 60.0


class Keeper(Protocol):
    """Who decides. Answers are SMTP replies; both are called in threads."""

    def may_come(self, address: str) -> str:
        """What to say to a recipient: 250, or why not."""

    def keep(self, addresses: list[str], sender: str, raw: bytes) -> str:
        """What to say when the mail is kept."""


class Door:
    """What aiosmtpd calls."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]  # noqa: ARG002
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        answer = await self._ask(partial(self.keeper.may_come, address))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        raw = bytes(envelope.original_content or b"")
        sender = envelope.mail_from or "<>"
        return await self._ask(partial(self.keeper.keep, list(envelope.rcpt_tos), sender, raw))

    async def _ask(self, question: Callable[[], str]) -> str:
        """Whatever goes wrong with us is no reason to lose a mail: its server tries again."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, question)
        except Exception:
            log.exception("a mail could not be taken")
            return "451 4.3.0 Something is wrong here; please try again later"


def open_door(keeper: Keeper, host: str, port: int) -> Controller:
    """The server; `.start()` it. Raises OSError where it can't listen."""
    options: dict[str, Any] = {"data_size_limit": BIGGEST_MAIL, "enable_SMTPUTF8": True, "timeout": A_MINUTE}
    return Controller(Door(keeper), hostname=host, port=port, ident="mail door", **options)
