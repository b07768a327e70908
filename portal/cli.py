"""The `portal` command: what a shop runs, and how it asks whether all is well."""

import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import flask_migrate
from email_validator import EmailNotValidError, validate_email
from flask import Flask, current_app
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from portal import backups, checks, config, create_app, serving
from portal.adapters.channels.sheet import BadSheet
from portal.adapters.mail_door import open_door
from portal.adapters.stock_sheet import BadStockSheet
from portal.db import bundled, dump, session
from portal.feedback import rollups
from portal.feedback.jobs import count_everything
from portal.feedback.mail_keeper import Keeper
from portal.jobs import worker as jobs_worker
from portal.lib import clock, logs
from portal.lib.errors import Refused
from portal.orders import imports, stock_imports
from portal.orders.keys import make_key
from portal.privacy import breach, retention
from portal.staff import actions as staff_actions
from portal.staff import people, seals
from portal.staff.models import Staff
from portal.staff.rules import Role

Copied = TypeVar("Copied")
MIGRATIONS = Path(__file__).parents[1] / "migrations"
MOST_TOLD = 50


def open_portal() -> Flask:
    """The application, or the end of the command with a sentence per wrong setting."""
    try:
        return create_app()
    except (config.BadSettings, bundled.NoDatabase) as error:
        raise click.ClickException(str(error)) from None


def in_portal(command: Callable[..., None]) -> Callable[..., None]:
    """The command runs inside the application and commits at its end; a database that is away is a sentence."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        with open_portal().app_context():
            try:
                command(*arguments, **options)
                session.commit()
            except OperationalError as error:
                raise click.ClickException(f"The database does not answer: {error.orig}") from None
            except Refused as refused:
                raise click.ClickException(refused.message) from None

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Everything that comes after "pay". Settings come from the environment; .env.example explains each."""


@main.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, envvar="HOST", help="Where to listen; 0.0.0.0 is everywhere."
)
@click.option("--port", default=8000, show_default=True, envvar="PORT")
@click.option("--threads", default=8, show_default=True, envvar="THREADS", help="Requests at a time, per process.")
@click.option(
    "--processes", type=click.IntRange(1), envvar="PROCESSES", help="As many as cores, up to 4, when left out."
)
def web(host: str, port: int, threads: int, processes: int | None) -> None:
    """Answer browsers, until told to stop."""
    try:
        serve(open_portal(), host, port, threads, processes or serving.processes_here())
    except OSError as error:
        raise click.ClickException(f"Can't listen on {host}:{port}: {error.strerror}.") from None


def serve(app: Flask, host: str, port: int, threads: int = 8, processes: int = 1) -> None:
    """Run the web server; SIGTERM ends it when the requests under way are answered."""
    logs.to_stderr(app.config["SETTINGS"].log_format)
    serving.serve(app, host, port, threads=threads, processes=processes)


@main.command()
@click.option("--concurrency", default=4, show_default=True, envvar="CONCURRENCY", help="Jobs done at the same time.")
def worker(concurrency: int) -> None:
    """Do what is owed: letters, refunds, surveys. Run as many as you like, on as many machines."""
    app = open_portal()
    logs.to_stderr(app.config["SETTINGS"].log_format)
    jobs_worker.run(app, concurrency)


@main.command("mail-door")
def mail_door() -> None:
    """Take customers' answers by mail, where MAIL_DOOR says; your mail server forwards REPLY_ADDRESS's mails to it."""
    app = open_portal()
    settings = app.config["SETTINGS"]
    if not settings.reply_address:
        raise click.ClickException("REPLY_ADDRESS is not set: no letter says where to answer to. See .env.example.")
    try:
        take_mail(app)
    except OSError as error:
        raise click.ClickException(f"Can't listen on {settings.mail_door}: {error.strerror or error}.") from None


def take_mail(app: Flask) -> None:
    """Run the door for mails until told to end."""
    settings = app.config["SETTINGS"]
    logs.to_stderr(settings.log_format)
    host, _, port = settings.mail_door.partition(":")
    door = open_door(Keeper(app), host, int(port))
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    door.start()
    ended.wait()
    door.stop()


@main.command()
@in_portal
def migrate() -> None:
    """Make the tables, or bring them up to date."""
    bring_up_to_date()
    click.echo("The tables are up to date.")


def bring_up_to_date() -> None:
    """Inside the application: run the migrations that the database has not seen."""
    flask_migrate.upgrade(directory=str(MIGRATIONS))


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@in_portal
def backup(file: Path) -> None:
    """Write a copy of everything to FILE, while the portal goes on; only you may read it."""
    copied(backups.back_up, file)
    click.echo(f"{file} holds everything ({file.stat().st_size / 1e6:.1f} MB). Keep it where the server is not.")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@in_portal
def restore(file: Path) -> None:
    """Fill a new, empty database from a copy. Nothing that may have been sent since is sent again by itself."""
    back = copied(backups.restore, file, bring_up_to_date)
    click.echo(f"Back at {back.made_at:%Y-%m-%d %H:%M} UTC, with {back.orders} orders.")
    if back.forgotten:
        click.echo(f"Orders whose customers were forgotten since, and are again: {back.forgotten}")
    click.echo(f"Letters that may have been sent since, at the desk under Letters that failed: {back.letters}")
    click.echo(f"Refunds that are sent only after asking Stripe whether they were: {back.refunds}")
    click.echo("Start web and workers now.")


def copied(work: Callable[..., Copied], *arguments: Any) -> Copied:
    try:
        return work(*arguments)
    except dump.NoCopy as reason:
        raise click.ClickException(str(reason)) from None


@main.command()
def check() -> None:
    """Say in plain words what is missing or wrong; ends with 1 when something is."""
    with open_portal().app_context():
        findings = checks.all_findings(MIGRATIONS)
        if any(finding.part == "refunds" for finding in findings):
            session.commit()
    for finding in findings:
        click.secho(f"{finding.level:<7}", fg=COLOURS[finding.level], nl=False)
        click.echo(f"{finding.part}: {finding.words}")
    sys.exit(1 if any(finding.level == "wrong" for finding in findings) else 0)


COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@main.group()
def staff() -> None:
    """The people at the desk."""


@staff.command()
@click.argument("email")
@click.option("--name", required=True, help="As customers and colleagues read it.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@in_portal
def invite(email: str, name: str, role: str) -> None:
    """Print a one-time link with which this person chooses a password."""
    try:
        address = validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise click.ClickException(f"{email} is no e-mail address: {error}") from None
    token = staff_actions.invite_staff(address, name, Role(role), now=clock.now())
    click.echo(f"Give {name} this link; it works once, for {staff_actions.INVITATION_LASTS.days} days:")
    click.echo(f"{current_app.config['SETTINGS'].base_url}/desk/invitations/{token}")


@staff.command("list")
@in_portal
def list_staff() -> None:
    """Who is who."""
    for person in session.scalars(select(Staff).order_by(Staff.email)):
        click.echo(f"{person.email:<40} {person.role:<10} {people.state_of(person):<10} {person.name}")


@staff.command()
@click.argument("email")
@in_portal
def disable(email: str) -> None:
    """Shut this person out, with the next click."""
    person = session.scalar(select(Staff).where(Staff.email == email.strip().lower()))
    if person is None:
        raise click.ClickException(f"Nobody here has the address {email}.")
    people.shut_out(person, by=None, now=clock.now())
    click.echo(f"{person.name} is shut out.")


@staff.command("reset-second-factor")
@click.argument("email")
@in_portal
def reset_second_factor(email: str) -> None:
    """For who lost phone and recovery codes: the next sign-in sets up a new second factor; a letter tells them."""
    person = session.scalar(select(Staff).where(Staff.email == email.strip().lower()))
    if person is None:
        raise click.ClickException(f"Nobody here has the address {email}.")
    people.reset_second_factor(person, by=None, now=clock.now())
    click.echo(f"{person.name} sets up a new second factor at the next sign-in, and is signed out everywhere.")


@main.group()
def audit() -> None:
    """What happened, and whether anybody changed it since."""


@audit.command()
@click.option(
    "--noted", default="", metavar="SEAL", help="A last seal that you wrote down before; it must still be there."
)
@in_portal
def verify(noted: str) -> None:
    """Find entries of timelines and journal that were changed, removed, reordered or slipped in."""
    verdict = seals.verify(noted, now=clock.now())
    for fault in verdict.faults:
        click.echo(f"{fault.entry_of} {fault.entry_id}: {FAULTS[fault.kind]}")
    if not verdict.knows_noted:
        click.echo(f"The seal {noted} is not in the chain any more: its end was removed, or all of it was made anew.")
    click.echo(
        f"{verdict.sealed} entries have their seal. Write down the last one: {verdict.head or 'there is none yet'}"
    )
    sys.exit(bool(verdict.faults) or not verdict.knows_noted)


FAULTS = {
    "changed": "was changed, or a seal before it was removed or reordered",
    "missing": "was removed",
    "unsealed": "has no seal though it is old: slipped in later, or its seal was removed, or no worker runs",
}


@main.command("lock-down")
@click.option("--keys/--no-keys", default=True, show_default=True, help="Make the keys of shops' own systems anew too.")
@click.option("--secret-key/--no-secret-key", default=True, show_default=True, help="Make another SECRET_KEY too.")
@click.confirmation_option(prompt="Every link, session and key ends now. Go on?")
@in_portal
def lock_down(keys: bool, secret_key: bool) -> None:
    """When something leaked: end every link in letters, every browser and session, and renew all keys of our own."""
    done = breach.lock(by=None, now=clock.now())
    click.echo(
        f"Ended: {done.links} links, {done.browsers} browsers of customers, {done.sessions} sessions at the desk."
    )
    for shop, name, secret in breach.renew_keys(by=None, now=clock.now()) if keys else ():
        click.echo(f"The key of {shop} called {name} is now, shown this once: {secret}")
    if secret_key:
        tell_secret_key(breach.renew_secret_key())
    click.echo("Yours to change: the webhooks' secrets and the keys of Stripe and couriers, where they were made.")


def tell_secret_key(made: breach.Rekeyed) -> None:
    """What the owner of the server has to do now: until then no code of an authenticator app opens the desk."""
    click.echo(f"SECRET_KEY is now, shown this once: {made.key}")
    click.echo(f"Put it into the settings and start web and workers anew. Authenticator apps sealed anew: {made.apps}.")
    if made.lost:
        click.echo(f"Apps that were sealed under an older key and have to be set up again: {made.lost}.")


@main.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@in_portal
def retain(dry_run: bool) -> None:
    """Let go what has been kept long enough; the worker does it every night. Terms are set at the desk."""
    for name, kind in retention.KINDS.items():
        for country, count in retention.due(name, now=clock.now()).items():
            click.echo(f"{kind.name}{f' ({country})' if country else ''}: {count}")
        if not dry_run:
            retention.apply(name, now=clock.now())


@main.group()
def insight() -> None:
    """What is kept counted of orders and answers."""


@insight.command()
@in_portal
def rebuild() -> None:
    """Count everything anew, and say what was counted wrongly; ends with 1 when something was. All is right then."""
    session.execute(text("SET statement_timeout = 0"))
    wrong = count_everything()
    sums = rollups.wrong_sums()
    for one in sums[:MOST_TOLD]:
        click.echo(f"{one.what}: off by {one.n} (good {one.good}, bad {one.bad})")
    rollups.mend_sums()
    left = len(rollups.wrong_sums())
    click.echo(f"Orders that were counted as something else than they are: {wrong}. Sums that were wrong: {len(sums)}.")
    click.echo("Everything is equal now." if not left else f"Sums that changed while this ran: {left}. Run it again.")
    session.commit()
    sys.exit(bool(wrong or sums or left))


@main.group()
def channel() -> None:
    """Where orders come from."""


@channel.command()
@click.argument("name")
@click.option("--key", "called", default="first", show_default=True, help="What the desk calls this key.")
@in_portal
def add(name: str, called: str) -> None:
    """Open the API to a shop, or make it one more key; it is shown this once. The desk's page of keys does it too."""
    click.echo(f"The key of {name}, shown this once:\n{make_key(name, called, by=None, now=clock.now())}")


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", "name", default="csv", show_default=True, help="The channel that the orders belong to.")
@in_portal
def import_orders(file: Path, name: str) -> None:
    """Take in the orders of a CSV file, and say what is wrong with the others. A second import changes nothing."""
    report = report_of(file, name)
    refused = report.of("refused")
    for outcome in refused:
        click.echo(f"Row {outcome.row}, order {outcome.number}: {'; '.join(outcome.reasons)}.", err=True)
    counts = f"{len(report.of('accepted'))} orders are new, {len(report.of('known'))} were known"
    click.echo(f"{counts}, {len(refused)} were refused." if refused else f"{counts}.")
    session.commit()
    sys.exit(bool(refused))


@main.command("import-stock")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@in_portal
def count_stock(file: Path) -> None:
    """Count the stock anew from a CSV file: sku, on_hand, and if you like place, title, low_at."""
    try:
        report = stock_imports.import_stock(file.read_text("utf-8"), by="system", now=clock.now())
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not in UTF-8. Save it as “CSV UTF-8”.") from None
    except BadStockSheet as bad:
        raise click.ClickException(f"{bad}\nNothing was counted.") from None
    for mistake in report.mistakes:
        click.echo(f"Row {mistake.row}: {mistake.words}.", err=True)
    click.echo(f"{report.counted} rows were counted, {len(report.mistakes)} were refused.")
    session.commit()
    sys.exit(bool(report.mistakes))


def report_of(file: Path, channel: str) -> imports.Report:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return imports.import_orders(stream, channel, now=clock.now())
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not in UTF-8. Save it as “CSV UTF-8”.") from None
    except BadSheet as bad:
        raise click.ClickException(f"{bad}\nNothing was imported.") from None


if __name__ == "__main__":
    main()
