"""Headers on every response: nothing is cached but static files, nothing is framed, nothing foreign is loaded."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, request

CUSTOMER_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
DESK_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'; object-src 'none'"
)
COMMON = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
A_YEAR = "public, max-age=31536000, immutable"


ASKED_AGAIN = "private, no-cache"
"""Only this browser keeps it, and asks before each use whether it still holds: the answer to a stranger is a 404."""
COMMON_LIST = list(COMMON.items())


def init_app(app: Flask) -> None:
    app.after_request(add_headers)
    app.wsgi_app = Clothed(app.wsgi_app)  # type: ignore[method-assign]


class Clothed:
    """Around the application: what every answer carries whatever it is, put on where that costs least."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, headers + COMMON_LIST, *more)

        return self.application(environ, start)


def unchanged(*facts: object) -> Response | None:
    """304 when this browser holds the page that these facts make, to be answered before anything is rendered."""
    g.tag = hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()
    if not request.if_none_match.contains_weak(g.tag):
        return None
    return tagged(Response(status=304))


def tagged(response: Response) -> Response:
    """Let this browser keep the page until the facts given to `unchanged` are others."""
    response.set_etag(g.tag, weak=True)
    response.headers["Cache-Control"] = ASKED_AGAIN
    return response


def add_headers(response: Response) -> Response:
    if "Content-Security-Policy" not in response.headers:
        at_desk = request.path.startswith("/desk")
        response.headers["Content-Security-Policy"] = DESK_POLICY if at_desk else CUSTOMER_POLICY
    if response.headers.get("Cache-Control") != ASKED_AGAIN:
        response.headers["Cache-Control"] = A_YEAR if _is_hashed_asset(response) else "no-store, private"
    return response


def _is_hashed_asset(response: Response) -> bool:
    return request.endpoint == "static" and response.status_code in (200, 304) and "v" in request.args
