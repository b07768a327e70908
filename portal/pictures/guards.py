"""Before a request is read: how large it may be, which the view says, and only to who may come in."""

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue


def init_app(app: Flask) -> None:
    """To be called before anything that reads forms."""
    app.before_request(let_pictures_in)


def let_pictures_in() -> ResponseReturnValue | None:
    """A view that takes pictures lets its guard ask first: a stranger sends nothing large."""
    view = current_app.view_functions.get(str(request.endpoint))
    if (most := getattr(view, "most_bytes", None)) is None or request.method != "POST" or "\0" in request.path:
        return None
    guard = current_app.extensions["guards"][str(request.endpoint).rpartition(".")[0]]
    refusal: ResponseReturnValue | None = guard()
    if refusal is None:
        request.max_content_length = most
    return refusal
