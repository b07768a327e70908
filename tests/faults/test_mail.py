"""A mail server in every bad mood: what may go later goes later, what never goes comes to a person, nothing hangs."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email import message_from_string
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from portal.adapters import smtp
from portal.adapters.errors import Permanent, Temporary

DOT = ".\r\n"
Line = Any
Mood = Callable[[Line], None]


class Server:
    """One mood for every client; `taken` is what it took, whatever it said."""

    def __init__(self, **says: str) -> None:
        self.says, self.taken = says, list[str]()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                with client, suppress(OSError):
                    self._talk(client, client.makefile("r", newline="\r\n"))

    def _talk(self, client: socket.socket, heard: Any) -> None:
        self._say(client, "greets", "220 here")
        for line in heard:
            verb = line.split()[0].upper() if line.split() else ""
            if verb == "DATA":
                self._say(client, "DATA", "354 go on")
                self.taken.append("".join(iter(lambda: heard.readline() or DOT, DOT)))  # or the client hung up
                self._say(client, "end", "250 taken")
            else:
                self._say(client, verb, "221 bye" if verb == "QUIT" else "250 fine")

    def _say(self, client: socket.socket, when: str, otherwise: str) -> None:
        """Silence, a drip and a cut are moods too."""
        said = self.says.get(when, otherwise)
        if said == "cut":
            client.shutdown(socket.SHUT_RDWR)
            raise OSError
        while said in ("silence", "drip") and self.listening.fileno() >= 0:
            client.sendall(b"2" if said == "drip" else b"")
            time.sleep(0.02)
        client.sendall(f"{said}\r\n".encode())


@pytest.fixture
def server(request: pytest.FixtureRequest, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server(**request.param)
    monkeypatch.setattr(app.extensions["mail"], "port", made.port)
    monkeypatch.setattr(smtp, "TIMEOUT", 0.3)
    monkeypatch.setattr(smtp, "LONGEST", 0.6)
    yield made
    made.listening.close()


def send() -> None:
    about = {"subject": "Your order", "html": "<p>h</p>", "text": "t", "headers": {}}
    smtp.send(to="alice@example.org", message_id="<1@lantern.shop>", **about)  # type: ignore[arg-type]


LATER = [
    {"greets": "421 not now"}, {"greets": "silence"}, {"greets": "drip"}, {"greets": "cut"}, {"greets": "nonsense"},
    {"MAIL": "451 wait"}, {"RCPT": "450 full"}, {"RCPT": "cut"}, {"DATA": "421 closing"}, {"DATA": "silence"},
    {"end": "452 no room"}, {"end": "drip"},
]  # fmt: skip
NEVER = [{"RCPT": "550 nobody here"}, {"RCPT": "553 no address"}, {"MAIL": "550 not you"}, {"end": "554 spam"}]


@pytest.mark.parametrize("server", LATER, indirect=True, ids=str)
def test_what_may_go_later_is_temporary_and_nothing_hangs(server: Server) -> None:
    with pytest.raises(Temporary):
        send()


@pytest.mark.parametrize("server", NEVER, indirect=True, ids=str)
def test_what_never_goes_is_for_a_person(server: Server) -> None:
    with pytest.raises(Permanent):
        send()


def test_a_mail_server_that_is_not_there_is_temporary(
    app: Flask, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["mail"], "port", free_port())
    with pytest.raises(Temporary):
        send()


@pytest.mark.parametrize("server", [{"end": "cut"}], indirect=True, ids=str)
def test_a_reply_that_is_cut_off_sends_the_same_mail_again(server: Server) -> None:
    """It may have been taken: the second try carries the same name, so that the reader's program shows it once."""
    for _ in range(2):
        with pytest.raises(Temporary):
            send()
    assert [message_from_string(mail)["Message-ID"] for mail in server.taken] == ["<1@lantern.shop>"] * 2
