"""Asking a channel's API: what comes back, in the errors that every adapter raises."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from portal.adapters import web
from portal.adapters.errors import Permanent, Temporary, Unknown


def ask(address: str, params: Mapping[str, str | int], headers: Mapping[str, str]) -> tuple[Any, web.Answer]:
    """What a GET answers, as JSON whose fractions stay text. Raises Temporary, Permanent or Unknown."""
    answer = web.call("GET", f"{address}?{urlencode(params)}" if params else address, headers=headers)
    if answer.status == 429 or answer.status >= 500:
        raise Temporary(f"it answers {answer.status}")
    if answer.status in (401, 403):
        raise Permanent(f"it does not take our key ({answer.status})")
    if answer.status != 200:
        raise Permanent(f"it answers {answer.status}; is the address right?")
    try:
        return json.loads(answer.body, parse_float=str), answer
    except (ValueError, RecursionError):
        raise Unknown("the answer is no JSON") from None


def listed(value: Any) -> list[dict[str, Any]]:
    """The objects of a list. Raises Unknown for what is none: somebody else may have answered."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unknown("the answer is no list of orders")
    return value


def as_told(order: Mapping[str, Any]) -> bytes:
    """The order as bytes, the same for the same content. Raises Unknown for what can't be written down."""
    try:
        return json.dumps(order, sort_keys=True, ensure_ascii=True).encode()
    except (TypeError, ValueError, RecursionError):
        raise Unknown("the answer can't be kept") from None
