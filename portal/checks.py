"""Is all well? Each check looks at one part, proves it where it can, and says in plain words what it found."""

import smtplib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal.adapters import sign_on, smtp
from portal.adapters.channels.accounts import accounts
from portal.adapters.couriers import easypost_account
from portal.adapters.errors import Permanent, Temporary, Unknown
from portal.adapters.stripe import Account
from portal.config import Settings
from portal.db import roles, session
from portal.feedback import mail_reading, mails
from portal.fulfilment import buying
from portal.inbox.models import InboxMessage
from portal.inbox.sources import SOURCES
from portal.jobs import defer
from portal.lib import clock
from portal.orders import pushes, rereading
from portal.orders.models import Channel, ChannelReading
from portal.refunds.jobs import try_key
from portal.refunds.pause import paused
from portal.staff.models import Staff
from portal.staff.sign_on import provider as who_vouches

Level = Literal["ok", "note", "wrong"]
SHOPS = {"shopify", "woocommerce", "checkout"}
"""Sources whose messages are orders."""
HERE = {"127.0.0.1", "localhost", "::1"}
HEARD = 250
WORKER_SEEN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` must be mended, a `note` should be read."""

    level: Level
    part: str
    words: str


Check = Callable[[Settings], Iterator[Finding]]


def all_findings(migrations: Path) -> list[Finding]:
    """What every check found; those that ask the tables are left out while these are missing or away."""
    settings: Settings = current_app.config["SETTINGS"]
    found = [
        *addresses(settings),
        *shop(settings),
        *mail(settings),
        *answers(settings),
        *stripe(settings),
        *secrets(settings),
        *labels(settings),
        *shops(settings),
        *single_sign_on(settings),
    ]
    try:
        tables = list(database(migrations))
        ready = all(finding.level == "ok" for finding in tables)
        return [
            *found,
            *tables,
            *(at_work(settings) if ready else []),
        ]
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return [*found, Finding("wrong", "database", f"does not answer: {reason}")]


def at_work(settings: Settings) -> Iterator[Finding]:
    """What is read from the tables."""
    for found in (
        role(settings),
        worker(),
        refunds(),
        readings(),
        told(),
        people(),
        ways_in(settings),
        last_mail(settings),
    ):
        yield from found


def addresses(settings: Settings) -> Iterator[Finding]:
    if settings.https:
        yield Finding("ok", "address", f"customers come to {settings.base_url}")
    elif urlsplit(settings.base_url).hostname in HERE:
        yield Finding(
            "note", "address", f"BASE_URL is {settings.base_url}: good for trying out, no customer can reach it"
        )
    else:
        yield Finding("wrong", "address", f"BASE_URL is {settings.base_url}; customers' links need https://")


def shop(settings: Settings) -> Iterator[Finding]:
    if settings.shop_email.endswith(("@example.com", "@example.org")):
        yield Finding("wrong", "shop", "SHOP_EMAIL is still an example: nobody can answer our letters")
    if not settings.shop_address:
        yield Finding("note", "shop", "SHOP_ADDRESS is empty; letters should name it")


def mail(settings: Settings) -> Iterator[Finding]:
    """Says hello to the mail server, encrypts and signs in as the settings want; sends nothing."""
    server = f"{settings.mail_server}:{settings.mail_port}"
    try:
        with smtp.mailer.connect() as connection:
            if connection.host:
                connection.host.ehlo_or_helo_if_needed()
    except smtplib.SMTPAuthenticationError:
        yield Finding("wrong", "mail", f"{server} refuses MAIL_USERNAME and MAIL_PASSWORD")
    except (smtplib.SMTPException, OSError) as error:
        yield Finding("wrong", "mail", f"{server} does not take us: {error}")
    else:
        signed = f"signed in as {settings.mail_username}" if settings.mail_username else "without signing in"
        yield Finding("ok", "mail", f"{server} takes letters, {signed}")
        if urlsplit(f"//{server}").hostname not in HERE and not (settings.mail_use_tls or settings.mail_use_ssl):
            yield Finding("wrong", "mail", "letters leave unencrypted; set MAIL_USE_TLS=1 or MAIL_USE_SSL=1")


def answers(settings: Settings) -> Iterator[Finding]:
    """Asks the door for mails whether it knows our addresses and no others; leaves no mail."""
    if not settings.reply_address:
        yield Finding("note", "answers", "REPLY_ADDRESS is not set: customers' answers by mail only reach SHOP_EMAIL")
        return
    host, _, port = settings.mail_door.partition(":")
    ours = mails.address_of(mails.PROBE) or ""
    try:
        with smtplib.SMTP(host, int(port), timeout=smtp.TIMEOUT) as line:
            line.ehlo()
            line.mail("")
            knows, _ = line.rcpt(ours)
            knows_others, _ = line.rcpt(ours.replace(f"+{mails.PROBE}.", "+0."))
    except (smtplib.SMTPException, OSError) as error:
        words = f"nobody takes mail at {settings.mail_door} ({error}): run `portal mail-door`"
        yield Finding("wrong", "answers", words)
    else:
        if knows == HEARD and knows_others != HEARD:
            yield Finding("ok", "answers", f"the door at {settings.mail_door} takes mail for {settings.reply_address}")
        else:
            yield Finding("wrong", "answers", f"what answers at {settings.mail_door} is not this portal's mail door")


def last_mail(settings: Settings) -> Iterator[Finding]:
    """Only a mail that came through the shop's mail server proves that one."""
    if not settings.reply_address:
        return
    came = select(func.max(InboxMessage.received_at)).where(InboxMessage.source == mail_reading.SOURCE)
    if last := session.scalar(came):
        yield Finding("ok", "answers", f"the last mail from a customer came on {last:%Y-%m-%d %H:%M} UTC")
    else:
        yield Finding("note", "answers", "no mail from a customer has come yet: does your mail server forward them?")


def stripe(settings: Settings) -> Iterator[Finding]:
    """Asks Stripe for one refund with our key; changes nothing there."""
    if not settings.stripe_api_key:
        yield Finding("note", "stripe", "STRIPE_API_KEY is not set: no money can be given back from here")
        return
    try:
        account = Account(settings.stripe_api_key, settings.stripe_api_base)
        account.prove()
    except ValueError as error:
        yield Finding("wrong", "stripe", str(error))
    except (Temporary, Permanent) as error:
        yield Finding("wrong", "stripe", f"does not take our key: {error}")
    except Unknown as error:
        yield Finding("wrong", "stripe", f"does not answer: {error}")
    else:
        yield Finding("ok", "stripe", f"takes our key, in {account.mode} mode")
        if account.mode == "test" and settings.https:
            yield Finding("note", "stripe", "a test key moves no real money")


def labels(settings: Settings) -> Iterator[Finding]:
    """Asks EasyPost for one tracker with our key; changes nothing there."""
    if not settings.easypost_api_key:
        yield Finding("note", "labels", "EASYPOST_API_KEY is not set: no labels can be bought from here")
        return
    try:
        mode = easypost_account.Account(settings.easypost_api_key, settings.easypost_api_base).prove()
    except (Temporary, Permanent) as error:
        yield Finding("wrong", "labels", f"EasyPost does not take our key: {error}")
    except Unknown as error:
        yield Finding("wrong", "labels", f"EasyPost does not answer: {error}")
    else:
        yield Finding("ok", "labels", f"EasyPost takes our key, in {mode} mode")
    if not buying.sender(settings).postcode:
        yield Finding(
            "wrong", "labels", "SHIP_FROM or SHOP_ADDRESS must end with postcode and town, or no label is sold"
        )


def secrets(settings: Settings) -> Iterator[Finding]:
    secret = settings.stripe_webhook_secret
    if settings.stripe_api_key and not secret:
        yield Finding("wrong", "stripe", "STRIPE_WEBHOOK_SECRET is missing: no refund would ever be confirmed")
    if secret and not secret.startswith("whsec_"):
        yield Finding(
            "wrong", "stripe", "STRIPE_WEBHOOK_SECRET does not begin with whsec_; it is the endpoint's, not the API key"
        )


def shops(settings: Settings) -> Iterator[Finding]:
    """Asks each shop whose key we have for something; changes nothing there."""
    for code, account in accounts(settings).items():
        try:
            yield Finding("ok", code, f"answers to our key: {account.prove()}")
        except (Temporary, Permanent, Unknown) as error:
            yield Finding("wrong", code, f"can't be asked what has changed: {error}")


def single_sign_on(settings: Settings) -> Iterator[Finding]:
    """Asks the provider what it says of itself; signs nobody in."""
    provider = who_vouches(settings)
    if provider is None:
        return
    try:
        sign_on.describe(provider)
    except (Temporary, Permanent, Unknown) as error:
        yield Finding("wrong", "sign-on", f"{provider.issuer} can't be used: {error}")
    else:
        yield Finding("ok", "sign-on", f"{provider.issuer} describes itself; people come back to {settings.base_url}")


def readings() -> Iterator[Finding]:
    """How far each shop was read; without that, a webhook that got lost stays lost."""
    known = {row.code: row for row in session.scalars(select(ChannelReading))}
    for code in accounts(current_app.config["SETTINGS"]):
        row = known.get(code)
        if row is None or row.read_at is None:
            yield Finding(
                "note", code, "was not asked yet what has changed; the worker does it every quarter of an hour"
            )
        elif row.failing_since:
            yield Finding("wrong", code, f"does not answer since {row.failing_since:%Y-%m-%d %H:%M} UTC: {row.problem}")
        else:
            yield Finding("ok", code, f"all that changed until {row.until:%Y-%m-%d %H:%M} UTC is here")


def told() -> Iterator[Finding]:
    """What shops did not take; a person has to see to it at the desk."""
    for code in pushes.channels():
        since = pushes.failed_since(code)
        if since is None:
            yield Finding("ok", code, "nothing that it should be told waits for a person")
        else:
            yield Finding("wrong", code, f"was not told something since {since:%Y-%m-%d %H:%M} UTC: see /desk/pushes")


def database(migrations: Path) -> Iterator[Finding]:
    version = session.scalar(text("SHOW server_version"))
    yield Finding("ok", "database", f"PostgreSQL {version} answers")
    wanted = ScriptDirectory(str(migrations)).get_current_head()
    has_any = session.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    found = session.scalar(text("SELECT version_num FROM alembic_version")) if has_any else None
    if found == wanted:
        yield Finding("ok", "database", "the tables are up to date")
    else:
        yield Finding(
            "wrong", "database", f"the tables are at {found or 'nothing'}, not at {wanted}: run `portal migrate`"
        )


def role(settings: Settings) -> Iterator[Finding]:
    """Whether the database itself keeps the application from changing what happened."""
    power = roles.power()
    if power.none:
        words = f"the role {power.role} can add to what happened and change none of it, in {power.tables} tables"
        yield Finding("ok", "database", words)
        return
    could = "owns the tables" if power.owns else "can become their owner" if power.becomes else "may change them"
    yield Finding(
        "wrong" if settings.https else "note",
        "database",
        f"the role {power.role} {could}, so it could change what happened; give web and worker a role of their own in"
        " DATABASE_URL and name the owner in MIGRATION_DATABASE_URL",
    )


def worker() -> Iterator[Finding]:
    seen = session.scalar(text("SELECT max(last_heartbeat) FROM procrastinate_workers"))
    if seen and clock.now() - seen < WORKER_SEEN:
        yield Finding("ok", "worker", "at least one is at work")
    else:
        yield Finding("wrong", "worker", "none is at work: no letter leaves and no money moves; run `portal worker`")


def refunds() -> Iterator[Finding]:
    """When the queue waits for a key, owes one more try at it; the caller commits."""
    if since := paused():
        defer(try_key)
        yield Finding(
            "wrong", "refunds", f"wait since {since:%Y-%m-%d %H:%M} UTC: Stripe refused the key. It is tried again now"
        )


def people() -> Iterator[Finding]:
    way_in = Staff.password_hash.is_not(None) | Staff.sso_subject.is_not(None)
    able = select(func.count()).where(way_in, Staff.disabled_at.is_(None))
    count = session.scalar(able) or 0
    if current_app.config["SETTINGS"].staff_second_factor == "off":
        level: Level = "wrong" if current_app.config["SETTINGS"].https else "note"
        yield Finding(level, "people", "STAFF_SECOND_FACTOR is off: a password that leaks opens the desk")
    if count < 2:
        yield Finding(
            "note", "people", "money needs two people, one to ask and one to approve; see `portal staff invite`"
        )


def ways_in(settings: Settings) -> Iterator[Finding]:
    """A webhook's secret is proven when a message under it came; until then it is only set."""
    latest = select(InboxMessage.source, func.max(InboxMessage.received_at)).group_by(InboxMessage.source)
    latest = latest.where(InboxMessage.headers != rereading.FETCHED)
    heard = {row[0]: row[1] for row in session.execute(latest)}
    for source in SOURCES:
        name = f"{source.upper()}_WEBHOOK_SECRET"
        if not getattr(settings, name.lower(), None):
            yield Finding("note", source, f"{name} is not set: messages from {source} are turned away")
        elif source in heard:
            yield Finding(
                "ok", source, f"{name} is proven: the last genuine message came on {heard[source]:%Y-%m-%d %H:%M} UTC"
            )
        else:
            yield Finding(
                "note", source, f"{name} is set; no message has proven it yet: {settings.base_url}/hooks/{source}"
            )
    if settings.checkout_webhook_secret and not settings.stripe_api_key:
        yield Finding("wrong", "checkout", "needs STRIPE_API_KEY: what was bought is asked of Stripe")
    if not session.scalar(select(func.count()).select_from(Channel)) and heard.keys().isdisjoint(SHOPS):
        yield Finding(
            "note", "orders", "none can come in yet: add a channel with `portal channel add`, or connect a shop"
        )
