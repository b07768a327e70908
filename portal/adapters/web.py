"""HTTP to others: every call ends in an answer or in one of two errors, in bounded time and size."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ConnectTimeout, RequestException, SSLError
from urllib3.exceptions import NewConnectionError

from portal.adapters.errors import Temporary, Unknown

TIMEOUT = (3.05, 20.0)
"""Seconds to connect, and between two bytes."""
LONGEST = 30.0
"""Seconds for a whole answer, however slowly it drips."""
BIGGEST = 8_000_000
"""Bytes of an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status; redirects are not followed."""

    status: int
    body: bytes
    kind: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""


def call(
    method: str,
    address: str,
    *,
    user: str | None = None,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask once. `user` signs in with an empty password; a body is `json`, or bytes whose kind the headers say.

    Raises Temporary when surely nothing was executed, Unknown when it may have been.
    """
    until = time.monotonic() + LONGEST
    try:
        with requests.request(
            method,
            address,
            json=json,
            data=body,
            auth=(user, "") if user is not None else None,
            headers={"User-Agent": "Aftersale", **(headers or {})},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status_code, _read(answer, until), told.get("content-type", ""), told)
    except (ConnectTimeout, SSLError) as error:
        raise Temporary(f"no connection: {type(error).__name__}") from None
    except NoConnection as error:
        if isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError):
            raise Temporary("no connection") from None
        raise Unknown("the line was cut") from None
    except RequestException as error:
        raise Unknown(f"no answer: {type(error).__name__}") from None


def _read(answer: requests.Response, until: float) -> bytes:
    body = b""
    for piece in answer.iter_content(65_536):
        body += piece
        if len(body) > BIGGEST or time.monotonic() > until:
            raise Unknown("the answer was too long or too slow")
    return body
