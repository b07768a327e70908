"""Every request has a number: in its answer, in each line that is logged meanwhile, and in a line of its own."""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from portal.lib import logs, tokens

HEADER = "X-Request-ID"
KEY = "aftersale.request_id"
GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
log = logging.getLogger("portal.access")
log.addFilter(logs.Masked())

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Traced:
    """Around the application. A number that comes from outside is believed only behind a proxy of ours."""

    def __init__(self, application: Wsgi, behind_proxy: bool) -> None:
        self.application, self.behind_proxy = application, behind_proxy

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        number, began = self._number(environ), time.perf_counter()
        environ[KEY] = number

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            took = (time.perf_counter() - began) * 1000
            log.info("%s %s %s %.0f ms", environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), status[:3], took)
            return start_response(status, [*headers, (HEADER, number)], *more)

        with logs.about(request=number):
            return self.application(environ, start)

    def _number(self, environ: dict[str, Any]) -> str:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        return given if self.behind_proxy and GIVEN.fullmatch(given) else tokens.reference(16)
