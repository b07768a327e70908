"""Flask's signed session, without making its signer anew for every request."""

from functools import cached_property
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.wrappers import Request


class Sessions(SecureCookieSessionInterface):
    """Who brings no cookie gets an empty session at once: most who look at a page bring none."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    @cached_property
    def signer(self) -> Any:
        return super().get_signing_serializer(self.app)

    def get_signing_serializer(self, app: Flask) -> Any:
        return self.signer if app is self.app else super().get_signing_serializer(app)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
