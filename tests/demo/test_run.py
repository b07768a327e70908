"""`make run`, as a newcomer uses it and as it is maltreated: started, ended, killed, started twice, started half."""

import os
import re
import signal
import socket
import time
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import psutil
import psycopg
import pytest

from portal.demo.run import MARK
from tests.running import Demo, Opened, heard_until, stop, until

pytestmark = pytest.mark.processes


def test_the_first_run_says_what_it_does_and_leaves_no_process_behind(opened_once: Opened) -> None:
    assert opened_once.said.splitlines()[:3] == [
        "Opening the demo shop for the first time; this takes a little ...",
        "Making the tables ...",
        "Filling the shop with some sixty orders ...",
    ]
    assert opened_once.left == []


def test_the_shop_is_full_of_life(demo: Demo) -> None:
    """One refund fails only when Stripe's webhook says so, and a letter tells it."""
    process, _ = demo.open()
    settings = dict(re.findall(r"^export (\w+)='?(.*?)'?$", (demo.var / "settings.sh").read_text(), re.MULTILINE))
    with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as shop:
        until(lambda: found(shop, "refunds") > {"failed"} and found(shop, "letters") == {"sent"}, 60)
        seen = {name: found(shop, name) for name in LIFE}
        [(orders, failures)] = shop.execute("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM job_failures)")
    stop(process)
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
        "surveys": {"scheduled", "sent", "answered", "suppressed"},
        "cases": {"open", "waiting_for_customer", "solved"},
        "returns": {"requested", "approved", "declined"},
        "goods": {"not_expected", "awaited", "received"},
        "refunds": {"requested", "succeeded", "failed"},
        "letters": {"sent"},
    }  # fmt: skip


def found(shop: psycopg.Connection[Any], name: str) -> set[str]:
    return {row[0] for row in shop.execute(LIFE[name])}


LIFE = {
    "languages": "SELECT locale FROM orders",
    "currencies": "SELECT currency FROM orders",
    "parcels": "SELECT state FROM parcels",
    "on their way": "SELECT tracking_status FROM parcels",
    "surveys": "SELECT state FROM survey_invitations",
    "cases": "SELECT state FROM cases",
    "returns": "SELECT decision FROM returns",
    "goods": "SELECT goods FROM returns",
    "refunds": "SELECT state FROM refunds",
    "letters": "SELECT state FROM letters",
}


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


def test_the_second_run_goes_on_where_the_first_stopped(demo: Demo) -> None:
    process, said = demo.open()
    assert "Filling" not in said
    assert "Making" not in said
    stop(process)


def test_it_says_when_its_orders_are_too_old_to_be_believed(demo: Demo) -> None:
    guide = demo.var / "guide.json"
    os.utime(guide, times=(time.time(), time.time() - 20 * 86_400))
    process, said = demo.open()
    stop(process)
    os.utime(guide)
    assert "Its orders were made 20 days ago; `make fresh` makes new ones." in said


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
    again = half.begin()
    assert heard_until(again, "Filling").startswith("Opening the demo shop for the first time")
    stop(again)
    assert half.processes() == []
    gone = half.begin("--forget")
    assert gone.communicate(timeout=40)[0] == "The demo shop is forgotten. `make run` opens a new one.\n"
    assert not half.var.exists()
    assert half.begin("--forget").communicate(timeout=40)[0] == "There is no demo shop yet. `make run` opens one.\n"
