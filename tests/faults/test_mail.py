"""A mail server in every bad mood: what may go later goes later, what never goes comes to a person, nothing hangs."""

import os
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
    """One mood for every client; `taken` is what it took, whatever it said; `heard` every verb.

    A mood "MAIL again" is for clients that sent a mail on the same line before.
    """

    def __init__(self, **says: str) -> None:
        self.says, self.taken, self.heard = says, list[str](), list[str]()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        heard, again = client.makefile("r", newline="\r\n"), ""
        with client, suppress(OSError):
            self._say(client, "greets", "220 here")
            for line in heard:
                verb = line.split()[0].upper() if line.split() else ""
                self.heard.append(verb)
                if verb == "DATA":
                    self._say(client, f"DATA{again}", "354 go on")
                    self.taken.append("".join(iter(lambda: heard.readline() or DOT, DOT)))  # or the client hung up
                    verb = "end"
                self._say(client, f"{verb}{again}", "221 bye" if verb == "QUIT" else "250 fine")
                again = " again" if verb == "end" else again

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
    smtp.LINES.hang_up()


def send(to: str = "alice@example.org") -> None:
    about = {"subject": "Your order", "html": "<p>h</p>", "text": "t", "headers": {}}
    smtp.send(to=to, message_id="<1@lantern.shop>", **about)  # type: ignore[arg-type]


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


def lines(server: Server) -> int:
    """How many were opened."""
    return server.heard.count("EHLO")


PLAIN = pytest.mark.parametrize("server", [{}], indirect=True, ids=str)


@PLAIN
def test_mails_that_follow_at_once_share_a_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "MOST", 3)
    for _ in range(4):
        send()
    assert (len(server.taken), lines(server)) == (4, 2)


@PLAIN
def test_a_domain_with_an_umlaut_gets_its_mail(server: Server) -> None:
    send(to="ada@müller.example")
    assert "To: ada@xn--mller-kva.example" in server.taken[0]


TIRED = [
    {"MAIL again": "421 that was enough"}, {"MAIL again": "cut"}, {"MAIL again": "silence"}, {"MAIL again": "550 no"},
    {"RCPT again": "452 that was enough"}, {"RCPT again": "550 no"}, {"RCPT again": "cut"}, {"DATA again": "421 no"},
]  # fmt: skip


@pytest.mark.parametrize("server", TIRED, indirect=True, ids=str)
def test_a_tired_line_is_no_refusal(server: Server) -> None:
    """What a line says that has carried a mail is heard again on a fresh one, unless it was given this mail."""
    send()
    send()
    assert (sum("Message-ID" in mail for mail in server.taken), lines(server)) == (2, 2)


@pytest.mark.parametrize("server", [{"end again": "452 no room"}, {"end again": "cut"}], indirect=True, ids=str)
def test_what_a_used_line_may_have_taken_is_not_sent_once_more_at_once(server: Server) -> None:
    send()
    with pytest.raises(Temporary):
        send()
    assert (len(server.taken), lines(server)) == (2, 1)


@PLAIN
def test_a_line_that_no_mail_comes_for_is_hung_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "IDLE", 0.1)
    send()
    until = time.monotonic() + 10
    while "QUIT" not in server.heard:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not smtp.LINES.ends


@PLAIN
def test_a_forked_process_does_not_talk_on_its_parent_s_line(server: Server) -> None:
    send()
    if not (child := os.fork()):
        os._exit(len(smtp.LINES.waiting))
    assert os.waitpid(child, 0)[1] == 0
    assert len(smtp.LINES.waiting) == 1
