"""What is the same on every customer's page of one language: rendered once per process, cut where the page goes in."""

import hashlib
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

CUT = "\0"
"""Stands in no page: what was typed can't hold it."""
FIXED = {
    "how_far": _l("How far your order has come"),
    "done": _l("done"),
    "thanks": _l("Thank you for telling us how it was."),
    "your_returns": _l("Your returns"),
    "money_back": _l("Money back"),
    "still_to_come": _l("Still to come"),
    "your_order": _l("Your order"),
    "what_you_can_do": _l("What you can do"),
    "your_dates": _l("Your dates"),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """The layout up to the title, from there to the headline, from there to the content, and what follows it."""

    head: Markup
    top: Markup
    middle: Markup
    foot: Markup


@dataclass(frozen=True, slots=True)
class Fixed:
    """All that a page of this language and shop has in common with the next.

    A release that writes the page otherwise has another `version`: what browsers hold of it is not the same then.
    """

    version: str
    frame: Frame
    texts: dict[str, str]
    svg: dict[str, Markup]

    def as_context(self) -> dict[str, Any]:
        return {"frame": self.frame, "fixed": self.texts, "svg": self.svg}


def fixed() -> Fixed:
    """For the language of this request."""
    known: dict[str, Fixed] = current_app.extensions.setdefault("portal.tracking.fixed", {})
    locale = str(get_locale() or "en")
    if locale not in known:
        known[locale] = _made()
    return known[locale]


def _made() -> Fixed:
    # a message that waits for this reader is not everybody's: the page itself shows it
    layout = current_app.jinja_env.get_template("layout/customer-frame.html")
    html = layout.render(cut=CUT, get_flashed_messages=lambda **_how: [])
    icons = current_app.jinja_env.get_template("components/icons.html").module
    svg = {name: Markup(icons.icon(name)) for name in icons.DRAWN}  # type: ignore[attr-defined]  # noqa: S704
    head, top, middle, foot = (Markup(part) for part in html.split(CUT))  # noqa: S704
    texts = {name: str(text) for name, text in FIXED.items()}
    written = current_app.jinja_env.loader.get_source(current_app.jinja_env, "tracking/show.html")[0]  # type: ignore[union-attr]
    version = hashlib.blake2b(f"{html}{texts}{written}".encode(), digest_size=12).hexdigest()
    return Fixed(version, Frame(head, top, middle, foot), texts, svg)
