"""Who may speak to us, and who listens: features say so where their handler stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portal.config import Settings


class NotGenuine(Exception):
    """The signature is missing or wrong. `signed`: there was one, so this may be its sender and our secret be wrong."""

    def __init__(self, *, signed: bool = False) -> None:
        super().__init__()
        self.signed = signed


class NotReady(Exception):
    """No secret is set for this source: nothing can be verified."""


class Knock(Exception):
    """Only asks whether somebody is here: answered, and nothing is kept."""


class Unreadable(Exception):
    """Genuine, but no message that this source sends."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message before it is worked off: the sender's key for it and what it is about."""

    external_id: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """`open` verifies raw bytes and headers and names the message; `handle` is the job that works it off."""

    open: Callable[[bytes, Mapping[str, str], Settings], Envelope]
    handle: Callable[[int], None]


SOURCES: dict[str, Source] = {}


def listen(
    name: str, open: Callable[[bytes, Mapping[str, str], Settings], Envelope]
) -> Callable[[Callable[[int], None]], Callable[[int], None]]:
    """Decorate the job that works off messages of this source; it is called with the message's id.

    `open(raw, headers, settings)` returns an Envelope or raises NotGenuine, NotReady, Unreadable or Knock.
    """

    def register(handle: Callable[[int], None]) -> Callable[[int], None]:
        SOURCES[name] = Source(open, handle)
        return handle

    return register
