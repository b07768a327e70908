"""How far a letter is, as the desk reads it."""

from typing import Any

from flask_babel import lazy_gettext as _l

STATE: dict[str, tuple[Any, str]] = {
    "queued": (_l("Waiting"), "neutral"),
    "sending": (_l("Being sent"), "info"),
    "sent": (_l("Sent"), "good"),
    "failed": (_l("Failed, will be tried again"), "warn"),
    "dead": (_l("Failed: a person must look"), "bad"),
    "suppressed": (_l("Dropped"), "neutral"),
}
