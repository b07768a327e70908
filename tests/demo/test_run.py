"""`make run`, as a newcomer uses it and as it is maltreated: started, ended, killed, started twice, started half."""

import os
import re
import signal
import socket
import subprocess
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import psutil
import psycopg
import pytest

from portal.demo import run
from portal.demo.processes import CantRun
from tests.running import Demo, Opened, five_free_ports, heard_until, stop, until

pytestmark = pytest.mark.processes


def test_the_first_run_says_what_it_does_and_leaves_no_process_behind(opened_once: Opened) -> None:
    assert opened_once.said.splitlines()[:3] == [
        "Opening the demo shop for the first time; this takes a little ...",
        "Making the tables ...",
        "Filling the shop with some sixty orders ...",
    ]
    assert opened_once.left == []


@dataclass(frozen=True)
class Running:
    """The demo shop while it is open, and what it said."""

    demo: Demo
    process: subprocess.Popen[str]
    said: str

    @property
    def var(self) -> Path:
        return self.demo.var


@pytest.fixture(scope="module")
def running(opened_once: Opened) -> Iterator[Running]:
    """Opened a second time, for all tests that only look at it or ask it to do what it must not."""
    process, said = opened_once.demo.open()
    yield Running(opened_once.demo, process, said)
    opened_once.demo.kill()


def test_the_shop_is_full_of_life(running: Running) -> None:
    """One refund fails only when Stripe's webhook says so, and a letter tells it."""
    settings = dict(re.findall(r"^export (\w+)='?(.*?)'?$", (running.var / "settings.sh").read_text(), re.MULTILINE))
    with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as shop:
        until(lambda: found(shop, "refunds") > {"failed"} and found(shop, "letters") == {"sent"}, 60)
        until(lambda: found(shop, "told") == {"told", "failed"}, 60)
        seen = {name: found(shop, name) for name in LIFE}
        [(orders, failures)] = shop.execute("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM job_failures)")
    assert orders >= 60
    assert failures == 0
    assert seen == {
        "languages": {"en", "de", "fr"},
        "currencies": {"EUR", "GBP"},
        "parcels": {"to_pick", "picking", "picked", "packed", "handed_over"},
        "on their way": {
            "unknown", "label_created", "in_transit", "delayed", "out_for_delivery", "attempt_failed",
            "ready_for_pickup", "delivered", "returning", "returned", "exception",
        },
        "channels": {"api:webshop", "shopify", "woocommerce", "checkout", "instead"},
        "asked": {"changed", "not_paid", "missing_sku", "bad_email"},
        "changes": {"applied", "held"},
        "told": {"told", "failed"},
        "scan forms": {"made"},
        "surveys": {"scheduled", "sent", "answered", "suppressed", "expired"},
        "cases": {"open", "waiting_for_customer", "solved", "closed"},
        "returns": {"requested", "approved", "declined"},
        "withdrawals": {"carried_out", "received"},
        "goods": {"not_expected", "awaited", "in_transit", "received"},
        "odd parcels": {"open"},
        "refunds": {"requested", "approved", "succeeded", "failed"},
        "letters": {"sent"},
    }  # fmt: skip


def found(shop: psycopg.Connection[Any], name: str) -> set[str]:
    return {row[0] for row in shop.execute(LIFE[name])}


LIFE = {
    "languages": "SELECT locale FROM orders",
    "currencies": "SELECT currency FROM orders",
    "parcels": "SELECT state FROM parcels",
    "on their way": "SELECT tracking_status FROM parcels",
    "channels": "SELECT channel FROM orders",
    "asked": "SELECT code FROM order_flags",
    "changes": "SELECT state FROM order_changes",
    "told": "SELECT state FROM channel_pushes",
    "scan forms": "SELECT state FROM manifests",
    "surveys": "SELECT state FROM survey_invitations",
    "cases": "SELECT state FROM cases",
    "returns": "SELECT decision FROM returns",
    "withdrawals": "SELECT state FROM withdrawals",
    "goods": "SELECT goods FROM returns",
    "odd parcels": "SELECT state FROM oddities",
    "refunds": "SELECT state FROM refunds",
    "letters": "SELECT state FROM letters",
}


def test_every_address_that_it_tells_answers(running: Running) -> None:
    addresses = re.findall(r"http://\S+", running.said)
    assert len(addresses) >= 7
    for address in addresses:
        with build_opener(ProxyHandler({}), HTTPCookieProcessor()).open(address, timeout=20) as answer:
            assert answer.status == 200
            assert b"<main" in answer.read()


def test_the_people_whom_it_names_can_sign_in_at_the_desk(running: Running) -> None:
    password = re.findall(r"password of everybody: (\S+)", running.said)[0]
    for email in re.findall(r"\S+@\S+", running.said):
        assert signed_in(running.demo, email, password).endswith("/desk/")


def signed_in(demo: Demo, email: str, password: str) -> str:
    """Where the browser is after this person signed in."""
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
    page = browser.open(demo.address("/desk/sign-in"), timeout=20).read().decode()
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
    form = urlencode({"email": email, "password": password, "csrf_token": token}).encode()
    return str(browser.open(demo.address("/desk/sign-in"), form, timeout=20).url)


def test_the_second_run_goes_on_where_the_first_stopped(running: Running) -> None:
    assert "Filling" not in running.said
    assert "Making" not in running.said


def test_a_second_run_at_the_same_time_says_where_the_first_is(running: Running) -> None:
    said = running.demo.refused()
    assert said == (
        f"Aftersale can't run: it runs already: {running.demo.address('')} (process {running.process.pid}). "
        "End that one with Ctrl-C first.\n"
    )
    assert "it runs already" in running.demo.refused("--forget")
    assert running.process.poll() is None


def test_ctrl_c_ends_all_of_it(running: Running) -> None:
    assert len(running.demo.processes()) > 6
    assert "Stopped. The next `make run` goes on from here." in stop(running.process)
    assert running.demo.processes() == []


def test_a_terminal_that_closes_ends_all_of_it_too(demo: Demo) -> None:
    """It also says when its orders are too old to be believed."""
    guide = demo.var / "guide.json"
    os.utime(guide, times=(time.time(), time.time() - 20 * 86_400))
    process, said = demo.open()
    stop(process, signal.SIGHUP)
    os.utime(guide)
    assert "Its orders were made 20 days ago; `make fresh` makes new ones." in said
    assert demo.processes() == []


def test_it_can_be_ended_before_it_is_open(demo: Demo) -> None:
    process = demo.begin()
    heard_until(process, "Opening")
    stop(process)
    assert demo.processes() == []


def test_when_it_is_killed_all_of_it_ends(demo: Demo) -> None:
    process, _ = demo.open()
    process.kill()
    process.communicate()
    demo.wait_until_gone()


def test_however_it_was_killed_the_next_run_begins_when_all_of_it_is_gone(demo: Demo) -> None:
    process, _ = demo.open()
    process.kill()
    process.communicate()
    process, _ = demo.open()
    orphans = killed_with_its_warden(demo, process)
    process, said = demo.open()
    assert said.startswith("The last run was killed; what it left behind has ended now (")
    assert not orphans & {one.pid for one in demo.processes()}
    stop(process, signal.SIGTERM)
    assert demo.processes() == []


def killed_with_its_warden(demo: Demo, process: subprocess.Popen[str]) -> set[int]:
    """Those who are still there, though the demo and the one who would end them are not."""
    psutil.Process(process.pid).children()[0].kill()
    process.kill()
    process.communicate()
    orphans = {orphan.pid for orphan in demo.processes()}
    assert len(orphans) > 4
    return orphans


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
def test_a_taken_port_is_named_and_another_is_offered(tmp_path: Path, after: int, name: str) -> None:
    place = run.Place(tmp_path, five_free_ports())
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", place.port + after))
        other.listen()
        with pytest.raises(CantRun) as refused:
            run.check_ports(place)
    assert str(refused.value) == (
        f"port {place.port + after} (for {name}) is taken by another program. "
        f"Take other ports: make run PORT={place.port + 100}"
    )


@pytest.mark.parametrize("port", ["80", "99999", "many"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"{port} is no port to use"):
        run.port(port)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    for maltreat in (run.run, run.forget):
        with pytest.raises(CantRun, match="holds something that is not the demo's"):
            maltreat(run.Place(tmp_path, 8000))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_database_that_is_broken_is_a_sentence(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    broken = Demo(tmp_path / "demo")
    (broken.var / run.MARK).write_text("")
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
    again = half.begin()
    assert heard_until(again, "Filling").startswith("Opening the demo shop for the first time")
    stop(again)
    assert half.processes() == []
    gone = half.begin("--forget")
    assert gone.communicate(timeout=40)[0] == "The demo shop is forgotten. `make run` opens a new one.\n"
    assert not half.var.exists()


def test_there_is_nothing_to_forget_before_the_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.forget(run.Place(tmp_path / "demo", 8000))
    assert capsys.readouterr().out == "There is no demo shop yet. `make run` opens one.\n"
