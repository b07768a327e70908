"""Stripe's way to say no."""

from typing import Any


class Problem(Exception):
    """An error as Stripe words it. `stored`: whether a key remembers it; wrong parameters are forgotten."""

    def __init__(self, status: int, type: str, message: str, *, stored: bool = False, **more: str) -> None:
        super().__init__(message)
        self.status, self.stored = status, stored
        self.body: dict[str, Any] = {"error": {"type": type, "message": message, **more}}


class Invalid(Problem):
    """The request makes no sense; it never began."""

    def __init__(self, message: str, param: str, code: str = "") -> None:
        super().__init__(400, "invalid_request_error", message, **_without_blanks(param=param, code=code))


class Impossible(Problem):
    """It began, and it can't be done."""

    def __init__(self, message: str, code: str = "", param: str = "") -> None:
        about = _without_blanks(param=param, code=code)
        super().__init__(400, "invalid_request_error", message, stored=True, **about)


def _without_blanks(**more: str) -> dict[str, Any]:
    return {name: value for name, value in more.items() if value}


def missing(what: str, id: str, param: str = "id") -> Problem:
    words = f"No such {what}: '{id}'"
    return Problem(404, "invalid_request_error", words, code="resource_missing", param=param)


def locked_out(key: str) -> Problem:
    shown = f"Invalid API Key provided: {key[:8]}****" if key else "You did not provide an API key."
    return Problem(401, "invalid_request_error", shown)


def in_flight(key: str) -> Problem:
    words = f"There is currently another in-progress request using this Idempotent Key: {key}. Please try again later."
    return Problem(409, "idempotency_error", words, code="idempotency_key_in_use")


def mismatch(key: str) -> Problem:
    words = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Problem(400, "idempotency_error", words)
