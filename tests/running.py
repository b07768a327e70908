"""The demo shop as a subprocess, for tests that use it as a newcomer does."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import psutil
import pytest

from portal.demo.processes import Roster

ROOT = Path(__file__).parents[1]


class Demo:
    """The demo shop in a folder and on ports of its own."""

    def __init__(self, var: Path) -> None:
        self.var, self.port = var, five_free_ports()

    def begin(self, *more: str) -> subprocess.Popen[str]:
        """Start it; what it is about to say can be read from its `stdout`."""
        command = [sys.executable, "-m", "portal.demo.run", "--port", str(self.port), "--var", str(self.var), *more]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def open(self, *more: str) -> tuple[subprocess.Popen[str], str]:
        """Start it and wait for the word; what it said until then."""
        process = self.begin(*more)
        said = heard_until(process, "Ctrl-C ends all of it")
        return process, said

    def refused(self, *more: str) -> str:
        """Start it though it can't be; what it says instead."""
        process = self.begin(*more)
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (1, 2)
        assert "Traceback" not in said
        return said

    def processes(self) -> list[psutil.Process]:
        """All that belongs to it: Python programs and PostgreSQL."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            ours = any(str(self.var) in part for part in process.info["cmdline"] or ())
            if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def kill(self) -> None:
        """End what a failed test left."""
        for process in self.processes():
            if "postgres" not in process.name():
                process.kill()
        Roster(self.var).end_all()
        self.wait_until_gone()

    def wait_until_gone(self, seconds: float = 30) -> None:
        until(lambda: not self.processes(), seconds)

    def address(self, path: str, after: int = 0) -> str:
        return f"http://127.0.0.1:{self.port + after}{path}"


def five_free_ports() -> int:
    """The first of five free ports in a row, below those that the system gives to connections."""
    for first in range(20000 + 5 * os.getpid() % 8000, 32000, 5):
        if all(is_free(first + n) for n in range(5)):
            return first
    pytest.fail("there are no five free ports in a row")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def heard_until(process: subprocess.Popen[str], words: str) -> str:
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"it ended before it said {words!r}:\n{said}")


def until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def stop(process: subprocess.Popen[str], number: int = signal.SIGINT) -> str:
    process.send_signal(number)
    said, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    return said


@dataclass(frozen=True)
class Opened:
    """A demo shop that was opened once and closed again, and what it said meanwhile."""

    demo: Demo
    said: str
    left: list[int]


@pytest.fixture(scope="module")
def opened_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Filling a shop takes its time: all modules share this one, one after the other, whichever process runs them."""
    of_all = of_all_workers(tmp_path_factory)
    with (of_all / "demo.json").open("a+") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        note.seek(0)
        shop = Demo(of_all / "demo")
        kept = json.loads(note.read() or "null") or _opened(shop, note)
        shop.port = kept["port"]
        yield Opened(shop, kept["said"], kept["left"])
        shop.kill()


def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run share."""
    its_own = tmp_path_factory.getbasetemp()
    return its_own.parent if "PYTEST_XDIST_WORKER" in os.environ else its_own


def _opened(shop: Demo, note: TextIO) -> dict[str, Any]:
    process, said = shop.open()
    stop(process)
    kept = {"port": shop.port, "said": said, "left": [one.pid for one in shop.processes()]}
    json.dump(kept, note)
    return kept


@pytest.fixture
def demo(opened_once: Opened) -> Iterator[Demo]:
    """The shared shop, closed; a test that fails leaves nothing running."""
    yield opened_once.demo
    opened_once.demo.kill()
