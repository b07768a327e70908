"""The questions that the portal brings along, in every language: what they ask, and what they ask next."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask_babel import force_locale
from flask_babel import lazy_gettext as _l

from portal.config import LANGUAGES

Texts = Mapping[str, Any]
"""By language what a question says: `ask`, `lead`, the ends of its scale `low` and `high`, `labels` for each step or
none, what it asks next of whom it was `bad`, `middle` or `good` for, or `words` of those who have not chosen yet; a
`choice` and its `choices`."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From low to high; up to `bad_to` somebody is unhappy, from `good_from` on happy."""

    low: int
    high: int
    bad_to: int
    good_from: int


FIVE, SEVEN, ELEVEN = Scale(1, 5, 2, 4), Scale(1, 7, 3, 5), Scale(0, 10, 6, 9)
BUILT_IN: Mapping[str, Scale] = {"csat": FIVE, "nps": ELEVEN, "ces": SEVEN, "stars": FIVE}

_LEAD = _l("All of it, from your order to your door.")
_WORDS = {
    "words": _l("What was good, what was not?"),
    "bad": _l("What went wrong?"),
    "middle": _l("What would have made it better?"),
    "good": _l("What did you like most?"),
}
SAID: Mapping[str, Mapping[str, Any]] = {
    "csat": {
        "ask": _l("How was it?"),
        "lead": _LEAD,
        "low": _l("Very bad"),
        "high": _l("Very good"),
        "labels": (_l("Very bad"), _l("Bad"), _l("So-so"), _l("Good"), _l("Very good")),
    },
    "nps": {
        "ask": _l("Would you recommend us to a friend?"),
        "lead": _LEAD,
        "low": _l("Certainly not"),
        "high": _l("Certainly"),
    },
    "ces": {
        "ask": _l("How easy did we make it for you?"),
        "lead": _LEAD,
        "low": _l("Very hard"),
        "high": _l("Very easy"),
    },
    "stars": {
        "ask": _l("How do you like what you bought?"),
        "lead": _l("Only what you know already: leave out the rest."),
        "low": _l("Not at all"),
        "high": _l("Very much"),
    },
}
"""What each asks, in English; the catalogues know the other languages."""


@cache
def texts(code: str) -> Texts:
    """What this question says, by language."""
    told: dict[str, Any] = {}
    for language in LANGUAGES:
        with force_locale(language):
            said = {**_WORDS, "labels": (), **SAID[code]}
            told[language] = {
                name: [str(label) for label in text] if isinstance(text, tuple) else str(text)
                for name, text in said.items()
            }
    return told
