"""What every page passes through: language, filters, and the addresses of static files."""

import hashlib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from flask import Flask, current_app, g, has_request_context, request, url_for
from flask_babel import Babel, Domain, get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from portal.config import LANGUAGES, Settings
from portal.db.counting import told
from portal.lib import clock, days
from portal.lib.logs import Masked
from portal.lib.money import Money
from portal.lib.tracing import Traced


class RowId(IntegerConverter):
    """`<int:id>`: a number that no row can have is an address that leads nowhere."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=2**63 - 1)


def init_app(app: Flask) -> None:
    settings: Settings = app.config["SETTINGS"]
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.wsgi_app = Traced(app.wsgi_app, behind_proxy=bool(hops))  # type: ignore[method-assign]
    app.url_map.converters["int"] = RowId
    Babel(app, locale_selector=locale).domain_instance = Catalogues()
    app.jinja_env.filters.update(money=money, day=day, moment=moment, clock=time_of_day, told=told)
    app.jinja_env.globals.update(
        settings=settings, csrf=csrf, static_url=static_url, get_locale=get_locale, languages=LANGUAGES, now=clock.now
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.autoescape = is_markup
    app.logger.addFilter(Masked())


class Catalogues(Domain):
    """Flask-Babel's translations, found once per request and language: a page asks for dozens of texts."""

    def get_translations(self) -> Any:
        held = g._flask_babel
        locale = getattr(held, "babel_locale", None) or get_locale()
        if getattr(held, "catalogue_of", None) is not locale:
            held.catalogue, held.catalogue_of = super().get_translations(), locale
        return held.catalogue


def is_markup(template: str | None) -> bool:
    """Letters are written in MJML: what people typed is escaped there as on a page."""
    return template is None or template.endswith((".html", ".mjml", ".svg", ".xml"))


@cache
def _parsed(language: str) -> Locale:
    return Locale.parse(language)


def locale() -> Locale:
    return _parsed(language())


def language() -> str:
    """The order's language for customers, the person's own at the desk, else what the browser asks for."""
    if person := g.get("staff"):
        return str(person.locale)
    chosen = g.get("locale")
    if not chosen and has_request_context():
        chosen = request.accept_languages.best_match(LANGUAGES)
    return chosen if chosen in LANGUAGES else str(current_app.config["SETTINGS"].shop_language)


def money(amount: Money) -> str:
    return amount.format(str(get_locale() or "en"))


def day(when: date | datetime) -> str:
    """A date as people say it: today, tomorrow, yesterday, else weekday and date, with the year when it is another."""
    today = days.shop_day(clock.now())
    that = days.shop_day(when) if isinstance(when, datetime) else when
    near = days.NEAR.get((that - today).days)
    return str(near) if near else days.spelled(that, today, str(get_locale() or "en"))


def moment(when: datetime) -> str:
    """Day and time in the shop's zone."""
    return _("%(day)s at %(time)s", day=day(when), time=time_of_day(when))


def time_of_day(when: datetime) -> str:
    return when.astimezone(_zone()).strftime("%H:%M")


def _zone() -> ZoneInfo:
    settings: Settings = current_app.config["SETTINGS"]
    return settings.zone


def csrf() -> Markup:
    """The hidden field that every form of ours carries."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def static_url(filename: str) -> str:
    """The address of a static file under its content's hash, cacheable for a year."""
    path = Path(str(current_app.static_folder)) / filename
    return url_for("static", filename=filename, v=_fingerprint(path, path.stat().st_mtime_ns))


@cache
def _fingerprint(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
