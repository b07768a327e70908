"""The web server: waitress, in as many processes as the machine has cores, all on one socket (docs/adr/0006)."""

import contextlib
import gc
import logging
import os
import signal
import socket
import time
from typing import Any

import waitress
from flask import Flask

log = logging.getLogger(__name__)
MOST_CONNECTIONS, LET_GO_AFTER = 1000, 60  # seconds
BIGGEST_BODY = 16_000_000
"""What the web server reads at all; what is over the portal's own, lower limit is answered by a page that says so."""
ANSWERED_WITHIN, ENDED_WITHIN = 20.0, 25.0
"""Seconds: for the requests under way when a process is told to stop, and for all processes together."""
MOST_BY_ITSELF = 4
ENDS = (signal.SIGTERM, signal.SIGINT)


def processes_here() -> int:
    """One for each core that we may use; a bigger machine is told how many."""
    return min(MOST_BY_ITSELF, len(os.sched_getaffinity(0)))


def serve(app: Flask, host: str, port: int, *, threads: int = 8, processes: int = 1) -> None:
    """Until SIGTERM or SIGINT; then what was asked is still answered. Raises OSError when nobody can listen there."""
    line = listening(host, port)
    if processes == 1:
        answer(app, line, threads)
    else:
        Crew(app, line, threads).run(processes)


def listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    line.bind((host, port))
    line.listen(1024)
    return line


def how_served(app: Flask) -> dict[str, Any]:
    """Room for many who are slow beside those who are not; a connection on which nothing happens is let go."""
    return {
        "ident": None,
        "max_request_body_size": BIGGEST_BODY,
        "clear_untrusted_proxy_headers": not app.config["SETTINGS"].trusted_proxies,
        "connection_limit": MOST_CONNECTIONS,
        "channel_timeout": LET_GO_AFTER,
        "asyncore_use_poll": True,
    }


def answer(app: Flask, line: socket.socket, threads: int, leader: int | None = None) -> None:
    """One process. Told to stop, it takes no new line, and ends when those that asked have their answer.

    It ends so too when the process that began it is there no more: killed, a leader tells nobody.
    """
    told = []
    for number in ENDS:
        signal.signal(number, lambda *_: told.append(True))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    server: Any = waitress.create_server(app, sockets=[line], threads=threads, **how_served(app))
    while not told and (leader is None or os.getppid() == leader):
        _turn(server)
    server.del_channel()
    line.close()
    until = time.monotonic() + ANSWERED_WITHIN
    while time.monotonic() < until and any(_is_owed(channel) for channel in list(server.active_channels.values())):
        _turn(server)
    server.task_dispatcher.shutdown(timeout=1)


def _turn(server: Any) -> None:
    server.asyncore.loop(timeout=0.5, map=server._map, use_poll=True, count=1)


def _is_owed(channel: Any) -> bool:
    """Whether it asked, or is in the middle of asking, and has not all of its answer."""
    return bool(channel.requests or channel.request or channel.total_outbufs_len)


class Crew:
    """The processes that answer on one socket. One that ends by itself is replaced."""

    def __init__(self, app: Flask, line: socket.socket, threads: int) -> None:
        self.app, self.line, self.threads = app, line, threads
        self.members: set[int] = set()
        self.told = False

    def run(self, processes: int) -> None:
        gc.freeze()  # what is made by now is shared by all, as long as nobody touches it
        for number in ENDS:
            signal.signal(number, self.tell)
        for _ in range(processes):
            self.begin()
        while self.members:
            self.wait_for_one()

    def begin(self) -> None:
        """Deaf meanwhile: a member that is told to stop before it hears for itself would do what its leader does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        if not self.told:
            leader = os.getpid()
            member = os.fork()
            if member == 0:
                self.work(leader)
            self.members.add(member)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)

    def work(self, leader: int) -> None:
        """Never returns: what the first process does when it ends is not this one's to do."""
        code = 1
        try:
            answer(self.app, self.line, self.threads, leader)
            code = 0
        except Exception:
            log.exception("a web process failed")
        finally:
            os._exit(code)

    def wait_for_one(self) -> None:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            self.members.clear()
            return
        if ended in self.members:
            self.members.discard(ended)
            if not self.told:
                log.error("web process %s ended (%s) and is replaced", ended, os.waitstatus_to_exitcode(status))
                time.sleep(0.5)
                self.begin()

    def tell(self, *_: Any) -> None:
        """All are told to stop; who has not after a while is ended."""
        self.told = True
        self.line.close()
        for member in self.members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGTERM)
        signal.signal(signal.SIGALRM, self.end)
        signal.setitimer(signal.ITIMER_REAL, ENDED_WITHIN)

    def end(self, *_: Any) -> None:
        for member in self.members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
