"""What the web answers when something is wrong: in the reader's words on a page, as JSON to machines."""

from collections.abc import Callable
from typing import Any

from flask import Flask, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from werkzeug.exceptions import HTTPException, InternalServerError

from portal.db import session
from portal.lib.errors import Refused
from portal.lib.tracing import KEY

ONLY_READS = "25006"  # SQLSTATE


def init_app(app: Flask) -> None:
    app.before_request(refuse_nul)
    for error, handler in HANDLERS.items():
        app.register_error_handler(error, handler)


def refuse_nul() -> None:
    """PostgreSQL can't store the character NUL, and nobody types it."""
    typed = request.method in ("POST", "PUT", "PATCH") and not _is_machine()
    fields = [*request.args.lists(), *(request.form.lists() if typed else ())]
    if "\0" in request.path or any("\0" in text for _name, texts in fields for text in texts):
        abort(400)


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
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return *_problem(code, title, words), kept


def failed_late(error: InternalServerError) -> ResponseReturnValue:
    """The commit at the edge failed, after the view had answered; Flask has logged it."""
    late = error.original_exception
    return database_error(late) if isinstance(late, DBAPIError | PoolEmpty) else _our_mistake()


def database_error(error: Exception) -> ResponseReturnValue:
    """The database is away or busy: senders should try again, people too. Other refusals are our own fault."""
    if isinstance(error, DBAPIError) and not _is_away(error):
        return unexpected(error)
    current_app.logger.error("the database is away: %s", type(error).__name__)
    words = _("We can't reach our records right now. Please try again in a minute.")
    return *_problem(503, _("One moment"), words), {"Retry-After": "30"}


def _is_away(error: DBAPIError) -> bool:
    """Also when it only reads: another server is about to take over."""
    only_reads = getattr(error.orig, "sqlstate", None) == ONLY_READS
    return only_reads or isinstance(error, OperationalError) or error.connection_invalidated


def unexpected(error: Exception) -> ResponseReturnValue:
    current_app.logger.exception("unexpected error", exc_info=error)
    return _our_mistake()


def _our_mistake() -> ResponseReturnValue:
    return _problem(500, _("Something went wrong"), _("It was our mistake, and nothing was changed. Please try again."))


def csrf_error(_error: CSRFError) -> ResponseReturnValue:
    return _problem(400, _("This form is too old"), _("Please go back, reload the page and send it again."))


def _problem(code: int, title: str, words: str) -> tuple[Any, int]:
    session.rollback()
    if _is_machine():
        return jsonify(error=title, message=words), code
    number = request.environ.get(KEY) if code >= 500 else None
    return render_template("errors/problem.html", code=code, title=title, text=words, number=number), code


def _is_machine() -> bool:
    return request.path.startswith(("/api/", "/hooks/", "/healthz", "/readyz", "/metrics"))


def _words(code: int) -> tuple[str, str]:
    return {
        400: (_("That can't be read"), _("What was sent is not what this page expects.")),
        403: (_("This is not yours to open"), _("Your role does not include this page. Ask a manager if it should.")),
        404: (_("There is nothing here"), _("The address may be mistyped, or the page has gone.")),
        405: (_("That can't be done here"), _("This page does not take that kind of request.")),
        413: (
            _("That is too big"),
            _("What was sent is larger than we take. Were it pictures? Go back and send fewer at once."),
        ),
        415: (_("That can't be read"), _("Send it as JSON.")),
        429: (_("Too many tries"), _("Please wait a little and try again.")),
    }.get(code, (_("That did not work"), _("Please try again.")))


HANDLERS: dict[type[Exception], Callable[[Any], ResponseReturnValue]] = {
    Refused: refused,
    CSRFError: csrf_error,
    HTTPException: http_error,
    InternalServerError: failed_late,
    OperationalError: database_error,
    DBAPIError: database_error,
    PoolEmpty: database_error,
    Exception: unexpected,
}
