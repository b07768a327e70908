"""The `portal` command, as a shop uses it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pyotp
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import func, select, text

from portal import cli
from portal.db import session
from portal.demo.stripe import Remote, StandIn
from portal.feedback.actions import give_answer
from portal.lib import clock
from portal.lib.tokens import digest
from portal.orders import links
from portal.orders.keys import ApiKey, channel_of, make_key
from portal.orders.models import Channel, Order
from portal.orders.timeline import record
from portal.staff import codes, seals
from portal.staff.actions import accept_invitation, find_invitation, sign_in
from portal.staff.models import Staff
from portal.staff.sessions import find_session, open_session
from tests.conftest import SECRETS, as_owner
from tests.feedback.scenes import invited
from tests.standin import KEY, SECRET
from tests.world import build

ROOT = Path(__file__).parent.parent
SHEET = "number,placed_at,currency,title,quantity,unit_price\n7001,2026-11-20 09:30,EUR,Linen shirt,2,39.00\n"
Portal = Callable[..., Result]


@pytest.fixture
def environ(real: Flask, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of a shop that tries the portal out, and nothing else in the environment that could matter."""
    for name in list(os.environ):
        if name.startswith(("MAIL_", "STRIPE_", "SHOP_", "DATABASE_", "MIGRATION_", "EASYPOST_", "SHOPIFY_", "BASE_")):
            monkeypatch.delenv(name)
    settings = {
        "SECRET_KEY": "tests-" * 8,
        "DATABASE_URL": str(real.config["SQLALCHEMY_DATABASE_URI"]),
        "MIGRATION_DATABASE_URL": str(real.config["MIGRATION_DATABASE_URI"]),
        "MAIL_PORT": str(real.config["MAIL_PORT"]),
        "SHOP_EMAIL": "hello@lantern.shop",
        "SHOP_ADDRESS": "Lindenstraße 7, Berlin",
        **SECRETS,
        "CHECKOUT_WEBHOOK_SECRET": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **settings}


@pytest.fixture
def portal(environ: dict[str, str]) -> Portal:
    return lambda *arguments: CliRunner().invoke(cli.main, arguments, catch_exceptions=False)


def test_a_missing_setting_stops_the_start_with_a_sentence(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY")
    for command in (["web"], ["worker"], ["migrate"], ["check"], ["staff", "list"]):
        result = portal(*command)
        assert result.exit_code == 1
        assert result.stderr == "Error: SECRET_KEY is missing. See .env.example.\n"


def test_every_wrong_setting_is_named_at_once(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASE_URL", "shop")
    monkeypatch.setenv("SHOP_TIMEZONE", "Mars/Olympus")
    said = portal("check").stderr
    assert "BASE_URL: is not an address" in said
    assert "SHOP_TIMEZONE: is not a time zone" in said
    assert "Traceback" not in said


def test_a_database_that_is_away_is_a_sentence(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    monkeypatch.delenv("MIGRATION_DATABASE_URL")
    result = portal("migrate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database does not answer: connection failed")
    checked = portal("check")
    assert checked.exit_code == 1
    assert "wrong  database: does not answer: connection failed" in checked.stdout


def test_migrate_makes_the_tables_and_can_be_run_again(portal: Portal, real: Flask) -> None:
    session.execute(text("SET LOCAL ROLE postgres"))
    session.execute(text("DROP SCHEMA public CASCADE"))
    session.execute(text("CREATE SCHEMA public"))
    session.commit()
    assert "wrong  database: the tables are at nothing" in portal("check").stdout
    for _ in range(2):
        assert portal("migrate").stdout.endswith("The tables are up to date.\n")
    assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_check_names_what_is_well_what_to_note_and_what_is_wrong(portal: Portal) -> None:
    result = portal("check")
    assert result.exit_code == 1
    assert "ok     database: the tables are up to date" in result.stdout
    assert "ok     mail: 127.0.0.1:" in result.stdout
    assert "note   address: BASE_URL is http://127.0.0.1:8000" in result.stdout
    assert "wrong  worker: none is at work" in result.stdout
    assert "note   easypost: EASYPOST_WEBHOOK_SECRET is set; no message has proven it yet" in result.stdout


def test_check_ends_well_when_a_worker_is_at_work(portal: Portal) -> None:
    session.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"))
    session.commit()
    result = portal("check")
    assert "ok     worker: at least one is at work" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAIL_PORT", "9", "wrong  mail: 127.0.0.1:9 does not take us"),
        ("SHOP_EMAIL", "shop@example.com", "wrong  shop: SHOP_EMAIL is still an example"),
        ("BASE_URL", "http://orders.lantern.shop", "wrong  address: BASE_URL is http://orders.lantern.shop"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_1", "wrong  stripe: STRIPE_WEBHOOK_SECRET does not begin with whsec_"),
        ("CHECKOUT_WEBHOOK_SECRET", "whsec_1", "wrong  checkout: needs STRIPE_API_KEY"),
        ("EASYPOST_WEBHOOK_SECRET", "", "note   easypost: EASYPOST_WEBHOOK_SECRET is not set"),
    ],
)
def test_check_says_which_setting_is_to_be_mended(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    assert said in portal("check").stdout


def test_a_genuine_webhook_proves_its_secret(portal: Portal, real: Flask) -> None:
    values = "('easypost', 'evt_1', '', '{}', '', 'done', '2026-11-20T08:30Z')"
    columns = "source, external_id, topic, headers, body, state, received_at"
    session.execute(text(f"INSERT INTO inbox_messages ({columns}) VALUES {values}"))
    session.commit()
    said = portal("check").stdout
    assert (
        "ok     easypost: EASYPOST_WEBHOOK_SECRET is proven: the last genuine message came on 2026-11-20 08:30 UTC"
        in said
    )


@pytest.fixture
def stripe(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A running stand-in that the settings name."""
    stand_in = StandIn(tmp_path / "stripe.json", secret=SECRET)
    remote = Remote(stand_in.start())
    monkeypatch.setenv("STRIPE_API_BASE", remote.address)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    yield remote
    stand_in.stop()


def test_check_proves_the_stripe_key_and_says_its_mode(portal: Portal, stripe: Remote) -> None:
    assert "ok     stripe: takes our key, in test mode" in portal("check").stdout
    assert all(asked["method"] == "GET" for asked in stripe.requests())


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "wrong  stripe: does not take our key: 401"), (500, "wrong  stripe: does not answer: 500")],
)
def test_check_says_when_stripe_refuses_the_key_or_is_away(
    portal: Portal, stripe: Remote, status: int, said: str
) -> None:
    stripe.fault(str(status), match="GET /v1/refunds", times=9)
    assert said in portal("check").stdout


def test_check_asks_for_the_secret_without_which_no_refund_is_confirmed(
    portal: Portal, stripe: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRET")
    assert "wrong  stripe: STRIPE_WEBHOOK_SECRET is missing" in portal("check").stdout


def test_without_a_stripe_key_check_says_what_can_not_be_done(portal: Portal) -> None:
    assert "note   stripe: STRIPE_API_KEY is not set: no money can be given back from here" in portal("check").stdout


def test_an_invited_person_chooses_a_password_and_signs_in(portal: Portal) -> None:
    said = portal("staff", "invite", "Fran@Lantern.Shop", "--name", "Fran", "--role", "finance").stdout
    token = said.strip().rpartition("http://127.0.0.1:8000/desk/invitations/")[2]
    invitation = find_invitation(token, now=clock.now())
    assert invitation is not None
    assert portal("staff", "list").stdout.split()[:4] == ["fran@lantern.shop", "finance", "invited", "Fran"]
    accept_invitation(invitation, "a good long password", now=clock.now())
    session.commit()
    assert sign_in("fran@lantern.shop", "a good long password", address="::1", now=clock.now())
    session.commit()
    assert "active" in portal("staff", "list").stdout


def test_nobody_is_invited_without_a_real_address_or_a_known_role(portal: Portal) -> None:
    assert "is no e-mail address" in portal("staff", "invite", "fran", "--name", "Fran", "--role", "finance").stderr
    assert "'boss' is not one of" in portal("staff", "invite", "f@lantern.shop", "--name", "F", "--role", "boss").stderr
    assert session.scalar(select(func.count()).select_from(Staff)) == 0


def test_a_disabled_person_is_out_at_once(portal: Portal) -> None:
    person = Staff(email="dan@lantern.shop", name="Dan", role="picker", created_at=clock.now())
    session.add(person)
    session.commit()
    assert portal("staff", "disable", "dan@lantern.shop").stdout == "Dan is shut out.\n"
    session.expire_all()
    assert person.disabled_at is not None
    assert find_session("none", now=clock.now()) is None
    assert (
        portal("staff", "disable", "eve@lantern.shop").stderr
        == "Error: Nobody here has the address eve@lantern.shop.\n"
    )


def test_a_lost_second_factor_is_reset_and_the_person_told(portal: Portal) -> None:
    person = Staff(email="dan@lantern.shop", name="Dan", role="picker", created_at=clock.now(), totp_secret=b"sealed")
    session.add(person)
    session.commit()
    said = portal("staff", "reset-second-factor", "dan@lantern.shop").stdout
    assert said.startswith("Dan sets up a new second factor at the next sign-in")
    session.expire_all()
    assert person.totp_secret is None
    assert session.scalar(text("SELECT to_address FROM letters")) == "dan@lantern.shop"
    assert "Nobody here" in portal("staff", "reset-second-factor", "eve@lantern.shop").stderr


def test_a_channel_s_key_is_shown_once_and_kept_as_a_hash(portal: Portal) -> None:
    key = portal("channel", "add", "webshop").stdout.splitlines()[1]
    kept = session.scalars(select(ApiKey)).one()
    assert (kept.channel.code, kept.name, kept.digest) == ("api:webshop", "first", digest(key))
    assert portal("channel", "add", "webshop").stderr == "Error: webshop has a key called first already.\n"
    assert portal("channel", "add", "webshop", "--key", "second").exit_code == 0
    assert session.scalar(select(func.count()).select_from(Channel)) == 1


def test_orders_are_imported_once(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(SHEET)
    assert portal("import", str(tmp_path / "orders.csv")).stdout == "1 orders are new, 0 were known.\n"
    assert portal("import", str(tmp_path / "orders.csv")).stdout == "0 orders are new, 1 were known.\n"
    order = session.scalars(select(Order)).one()
    assert (order.channel, order.number, order.total) == ("csv", "7001", 7800)


def test_an_order_with_a_mistake_is_told_with_its_row_and_the_others_come_in(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(SHEET + "7002,2026-11-20 09:30,EUR,Mug,two,12\n")
    result = portal("import", str(tmp_path / "orders.csv"))
    assert result.exit_code == 1
    assert result.stderr == "Row 3, order 7002: quantity: 'two' is no whole number that we take.\n"
    assert result.stdout == "1 orders are new, 0 were known, 1 were refused.\n"
    assert session.scalars(select(Order.number)).all() == ["7001"]


def test_a_file_with_other_columns_imports_nothing(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(SHEET.replace("title", "name of the thing"))
    result = portal("import", str(tmp_path / "orders.csv"))
    assert result.exit_code == 1
    assert result.stderr.endswith("Nothing was imported.\n")
    assert session.scalar(select(func.count()).select_from(Order)) == 0


def test_a_file_in_another_encoding_is_refused_with_advice(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_bytes((SHEET + "7002,2026-11-20,EUR,Grüße,1,12\n").encode("latin-1"))
    assert "is not in UTF-8" in portal("import", str(tmp_path / "orders.csv")).stderr


@pytest.mark.processes
def test_the_web_server_answers_and_ends_when_told(environ: dict[str, str], free_port: Callable[[], int]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "portal.cli", "web", "--port", str(port)]
    process = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        assert answer(f"http://127.0.0.1:{port}/healthz") == b'{"status":"ok"}\n'
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        _, said = process.communicate()
    assert b"Traceback" not in said


@pytest.mark.processes
def test_the_web_server_says_when_its_port_is_taken(
    portal: Portal, free_port: Callable[[], int], smtp_server: tuple[object, int]
) -> None:
    result = portal("web", "--port", str(smtp_server[1]))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Can't listen on 127.0.0.1:{smtp_server[1]}")


@pytest.mark.processes
def test_the_worker_works_and_ends_when_told(environ: dict[str, str], portal: Portal) -> None:
    process = subprocess.Popen([sys.executable, "-m", "portal.cli", "worker"], env=environ, cwd=ROOT)
    try:
        until(lambda: "ok     worker" in portal("check").stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.processes
def test_the_door_for_mails_is_proven_by_check_and_ends_when_told(
    environ: dict[str, str], portal: Portal, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"REPLY_ADDRESS": "answers@reply.lantern.shop", "MAIL_DOOR": f"127.0.0.1:{free_port()}"}
    for name, value in answers.items():
        monkeypatch.setenv(name, value)
    assert f"wrong  answers: nobody takes mail at {answers['MAIL_DOOR']}" in portal("check").stdout
    process = subprocess.Popen([sys.executable, "-m", "portal.cli", "mail-door"], env={**environ, **answers}, cwd=ROOT)
    try:
        until(lambda: "ok     answers: the door at 127.0.0.1:" in portal("check").stdout)
        assert "note   answers: no mail from a customer has come yet" in portal("check").stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_what_is_no_door_of_ours_is_not_taken_for_it(
    portal: Portal, smtp_server: tuple[object, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLY_ADDRESS", "answers@reply.lantern.shop")
    monkeypatch.setenv("MAIL_DOOR", f"127.0.0.1:{smtp_server[1]}")
    assert "is not this portal's mail door" in portal("check").stdout


def test_without_an_address_for_answers_there_is_no_door(portal: Portal) -> None:
    result = portal("mail-door")
    assert (result.exit_code, "REPLY_ADDRESS is not set" in result.stderr) == (1, True)
    assert "note   answers: REPLY_ADDRESS is not set" in portal("check").stdout


def test_a_door_whose_place_is_taken_says_so(
    portal: Portal, smtp_server: tuple[object, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLY_ADDRESS", "answers@reply.lantern.shop")
    monkeypatch.setenv("MAIL_DOOR", f"127.0.0.1:{smtp_server[1]}")
    result = portal("mail-door")
    assert (result.exit_code, "Can't listen on 127.0.0.1:" in result.stderr) == (1, True)


@pytest.mark.parametrize("address", ["answers", "a+b@reply.shop.example", "a b@reply.shop.example", "x" * 30 + "@a.de"])
def test_an_address_for_answers_is_one(portal: Portal, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("REPLY_ADDRESS", address)
    assert "REPLY_ADDRESS: is not an address for answers" in portal("check").stderr


def test_the_audit_says_what_was_meddled_with(portal: Portal, real: Flask) -> None:
    world = build(now=clock.now())
    record(world.alice.id, "order.accepted", by="system", now=clock.now())
    session.commit()
    while seals.seal_new(now=clock.now()):
        session.commit()
    whole = portal("audit", "verify")
    noted = whole.output.rsplit(maxsplit=1)[-1]
    assert (whole.exit_code, portal("audit", "verify", "--noted", noted).exit_code) == (0, 0)
    with as_owner():
        session.execute(text("UPDATE timeline SET kind = 'order.shipped'"))
    session.commit()
    meddled = portal("audit", "verify", "--noted", "00ff")
    assert meddled.exit_code == 1
    assert "was changed, or a seal before it was removed or reordered" in meddled.output
    assert "The seal 00ff is not in the chain any more" in meddled.output


def test_13_3_1_a_lock_down_ends_every_way_in_and_makes_all_keys_of_our_own_anew(
    portal: Portal, real: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a copy of the database and the old SECRET_KEY opens nothing; apps of people go on under the new one."""
    world, now = build(now=clock.now()), clock.now()
    app = codes.opened(codes.new_secret(world.max), world.max)
    assert app
    assert codes.add_app(world.max, app, pyotp.TOTP(app).at(now), now=now)
    world.pat.totp_secret = b"sealed under a key of long ago"
    old, link = make_key("lantern", "till", by=None, now=now), links.mint(world.alice.id, "track", None, now)
    desk = open_session(world.max, browser="", proven=True, now=now)
    session.commit()
    told = portal("lock-down", "--yes")
    assert told.exit_code == 0, told.output
    assert "Ended: 1 links, 0 browsers of customers, 1 sessions at the desk." in told.output
    assert (links.find(link, now=now), find_session(desk, now=now), channel_of(old, now=now)) == (None, None, None)
    new = re.findall(r"^The key of lantern called till is now, shown this once: (\w+)$", told.output, re.MULTILINE)
    assert channel_of(new[0], now=now)
    assert "sealed anew: 1.\nApps that were sealed under an older key and have to be set up again: 1." in told.output
    [key] = re.findall(r"^SECRET_KEY is now, shown this once: (\w{64})$", told.output, re.MULTILINE)
    later = now + timedelta(minutes=2)
    assert codes.redeem(world.max, pyotp.TOTP(app).at(later), now=later) is None
    monkeypatch.setitem(real.config, "SETTINGS", real.config["SETTINGS"].model_copy(update={"secret_key": key}))
    assert codes.redeem(world.max, pyotp.TOTP(app).at(later), now=later) == "app"


def test_a_lock_down_leaves_the_keys_when_it_is_told_so(portal: Portal, real: Flask) -> None:
    world, now = build(now=clock.now()), clock.now()
    key = make_key("lantern", "till", by=None, now=now)
    session.commit()
    told = portal("lock-down", "--yes", "--no-keys", "--no-secret-key")
    assert (told.exit_code, "shown this once" in told.output) == (0, False)
    assert channel_of(key, now=now)
    assert (portal("lock-down").exit_code, world.alice.number) == (1, "1001")


def answer(address: str) -> bytes:
    found: list[bytes] = []
    until(lambda: found.extend([urlopen(address, timeout=2).read()]) or True)
    return found[0]


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


def test_what_is_kept_counted_is_built_anew_and_proven_equal(portal: Portal, real: Flask) -> None:
    world = build(now=clock.now())
    invited(world.alice)
    give_answer(world.alice.id, 5, "Lovely", now=clock.now())
    session.commit()
    first = portal("insight", "rebuild")
    assert (first.exit_code, "Sums that were wrong: 0." in first.output) == (0, True), first.output
    session.execute(text("UPDATE tallies SET n = 8 WHERE measure = 'csat' AND value = 'DE' AND grain = 'day'"))
    session.commit()
    wrong = portal("insight", "rebuild")
    assert wrong.exit_code == 1
    assert ", country DE: off by -7 (good 0, bad 0)" in wrong.output
    assert portal("insight", "rebuild").output.endswith("Everything is equal now.\n")
