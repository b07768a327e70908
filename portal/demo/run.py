"""`make run`: a whole shop on this machine, with the world around it. Ctrl-C ends it and leaves no process behind."""

import argparse
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from flask import Flask

from portal import cli, config, create_app
from portal.db import bundled
from portal.demo import courier, easypost, mailbox, outside, people, provider, seed, shops, stripe, webshop
from portal.demo.processes import SIGNALS, CantRun, Crew, alone, undisturbed
from portal.jobs import worker

ROOT = Path(__file__).parents[2]
MARK = "this-is-the-demo-shop"
"""Only a folder with this file in it is ever forgotten."""
SLOWEST_START = 30.0
STALE = 10  # days after which "arriving today" is no longer believable


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo keeps its files and which ports it takes: the given one and the four after it.

    A newcomer should not wait for days until a customer is asked how it was.
    """

    var: Path
    port: int
    survey_after: str = "PT1M"

    @property
    def ports(self) -> dict[str, int]:
        return {name: self.port + n for n, name in enumerate(("shop", "outside", "smtp", "stripe", "answers"))}

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"


class Stopped(BaseException):
    """Somebody asked the demo to end."""


def main() -> None:
    options = parse()
    place = Place(options.var.resolve(), options.port, options.survey_after)
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        forget(place) if options.forget else run(place)
    except Stopped:
        say("\nStopped. The next `make run` goes on from here.")
    except (CantRun, bundled.NoDatabase, config.BadSettings) as error:
        sys.exit(f"Aftersale can't run: {error}")
    except OSError as error:
        sys.exit(f"Aftersale can't run: {error.strerror or error} ({error.filename or place.var})")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=port, default=8000, help="of the shop; the four after it are taken too")
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "demo", help="where everything is kept")
    parser.add_argument(
        "--survey-after", default="PT1M", help="how long after a delivery customers are asked how it was"
    )
    parser.add_argument("--forget", action="store_true", help="remove what is kept, and end")
    return parser.parse_args()


def port(text: str) -> int:
    if not text.isdecimal() or not 1024 <= int(text) <= 65531:
        raise argparse.ArgumentTypeError(f"{text} is no port to use; take a number between 1024 and 65531")
    return int(text)


def stop(*_: object) -> NoReturn:
    raise Stopped


def say(text: str) -> None:
    print(text, flush=True)


def forget(place: Place) -> None:
    """Remove the demo's folder, after what a killed run left behind has ended."""
    if not place.var.exists():
        say("There is no demo shop yet. `make run` opens one.")
        return
    check_folder(place.var)
    with alone(place.var / "lock", place.address("shop")) as lock, Crew(place.var, lock):
        pass
    shutil.rmtree(place.var)
    say("The demo shop is forgotten. `make run` opens a new one.")


def run(place: Place) -> None:
    check_folder(place.var)
    with alone(place.var / "lock", place.address("shop")) as lock, Crew(place.var, lock) as crew:
        if crew.left_behind:
            say(f"The last run was killed; what it left behind has ended now ({', '.join(crew.left_behind)}).")
        check_ports(place)
        begin(place)
        open_shop(crew, place)
        welcome(place)
        wait_until_stopped(crew)


def begin(place: Place) -> None:
    """Say what happens now; a first start begins with nothing, also when it was interrupted before."""
    guide = place.var / "guide.json"
    if not guide.exists():
        say("Opening the demo shop for the first time; this takes a little ...")
        clear(place.var)
        return
    say("Opening the demo shop ...")
    age = int((time.time() - guide.stat().st_mtime) / 86_400)
    if age > STALE:
        say(f"Its orders were made {age} days ago; `make fresh` makes new ones.")


def check_folder(var: Path) -> None:
    """Make the folder and mark it as ours. Raises CantRun for a folder that holds something else."""
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (var / MARK).exists():
        if any(var.iterdir()):
            raise CantRun(f"{var} holds something that is not the demo's. Move it away, then try again.")
        (var / MARK).write_text("`make fresh` removes this folder.\n")


def clear(var: Path) -> None:
    """Remove what an interrupted first start left half-made."""
    for path in var.iterdir():
        if path.name not in (MARK, "lock", "log", "processes"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_ports(place: Place) -> None:
    for name, number in place.ports.items():
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                advice = f"Take other ports: make run PORT={place.port + 100}"
                raise CantRun(f"port {number} (for {name}) is taken by another program. {advice}") from None


def open_shop(crew: Crew, place: Place) -> None:
    """Start everything in its order; the shop answers when this returns."""
    with undisturbed():
        database = bundled.start(place.var, keep_running=True)
    environ = environment(place, database)
    os.environ["NO_PROXY"] = "*"  # nothing here leaves this machine
    app = create_app(config.read(environ))
    crew.start("stripe", lambda: stripe.serve(place.var / "stripe", place.ports["stripe"], environ))
    crew.start("outside", lambda: world_outside(place, environ))
    until_it_answers(crew, place.address("stripe"))
    until_it_answers(crew, place.address("outside"))
    prepare(crew, place, app)
    crew.start("worker", lambda: worker.run(app))
    crew.start("answers", lambda: cli.take_mail(app))
    crew.start("web", lambda: cli.serve(app, "127.0.0.1", place.port))
    until_it_answers(crew, place.address("shop") + "/healthz")


def environment(place: Place, database: str) -> dict[str, str]:
    """The shop's settings; kept in a file too, for those who want to use the `portal` command on the demo."""
    secret = place.var / "secret-key"
    if not secret.exists():
        secret.write_text(secrets.token_hex(32))
    settings = {
        "SECRET_KEY": secret.read_text(),
        "BASE_URL": place.address("shop"),
        "DATABASE_URL": bundled.for_application(database),
        "MIGRATION_DATABASE_URL": database,
        "VAR_DIR": str(place.var),
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(place.ports["smtp"]),
        "MAIL_DOOR": f"127.0.0.1:{place.ports['answers']}",
        "STRIPE_API_BASE": place.address("stripe"),
        "EASYPOST_API_BASE": place.address("outside") + "/easypost/v2",
        "SHOPIFY_URL": place.address("outside") + "/shops",
        "WOOCOMMERCE_URL": place.address("outside") + "/shops",
        "OIDC_ISSUER": place.address("outside") + provider.PATH,
        "OIDC_CLIENT_ID": provider.CLIENT_ID,
        "OIDC_CLIENT_SECRET": provider.CLIENT_SECRET,
        "OIDC_NAME": provider.NAME,
        "SURVEY_AFTER": place.survey_after,
        **seed.SETTINGS,
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()]
    (place.var / "settings.sh").write_text("".join(lines))
    return settings


def world_outside(place: Place, environ: Mapping[str, str]) -> None:
    portal, bank = place.address("shop"), stripe.Remote(place.address("stripe"))
    parcels = courier.Courier(
        courier.Book(place.var / "courier"),
        environ["EASYPOST_WEBHOOK_SECRET"],
        partial(courier.post, f"{portal}/hooks/easypost"),
        partial(courier.under_way, environ["DATABASE_URL"]),
    )
    shop = webshop.WebShop(
        place.var / "webshop",
        lambda number, amount, currency: bank.pay(amount, currency, id=f"pi_shop{number}"),
        partial(webshop.send, f"{portal}/api/v1/orders", lambda: str(read_guide(place)["api_key"])),
    )
    labels = easypost.EasyPost(place.var / "easypost.json")
    others = shops.Shops(record=place.var / "shops.json")
    team = tuple(provider.Person(name, people.address(name), who) for name, (who, _role, _does) in people.TEAM.items())
    vouches = provider.Provider(place.address("outside"), team)
    pages = outside.create_outside(mailbox.Mailbox(place.var / "mail"), parcels, shop, labels, others, vouches)
    outside.serve(pages, place.ports["outside"], place.ports["smtp"], place.ports["answers"])


def prepare(crew: Crew, place: Place, app: Flask) -> None:
    """Make or change the tables when the migrations are not those of the last time; fill the shop once."""
    migrated, wanted = place.var / "migrated", migrations()
    if not migrated.exists() or migrated.read_text() != wanted:
        say("Making the tables ...")
        crew.run("migrate", lambda: migrate(app))
        migrated.write_text(wanted)
    if not (place.var / "guide.json").exists():
        say("Filling the shop with some sixty orders ...")
        crew.run("seed", lambda: seed.fill(app, place.var / "guide.json"))


def migrate(app: Flask) -> None:
    with app.app_context():
        cli.bring_up_to_date()


def migrations() -> str:
    files = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def until_it_answers(crew: Crew, address: str) -> None:
    until = time.monotonic() + SLOWEST_START
    while not does_answer(address):
        if name := crew.gone():
            raise CantRun(f"{name} ended by itself.\n{crew.last_words(name)}")
        if time.monotonic() > until:
            raise CantRun(
                f"{address} does not answer after {SLOWEST_START:.0f} seconds. The logs are in {crew.folder / 'log'}"
            )
        time.sleep(0.05)


def does_answer(address: str) -> bool:
    """Whether anything speaks HTTP there, even to say no."""
    try:
        urlopen(address, timeout=2).close()
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
    return True


def read_guide(place: Place) -> dict[str, Any]:
    guide: dict[str, Any] = json.loads((place.var / "guide.json").read_text())
    return guide


def welcome(place: Place) -> None:
    """Where to go, in the terminal."""
    guide = read_guide(place)
    shop, around = place.address("shop"), place.address("outside")
    customers = "\n".join(f"      {shop}/l/{token}  {what}" for token, what in guide["links"])
    people = "\n".join(f"      {email:<28} {what}" for email, what in guide["people"])
    say(
        f"""
  {guide["shop"]} is open.

  Customers' links, as in their letters
{customers}
  The desk, password of everybody: {guide["password"]}
      {shop}/desk/
{people}
      No second factor is asked for here (STAFF_SECOND_FACTOR=off); a click on your name sets one up.
  The world outside
      {around}/shop/     the web shop: buy something
      {around}/courier/  the courier: move a parcel
      {around}/mail/     everybody's mailbox; letters of a case can be answered there

  Ctrl-C ends all of it. The next `make run` goes on from there; `make fresh` forgets it.
"""
    )


def wait_until_stopped(crew: Crew) -> NoReturn:
    while True:
        if name := crew.gone():
            raise CantRun(f"{name} ended by itself, so all of it ends.\n{crew.last_words(name)}")
        time.sleep(0.3)


if __name__ == "__main__":
    main()
