"""`make run`, as a newcomer uses it and as it is maltreated: started, ended, killed, started twice, started half."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import psutil
import pytest

from portal.demo.run import MARK

ROOT = Path(__file__).parents[2]
QUICK = 6.0  # seconds until the second start is open, on a machine with nothing else to do
pytestmark = pytest.mark.processes


class Demo:
    """The demo shop in a folder and on ports of its own."""

    def __init__(self, var: Path) -> None:
        self.var, self.port = var, four_free_ports()

    def begin(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "portal.demo.run", "--port", str(self.port), "--var", str(self.var), *more]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def open(self) -> tuple[subprocess.Popen[str], str]:
        """Start it and wait for the word; what it said until then."""
        process = self.begin()
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

    def wait_until_gone(self, seconds: float = 30) -> None:
        until(lambda: not self.processes(), seconds)

    def address(self, path: str, after: int = 0) -> str:
        return f"http://127.0.0.1:{self.port + after}{path}"


def four_free_ports() -> int:
    """The first of four free ports in a row, below those that the system gives to connections."""
    for first in range(20000 + os.getpid() % 5000, 32000, 4):
        if all(is_free(first + n) for n in range(4)):
            return first
    pytest.fail("there are no four free ports in a row")


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


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, str]]:
    """A shop that was opened once, and what it said."""
    demo = Demo(tmp_path_factory.mktemp("shop") / "demo")
    process, said = demo.open()
    stop(process)
    yield demo, said
    for process_left in demo.processes():
        process_left.kill()


@pytest.fixture
def demo(filled: tuple[Demo, str]) -> Iterator[Demo]:
    """The same shop, closed; a test that fails leaves nothing running."""
    yield filled[0]
    for process in filled[0].processes():
        process.kill()
    filled[0].wait_until_gone()


def test_the_first_run_says_what_it_does_and_leaves_no_process_behind(filled: tuple[Demo, str]) -> None:
    demo, said = filled
    assert said.splitlines()[:3] == [
        "Opening the demo shop for the first time; this takes a little ...",
        "Making the tables ...",
        "Filling the shop with some sixty orders ...",
    ]
    assert demo.processes() == []


def test_every_address_that_it_tells_answers(demo: Demo) -> None:
    process, said = demo.open()
    addresses = re.findall(r"http://\S+", said)
    assert len(addresses) >= 7
    for address in addresses:
        with build_opener(ProxyHandler({}), HTTPCookieProcessor()).open(address, timeout=20) as answer:
            assert answer.status == 200
            assert b"<main" in answer.read()
    assert "Stopped. The next `make run` goes on from here." in stop(process)
    assert demo.processes() == []


def test_the_people_whom_it_names_can_sign_in_at_the_desk(demo: Demo) -> None:
    process, said = demo.open()
    password = re.findall(r"password of everybody: (\S+)", said)[0]
    for email in re.findall(r"\S+@\S+", said):
        assert signed_in(demo, email, password).endswith("/desk/")
    stop(process)


def signed_in(demo: Demo, email: str, password: str) -> str:
    """Where the browser is after this person signed in."""
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    page = browser.open(demo.address("/desk/sign-in"), timeout=20).read().decode()
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
    form = urlencode({"email": email, "password": password, "csrf_token": token}).encode()
    return str(browser.open(demo.address("/desk/sign-in"), form, timeout=20).url)


def test_the_second_run_goes_on_where_the_first_stopped_and_is_quick(demo: Demo) -> None:
    before = time.monotonic()
    process, said = demo.open()
    took = time.monotonic() - before
    assert "Filling" not in said
    assert "Making" not in said
    assert took < QUICK * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    stop(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_all_when_asked_in_other_ways(demo: Demo, number: int) -> None:
    process, _ = demo.open()
    assert len(demo.processes()) > 6
    stop(process, number)
    assert demo.processes() == []


def test_it_can_be_ended_before_it_is_open(demo: Demo) -> None:
    process = demo.begin()
    heard_until(process, "Opening")
    stop(process)
    assert demo.processes() == []


def test_a_second_run_at_the_same_time_says_where_the_first_is(demo: Demo) -> None:
    process, _ = demo.open()
    said = demo.refused()
    assert said == (
        f"Aftersale can't run: it runs already: {demo.address('')} (process {process.pid}). "
        "End that one with Ctrl-C first.\n"
    )
    assert "it runs already" in demo.refused("--forget")
    assert process.poll() is None
    stop(process)


def test_when_it_is_killed_all_of_it_ends(demo: Demo) -> None:
    process, _ = demo.open()
    process.kill()
    process.communicate()
    demo.wait_until_gone()
    process, _ = demo.open()
    stop(process)


def test_the_next_run_waits_for_a_killed_one_to_be_gone(demo: Demo) -> None:
    process, _ = demo.open()
    process.kill()
    process.communicate()
    process, _ = demo.open()
    stop(process)
    assert demo.processes() == []


def test_the_next_run_ends_what_even_the_warden_left_behind(demo: Demo) -> None:
    process, _ = demo.open()
    warden = psutil.Process(process.pid).children()[0]
    process.kill()
    warden.kill()
    process.communicate()
    orphans = {orphan.pid for orphan in demo.processes()}
    assert len(orphans) > 4
    process, said = demo.open()
    assert said.startswith("The last run was killed; what it left behind has ended now (")
    assert not orphans & {one.pid for one in demo.processes()}
    stop(process)


def test_when_a_part_of_it_dies_all_of_it_ends_and_the_part_is_named(demo: Demo) -> None:
    process, _ = demo.open()
    web = psutil.Process(process.pid).children()[-1]
    web.kill()
    said, _ = process.communicate(timeout=40)
    assert process.returncode == 1
    assert "Aftersale can't run: web ended by itself, so all of it ends." in said
    assert "web.log" in said
    assert demo.processes() == []


@pytest.mark.parametrize(("after", "name"), [(0, "shop"), (1, "outside"), (2, "smtp"), (3, "stripe")])
def test_a_taken_port_is_named_and_another_is_offered(demo: Demo, after: int, name: str) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", demo.port + after))
        other.listen()
        said = demo.refused()
    assert (
        f"port {demo.port + after} (for {name}) is taken by another program. Take other ports: make run PORT=" in said
    )
    assert demo.processes() == []


@pytest.mark.parametrize("port", ["80", "99999", "many"])
def test_a_port_that_is_none_is_refused(demo: Demo, port: str) -> None:
    assert f"{port} is no port to use" in demo.refused("--port", port)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    other = Demo(tmp_path)
    assert "holds something that is not the demo's" in other.refused()
    assert "holds something that is not the demo's" in other.refused("--forget")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_database_that_is_broken_is_a_sentence(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    broken = Demo(tmp_path / "demo")
    (broken.var / MARK).write_text("")
    (broken.var / "guide.json").write_text("{}")
    (broken.var / "postgres").mkdir()
    (broken.var / "postgres" / "PG_VERSION").write_text("18\n")
    assert "The bundled PostgreSQL under" in broken.refused()
    assert broken.processes() == []


def test_a_first_run_that_was_killed_half_way_is_started_over_and_forgotten_when_asked(tmp_path: Path) -> None:
    half = Demo(tmp_path / "demo")
    process = half.begin()
    heard_until(process, "Filling")
    time.sleep(1)
    process.kill()
    process.communicate()
    half.wait_until_gone()
    assert not (half.var / "guide.json").exists()
    process, said = half.open()
    assert "Filling the shop" in said
    assert len(json.loads((half.var / "guide.json").read_text())["links"]) > 3
    stop(process)
    gone = half.begin("--forget")
    assert gone.communicate(timeout=40)[0] == "The demo shop is forgotten. `make run` opens a new one.\n"
    assert not half.var.exists()
    assert half.begin("--forget").communicate(timeout=40)[0] == "There is no demo shop yet. `make run` opens one.\n"
