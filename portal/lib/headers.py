"""Headers on every response: nothing is cached but static files, nothing is framed, nothing foreign is loaded."""

from flask import Flask, Response, request

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


def init_app(app: Flask) -> None:
    app.after_request(add_headers)


def add_headers(response: Response) -> Response:
    for name, value in COMMON.items():
        response.headers.setdefault(name, value)
    at_desk = request.path.startswith("/desk")
    response.headers.setdefault("Content-Security-Policy", DESK_POLICY if at_desk else CUSTOMER_POLICY)
    response.headers["Cache-Control"] = A_YEAR if _is_hashed_asset(response) else "no-store, private"
    return response


def _is_hashed_asset(response: Response) -> bool:
    return request.endpoint == "static" and response.status_code in (200, 304) and "v" in request.args
