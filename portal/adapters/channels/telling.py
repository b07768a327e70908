"""Telling a channel something through its API: what may have happened is never mistaken for what surely did not."""

import json
from collections.abc import Mapping
from typing import Any

from portal.adapters import web
from portal.adapters.channels import Push
from portal.adapters.errors import Permanent, Temporary, Unknown
from portal.adapters.reading import part, text

KEY_REFUSED = 900.0
"""Seconds to stay away from a shop that does not take our key."""
LONGEST_WAIT = 3600.0


def mark(key: str) -> str:
    """How a note carries our key, so that it is found again before it is written a second time."""
    return f"[{key}]"


def words_of(push: Push) -> str:
    """A note's text as it stands there."""
    return " ".join(filter(None, (push.text, push.page, mark(push.key))))


def tell(method: str, address: str, headers: Mapping[str, str], body: Any = None) -> Any:
    """What the shop answers, as JSON.

    Raises Temporary when it surely did nothing, Permanent when it says no, Unknown when it may have done it.
    """
    answer = web.call(method, address, json=body, headers=headers)
    if answer.status == 429:
        raise Temporary("it wants us to wait (429)", wait=_wait(answer.headers.get("retry-after", "")))
    if answer.status in (401, 403):
        raise Temporary(f"it does not take our key ({answer.status})", wait=KEY_REFUSED)
    if answer.status >= 500:
        raise Unknown(f"it answers {answer.status}")
    said = _read(answer.body)
    if answer.status not in (200, 201):
        raise Permanent(_why(answer.status, said))
    if said is None:
        raise Unknown("the answer is no JSON")
    return said


def _wait(told: str) -> float:
    """Seconds; a date is not read, a minute is waited then."""
    return min(float(told), LONGEST_WAIT) if told.replace(".", "", 1).isdecimal() else 60.0


def _read(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _why(status: int, said: Any) -> str:
    told = text(part(said).get("message")) or text(part(said).get("errors"))
    if status == 404:
        return f"the order is not there any more ({told or status})"
    return f"it says no: {told or status}"
