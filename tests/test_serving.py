"""The web server's processes: one that ends is replaced, and being told to stop costs nobody an answer."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import psutil
import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.processes
Shop = tuple[subprocess.Popen[bytes], int]


@pytest.fixture
def shop(server_url: str, free_port: Callable[[], int]) -> Iterator[Shop]:
    port = free_port()
    environ = {**os.environ, "SECRET_KEY": "tests-" * 8, "DATABASE_URL": server_url}
    command = [sys.executable, "-m", "portal.cli", "web", "--port", str(port), "--processes", "2"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
    until(lambda: len(members(process)) == 2 and is_well(port))
    yield process, port
    process.kill()
    process.wait()


def members(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children()


def is_well(port: int) -> bool:
    try:
        return bool(urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).status == 200)
    except OSError:
        return False


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def half_asked(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 20)
    line.sendall(b"POST /find HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\nnumb")
    return line


def test_one_that_ends_is_replaced_and_who_asked_before_the_end_is_answered(shop: Shop) -> None:
    process, port = shop
    first = members(process)
    first[0].kill()
    until(lambda: len(members(process)) == 2 and first[0] not in members(process))
    lines = [half_asked(port) for _ in range(4)]
    time.sleep(1)  # they are read
    process.send_signal(signal.SIGTERM)
    until(lambda: not is_well(port), 10)
    assert process.poll() is None, "it waits for who is in the middle of asking"
    for line in lines:
        line.sendall(b"er=1")
        assert re.match(rb"HTTP/1.1 \d{3} ", line.recv(1000))
        line.close()
    assert process.wait(30) == 0


def test_when_the_first_process_is_killed_the_others_end_too(shop: Shop) -> None:
    """Nobody is left on the port, and the next start finds it free."""
    process, port = shop
    left = members(process)
    process.kill()
    process.wait()
    assert psutil.wait_procs(left, 20)[1] == []
    assert not is_well(port)


TOLD_AT_ONCE = """
import os, signal, sys, time
from types import SimpleNamespace
from flask import Flask
from portal.serving import serve

fork = os.fork

def slow_to_hear():
    member = fork()
    if member:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        time.sleep(0.5)
    return member

os.fork = slow_to_hear
app = Flask("shop")
app.config["SETTINGS"] = SimpleNamespace(trusted_proxies=0)
serve(app, "127.0.0.1", int(sys.argv[1]), processes=2)
"""


def test_told_to_stop_while_it_starts_it_ends_quietly(free_port: Callable[[], int]) -> None:
    """The first process is told as soon as it has made another, which can't hear yet."""
    done = subprocess.run(
        [sys.executable, "-c", TOLD_AT_ONCE, str(free_port())], cwd=ROOT, capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
