"""Processes that end together, however the one that started them ends.

Each is written into a roster file. A warden holds one end of a pipe; when the other end closes, because the demo was
stopped or killed, it ends everybody on the roster. Whom even that left behind, the next run ends.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

PATIENCE = 12.0  # seconds to end in peace
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A signal that comes meanwhile counts when this ends: what is half started could not be found and ended, and an
    exception raised while Python forks is lost.
    """
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class CantRun(Exception):
    """The demo can't start or go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    """A process by its id and its time of birth, since ids are used again. `last` ends after all others."""

    name: str
    pid: int
    born: float
    ending: int = signal.SIGTERM
    last: bool = False

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return bool(process.create_time() == self.born and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def tell(self, number: int) -> None:
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Roster:
    """Who was started, in a file: a line each. The database is found by its own note, whoever started it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.database = folder / "processes", folder / "postgres" / "postmaster.pid"

    def add(self, name: str, pid: int) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(Member(name, pid, psutil.Process(pid).create_time()))) + "\n")

    def living(self) -> list[Member]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [member for member in (*map(_read, lines), _database(self.database)) if member and member.alive()]

    def end_all(self) -> list[str]:
        """End everybody, by force when asking does not help. The names of those who were still there."""
        living = self.living()
        _end([member for member in living if not member.last])
        _end([member for member in living if member.last])
        self.path.unlink(missing_ok=True)
        return [member.name for member in living]


def _read(line: str) -> Member | None:
    """None for a line that was cut short when its writer was killed."""
    try:
        return Member(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _database(note: Path) -> Member | None:
    """The server whose note this is; SIGINT asks it to let go of its clients and end."""
    try:
        process = psutil.Process(int(note.read_text().split()[0]))
        ours = str(note.parent) in process.cmdline()
        return Member("PostgreSQL", process.pid, process.create_time(), signal.SIGINT, last=True) if ours else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _end(members: list[Member]) -> None:
    """Ask, then insist, then kill. PostgreSQL is never killed before it was told to let its own processes go."""
    for insist in (False, True):
        for member in members:
            member.tell(member.ending if not insist else signal.SIGQUIT if member.last else signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if not any(member.alive() for member in members):
                return
            time.sleep(0.05)
    for member in members:
        member.tell(signal.SIGKILL)


class Crew:
    """The demo's processes. On leaving the block, and when this process is killed, all of them end.

    They are forked, so that what they share is imported once, and live in sessions of their own, so that Ctrl-C reaches
    only this process. `lock` is a file that the warden holds open with us.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder, self.lock = folder, lock
        self.roster = Roster(folder)
        self.programs: list[ForkProcess] = []
        self.left_behind: list[str] = []

    def __enter__(self) -> Self:
        self.left_behind = self.roster.end_all()
        (self.folder / "log").mkdir(exist_ok=True)
        self.lifeline, self.ours = os.pipe()
        with undisturbed():
            self.warden = self._fork("warden", self._watch)
        os.close(self.lifeline)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.roster.end_all()
        os.close(self.ours)
        for program in (*self.programs, self.warden):
            program.join()

    def start(self, name: str, program: Callable[[], None]) -> ForkProcess:
        """Start a program; what it says goes to its log."""
        with undisturbed():
            process = self._fork(name, lambda: self._without_ours(program))
            self.roster.add(name, process.pid or 0)
            self.programs.append(process)
        return process

    def run(self, name: str, program: Callable[[], None]) -> None:
        """Run a program to its end. Raises CantRun with its last words when it fails."""
        process = self.start(name, program)
        process.join()
        if process.exitcode:
            raise CantRun(f"{name} failed.\n{self.last_words(name)}")
        self.programs.remove(process)

    def gone(self) -> str | None:
        """The name of a program that ended by itself."""
        return next((program.name for program in (*self.programs, self.warden) if not program.is_alive()), None)

    def last_words(self, name: str) -> str:
        """The end of a program's log, and where the rest is."""
        lines = self._log(name).read_text(errors="replace").splitlines()[-5:]
        return "\n".join(["  " + line for line in lines] + [f"Its log is {self._log(name)}"])

    def _log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    def _fork(self, name: str, program: Callable[[], None]) -> ForkProcess:
        sys.stdout.flush()
        process = get_context("fork").Process(target=self._become, args=(name, program), name=name)
        process.start()
        return process

    def _become(self, name: str, program: Callable[[], None]) -> None:
        os.setsid()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        log = os.open(self._log(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(self.ours)
        program()

    def _without_ours(self, program: Callable[[], None]) -> None:
        os.close(self.lock)
        program()

    def _watch(self) -> None:
        """The warden: wait until the other end of the pipe is gone, then end whom it left."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        os.read(self.lifeline, 1)
        self.roster.end_all()


@contextmanager
def alone(path: Path, address: str) -> Iterator[int]:
    """Hold the lock that only one run can hold; a killed run's warden is waited for. Raises CantRun."""
    with path.open("a+") as file:
        _take(file.fileno(), path)
        file.truncate(0)
        file.write(f"{os.getpid()} {address}")
        file.flush()
        yield file.fileno()


def _take(lock: int, path: Path) -> None:
    until = time.monotonic() + 3 * PATIENCE
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, address = path.read_text().partition(" ")
            if time.monotonic() > until or not pid.isdigit() or psutil.pid_exists(int(pid)):
                raise CantRun(f"it runs already: {address} (process {pid}). End that one with Ctrl-C first.") from None
        time.sleep(0.1)
