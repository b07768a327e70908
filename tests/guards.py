"""What no test may do: speak off this machine, write a secret into a log, talk to the world inside a transaction."""

import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, ip_address
from typing import Any

import pytest
from flask import has_app_context

from portal.adapters import smtp, stripe, web
from portal.db import session

SECRET = re.compile(r"\b[a-z2-7]{28}\b")
PRIVATE = re.compile(r"[\w.+-]+@(shop\.)?example(\.\w+)?\b|Ångström|Lindenstraße")
OTHERS = ("mail.log", "asyncio", "hypothesis", "aiosmtpd")


ON_THE_MACHINE: list[IPv4Network] = []
"""Networks that are only on this machine: `tests.hosts` makes one."""


class OffTheMachine(BaseException):
    """A test tried to reach another machine; no `except Exception` may hide it."""


def is_near(host: Any) -> bool:
    """Whether this is the machine itself: loopback, a socket file, or no host at all."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ip_address(name.partition("%")[0])
        return address.is_loopback or any(address in network for network in ON_THE_MACHINE)
    except ValueError:
        return name.startswith(("/", "\0"))


def stay_on_the_machine(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    else:
        return
    if not is_near(host):
        raise OffTheMachine(f"{event} to {host}")


sys.addaudithook(stay_on_the_machine)


class Listener(logging.Handler):
    """Notes what ought not to stand in a log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = logging.Formatter("%(name)s: %(message)s").format(record)
        if not record.name.startswith(OTHERS) and (SECRET.search(said) or PRIVATE.search(said)):
            self.found.append(said)


@pytest.fixture(autouse=True)
def logs_hold_no_secrets() -> Iterator[Listener]:
    """Whatever a test logs names no token, no mail address, no customer."""
    listener, root = Listener(), logging.getLogger()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.INFO)
    yield listener
    root.removeHandler(listener)
    root.setLevel(before)
    assert listener.found == []


@pytest.fixture(autouse=True)
def nothing_open_while_the_world_talks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Mail, Stripe and couriers are spoken to with no transaction open on this side."""
    breaches: list[str] = []

    def watched(talk: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if has_app_context() and session.registry.has() and session().in_transaction():
                breaches.append(name)
            return talk(*args, **kwargs)

        return call

    monkeypatch.setattr(smtp, "send", watched(smtp.send, "mail"))
    monkeypatch.setattr(web, "call", watched(web.call, "HTTP"))
    monkeypatch.setattr(stripe.Caller, "request", watched(stripe.Caller.request, "stripe"))
    yield breaches
    assert breaches == []
