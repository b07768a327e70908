"""A stranger who reads our code: follows every address, sends every form, tries every route, and keeps the answers."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

HERE = "http://localhost"
MINE = "stranger@evil.example"


@dataclass
class Form:
    """Where it goes and what stands in it; a stranger types a little of everything into what is empty."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)

    def filled(self) -> dict[str, str]:
        return {name: value or self._typed(name) for name, value in self.fields.items()}

    @staticmethod
    def _typed(name: str) -> str:
        return MINE if "mail" in name else "1" if name.endswith(("quantity", "counted", "amount", "code")) else "mine"


class Page(HTMLParser):
    """The addresses and the forms of a page."""

    def __init__(self, at: str, html: str) -> None:
        super().__init__()
        self.at = at
        self.addresses: list[str] = []
        self.forms: list[Form] = []
        self._choosing = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.addresses += [urljoin(self.at, said[name]) for name in ("href", "src") if said.get(name)]
        if tag == "form":
            self.forms.append(Form(urljoin(self.at, said.get("action", ""))))
        elif self.forms and tag in ("input", "button", "textarea", "select") and said.get("name"):
            self._choosing = said["name"]
            self.forms[-1].fields.setdefault(said["name"], said.get("value", ""))
        elif self.forms and tag == "option" and self._choosing and said.get("value"):
            self.forms[-1].fields[self._choosing] = self.forms[-1].fields[self._choosing] or said["value"]


@dataclass
class Stranger:
    """A browser; `met` is all that it was ever answered, by what it asked for."""

    browser: FlaskClient
    most: int = 250
    met: dict[str, TestResponse] = field(default_factory=dict)
    waits: deque[tuple[str, Form | None]] = field(default_factory=deque)

    def begin(self, *paths: str) -> None:
        """Start from these addresses, and go wherever they lead on this host."""
        self.waits.extend((urljoin(HERE, path), None) for path in paths)
        while self.waits and len(self.met) < self.most:
            self._go(*self.waits.popleft())

    def try_all(self, paths: Iterator[tuple[str, str]]) -> None:
        """Ask for what no page leads to, because the code says that it is there."""
        for method, path in paths:
            data = {"email": MINE, "number": "1001", "code": "123456", "v": "1", "score": "1"}
            self.met[f"{method} {path}"] = self.browser.open(
                path, method=method, data=data if method == "POST" else None
            )

    def _go(self, address: str, form: Form | None) -> None:
        parts = urlsplit(address)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        asked = f"POST {path}" if form else f"GET {path}"
        if asked in self.met or f"{parts.scheme}://{parts.netloc}" != HERE or path.startswith("/static/"):
            return
        answer = self.browser.post(path, data=form.filled()) if form else self.browser.get(path)
        self.met[asked] = answer
        if answer.location:
            self.waits.append((urljoin(address, answer.location), None))
        if answer.mimetype == "text/html":
            page = Page(address, answer.text)
            self.waits.extend((other, None) for other in page.addresses)
            self.waits.extend((other.action, other) for other in page.forms)

    def holding(self, canary: str) -> list[str]:
        """What was asked for when this came back."""
        raw = canary.encode()
        return [asked for asked, answer in self.met.items() if raw in answer.data or canary in str(answer.headers)]
