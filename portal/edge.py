"""What every page passes through: language, filters, errors in the reader's words, and whether we are up."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, current_app, g, has_request_context, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel, format_time, get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, generate_csrf
from markupsafe import Markup
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.config import LANGUAGES, Settings
from portal.db import session
from portal.lib import clock, days
from portal.lib.errors import Refused
from portal.lib.money import Money

bp = Blueprint("edge", __name__)


def init_app(app: Flask) -> None:
    settings: Settings = app.config["SETTINGS"]
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    Babel(app, locale_selector=language)
    for name, function in {"money": money, "day": day, "moment": moment, "clock": time_of_day}.items():
        app.add_template_filter(function, name)
    app.jinja_env.globals.update(
        settings=settings, csrf=csrf, static_url=static_url, get_locale=get_locale, languages=LANGUAGES, now=clock.now
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.autoescape = is_markup
    for error, handler in HANDLERS.items():
        app.register_error_handler(error, handler)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the process answers and its database does."""
    session.execute(text("SELECT 1"))
    return {"status": "ok"}


def is_markup(template: str | None) -> bool:
    """Letters are written in MJML: what people typed is escaped there as on a page."""
    return template is None or template.endswith((".html", ".mjml", ".svg", ".xml"))


def language() -> str:
    """The order's language for customers, the person's own at the desk, else what the browser asks for."""
    if person := g.get("staff"):
        return str(person.locale)
    asked = request.accept_languages.best_match(LANGUAGES) if has_request_context() else None
    chosen = g.get("locale") or asked
    return chosen if chosen in LANGUAGES else str(current_app.config["SETTINGS"].shop_language)


def money(amount: Money) -> str:
    return amount.format(str(get_locale() or "en"))


def day(when: date | datetime) -> str:
    """A date as people say it: today, tomorrow, yesterday, else weekday and date; with the year when it is another one."""
    today = clock.now().astimezone(_zone()).date()
    that = when.astimezone(_zone()).date() if isinstance(when, datetime) else when
    near = {0: _("today"), 1: _("tomorrow"), -1: _("yesterday")}.get((that - today).days)
    if near:
        return near
    return days.spelled(that, today, str(get_locale() or "en"))


def moment(when: datetime) -> str:
    """Day and time in the shop's zone."""
    return _("%(day)s at %(time)s", day=day(when), time=time_of_day(when))


def time_of_day(when: datetime) -> str:
    return format_time(when, "HH:mm")


def _zone() -> Any:
    return current_app.config["SETTINGS"].zone


def csrf() -> Markup:
    """The hidden field that every form of ours carries."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def static_url(filename: str) -> str:
    """The address of a static file under its content's hash, cacheable for a year."""
    path = Path(str(current_app.static_folder)) / filename
    return url_for("static", filename=filename, v=_fingerprint(path, path.stat().st_mtime_ns))


@cache
def _fingerprint(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def refused(error: Refused) -> ResponseReturnValue:
    return _problem(409, _("That did not work"), error.message)


def http_error(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code == 404 and error.description == "link" and not _is_machine():
        session.rollback()
        return render_template("errors/link.html"), 404
    if code < 400:
        return error.get_response()
    title, words = _words(code)
    return _problem(code, title, words)


def database_error(error: Exception) -> ResponseReturnValue:
    """The database is away or busy: senders should try again, people too. What it refuses otherwise is our own fault."""
    if isinstance(error, DBAPIError) and not isinstance(error, OperationalError) and not error.connection_invalidated:
        return unexpected(error)
    current_app.logger.error("the database is away: %s", type(error).__name__)
    body, code = _problem(503, _("One moment"), _("We can't reach our records right now. Please try again in a minute."))[:2]
    return body, code, {"Retry-After": "30"}


def unexpected(error: Exception) -> ResponseReturnValue:
    current_app.logger.exception("unexpected error", exc_info=error)
    return _problem(500, _("Something went wrong"), _("It was our mistake, and nothing was changed. Please try again."))


def csrf_error(error: CSRFError) -> ResponseReturnValue:
    return _problem(400, _("This form is too old"), _("Please go back, reload the page and send it again."))


def _problem(code: int, title: str, words: str) -> tuple[Any, int]:
    session.rollback()
    if _is_machine():
        return jsonify(error=title, message=words), code
    return render_template("errors/problem.html", code=code, title=title, text=words), code


def _is_machine() -> bool:
    return request.path.startswith(("/api/", "/hooks/", "/healthz"))


def _words(code: int) -> tuple[str, str]:
    return {
        400: (_("That can't be read"), _("What was sent is not what this page expects.")),
        403: (_("This is not yours to open"), _("Your role does not include this page. Ask a manager if it should.")),
        404: (_("There is nothing here"), _("The address may be mistyped, or the page has gone.")),
        405: (_("That can't be done here"), _("This page does not take that kind of request.")),
        413: (_("That is too big"), _("What was sent is larger than we take.")),
        415: (_("That can't be read"), _("Send it as JSON.")),
        429: (_("Too many tries"), _("Please wait a little and try again.")),
    }.get(code, (_("That did not work"), _("Please try again.")))


HANDLERS: dict[type[Exception], Callable[[Any], ResponseReturnValue]] = {
    Refused: refused,
    CSRFError: csrf_error,
    HTTPException: http_error,
    OperationalError: database_error,
    DBAPIError: database_error,
    PoolEmpty: database_error,
    Exception: unexpected,
}

