"""A letter is three templates: subject.txt, body.mjml, body.txt. Links are placeholders until the letter is sent."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mjml
from flask import current_app, render_template
from flask_babel import force_locale

PLACEHOLDER = re.compile(r"~([a-z]+)(?:\.(\d+))?~")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a letter says."""

    subject: str
    html: str
    text: str


def link(purpose: str, subject: int | None = None) -> str:
    """The address of a link to be minted at sending: `link("case", 17)`. For templates and headers."""
    return f"{current_app.config['SETTINGS'].base_url}/l/~{purpose}{'' if subject is None else f'.{subject}'}~"


def render(kind: str, locale: str, context: dict[str, Any]) -> Rendered:
    """The letter of this kind in this language. Raises TemplateNotFound for a letter without its three parts."""
    values = {**context, "link": link, "locale": locale, "settings": current_app.config["SETTINGS"], "kind": kind}
    with force_locale(locale):
        subject = " ".join(render_template(f"mail/{kind}/subject.txt", **values).split())
        text = render_template(f"mail/{kind}/body.txt", **values).strip() + "\n"
        html = mjml.mjml2html(render_template(f"mail/{kind}/body.mjml", **values))
    return Rendered(subject, html, text)


def with_links(text: str, mint: Callable[[str, int | None], str]) -> str:
    """The text with each placeholder replaced by a link's secret."""
    return PLACEHOLDER.sub(lambda m: mint(m[1], int(m[2]) if m[2] else None), text)
