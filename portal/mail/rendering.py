"""A letter is three templates: subject.txt, body.mjml, body.txt. Links are placeholders until the letter is sent.

A placeholder carries the letter's own mark, so that nobody can write one into a text that a letter quotes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import mjml
from flask import current_app, render_template
from flask_babel import force_locale

DOORS = {"unsubscribe": "unsubscribe", "invitation": "desk/invitations", "reset": "desk/invitations"}
"""Links that are no way to an order's pages: mail programs post to one, people of the shop open the others."""
OF_WHAT = re.compile(r"([a-z]+)(?:\.(\d+))?~")
Mint = Callable[[str, int | None], str]
"""(purpose, subject) → a link's secret."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a letter says."""

    subject: str
    html: str
    text: str


def render(kind: str, locale: str, context: dict[str, Any], mark: str) -> Rendered:
    """The letter of this kind in this language. Raises TemplateNotFound for a letter without its three parts.

    In the templates `link("case", 17)` is the address of a link to be minted at sending, `secret("code", 5)` the bare
    secret.
    """
    values = {**context, "link": partial(link, mark), "secret": partial(secret, mark), "locale": locale, "kind": kind}
    with force_locale(locale):
        subject = " ".join(render_template(f"mail/{kind}/subject.txt", **values).split())
        text = render_template(f"mail/{kind}/body.txt", **values).strip() + "\n"
        html = mjml.mjml2html(render_template(f"mail/{kind}/body.mjml", **values))
    return Rendered(subject, html, text)


def link(mark: str, purpose: str, subject: int | None = None) -> str:
    door = DOORS.get(purpose, "l")
    return f"{current_app.config['SETTINGS'].base_url}/{door}/{secret(mark, purpose, subject)}"


def secret(mark: str, purpose: str, subject: int | None = None) -> str:
    """The place where a secret will stand."""
    of_what = purpose if subject is None else f"{purpose}.{subject}"
    return f"~{mark}.{of_what}~"


def one_click(mark: str, subject: int) -> dict[str, str]:
    """The headers by which mail programs unsubscribe for their reader (RFC 8058)."""
    stop = link(mark, "unsubscribe", subject)
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def with_links(text: str, mark: str, mint: Mint) -> str:
    """The text with each placeholder of this mark replaced by a link's secret."""
    first, *others = text.split(f"~{mark}.")
    return first + "".join(_with_link(other, mark, mint) for other in others)


def _with_link(text: str, mark: str, mint: Mint) -> str:
    if not (found := OF_WHAT.match(text)):
        return f"~{mark}.{text}"
    secret = mint(found[1], int(found[2]) if found[2] else None)
    return secret + text[found.end() :]
